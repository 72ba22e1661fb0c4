"""Taking back the instruction that hit a watchpoint.

The machine stops after a watched access. gdb expects a RISC-V hart to stop before it: it takes the
watchpoint away, steps over the instruction, and then compares the values. So while gdb watches
something, the state before each instruction that the engine runs in plain Python is kept, and
watched accesses are always run so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vtbook.cpu.hart import Hart
from vtbook.cpu.layout import offset

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine


class Undo:
    """Notes accesses in the place of the list ``hart.accesses``, and can undo the last ones.

    Use it as a context around a run.
    """

    def __init__(self, machine: Machine, hart: Hart) -> None:
        self._machine, self._hart = machine, hart
        self._start = (-1, 0)  # instructions retired before the instruction, and its pc
        self._registers = b""
        self._memory: list[tuple[int, bytes]] | None = []
        """What its stores have overwritten; None if that cannot be put back."""

    def __enter__(self) -> Undo:
        self._installed = self._hart.accesses is None
        if self._installed:
            self._hart.accesses = self
        return self

    def __exit__(self, *_: object) -> None:
        if self._installed:
            self._hart.accesses = None

    def append(self, access: tuple) -> None:
        """Note an access that is about to happen: ("r", address, size) or ("w", address, bytes)."""
        hart, ram = self._hart, self._machine.board.ram
        here = hart.instret, hart.pc
        if here != self._start:
            self._start = here
            self._registers = self._machine.hart_bytes()
            self._memory = []
        kind, address, data = access
        if not ram.holds(address, 1):
            self._memory = None  # a device: what it did cannot be undone
        elif kind == "w" and self._memory is not None and ram.holds(address, len(data)):
            self._memory.append((address, ram.read(address, len(data))))
            if any(first <= address < end for first, end in self._machine.board.htif_words()):
                self._memory = None

    def take_back(self) -> bool:
        """Undo the instruction that has just retired; False if that cannot be."""
        hart, machine = self._hart, self._machine
        if self._memory is None or self._start[0] != hart.instret - 1:
            return False
        for address, data in reversed(self._memory):
            machine.board.ram.write(address, data)
        hart.state.view(np.uint8)[: offset("zero")] = np.frombuffer(self._registers, np.uint8)
        machine.engine.flush()
        machine.history.end()  # this moment is in the recorded past too: nothing was edited
        self._start = (-1, 0)
        return True
