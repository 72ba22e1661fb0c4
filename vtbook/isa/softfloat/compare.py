"""Comparisons, minimum and maximum, and classification.

Source: unprivileged specification, F chapter, "Single-Precision Floating-Point Compare
Instructions", "... Classify Instruction" and, for FMIN and FMAX, version 2.2 of F.
"""

from vtbook.isa.softfloat.core import (
    NV,
    canonical_nan,
    infinity,
    is_signalling,
    magnitude_of,
    sign_of,
)


def order_key(bits: int, eb: int, fb: int) -> int:
    """Return an integer ordered as the numbers are: the magnitude with the number's sign."""
    magnitude = magnitude_of(bits, eb, fb)
    return -magnitude if sign_of(bits, eb, fb) == 1 else magnitude


def unordered(a: int, b: int, eb: int, fb: int) -> bool:
    """Tell whether a or b is a NaN."""
    inf = infinity(eb, fb)
    return magnitude_of(a, eb, fb) > inf or magnitude_of(b, eb, fb) > inf


def signalling_flag(a: int, b: int, eb: int, fb: int) -> int:
    """Return NV if a or b is a signalling NaN, else 0."""
    if is_signalling(magnitude_of(a, eb, fb), eb, fb):
        return NV
    return NV if is_signalling(magnitude_of(b, eb, fb), eb, fb) else 0


def equal(a: int, b: int, eb: int, fb: int) -> tuple[int, int]:
    """Return (1 if a == b else 0, flags); quiet: only a signalling NaN is invalid."""
    if unordered(a, b, eb, fb):
        return 0, signalling_flag(a, b, eb, fb)
    return 1 if order_key(a, eb, fb) == order_key(b, eb, fb) else 0, 0


def less(a: int, b: int, eb: int, fb: int) -> tuple[int, int]:
    """Return (1 if a < b else 0, flags); signalling: any NaN is invalid."""
    if unordered(a, b, eb, fb):
        return 0, NV
    return 1 if order_key(a, eb, fb) < order_key(b, eb, fb) else 0, 0


def less_equal(a: int, b: int, eb: int, fb: int) -> tuple[int, int]:
    """Return (1 if a <= b else 0, flags); signalling: any NaN is invalid."""
    if unordered(a, b, eb, fb):
        return 0, NV
    return 1 if order_key(a, eb, fb) <= order_key(b, eb, fb) else 0, 0


def extremum(a: int, b: int, greatest: int, eb: int, fb: int) -> tuple[int, int]:
    """Return the minimum (`greatest` = 0) or the maximum (1) of a and b, and flags.

    These are minimumNumber and maximumNumber of IEEE 754-2019: of a number and a NaN
    the number, -0 below +0.
    """
    inf = infinity(eb, fb)
    flags = signalling_flag(a, b, eb, fb)
    if magnitude_of(a, eb, fb) > inf:
        return canonical_nan(eb, fb) if magnitude_of(b, eb, fb) > inf else b, flags
    if magnitude_of(b, eb, fb) > inf:
        return a, flags
    key_a = order_key(a, eb, fb)
    key_b = order_key(b, eb, fb)
    a_is_greater = key_a > key_b
    if key_a == key_b:
        a_is_greater = sign_of(a, eb, fb) == 0
    return a if a_is_greater == (greatest == 1) else b, flags


def class_mask(bits: int, eb: int, fb: int) -> int:
    """Return the ten-bit mask of FCLASS, exactly one bit set.

    Bits 0 to 9: -infinity, negative normal, negative subnormal, -0, +0, positive
    subnormal, positive normal, +infinity, signalling NaN, quiet NaN.
    """
    magnitude = magnitude_of(bits, eb, fb)
    negative = sign_of(bits, eb, fb) == 1
    inf = infinity(eb, fb)
    if magnitude > inf:
        return 1 << 8 if is_signalling(magnitude, eb, fb) else 1 << 9
    if magnitude == inf:
        return 1 << 0 if negative else 1 << 7
    if magnitude >> fb != 0:
        return 1 << 1 if negative else 1 << 6
    if magnitude != 0:
        return 1 << 2 if negative else 1 << 5
    return 1 << 3 if negative else 1 << 4
