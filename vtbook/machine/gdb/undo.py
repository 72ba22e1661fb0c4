"""Taking back the instruction that hit a watchpoint.

The machine stops after a watched access. gdb expects a RISC-V hart to stop before it: it takes the
watchpoint away, steps over the instruction, and then compares the values. So while gdb watches
something, the state before each instruction that the engine runs in plain Python is kept, and
watched accesses are always run so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vtbook.cpu.hart import Hart
from vtbook.cpu.layout import offset
from vtbook.isa.operations import MASK64
from vtbook.machine.gdb.memory import walk_of
from vtbook.mmu.walk import PAGE

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine


class Undo:
    """Notes what the harts' instructions are about to change, and can undo the last one.

    Use it as a context around a run. It costs nothing while nothing is watched.
    """

    def __init__(self, machine: Machine, harts: Sequence[Hart]) -> None:
        self._machine = machine
        free = [hart for hart in harts if machine.watchpoints and hart.accesses is None]
        self._notes = {id(hart): Notes(machine, hart) for hart in free}
        self._harts = free

    def __enter__(self) -> Undo:
        for hart in self._harts:
            hart.accesses = self._notes[id(hart)]
        return self

    def __exit__(self, *_: object) -> None:
        for hart in self._harts:
            hart.accesses = None

    def take_back(self) -> bool:
        """Undo the instruction that has just retired; False if that cannot be."""
        machine = self._machine
        notes = self._notes.get(id(machine.hart))
        if notes is None or not notes.take_back():
            return False
        if len(self._harts) > 1:
            machine.board.turn_left += 1
        machine.engine.flush()
        machine.history.end()  # this moment is in the recorded past too: nothing was edited
        return True


class Notes:
    """Notes of one hart; in the place of the list ``hart.accesses``."""

    def __init__(self, machine: Machine, hart: Hart) -> None:
        self._machine, self._hart = machine, hart
        self._start = (-1, 0)  # instructions retired before the instruction, and its pc
        self._registers = b""
        self._memory: list[tuple[int, bytes]] | None = []
        """What its stores have overwritten; None if that cannot be put back."""

    def append(self, access: tuple) -> None:
        """Note an access that is about to happen: ("r", address, size) or ("w", address, bytes)."""
        hart = self._hart
        here = hart.instret, hart.pc
        if here != self._start:
            self._start = here
            self._registers = self._record.tobytes()
            self._memory = []
        kind, address, data = access
        size = data if kind == "r" else len(data)
        while size > 0 and self._memory is not None:
            length = min(size, PAGE - address % PAGE)
            self._keep(address, length)
            address, size = (address + length) & MASK64, size - length

    @property
    def _record(self) -> np.ndarray:
        """The architectural part of the hart's record."""
        return self._hart.state.view(np.uint8)[: offset("zero")]

    def _keep(self, address: int, size: int) -> None:
        """Keep what an access inside one page may change: its bytes, and bits of the entries."""
        assert self._memory is not None
        ram = self._machine.board.ram
        walk = walk_of(self._hart, ram, address, lent=True)
        physical = address if walk is None else walk.physical
        if physical is None:
            return  # a page fault: the instruction will not retire
        words = self._machine.board.htif_words()
        reaches_host = any(first < physical + size and physical < end for first, end in words)
        if reaches_host or not ram.holds(physical, size):
            self._memory = None  # what a device did cannot be undone
            return
        self._memory.append((physical, ram.read(physical, size)))
        for one in walk.references if walk is not None else ():
            self._memory.append((one.address, one.pte.to_bytes(8, "little")))

    def take_back(self) -> bool:
        """Put back what the last instruction has changed, if it is the one that was noted."""
        if self._memory is None or self._start[0] != self._hart.instret - 1:
            return False
        for address, data in reversed(self._memory):
            self._machine.board.ram.write(address, data)
        self._record[:] = np.frombuffer(self._registers, np.uint8)
        self._start = (-1, 0)
        return True
