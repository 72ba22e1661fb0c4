"""Addition, subtraction, multiplication, division and square root.

Every function returns (bits, flags). `rm` is a rounding mode 0..4; (eb, fb) is the
format, see `core`. Source: IEEE 754-2019 section 5.4.1 and the F and D chapters of the
unprivileged specification.
"""

from vtbook.isa.softfloat.bits import multiply_wide, shift_right_jam
from vtbook.isa.softfloat.core import (
    DZ,
    NV,
    RDN,
    TOP,
    canonical_nan,
    infinity,
    magnitude_of,
    nan_result,
    normalise,
    pack,
    round_pack,
    sign_of,
    unpack,
)


def add(a: int, b: int, rm: int, eb: int, fb: int) -> tuple[int, int]:
    """Return a + b."""
    return add_signed(a, sign_of(b, eb, fb), magnitude_of(b, eb, fb), rm, eb, fb)


def subtract(a: int, b: int, rm: int, eb: int, fb: int) -> tuple[int, int]:
    """Return a - b."""
    return add_signed(a, 1 - sign_of(b, eb, fb), magnitude_of(b, eb, fb), rm, eb, fb)


def add_signed(a: int, sign_b: int, magnitude_b: int, rm: int, eb: int, fb: int) -> tuple[int, int]:
    """Return a + b, b given by its sign and magnitude."""
    sign_a = sign_of(a, eb, fb)
    magnitude_a = magnitude_of(a, eb, fb)
    if magnitude_a < magnitude_b:
        sign_a, sign_b = sign_b, sign_a
        magnitude_a, magnitude_b = magnitude_b, magnitude_a
    inf = infinity(eb, fb)
    if magnitude_a >= inf:
        if magnitude_a > inf:
            return nan_result(magnitude_a, magnitude_b, eb, fb)
        if magnitude_b == inf and sign_a != sign_b:
            return canonical_nan(eb, fb), NV
        return pack(sign_a, inf, eb, fb), 0
    if magnitude_a == magnitude_b and sign_a != sign_b:
        return pack(1 if rm == RDN else 0, 0, eb, fb), 0
    if magnitude_b == 0:
        return pack(sign_a, magnitude_a, eb, fb), 0
    exponent, significand = unpack(magnitude_a, eb, fb)
    exponent_b, significand_b = unpack(magnitude_b, eb, fb)
    significand_b = shift_right_jam(significand_b, exponent - exponent_b)
    if sign_a == sign_b:
        significand += significand_b
        if significand >= 2 * TOP:
            significand = shift_right_jam(significand, 1)
            exponent += 1
    else:
        exponent, significand = normalise(exponent, significand - significand_b)
    return round_pack(sign_a, exponent, significand, rm, eb, fb)


def multiply(a: int, b: int, rm: int, eb: int, fb: int) -> tuple[int, int]:
    """Return a * b; infinity * 0 is invalid."""
    sign = sign_of(a, eb, fb) ^ sign_of(b, eb, fb)
    magnitude_a = magnitude_of(a, eb, fb)
    magnitude_b = magnitude_of(b, eb, fb)
    inf = infinity(eb, fb)
    if magnitude_a >= inf or magnitude_b >= inf:
        if magnitude_a > inf or magnitude_b > inf:
            return nan_result(magnitude_a, magnitude_b, eb, fb)
        if magnitude_a == 0 or magnitude_b == 0:
            return canonical_nan(eb, fb), NV
        return pack(sign, inf, eb, fb), 0
    if magnitude_a == 0 or magnitude_b == 0:
        return pack(sign, 0, eb, fb), 0
    exponent_a, significand_a = unpack(magnitude_a, eb, fb)
    exponent_b, significand_b = unpack(magnitude_b, eb, fb)
    exponent = exponent_a + exponent_b + 1
    high, low = multiply_wide(significand_a, significand_b)
    significand = high | 1 if low != 0 else high
    if significand < TOP:
        significand <<= 1
        exponent -= 1
    return round_pack(sign, exponent, significand, rm, eb, fb)


def divide(a: int, b: int, rm: int, eb: int, fb: int) -> tuple[int, int]:
    """Return a / b; 0 / 0 and infinity / infinity are invalid, x / 0 divides by zero."""
    sign = sign_of(a, eb, fb) ^ sign_of(b, eb, fb)
    magnitude_a = magnitude_of(a, eb, fb)
    magnitude_b = magnitude_of(b, eb, fb)
    inf = infinity(eb, fb)
    if magnitude_a >= inf or magnitude_b >= inf:
        if magnitude_a > inf or magnitude_b > inf:
            return nan_result(magnitude_a, magnitude_b, eb, fb)
        if magnitude_a == magnitude_b:
            return canonical_nan(eb, fb), NV
        return pack(sign, inf if magnitude_a == inf else 0, eb, fb), 0
    if magnitude_b == 0:
        if magnitude_a == 0:
            return canonical_nan(eb, fb), NV
        return pack(sign, inf, eb, fb), DZ
    if magnitude_a == 0:
        return pack(sign, 0, eb, fb), 0
    exponent_a, remainder = unpack(magnitude_a, eb, fb)
    exponent_b, divisor = unpack(magnitude_b, eb, fb)
    exponent = exponent_a - exponent_b
    # Long division by digits of 9 bits, the most for which remainder << 9 stays a limb.
    remainder >>= 9
    divisor >>= 9
    quotient = 0
    if remainder >= divisor:
        quotient = 1
        remainder -= divisor
    for _ in range(6):
        remainder <<= 9
        digit = remainder // divisor
        remainder -= digit * divisor
        quotient = (quotient << 9) | digit
    # The quotient has 55 bits, or 54 if a's significand is less than b's.
    quotient <<= 7
    if remainder != 0:
        quotient |= 1
    if quotient < TOP:
        quotient <<= 1
        exponent -= 1
    return round_pack(sign, exponent, quotient, rm, eb, fb)


def square_root(a: int, rm: int, eb: int, fb: int) -> tuple[int, int]:
    """Return the square root of a; that of a negative number is invalid, that of -0 is -0."""
    magnitude = magnitude_of(a, eb, fb)
    inf = infinity(eb, fb)
    if magnitude > inf:
        return nan_result(magnitude, magnitude, eb, fb)
    if magnitude == 0:
        return a, 0
    if sign_of(a, eb, fb) == 1:
        return canonical_nan(eb, fb), NV
    if magnitude == inf:
        return a, 0
    exponent, significand = unpack(magnitude, eb, fb)
    # With an even exponent, the first digit pair of the radicand is 01, 10 or 11.
    if exponent & 1 != 0:
        exponent -= 1
    else:
        significand >>= 1
    # One bit of the root a step: bring down two bits, try to subtract 4 * root + 1.
    root = 0
    remainder = 0
    for _ in range(55):
        remainder = (remainder << 2) | (significand >> 60)
        significand = (significand & (TOP // 2 - 1)) << 2
        trial = (root << 2) | 1
        root <<= 1
        if remainder >= trial:
            remainder -= trial
            root |= 1
    root <<= 7
    if remainder != 0:
        root |= 1
    return round_pack(0, exponent >> 1, root, rm, eb, fb)
