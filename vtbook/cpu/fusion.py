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
FREQUENT: tuple[tuple[str, str, str], ...] = (("addi", "bne", "rs1"),)


def pairs_of(isa: InstructionSet, short: frozenset[str]) -> list[Pair]:
    """The frequent pairs of an instruction set, in every combination of sizes."""
    pairs = []
    for one, two, source in FREQUENT:
        first, second = isa.instructions.get(one), isa.instructions.get(two)
        if first is None or second is None:
            continue
        if not (traits_of(first).restartable and traits_of(second).restartable):
            continue
        equal = None
        if source:
            a = operand_layout(first.encoding, traits_of(first).uses_size)
            b = operand_layout(second.encoding, traits_of(second).uses_size)
            equal = (a["rd"].byte, b[source].byte)
        for x in (0, SHORT) if one in short else (0,):
            for y in (0, SHORT) if two in short else (0,):
                pairs.append(Pair(first, second, (x, y), equal))
    return pairs
