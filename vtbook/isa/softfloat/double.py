"""Double precision (binary64): the operations under the names the instructions use.

A double is its bit pattern as a signed 64-bit number. `rm` is a
rounding mode 0..4, flags are fflags bits. Each function returns (bits, flags) unless it
says otherwise.
"""

from vtbook.isa.softfloat.arithmetic import add, divide, multiply, square_root, subtract
from vtbook.isa.softfloat.compare import class_mask, equal, extremum, less, less_equal
from vtbook.isa.softfloat.convert import change_format, from_integer, to_integer
from vtbook.isa.softfloat.fused import multiply_add
from vtbook.isa.softfloat.host import f32_bits_to_f64, f64_to_bits

# Up to here every integer is a double, and the host converts it.
EXACT = 1 << 53


def f64_add(a: int, b: int, rm: int) -> tuple[int, int]:
    """Return a + b."""
    return add(a, b, rm, 11, 52)


def f64_sub(a: int, b: int, rm: int) -> tuple[int, int]:
    """Return a - b."""
    return subtract(a, b, rm, 11, 52)


def f64_mul(a: int, b: int, rm: int) -> tuple[int, int]:
    """Return a * b."""
    return multiply(a, b, rm, 11, 52)


def f64_div(a: int, b: int, rm: int) -> tuple[int, int]:
    """Return a / b."""
    return divide(a, b, rm, 11, 52)


def f64_sqrt(a: int, rm: int) -> tuple[int, int]:
    """Return the square root of a."""
    return square_root(a, rm, 11, 52)


def f64_fma(a: int, b: int, c: int, rm: int) -> tuple[int, int]:
    """Return a * b + c, rounded once."""
    return multiply_add(a, b, c, rm, 11, 52)


def f64_min(a: int, b: int) -> tuple[int, int]:
    """Return the lesser, -0 below +0; of a number and a NaN the number."""
    return extremum(a, b, 0, 11, 52)


def f64_max(a: int, b: int) -> tuple[int, int]:
    """Return the greater, +0 above -0; of a number and a NaN the number."""
    return extremum(a, b, 1, 11, 52)


def f64_eq(a: int, b: int) -> tuple[int, int]:
    """Return (a == b, flags); quiet NaNs raise nothing."""
    return equal(a, b, 11, 52)


def f64_lt(a: int, b: int) -> tuple[int, int]:
    """Return (a < b, flags); any NaN is invalid."""
    return less(a, b, 11, 52)


def f64_le(a: int, b: int) -> tuple[int, int]:
    """Return (a <= b, flags); any NaN is invalid."""
    return less_equal(a, b, 11, 52)


def f64_classify(a: int) -> int:
    """Return the ten-bit class mask of FCLASS; no flags."""
    return class_mask(a, 11, 52)


def f64_to_i32(a: int, rm: int) -> tuple[int, int]:
    """Return a as a signed 32-bit integer, sign-extended to 64 bits."""
    return to_integer(a, 0, 32, rm, 11, 52)


def f64_to_u32(a: int, rm: int) -> tuple[int, int]:
    """Return a as an unsigned 32-bit integer, sign-extended to 64 bits."""
    return to_integer(a, 1, 32, rm, 11, 52)


def f64_to_i64(a: int, rm: int) -> tuple[int, int]:
    """Return a as a signed 64-bit integer."""
    return to_integer(a, 0, 64, rm, 11, 52)


def f64_to_u64(a: int, rm: int) -> tuple[int, int]:
    """Return a as an unsigned 64-bit integer."""
    return to_integer(a, 1, 64, rm, 11, 52)


def f64_to_f32(a: int, rm: int) -> tuple[int, int]:
    """Return a rounded to single precision."""
    return change_format(a, rm, 11, 52, 8, 23)


def f32_to_f64(a: int) -> tuple[int, int]:
    """Return the single a as a double; exact."""
    field = (a >> 23) & 0xFF
    if field != 0 and field != 0xFF:
        return f64_to_bits(f32_bits_to_f64(a)), 0
    return change_format(a, 0, 8, 23, 11, 52)


def i32_to_f64(value: int, rm: int) -> tuple[int, int]:
    """Return the low 32 bits of value, signed, as a double."""
    return i64_to_f64(((value & 0xFFFF_FFFF) ^ 0x8000_0000) - 0x8000_0000, rm)


def u32_to_f64(value: int, rm: int) -> tuple[int, int]:
    """Return the low 32 bits of value, unsigned, as a double."""
    return i64_to_f64(value & 0xFFFF_FFFF, rm)


def i64_to_f64(value: int, rm: int) -> tuple[int, int]:
    """Return the signed 64-bit value as a double."""
    if value >= -EXACT and value <= EXACT:
        return f64_to_bits(float(value)), 0
    return from_integer(value, 0, rm, 11, 52)


def u64_to_f64(value: int, rm: int) -> tuple[int, int]:
    """Return the 64-bit value, its bits read as unsigned, as a double."""
    if value >= 0:
        return i64_to_f64(value, rm)
    return from_integer(value, 1, rm, 11, 52)
