"""Two harts with equal state, one in plain Python and one compiled, held against each other."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tests.translator.engines import PlainEngine
from vtbook.cpu.hart import Hart
from vtbook.cpu.interpreter import Interpreter, Stop
from vtbook.cpu.layout import ARCHITECTURAL, EXECUTABLE, READABLE
from vtbook.isa.assembler import assemble
from vtbook.isa.instruction_set import InstructionSet
from vtbook.isa.operations import wrap
from vtbook.isa.sets import RV64GC

#: How many times more cases than in a short run.
FUZZ = int(os.environ.get("VTBOOK_FUZZ", "1"))

RAM, RAM_SIZE = 0x8000_0000, 0x4000
ROM, ROM_SIZE = RAM + RAM_SIZE, 0x2000  # right behind; nobody can write here
END = ROM + ROM_SIZE  # nothing here
HANDLER = RAM + 0x3000

#: A trap handler that goes on behind the instruction that trapped, whatever its length.
SKIP = """
        csrw    mscratch, t6
        csrr    t6, mepc
        lbu     t6, 0(t6)
        andi    t6, t6, 3
        addi    t6, t6, -3
        snez    t6, t6
        slli    t6, t6, 1
        addi    t6, t6, -4
        csrw    mcause, t5
        csrr    t5, mepc
        sub     t6, t5, t6
        csrw    mepc, t6
        csrr    t5, mcause
        csrr    t6, mscratch
        mret
"""


class Twins:
    """The two harts; ``run`` runs both and compares all that a guest can see."""

    def __init__(self, isa: InstructionSet = RV64GC, ram_flags: int = 7):
        self.isa = isa
        self.harts = [Hart(isa), Hart(isa)]
        self.memory = [
            [np.zeros(RAM_SIZE, np.uint8), np.zeros(ROM_SIZE, np.uint8)] for _ in range(2)
        ]
        for hart, (ram, rom) in zip(self.harts, self.memory, strict=True):
            hart.map_memory(RAM, ram, ram_flags)
            hart.map_memory(ROM, rom, READABLE | EXECUTABLE)
        self.plain = PlainEngine(self.harts[0])
        self.compiled = Interpreter(self.harts[1])

    @property
    def engines(self) -> tuple[PlainEngine, Interpreter]:
        return self.plain, self.compiled

    @property
    def x(self) -> Any:
        """The compiled hart's registers."""
        return self.harts[1].x

    def reset(self, code: str | bytes = b"", at: int = RAM, **fields: int) -> None:
        """Fresh state with the code in memory; ``x5=1, mtvec=…`` set registers and CSRs."""
        for arrays in self.memory:
            for array in arrays:
                array[:] = 0
        for hart in self.harts:
            hart.reset(at)
            hart.events.clear()
            hart.mstatus, hart.trap_exits = 3 << 13, 0
        self.set(**fields)
        self.write(at, code)
        self.compiled.set_breakpoints([])
        self.plain.set_breakpoints([])

    def set(self, **fields: int) -> None:
        """Set registers and CSR fields of both."""
        for hart in self.harts:
            for name, value in fields.items():
                if name[0] in "xf" and name[1:].isdigit():
                    getattr(hart, name[0])[int(name[1:])] = value
                else:
                    setattr(hart, name, value)

    def write(self, address: int, code: str | bytes) -> None:
        """Assemble to, or copy to, the memory of both, and have compiled code see it."""
        raw = bytes(assemble(code, origin=address, isa=self.isa)) if isinstance(code, str) else code
        for arrays in self.memory:
            for base, array in zip((RAM, ROM), arrays, strict=True):
                low, high = max(address, base), min(address + len(raw), base + array.size)
                if low < high:
                    part = raw[low - address : high - address]
                    array[low - base : high - base] = np.frombuffer(part, np.uint8)
        self.compiled.flush()

    def run(self, budget: int = 1) -> Stop:
        """Run both, compare, and return the compiled hart's stop."""
        stops = [engine.run(budget) for engine in self.engines]
        self.compare(*stops)
        return stops[1]

    def steps(self, count: int) -> Stop:
        """``run`` one instruction at a time, to the first stop that is not the budget's."""
        for _ in range(count):
            stop = self.run(1)
            if stop.executed == 0 and stop.trap is not None:
                break
        return stop

    def compare(self, mine: Stop, theirs: Stop) -> None:
        """Fail at the first difference; ``mine`` is plain Python's."""
        differences = []
        for name, a, b in (
            ("reason", mine.reason, theirs.reason),
            ("executed", mine.executed, theirs.executed),
            ("trap", *(t and (t.cause, wrap(t.value)) for t in (mine.trap, theirs.trap))),
        ):
            if a != b:
                differences.append(f"{name}: plain {a}, compiled {b}")
        one, two = (state_of(h) for h in self.harts)
        for name, value in one.items():
            if value != two[name]:
                differences.append(f"{name}: plain {value:#x}, compiled {two[name]:#x}")
        for name, a, b in zip(("ram", "rom"), *self.memory, strict=True):
            if not np.array_equal(a, b):
                where = int(np.flatnonzero(a != b)[0])
                differences.append(f"{name}[{where:#x}]: plain {a[where]}, compiled {b[where]}")
        assert not differences, "; ".join(differences)


def state_of(hart: Hart) -> dict[str, int]:
    """The architecture's state by name, x[32] left out."""
    found: dict[str, int] = {}
    for field in ARCHITECTURAL:
        values = hart.state[field][0]
        if values.shape:
            found |= {f"{field}{n}": v for n, v in enumerate(values[:32].tolist())}
        else:
            found[field] = int(values)
    return found
