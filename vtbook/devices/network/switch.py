"""A learning Ethernet switch (IEEE 802.1D, clause 7): it joins machines of one process.

It notes at which port a source address was last seen, and sends a frame for that address there
only. A frame for an unknown address, or for a group, goes to every other port in the order in which
they were plugged in. So what happens depends on nothing but the frames and the clock it was given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from vtbook.devices.network.ethernet import HEADER, LONGEST, is_group, mac_text
from vtbook.devices.network.port import Network, Port, Tap
from vtbook.errors import VtbookError

TABLE_LIMIT = 1024
"""Addresses that are remembered. A guest that invents more cannot push out those of others."""
AGEING = 300.0
"""IEEE 802.1D, table 7-5: seconds."""
PATIENCE = 0.005
"""Seconds that an uplink may wait for something outside."""
RESERVED = bytes.fromhex("0180c20000")
"""Group addresses 01-80-C2-00-00-0X are for the bridge itself and are never forwarded."""


class SwitchError(VtbookError):
    """The switch cannot be wired as asked."""


@dataclass
class PortStatistics:
    """What happened at one port of a switch, in frames."""

    received: int = 0
    sent: int = 0
    flooded: int = 0
    """Received for an unknown address or a group, so sent to all others."""
    filtered: int = 0
    """Received for a station that is at the same port."""
    dropped: int = 0
    """Received and invalid: too short or long, from a group address, or for the bridge itself."""


@dataclass
class _Slot:
    port: Port
    uplink: bool
    statistics: PortStatistics = field(default_factory=PortStatistics)


@dataclass(frozen=True)
class Station:
    """One line of the address table: `mac` was last seen at `port`, `age` ago."""

    mac: str
    port: str
    age: float


class Switch:
    """A switch; `attach` plugs machines in, `uplink` another network.

    Args:
        clock: gives the time in seconds, for ageing. Without one, time is the number of frames
            that the switch has seen, so that a run gives the same each time.
        ageing: an address that was silent for so long is forgotten, in the clock's units.

    Attributes:
        taps: called with each frame that enters, as ``in``.
        overflows: addresses that were not learnt because the table was full.
    """

    def __init__(self, *, clock: Callable[[], float] | None = None, ageing: float = AGEING) -> None:
        self.clock = clock or (lambda: float(self._frames))
        self.ageing = ageing
        self.taps: list[Tap] = []
        self.overflows = 0
        self._frames = 0
        self._slots: dict[Port, _Slot] = {}
        self._table: dict[bytes, tuple[Port, float]] = {}
        self._lock = threading.RLock()  # machines may run on threads of their own
        self._polling = threading.Lock()

    # -- wiring -----------------------------------------------------------------------------

    def attach(self, port: Port) -> Port:
        """Plug the card behind `port` in.

        Raises:
            SwitchError: it is plugged in somewhere already, or its name is taken.
        """
        if port.network is not None:
            raise SwitchError(f"port {port.name} is plugged in already; unplug it first")
        self._add(port, uplink=False)
        port.network = self
        return port

    def uplink(self, network: Network, name: str = "uplink") -> Port:
        """Join `network` (a `UserNetwork`, another `Switch`), as one more port.

        `network` is anything with an ``attach(port)``.
        """
        port = Port(name)
        self._add(port, uplink=True)
        port.on_frame = lambda frame: self._forward(port, frame)
        port.on_wake = self._wake_all
        network.attach(port)  # type: ignore[attr-defined]
        return port

    def _add(self, port: Port, uplink: bool) -> None:
        with self._lock:
            if any(other.name == port.name for other in self._slots):
                names = ", ".join(other.name for other in self._slots)
                raise SwitchError(f"a port is called {port.name!r} already ({names}); name another")
            self._slots[port] = _Slot(port, uplink)

    def detach(self, port: Port) -> None:
        """Forget `port` and every address seen there."""
        with self._lock:
            slot = self._slots.pop(port, None)
            self._table = {mac: at for mac, at in self._table.items() if at[0] is not port}
        if slot is None:
            return
        if slot.uplink:
            port.on_frame = port.on_wake = None
            port.unplug()
        else:
            port.network = None

    @property
    def ports(self) -> tuple[Port, ...]:
        """The ports in the order in which frames are flooded."""
        return tuple(self._slots)

    # -- forwarding -------------------------------------------------------------------------

    def send(self, port: Port, frame: bytes) -> None:
        """A frame enters at `port`."""
        self._forward(port, frame)

    def _forward(self, port: Port, frame: bytes) -> None:
        with self._lock:
            slot = self._slots.get(port)
            if slot is None:
                return
            self._frames += 1
            slot.statistics.received += 1
            for tap in self.taps:
                tap("in", frame)
            destination, source = frame[:6], frame[6:12]
            if (
                not HEADER <= len(frame) <= LONGEST
                or is_group(source)
                or (destination[:5] == RESERVED and destination[5] < 16)
            ):
                slot.statistics.dropped += 1
                return
            now = self.clock()
            self._learn(source, port, now)
            at = None if is_group(destination) else self._find(destination, now)
            if at is port:
                slot.statistics.filtered += 1
            elif at is not None:
                self._emit(self._slots[at], frame)
            else:
                slot.statistics.flooded += 1
                for other in list(self._slots.values()):
                    if other is not slot:
                        self._emit(other, frame)

    def _emit(self, slot: _Slot, frame: bytes) -> None:
        slot.statistics.sent += 1
        if slot.uplink:
            slot.port.send(frame)
        else:
            slot.port.offer(frame)

    def _learn(self, mac: bytes, port: Port, now: float) -> None:
        if mac not in self._table and len(self._table) >= TABLE_LIMIT:
            self._expire(now)
            if len(self._table) >= TABLE_LIMIT:
                self.overflows += 1
                return
        self._table[mac] = (port, now)

    def _find(self, mac: bytes, now: float) -> Port | None:
        port, seen = self._table.get(mac, (None, now))
        if port is not None and now - seen > self.ageing:
            del self._table[mac]
            return None
        return port

    def _expire(self, now: float) -> None:
        alive = {mac: at for mac, at in self._table.items() if now - at[1] <= self.ageing}
        self._table = alive

    # -- looking at it ----------------------------------------------------------------------

    @property
    def table(self) -> list[Station]:
        """The address table, in order of address."""
        with self._lock:
            now = self.clock()
            self._expire(now)
            return [
                Station(mac_text(mac), port.name, now - seen)
                for mac, (port, seen) in sorted(self._table.items())
            ]

    @property
    def statistics(self) -> dict[str, PortStatistics]:
        """Counts of each port by its name."""
        return {port.name: slot.statistics for port, slot in self._slots.items()}

    # -- the network behind a port ----------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether an uplink can wait for something outside."""
        slots = list(self._slots.values())
        return any(slot.uplink and slot.port.network is not None for slot in slots)

    def poll(self, timeout: float = 0.0) -> None:
        """Let the uplinks work; the first waits for something to do, but not for long.

        Meanwhile other machines may send frames, of which the uplink knows nothing.
        """
        timeout = min(timeout, PATIENCE)
        if not self._polling.acquire(timeout=max(timeout, 0.0)):
            return  # another machine's thread does it just now
        try:
            for slot in list(self._slots.values()):
                if slot.uplink:
                    slot.port.poll(timeout)
                    timeout = 0.0
        finally:
            self._polling.release()

    def filenos(self) -> list[int]:
        """The descriptors of all uplinks."""
        return [
            number
            for slot in list(self._slots.values())
            if slot.uplink
            for number in slot.port.filenos()
        ]

    def deadline(self) -> float | None:
        """The earliest deadline of an uplink."""
        times = [slot.port.deadline() for slot in list(self._slots.values()) if slot.uplink]
        return min((time for time in times if time is not None), default=None)

    def reset(self, port: Port) -> None:
        """Nothing: the other machines' connections are their own."""

    def _wake_all(self) -> None:
        for slot in list(self._slots.values()):
            if not slot.uplink:
                slot.port.wake()
