"""Fused multiply-add: a * b + c with one rounding (IEEE 754-2019 section 5.4.1)."""

from vtbook.isa.softfloat.bits import (
    LIMB_BITS,
    LIMB_MASK,
    leading_zeros,
    multiply_wide,
    shift_right_jam_wide,
)
from vtbook.isa.softfloat.core import (
    NV,
    RDN,
    TOP,
    canonical_nan,
    infinity,
    is_signalling,
    magnitude_of,
    pack,
    round_pack,
    sign_of,
    unpack,
)


def multiply_add(a: int, b: int, c: int, rm: int, eb: int, fb: int) -> tuple[int, int]:
    """Return (bits, flags) of a * b + c.

    The callers of the subtracting and negating forms flip signs of operands: -(a * b) - c
    is (-a) * b + (-c). Infinity * 0 is invalid even if c is a quiet NaN (unprivileged
    spec, F, fused multiply-add).
    """
    sign = sign_of(a, eb, fb) ^ sign_of(b, eb, fb)
    sign_c = sign_of(c, eb, fb)
    magnitude_a = magnitude_of(a, eb, fb)
    magnitude_b = magnitude_of(b, eb, fb)
    magnitude_c = magnitude_of(c, eb, fb)
    inf = infinity(eb, fb)
    if magnitude_a >= inf or magnitude_b >= inf or magnitude_c >= inf:
        return multiply_add_special(sign, magnitude_a, magnitude_b, sign_c, magnitude_c, eb, fb)
    if magnitude_a == 0 or magnitude_b == 0:
        if magnitude_c == 0 and sign != sign_c:
            sign_c = 1 if rm == RDN else 0
        return pack(sign_c, magnitude_c, eb, fb), 0

    exponent_a, significand_a = unpack(magnitude_a, eb, fb)
    exponent_b, significand_b = unpack(magnitude_b, eb, fb)
    exponent = exponent_a + exponent_b + 1
    high, low = multiply_wide(significand_a, significand_b)
    if high < TOP:
        high = (high << 1) | (low >> (LIMB_BITS - 1))
        low = (low << 1) & LIMB_MASK
        exponent -= 1
    if magnitude_c != 0:
        exponent_c, high_c = unpack(magnitude_c, eb, fb)
        low_c = 0
        # Let (high, low) be the greater of the two, and align the other to it.
        if exponent_c > exponent or (exponent_c == exponent and high_c > high):
            sign, sign_c = sign_c, sign
            high, high_c = high_c, high
            low, low_c = low_c, low
            exponent, exponent_c = exponent_c, exponent
        high_c, low_c = shift_right_jam_wide(high_c, low_c, exponent - exponent_c)
        if sign == sign_c:
            low += low_c
            high += high_c + (low >> LIMB_BITS)
            low &= LIMB_MASK
            if high >= 2 * TOP:
                high, low = shift_right_jam_wide(high, low, 1)
                exponent += 1
        else:
            low -= low_c
            high -= high_c
            if low < 0:
                low += LIMB_MASK + 1
                high -= 1
            if high == 0:
                if low == 0:
                    return pack(1 if rm == RDN else 0, 0, eb, fb), 0
                high = low
                low = 0
                exponent -= LIMB_BITS
            count = leading_zeros(high)
            high = (high << count) | (low >> (LIMB_BITS - count))
            low = (low << count) & LIMB_MASK
            exponent -= count
    return round_pack(sign, exponent, high | 1 if low != 0 else high, rm, eb, fb)


def multiply_add_special(
    sign: int, magnitude_a: int, magnitude_b: int, sign_c: int, magnitude_c: int, eb: int, fb: int
) -> tuple[int, int]:
    """Return the result if an operand is an infinity or a NaN; `sign` is the product's."""
    inf = infinity(eb, fb)
    invalid = (
        is_signalling(magnitude_a, eb, fb)
        or is_signalling(magnitude_b, eb, fb)
        or is_signalling(magnitude_c, eb, fb)
        or (magnitude_a == inf and magnitude_b == 0)
        or (magnitude_a == 0 and magnitude_b == inf)
    )
    if magnitude_a > inf or magnitude_b > inf or magnitude_c > inf or invalid:
        return canonical_nan(eb, fb), NV if invalid else 0
    if magnitude_a == inf or magnitude_b == inf:
        if magnitude_c == inf and sign != sign_c:
            return canonical_nan(eb, fb), NV
        return pack(sign, inf, eb, fb), 0
    return pack(sign_c, inf, eb, fb), 0
