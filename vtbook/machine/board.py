"""The board: RAM and devices at the addresses of QEMU's ``virt``, wired to one hart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vtbook.cpu.hart import Hart
from vtbook.devices import Bus, Console, DeviceStateError, Finisher, Htif, Shutdown, Uart
from vtbook.isa.instruction_set import InstructionSet
from vtbook.machine.ram import Ram

RAM_BASE = 0x8000_0000
UART_BASE = 0x1000_0000
FINISHER_BASE = 0x10_0000
WATCH_READ, WATCH_WRITE = 1, 2


class Board:
    """One hart, its RAM, and the devices, each known by name on the bus.

    Attributes:
        request: the guest's pending request to stop; the machine takes it.
        htif: the host interface, when the loaded program has a ``tohost`` symbol.
    """

    def __init__(
        self, isa: InstructionSet, ram_size: int, sink: Callable[[bytes], object] | None
    ) -> None:
        self.ram = Ram(RAM_BASE, ram_size)
        self.console = Console(sink)
        self.hart = Hart(isa)
        self.hart.map_memory(RAM_BASE, self.ram.array)
        self.bus = Bus()
        self.hart.bus = self.bus
        self.uart = Uart(self.console)
        self.uart.on_poll = lambda: self.hart.events.append(("poll",))
        self.finisher = Finisher(self._stop)
        self.htif: Htif | None = None
        self.request: Shutdown | None = None
        for base, device, name in (
            (UART_BASE, self.uart, "uart"),
            (FINISHER_BASE, self.finisher, "finisher"),
        ):
            region = self.bus.add(base, device, name=name)
            self.hart.map_device(region.base, region.end)

    def power_on(self) -> None:
        """Everything as at power-on: RAM zero, hart, devices and console reset."""
        self.ram.clear()
        self.hart.reset()
        self.console.reset()
        self.uart.reset()
        self.finisher.request = None
        self.request = None
        self.htif = None

    def connect_htif(self, tohost: int, fromhost: int | None) -> Htif:
        """Let the program talk to the host through these words of RAM."""
        self.htif = Htif(self.ram, tohost, fromhost, self.console, self._stop)
        return self.htif

    def htif_words(self) -> list[tuple[int, int]]:
        """First address and end of the words that HTIF must see written."""
        if self.htif is None:
            return []
        words = (self.htif.tohost, self.htif.fromhost)
        return [(word, word + 8) for word in words if word is not None]

    def _stop(self, request: Shutdown) -> None:
        """A device received a request to stop: the engine must come back after this instruction."""
        self.request = request
        self.hart.events.append(("shutdown",))

    # -- state ------------------------------------------------------------------------------

    def device_states(self) -> dict[str, dict[str, Any]]:
        """The state of every device and of the console, by name."""
        states = {region.name: region.device.state() for region in self.bus.regions}
        states["console"] = self.console.state()
        if self.htif is not None:
            states["htif"] = self.htif.state()
        return states

    def load_device_states(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        """Go back to the states that `device_states` gave.

        Raises:
            DeviceStateError: they are of other devices, or damaged.
        """
        expected = {region.name for region in self.bus.regions} | {"console"}
        fits = isinstance(states, Mapping) and states.keys() - {"htif"} == expected
        if not fits or not all(isinstance(state, Mapping) for state in states.values()):
            names = ", ".join(sorted(expected))
            raise DeviceStateError(f"the states are not of this board's devices ({names})")
        self.htif = None
        self.request = None
        for region in self.bus.regions:
            region.device.load_state(dict(states[region.name]))
        self.console.load_state(dict(states["console"]))
        if "htif" in states:
            self.connect_htif(0, None).load_state(dict(states["htif"]))
