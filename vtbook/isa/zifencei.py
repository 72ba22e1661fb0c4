"""Zifencei, the instruction-fetch fence (unprivileged specification, chapter 5)."""

from vtbook.isa.definition import Extension, instruction
from vtbook.isa.operations import fence_instructions


@instruction("fence.i", "imm[11:0] rs1 001 rd 0001111")
def fence_i(h, d):
    """Make earlier stores visible to later instruction fetches (chapter 5)."""
    fence_instructions(h)


ZIFENCEI = Extension.of("Zifencei", "Instruction-fetch fence", globals())
