"""Bit helpers of the floating-point routines.

One rule makes this package mean the same in plain Python (unbounded integers) and in
compiled code (wrapping 64-bit integers): no intermediate ever overflows. Significands
have 62 bits, so a sum of two still fits below 2**63, and a 124-bit number is a pair
``(high, low)`` of 62-bit limbs, both nonnegative. There is no unsigned type anywhere.
"""

LIMB_BITS = 62
LIMB_MASK = (1 << 62) - 1
HALF_MASK = (1 << 31) - 1


def shift_right_jam(value: int, count: int) -> int:
    """Shift a limb right by `count` >= 0; bit 0 of the result is set if a one fell out."""
    if count > LIMB_BITS:
        count = LIMB_BITS
    lost = value & ((1 << count) - 1)
    shifted = value >> count
    return shifted | 1 if lost != 0 else shifted


def shift_right_jam_wide(high: int, low: int, count: int) -> tuple[int, int]:
    """Shift the 124-bit number (high, low) right by `count` >= 0 with a sticky bit 0."""
    if count >= LIMB_BITS:
        tail = 1 if low != 0 else 0
        return 0, shift_right_jam(high, count - LIMB_BITS) | tail
    lost = low & ((1 << count) - 1)
    fallen = high & ((1 << count) - 1)
    low = (low >> count) | (fallen << (LIMB_BITS - count))
    return high >> count, low | 1 if lost != 0 else low


def leading_zeros(value: int) -> int:
    """Count the zeros above the highest one of a limb, seen as 62 bits; 62 for 0."""
    if value == 0:
        return LIMB_BITS
    count = 0
    if value < 1 << 30:
        count += 32
        value <<= 32
    if value < 1 << 46:
        count += 16
        value <<= 16
    if value < 1 << 54:
        count += 8
        value <<= 8
    if value < 1 << 58:
        count += 4
        value <<= 4
    if value < 1 << 60:
        count += 2
        value <<= 2
    if value < 1 << 61:
        count += 1
    return count


def multiply_wide(a: int, b: int) -> tuple[int, int]:
    """Multiply two limbs into a 124-bit number (high, low), by four 31-bit products."""
    a_high = a >> 31
    a_low = a & HALF_MASK
    b_high = b >> 31
    b_low = b & HALF_MASK
    cross = a_high * b_low + a_low * b_high
    low = a_low * b_low + ((cross & HALF_MASK) << 31)
    return a_high * b_high + (cross >> 31) + (low >> LIMB_BITS), low & LIMB_MASK


def box32(bits: int) -> int:
    """NaN-box a single for a 64-bit f register: the upper half is all ones.

    Takes 0..2**32-1, returns the signed 64-bit register value (unprivileged spec, D
    extension, "NaN Boxing of Narrower Values").
    """
    return bits | (-1 << 32)


def unbox32(register: int) -> int:
    """Read a single out of a 64-bit f register.

    A value whose upper half is not all ones reads as the canonical NaN (unprivileged
    spec, D extension, "NaN Boxing of Narrower Values").
    """
    if register >> 32 != -1:
        return 0x7FC0_0000
    return register & 0xFFFF_FFFF
