"""The hardware: a board built, with RAM, harts and devices wired to each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from vtbook.cpu.hart import Hart
from vtbook.cpu.layout import EXECUTABLE, READABLE
from vtbook.devices import Bus, Console, DeviceStateError, Finisher, Htif, Shutdown, Uart
from vtbook.devices.bus import Region
from vtbook.devices.clint import Clint
from vtbook.devices.network import Capture, Port, UserNetwork
from vtbook.devices.plic import Plic
from vtbook.devices.rtc import Rtc
from vtbook.devices.state import check_state, uint
from vtbook.devices.storage import Storage
from vtbook.devices.virtio import (
    VirtioBalloon,
    VirtioBlock,
    VirtioConsole,
    VirtioDevice,
    VirtioEntropy,
    VirtioMmio,
)
from vtbook.devices.virtio.net import VirtioNet
from vtbook.isa.operations import MASK64
from vtbook.machine.board import (
    CLINT_BASE,
    FINISHER_BASE,
    NANOSECONDS_A_TICK,
    PLIC_BASE,
    PLIC_SOURCES,
    RAM_BASE,
    ROM_BASE,
    ROM_SIZE,
    RTC_BASE,
    RTC_SOURCE,
    TICK,
    UART_BASE,
    UART_SOURCE,
    VIRTIO_BASE,
    Board,
)
from vtbook.machine.ram import PAGE, Ram

SOFTWARE, EXTERNAL_M, EXTERNAL_S = 1 << 3, 1 << 11, 1 << 9
"""Bits of mip that lines of CLINT and PLIC hold up."""
QUANTUM = 10_000
"""Counts of the clock in one turn of a hart, where there are several. Shorter turns cost speed,
longer ones make harts that wait for each other wait longer."""
SCHEDULE = {"running": uint(8), "turn_left": uint(32)}
WAKE, DEADLINE = ("wake",), ("deadline",)
"""Events after which the engines look at networks, and at the deadlines of devices."""
FIRST_MAC = 0x5254_0012_3456


class Hardware:
    """The parts of a machine.

    Args:
        description: the board to build. Its disks are opened, and its networks begin.
        sink: called with each piece of console output as it comes.

    Raises:
        VtbookError: RAM, a disk, a network, a capture or the shared folder cannot be had.

    Attributes:
        description: the `Board` that it was built from.
        ram, harts, bus, console: see there; `hart` is the first of `harts`.
        uart, finisher, rtc, clint, plic: the devices that every board has.
        virtio: the virtio devices by the name of their slot, ``virtio0`` and on.
        disks: the storages of the disks, by name, ``disk0`` and on.
        ports: the ends of the network cards' cables, by name, ``net0`` and on.
        networks: the networks of those cards that have one of their own, by the same names.
        request: the guest's pending request to stop; the machine takes it.
        htif: the host interface, when the loaded program has a ``tohost`` symbol.
        running: the hart whose turn it is; events of devices go to it.
        turn_left: counts of the clock left of that turn, where there are several harts.
        muted: whether the machine replays its past, and nothing goes outside.
    """

    def __init__(self, description: Board, sink: Callable[[bytes], object] | None = None) -> None:
        self.description = description
        self.ram = Ram(RAM_BASE, description.ram_size)
        self.rom = np.zeros(ROM_SIZE, np.uint8)
        self.console = Console(sink)
        self.bus = Bus()
        self.harts = [Hart(description.isa, number) for number in range(description.harts)]
        self.hart = self.running = self.harts[0]
        for hart in self.harts:
            hart.map_memory(RAM_BASE, self.ram.array)
            hart.map_memory(ROM_BASE, self.rom, READABLE | EXECUTABLE)
            hart.bus = self.bus
            hart.pmp_entries = description.pmp
            hart.svade = int(description.svade)
        self.turn_left = QUANTUM
        self.muted = False
        self.htif: Htif | None = None
        self.request: Shutdown | None = None
        self.virtio: dict[str, VirtioDevice] = {}
        self.disks: dict[str, Storage] = {}
        self.ports: dict[str, Port] = {}
        self.networks: dict[str, UserNetwork] = {}
        self._captures: list[Capture] = []
        self.bus.on_change = self._map_devices
        self._add_fixed_devices()
        self._add_virtio_devices()
        self._reset_harts()

    def _map_devices(self) -> None:
        ranges = [(region.base, region.end) for region in self.bus.regions]
        for hart in self.harts:
            hart.map_devices(ranges)

    # -- devices ----------------------------------------------------------------------------

    def _add_fixed_devices(self) -> None:
        harts = len(self.harts)
        self.finisher = Finisher(self._stop)
        self.clint = Clint(
            harts, self.time, self._set_software, self._set_timer, write_time=self.set_time
        )
        self.plic = Plic(2 * harts, PLIC_SOURCES, self._set_external)
        self.uart = Uart(self.console, self._line(UART_SOURCE))
        self.uart.on_poll = lambda: self.running.events.append(("poll",))
        self.rtc = Rtc(
            self.nanoseconds,
            self.description.start,
            self._line(RTC_SOURCE),
            lambda: self.running.events.append(DEADLINE),
        )
        self.bus.add(FINISHER_BASE, self.finisher, name="finisher")
        self.bus.add(RTC_BASE, self.rtc, name="rtc")
        self.bus.add(CLINT_BASE, self.clint, name="clint")
        self.bus.add(PLIC_BASE, self.plic, name="plic")
        self.bus.add(UART_BASE, self.uart, name="uart")

    def _add_virtio_devices(self) -> None:
        board = self.description
        for number, disk in enumerate(board.disks):
            storage = disk.open()
            self.disks[f"disk{number}"] = storage
            self._plug(VirtioBlock(storage))
        for number, nic in enumerate(board.nics):
            name = f"net{number}"
            octets = (FIRST_MAC + number).to_bytes(6)
            mac = nic.mac or ":".join(f"{octet:02x}" for octet in octets)
            # A switch has cards of several machines: there the address tells ports apart.
            port = self.ports[name] = Port(name if nic.switch is None else mac)
            port.on_wake = lambda: self.running.events.append(WAKE)
            self._plug(VirtioNet(port, mac=mac))
            if nic.switch is not None:
                nic.switch.attach(port)
            else:
                network = UserNetwork(
                    restrict=nic.restrict,
                    host_loopback=nic.host_loopback,
                    forwards=tuple(nic.forwards),
                )
                network.attach(port)
                self.networks[name] = network
            if nic.capture is not None:
                path = os.fspath(nic.capture)
                self._captures.append(Capture(path, port, clock=self.nanoseconds))
        if board.entropy:
            self._plug(VirtioEntropy())
        if board.balloon:
            self._plug(VirtioBalloon(on_inflate=self.ram.discard, on_report=self._discard))
        if board.console:
            self._plug(VirtioConsole(self.console))
        if board.share is not None:
            from vtbook.devices.virtio.ninep import Virtio9P

            self._plug(Virtio9P(board.share, tag="host"))

    def _plug(self, device: VirtioDevice) -> None:
        """Put a virtio device into the next free slot."""
        number = len(self.virtio)
        slot = VirtioMmio(device, self.ram, self._line(number + 1), legacy=self.description.legacy)
        self.virtio[f"virtio{number}"] = device
        self.bus.add(VIRTIO_BASE + 0x1000 * number, slot, name=f"virtio{number}", size=0x1000)

    def close(self) -> None:
        """Let go of disks, networks and captures."""
        for port in self.ports.values():
            port.unplug()
        for network in self.networks.values():
            network.close()
        for capture in self._captures:
            capture.close()
        for device in self.virtio.values():
            device.close()
        for disk in self.disks.values():
            disk.close()

    def _discard(self, ranges: Iterable[tuple[int, int]]) -> None:
        """The guest does not keep what is in these ranges of RAM, each an address and a length."""
        for address, length in ranges:
            first = -(-address // PAGE)
            self.ram.discard(range(first, max(first, (address + length) // PAGE)))

    # -- wires ------------------------------------------------------------------------------

    def _plic_last(self) -> list[Region]:
        """The regions of the bus; a device may move its line while it is reset."""
        return sorted(self.bus.regions, key=lambda region: region.device is self.plic)

    def _line(self, source: int) -> Callable[[bool], None]:
        return lambda level: self.plic.set_line(source, level)

    def _set_software(self, hart: int, level: bool) -> None:
        self._hold(hart, SOFTWARE, level)

    def _set_external(self, context: int, level: bool) -> None:
        self._hold(context // 2, EXTERNAL_S if context & 1 else EXTERNAL_M, level)

    def _hold(self, hart: int, bit: int, level: bool) -> None:
        lines = self.harts[hart].lines
        self.harts[hart].lines = lines | bit if level else lines & ~bit

    def _set_timer(self, hart: int, mtimecmp: int) -> None:
        self.harts[hart].mtimecmp = mtimecmp

    def _stop(self, request: Shutdown) -> None:
        """A device received a request to stop: the engine must come back after this instruction."""
        self.request = request
        self.running.events.append(("shutdown",))

    # -- time -------------------------------------------------------------------------------

    @property
    def clock(self) -> int:
        """Instructions of all harts since power-on, and the time in which none ran as so many
        instructions: `TICK` for each hart in 100 ns."""
        return self.running.instret + self.running.idle

    def time(self) -> int:
        """mtime: ticks of 100 ns, 64 bits, unsigned (privileged spec 3.2.1)."""
        hart = self.running
        return (self.clock // hart.tick + hart.time_offset) & MASK64

    def set_time(self, value: int) -> None:
        """Write mtime, in ticks, for all harts."""
        offset = value - self.clock // self.running.tick
        for hart in self.harts:
            hart.time_offset = offset

    def nanoseconds(self) -> int:
        """Nanoseconds since power-on, whatever mtime was set to."""
        return self.clock * NANOSECONDS_A_TICK // self.running.tick

    def next_deadline(self) -> int | None:
        """Nanoseconds since power-on at which a device has something to do; None if none has."""
        return self.rtc.next_deadline()

    def tick(self) -> None:
        """Let devices do what is due."""
        deadline = self.rtc.next_deadline()
        if deadline is not None and self.nanoseconds() >= deadline:
            self.rtc.tick()

    # -- power ------------------------------------------------------------------------------

    def power_on(self) -> None:
        """Everything as at power-on: RAM zero; harts, devices and console reset."""
        self.ram.clear()
        self.rom[:] = 0
        self._reset_harts()
        self.console.reset()
        self.forget_outside()
        for region in self._plic_last():
            if hasattr(region.device, "reset"):
                region.device.reset()
        self.finisher.request = None
        self.request = None
        self.htif = None

    def _reset_harts(self) -> None:
        for hart in self.harts:
            hart.reset()
            hart.tick = TICK * len(self.harts)
        self.running, self.turn_left = self.hart, QUANTUM

    def connect_htif(self, tohost: int, fromhost: int | None) -> Htif:
        """Let the program talk to the host through these words of RAM, given by their physical
        addresses. Without `fromhost` it gets no answers."""
        self.htif = Htif(self.ram, tohost, fromhost, self.console, self._stop)
        return self.htif

    def htif_words(self) -> list[tuple[int, int]]:
        """First address and end of the words that HTIF must see written."""
        if self.htif is None:
            return []
        words = (self.htif.tohost, self.htif.fromhost)
        return [(word, word + 8) for word in words if word is not None]

    # -- the outside ------------------------------------------------------------------------

    @property
    def is_live(self) -> bool:
        """Whether something outside may act at any time, at the pace of the real world."""
        return any(network.is_live for network in self.networks.values()) or any(
            nic.switch is not None for nic in self.description.nics
        )

    def poll(self, timeout: float = 0.0) -> int:
        """Take what has come from outside; returns how many frames that were.

        Not while the machine replays its past, in which they came at other moments.
        """
        count = 0
        if self.muted:
            return count
        for port in self.ports.values():
            count += port.poll(timeout)
            timeout = 0.0
        return count

    def inputs(self) -> dict[str, tuple[Any, Callable[[bytes], None]]]:
        """All that takes what comes from outside, by name: the part, which tells `on_feed` of each
        piece before it takes it, and its method to take it, which a replay calls."""
        found: dict[str, tuple[Any, Callable[[bytes], None]]] = {
            "console": (self.console, self.console.feed)
        }
        for name, port in self.ports.items():
            found[name] = port, port.receive
        for name, device in self.virtio.items():
            if hasattr(device, "on_feed"):
                found[name] = device, device.feed  # type: ignore[attr-defined]
        return found

    def forget_outside(self) -> None:
        """What is on its way, and all connections, belong to another past: drop them."""
        for port in self.ports.values():
            port.reset()

    def mute(self, muted: bool) -> None:
        """While muted, nothing goes outside: the machine replays its past."""
        self.muted = self.console.muted = muted
        for port in self.ports.values():
            port.muted = muted
        for device in self.virtio.values():
            device.muted = muted

    # -- state ------------------------------------------------------------------------------

    def rom_pages(self) -> dict[int, bytes]:
        """The boot ROM as page number -> bytes, where it is not zero."""
        pages = (self.rom[at : at + PAGE].tobytes() for at in range(0, ROM_SIZE, PAGE))
        return {number: page for number, page in enumerate(pages) if any(page)}

    def put_rom_pages(self, pages: Mapping[int, bytes]) -> None:
        """Make the boot ROM what it was when `rom_pages` gave `pages`."""
        self.rom[:] = 0
        for number, page in pages.items():
            if number < ROM_SIZE // PAGE:
                self.rom[number * PAGE : (number + 1) * PAGE] = np.frombuffer(page, np.uint8)

    def device_states(self) -> dict[str, dict[str, Any]]:
        """The state of every device, of the console, of the disks and of the turns, by name, as
        plain data. What the disks hold is not in it."""
        states = {region.name: region.device.state() for region in self.bus.regions}
        states["console"] = self.console.state()
        running = self.harts.index(self.running)
        states["schedule"] = {"running": running, "turn_left": self.turn_left}
        for name, storage in self.disks.items():
            states[name] = storage.state()
        if self.htif is not None:
            states["htif"] = self.htif.state()
        return states

    def load_device_states(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        """Go back to the states that `device_states` gave.

        Raises:
            DeviceStateError: they are of other devices, or damaged.
        """
        expected = {region.name for region in self.bus.regions} | {"console", "schedule"}
        expected |= self.disks.keys()
        fits = isinstance(states, Mapping) and states.keys() - {"htif"} == expected
        if not fits or not all(isinstance(state, Mapping) for state in states.values()):
            names = ", ".join(sorted(expected))
            raise DeviceStateError(f"the states are not of this board's devices ({names})")
        schedule = dict(states["schedule"])
        check_state("the schedule", schedule, SCHEDULE)
        if schedule["running"] >= len(self.harts):
            raise DeviceStateError(f"the snapshot has a hart {schedule['running']}")
        self.htif = None
        self.request = None
        self.running = self.harts[schedule["running"]]
        self.turn_left = schedule["turn_left"]
        for region in self._plic_last():
            region.device.load_state(dict(states[region.name]))
        self.console.load_state(dict(states["console"]))
        for name, storage in self.disks.items():
            storage.load_state(dict(states[name]))
        if "htif" in states:
            self.connect_htif(0, None).load_state(dict(states["htif"]))
