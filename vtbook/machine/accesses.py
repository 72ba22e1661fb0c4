"""Accesses to devices, noted as they happen, at the speed of compiled code.

An access to a device leaves compiled code and goes over the bus; here it is noted on its way. The
addresses are physical, as the bus sees them, whatever page tables are in use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

from vtbook.devices import Bus, BusFault

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine

Note = Callable[[Literal["read", "write"], int, int, int], object]
"""Called with kind, physical address, bytes, and the value read or written."""


class Access(NamedTuple):
    """What was touched: the name of the device, ``read`` or ``write``, the register's offset."""

    device: str
    kind: str
    offset: int


class _NotingBus:
    """The bus of a board, between it and the harts."""

    def __init__(self, bus: Bus, note: Note) -> None:
        self.bus, self.note = bus, note

    def read(self, address: int, size: int) -> int:
        value = self.bus.read(address, size)
        self.note("read", address, size, value)
        return value

    def write(self, address: int, size: int, value: int) -> None:
        self.note("write", address, size, value)
        self.bus.write(address, size, value)


@contextmanager
def noting_accesses(machine: Machine, note: Note) -> Iterator[None]:
    """Inside the ``with`` block, call ``note`` for each access of a hart to a device.

    A read is noted after it, a write before it, so that what a device does because of a write comes
    later. Recordings can be nested.
    """
    before = [hart.bus for hart in machine.harts]
    for hart in machine.harts:
        hart.bus = _NotingBus(hart.bus, note)
    try:
        yield
    finally:
        for hart, bus in zip(machine.harts, before, strict=True):
            hart.bus = bus


@contextmanager
def count_accesses(machine: Machine) -> Iterator[Counter[Access]]:
    """Inside the ``with`` block, count the accesses to devices by device, kind and register.

    >>> with count_accesses(machine) as touched:  # doctest: +SKIP
    ...     machine.run()
    >>> touched["uart", "write", 0]  # doctest: +SKIP
    42
    """
    found: Counter[Access] = Counter()

    def note(kind: str, address: int, size: int, value: int) -> None:
        try:
            region = machine.board.bus.find(address)
        except BusFault:  # an access where nothing is; the hart traps
            return
        found[Access(region.name, kind, address - region.base)] += 1

    with noting_accesses(machine, note):
        yield found
