"""Sizes as people write them: ``"128 MiB"``, ``"64K"``, ``4096``."""

import operator
import re
from fractions import Fraction
from typing import Any

from vtbook.errors import VtbookError

UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
"""First letter of a unit -> the power of two it stands for."""

_SIZE = re.compile(r"\s*(0x[0-9a-f_]+|[0-9][0-9_]*(?:\.[0-9]+)?)\s*([a-z]*)\s*", re.IGNORECASE)


class SizeError(VtbookError, ValueError):
    """A size cannot be understood."""


def parse_size(size: Any, what: str = "size") -> int:
    """A size in bytes.

    Args:
        size: an integer, or text: a number and a unit B, K, KiB, M, MiB, G, GiB, T or TiB. Units
            are powers of 1024; MB is refused, since it may mean either.
        what: the name of the size, for messages.

    Raises:
        SizeError: it is not such a size, is negative, or is not whole bytes.
    """
    advice = "write for instance '128 MiB', '64K' or 4096"
    if isinstance(size, bool):
        raise SizeError(f"{what}: {size} is not a size; {advice}")
    if not isinstance(size, str):
        try:
            number = operator.index(size)
        except TypeError:
            raise SizeError(f"{what}: {size!r:.40} is not a size; {advice}") from None
        if number < 0:
            raise SizeError(f"{what}: {number} is negative; {advice}")
        return number
    found = _SIZE.fullmatch(size)
    if not found:
        raise SizeError(f"{what}: {size!r:.40} is not a size; {advice}")
    digits, unit = found[1], found[2].lower()
    if unit in ("kb", "mb", "gb", "tb"):
        raise SizeError(f"{what}: {size!r} may mean 1000 or 1024; write {unit[0].upper()}iB")
    if unit not in ("b", *UNITS, *(f"{letter}ib" for letter in "kmgt")):
        raise SizeError(f"{what}: unknown unit {found[2]!r:.20}; use B, KiB, MiB, GiB or TiB")
    power = UNITS["" if unit == "b" else unit[:1]]
    value = int(digits, 16) if digits[:2].lower() == "0x" else Fraction(digits.replace("_", ""))
    total = Fraction(value) * (1 << power)
    if total.denominator != 1:
        raise SizeError(f"{what}: {size!r} is not a whole number of bytes; round it")
    return int(total)


def format_size(size: int) -> str:
    """The size in the largest unit that divides it: ``128 MiB``, ``12 KiB``, ``100 B``."""
    for unit, power in (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size and size % (1 << power) == 0:
            return f"{size >> power} {unit}"
    return f"{size} B"
