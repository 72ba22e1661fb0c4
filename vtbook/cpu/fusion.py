"""Superinstructions: frequent pairs of instructions that share one handler.

A pair saves one jump between handlers. Where the second instruction reads what the first wrote, it
also saves the way of that value through memory, which takes a processor four to five cycles.
Nothing of a definition is written again: both are compiled into one handler, and LLVM is told that
the two register numbers are equal.
"""

from __future__ import annotations

from dataclasses import dataclass

from vtbook.cpu.decode_tables import SHORT, operand_layout
from vtbook.cpu.traits import traits_of
from vtbook.isa.definition import Instruction
from vtbook.isa.instruction_set import InstructionSet


@dataclass(frozen=True)
class Pair:
    """Two instructions, the sizes they have (SHORT or 0), and operand bytes that must be equal."""

    first: Instruction
    second: Instruction
    variants: tuple[int, int]
    equal: tuple[int, int] | None


#: Pairs that make up most of what compiled C executes, measured over the benchmark programs: the
#: mnemonics, and which source of the second is the destination of the first ("" if none need be).
FREQUENT: tuple[tuple[str, str, str], ...] = tuple(
    tuple((*line.split(), "")[:3])  # type: ignore[misc]
    for line in """
    add add
    addi addi
    addi bne
    addi jal
    sd addi
    add sb
    sb bltu
    ld ld
    addi add
    sd sd
    lw addi
    add addi
    slli add rs1
    addi bltu
    lw lw
    add mul
    mul add rs2
    add lbu
    lbu lbu
    ld addi
    sd add
    add ld rs1
    lbu addi
    or slli
    add jal
    ld lbu
    lbu jalr
    xor xor
    add bge
    add lw
    lbu bne rs2
    srliw slli
    srliw or
    sw addi
    addi jalr
    auipc jalr rs1
    add auipc
    add lw rs1
    lh lh
    addi bne rs2
    slli srliw
    add ld
    add bne
    addi sd rs1
    lw add
    addi slli
    slli or
    or srliw
    addi beq
    sw sw
    slli or rs2
    addi sd
    add bgeu
    add add rs1
    addi bne rs1
    slli or rs1
    slli slli
    sd ld
    add sltu
    and xor rs1
    addi blt
    add srliw
    xor add
    add jalr
    lh sub rs2
    sub jalr
    ld bge
    addi blt rs1
    lbu slli
    ld beq rs1
    add sd rs2
    addi bltu rs2
    addi beq rs1
    andi beq rs1
    andi bne rs1
    auipc addi rs1
    auipc ld rs1
    lui addi rs1
    slli srli rs1
    addiw bne
    lbu beq rs1
    lbu bne rs1
    lw beq rs1
    lw bne rs1
    ld bne rs1
    lw bge
    addi lbu rs1
    addi lw rs1
    addi lw
    addi ld
    lw lw rs1
    ld ld rs1
    ld jalr rs1
    lw sw
    sltu add rs2
    mul add rs1
    """.strip().splitlines()
)


def pairs_of(isa: InstructionSet, short: frozenset[str]) -> list[Pair]:
    """The frequent pairs of an instruction set, in every combination of sizes."""
    pairs: list[Pair] = []
    for one, two, source in FREQUENT:
        first, second = isa.instructions.get(one), isa.instructions.get(two)
        if first is None or second is None:
            continue
        if not (traits_of(first).restartable and traits_of(second).restartable):
            continue
        if traits_of(first).transfers:
            continue
        equal = None
        if source:
            a = operand_layout(first.encoding, traits_of(first).uses_size)
            b = operand_layout(second.encoding, traits_of(second).uses_size)
            equal = (a["rd"].byte, b[source].byte)
        sizes = [(0, SHORT) if name in short else (0,) for name in (one, two)]
        pairs.extend(Pair(first, second, (x, y), equal) for x in sizes[0] for y in sizes[1])
    return pairs
