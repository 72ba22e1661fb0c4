"""A process that runs a few instructions in compiled code, and says what it had to compile.

Usage: ``python -m tests.cpu.cached_run FACTOR``. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from vtbook.cpu.hart import Hart
from vtbook.cpu.interpreter import Interpreter
from vtbook.isa import rv64i
from vtbook.isa.assembler import assemble
from vtbook.isa.definition import Extension, instruction
from vtbook.isa.instruction_set import InstructionSet

FACTOR = int(sys.argv[1])
RAM = 0x8000_0000


def scaled(value):
    """A function that the definition calls, with a constant that it names."""
    return value * FACTOR


@instruction("times rd, rs1", "0000000 00000 rs1 000 rd 0001011")
def times(h, d):
    """Multiply by the factor."""
    h.x[d.rd] = scaled(h.x[d.rs1])


def main() -> None:
    base = Extension("base", "a few", (rv64i.addi, rv64i.add, rv64i.bne))
    isa = InstructionSet([base]) + times
    messages: list[str] = []
    hart = Hart(isa)
    memory = np.zeros(4096, np.uint8)
    code = bytes(
        assemble(
            "addi a0, a0, 1\ntimes a1, a0\nadd a2, a2, a1\nbne a0, a3, .-12\n", origin=RAM, isa=isa
        )
    )
    memory[: len(code)] = np.frombuffer(code, np.uint8)
    hart.map_memory(RAM, memory)
    hart.reset(RAM)
    hart.x[13] = 100
    stop = Interpreter(hart, messages.append).run(400)
    print(
        json.dumps(
            {
                "compiled": [m for m in messages if m],
                "numba": "numba" in sys.modules,
                "executed": stop.executed,
                "sum": hart.x[12],
            }
        )
    )


if __name__ == "__main__":
    main()
