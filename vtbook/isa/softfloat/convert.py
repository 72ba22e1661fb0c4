"""Conversions between the two formats, and between floating point and integers.

Source: unprivileged specification, F chapter, "Single-Precision Floating-Point
Conversion and Move Instructions" (its table of ranges and invalid inputs) and the D
chapter.
"""

from vtbook.isa.softfloat.bits import LIMB_MASK, shift_right_jam
from vtbook.isa.softfloat.core import (
    NV,
    NX,
    TOP,
    TOP_BIT,
    infinity,
    magnitude_of,
    nan_result,
    normalise,
    pack,
    round_pack,
    rounds_up,
    sign_of,
    unpack,
)

MAX_SIGNED32 = (1 << 31) - 1
MAX_UNSIGNED32 = (1 << 32) - 1
MAX_SIGNED64 = (1 << 63) - 1


def change_format(bits: int, rm: int, eb: int, fb: int, to_eb: int, to_fb: int) -> tuple[int, int]:
    """Convert a number of format (eb, fb) to format (to_eb, to_fb)."""
    sign = sign_of(bits, eb, fb)
    magnitude = magnitude_of(bits, eb, fb)
    inf = infinity(eb, fb)
    if magnitude > inf:
        _, flags = nan_result(magnitude, magnitude, eb, fb)
        return infinity(to_eb, to_fb) | (1 << (to_fb - 1)), flags
    if magnitude == inf:
        return pack(sign, infinity(to_eb, to_fb), to_eb, to_fb), 0
    if magnitude == 0:
        return pack(sign, 0, to_eb, to_fb), 0
    exponent, significand = unpack(magnitude, eb, fb)
    return round_pack(sign, exponent, significand, rm, to_eb, to_fb)


def from_integer(value: int, unsigned: int, rm: int, eb: int, fb: int) -> tuple[int, int]:
    """Convert a signed 64-bit value to a number; `unsigned` = 1 reads its bits as unsigned."""
    if value == 0:
        return 0, 0
    sign = 0
    if value < 0 and unsigned == 0:
        sign = 1
        value = -value
    # From here only the 64 bits of value count: -(-2**63) may be either sign.
    if (value >> 62) & 3 == 0:
        exponent, significand = normalise(TOP_BIT, value)
    else:
        exponent, significand = normalise(TOP_BIT + 2, (value >> 2) & LIMB_MASK)
        if value & 3 != 0:
            significand |= 1
    return round_pack(sign, exponent, significand, rm, eb, fb)


def to_integer(bits: int, unsigned: int, width: int, rm: int, eb: int, fb: int) -> tuple[int, int]:
    """Convert a number to an integer of 32 or 64 bits; return (register value, flags).

    The value is a signed 64-bit number; a 32-bit result, also an unsigned one, is
    sign-extended from bit 31. A number that rounds out of range gives the nearest
    integer in range, a NaN the greatest one, and both raise NV only.
    """
    sign = sign_of(bits, eb, fb)
    magnitude = magnitude_of(bits, eb, fb)
    if magnitude == 0:
        return 0, 0
    if magnitude > infinity(eb, fb):
        return saturated(0, unsigned, width), NV
    if magnitude == infinity(eb, fb):
        return saturated(sign, unsigned, width), NV
    exponent, significand = unpack(magnitude, eb, fb)
    if exponent >= TOP_BIT - 1:
        if width == 32:
            return saturated(sign, unsigned, width), NV
        return large_to_integer(sign, exponent, significand, unsigned)

    # Two bits below the point, the lower one sticky, are enough for any rounding.
    quarters = shift_right_jam(significand, TOP_BIT - 2 - exponent)
    integer = quarters >> 2
    rest = quarters & 3
    if rounds_up(rm, sign, integer & 1, rest, 2):
        integer += 1
    flags = NX if rest != 0 else 0
    if unsigned == 1:
        if sign == 1 and integer != 0:
            return 0, NV
        if width == 32:
            if integer > MAX_UNSIGNED32:
                return -1, NV
            integer = (integer ^ (1 << 31)) - (1 << 31)
        return integer, flags
    if width == 32 and integer > MAX_SIGNED32 + sign:
        return saturated(sign, unsigned, width), NV
    return -integer if sign == 1 else integer, flags


def large_to_integer(sign: int, exponent: int, significand: int, unsigned: int) -> tuple[int, int]:
    """Convert a number of 2**60 or more, which is an integer, to 64 bits."""
    if unsigned == 1:
        if sign == 1 or exponent > 63:
            return saturated(sign, unsigned, 64), NV
    elif exponent > 62:
        is_least = sign == 1 and exponent == 63 and significand == TOP
        return saturated(sign, unsigned, 64), 0 if is_least else NV
    if exponent == 63:
        return ((significand - TOP) << 2) | (-1 << 63), 0
    integer = significand << 1 if exponent == 62 else significand >> (TOP_BIT - exponent)
    return -integer if sign == 1 else integer, 0


def saturated(sign: int, unsigned: int, width: int) -> int:
    """Return the least (`sign` = 1) or the greatest integer of a width, as a register value."""
    if unsigned == 1:
        return 0 if sign == 1 else -1
    greatest = MAX_SIGNED32 if width == 32 else MAX_SIGNED64
    return -greatest - 1 if sign == 1 else greatest
