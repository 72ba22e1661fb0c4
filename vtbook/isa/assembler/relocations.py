"""Relocation operators: the halves of an address that an instruction pair puts together.

``lui`` and ``auipc`` give the upper 20 bits, and the instruction after them adds a sign-extended
12-bit lower part. So the upper part is rounded: it is one more where bit 11 is set (psABI,
chapter 8, "absolute addresses" and "pc-relative symbol addresses").
"""

from __future__ import annotations

#: The operators, each with the kinds of operand (see ``Slot``) in which it may stand.
OPERATORS: dict[str, tuple[str, ...]] = {
    "hi": ("upper",),
    "lo": ("imm", "memory"),
    "pcrel_hi": ("upper",),
    "pcrel_lo": ("imm", "memory"),
}


def fits_upper(value: int) -> bool:
    """True if ``lui`` or ``auipc`` with a 12-bit addition can make this 64-bit value."""
    return -(1 << 31) <= value + 0x800 < (1 << 31)


def upper(value: int) -> int:
    """The 20-bit operand of ``lui``: bits 31 to 12, rounded."""
    return ((value + 0x800) >> 12) & 0xFFFFF


def lower(value: int) -> int:
    """The signed 12-bit rest that must be added to ``upper(value) << 12``."""
    return ((value & 0xFFF) ^ 0x800) - 0x800
