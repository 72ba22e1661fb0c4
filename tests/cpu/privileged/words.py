"""Instruction words for generated cases."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from vtbook.isa.sets import RV64GC


def word(name: str, **operands: int) -> int:
    """The word of an instruction, by its operands' names in the definition; others are 0."""
    encoding = RV64GC[name].encoding
    names = {f.name for f in encoding.fields}
    assert operands.keys() <= names, (name, names)
    return encoding.encode(dict.fromkeys(names, 0) | operands)


def csr_op(number: int, operation: int, rd: int, source: int) -> int:
    """csrrw, csrrs, csrrc (1, 2, 3), and their forms with a constant (5, 6, 7)."""
    return number << 20 | source << 15 | operation << 12 | rd << 7 | 0x73


def pack(words: Iterable[int]) -> bytes:
    """Words of four bytes each."""
    words = list(words)
    return struct.pack(f"<{len(words)}I", *words)


ECALL, EBREAK, WFI, MRET, SRET = 0x73, 0x0010_0073, 0x1050_0073, 0x3020_0073, 0x1020_0073
