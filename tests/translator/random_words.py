"""Instruction words made from an instruction set's own encodings."""

from __future__ import annotations

import random
from collections.abc import Iterator

from vtbook.cpu.csr import TABLE
from vtbook.isa.definition import Compressed, Instruction
from vtbook.isa.encoding import Field
from vtbook.isa.instruction_set import InstructionSet

CORNERS = (0, 1, -1, 2, 63, 64, 1 << 31, -(1 << 31), (1 << 31) - 1, 1 << 32, 1 << 63, (1 << 63) - 1)
CSR_NUMBERS = [csr.number for csr in TABLE if "hpm" not in csr.name]


def field_value(field: Field, choose: random.Random) -> int:
    """A value that fits; small register numbers often, so that operands meet."""
    while True:
        if field.name == "csr" and choose.random() < 0.9:
            value = choose.choice(CSR_NUMBERS)
        elif field.kind == "imm":
            span = (field.high - field.low) // field.alignment
            step = choose.choice((0, span, span // 2, span // 2 + 1, choose.randint(0, span)))
            value = field.low + field.alignment * step
        else:
            value = choose.choice((0, 1, 8, 9, choose.randrange(32)))
        if field.low <= value <= field.high and value not in field.excluded:
            return value


def word_of(spelling: Instruction | Compressed, choose: random.Random) -> int:
    """A word of this encoding with random operands."""
    fields = spelling.encoding.fields
    while True:
        word = spelling.encoding.encode({f.name: field_value(f, choose) for f in fields})
        if spelling.encoding.matches(word):
            return word


def words(isa: InstructionSet, choose: random.Random) -> Iterator[int]:
    """Words without end: mostly instructions of the set, sometimes anything."""
    spellings = list(isa)
    while True:
        if choose.random() < 0.03:
            yield choose.getrandbits(32) | 3
        else:
            yield word_of(choose.choice(spellings), choose)


def register_value(choose: random.Random) -> int:
    """A 64-bit value; corner values, and patterns that floating point finds special, often."""
    kind = choose.randrange(4)
    if kind == 0:
        value = choose.choice(CORNERS) + choose.randrange(-1, 2)
    elif kind == 1:  # a boxed single with a special exponent
        exponent = choose.choice((0, 1, 0x7F, 0xFE, 0xFF))
        fraction = choose.choice((0, 1, 0x400000, choose.getrandbits(23)))
        value = (-1 << 32) | choose.getrandbits(1) << 31 | exponent << 23 | fraction
    elif kind == 2:  # a double with a special exponent
        exponent = choose.choice((0, 1, 0x3FF, 0x7FE, 0x7FF))
        fraction = choose.choice((0, 1, 1 << 51, choose.getrandbits(52)))
        value = choose.getrandbits(1) << 63 | exponent << 52 | fraction
    else:
        value = choose.getrandbits(64)
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value
