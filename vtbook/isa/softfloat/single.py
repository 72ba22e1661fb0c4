"""Single precision (binary32): the operations under the names the instructions use.

A single is its bit pattern, 0..2**32-1. `rm` is a
rounding mode 0..4, flags are fflags bits. Each function returns (bits, flags) unless it
says otherwise.
"""

from vtbook.isa.softfloat.arithmetic import add, divide, multiply, square_root, subtract
from vtbook.isa.softfloat.compare import class_mask, equal, extremum, less, less_equal
from vtbook.isa.softfloat.convert import from_integer, to_integer
from vtbook.isa.softfloat.fused import multiply_add
from vtbook.isa.softfloat.host import f64_to_f32_bits

# Up to here every integer is a single, and the host converts it.
EXACT = 1 << 24


def f32_add(a: int, b: int, rm: int) -> tuple[int, int]:
    """Return a + b."""
    return add(a, b, rm, 8, 23)


def f32_sub(a: int, b: int, rm: int) -> tuple[int, int]:
    """Return a - b."""
    return subtract(a, b, rm, 8, 23)


def f32_mul(a: int, b: int, rm: int) -> tuple[int, int]:
    """Return a * b."""
    return multiply(a, b, rm, 8, 23)


def f32_div(a: int, b: int, rm: int) -> tuple[int, int]:
    """Return a / b."""
    return divide(a, b, rm, 8, 23)


def f32_sqrt(a: int, rm: int) -> tuple[int, int]:
    """Return the square root of a."""
    return square_root(a, rm, 8, 23)


def f32_fma(a: int, b: int, c: int, rm: int) -> tuple[int, int]:
    """Return a * b + c, rounded once."""
    return multiply_add(a, b, c, rm, 8, 23)


def f32_min(a: int, b: int) -> tuple[int, int]:
    """Return the lesser, -0 below +0; of a number and a NaN the number."""
    return extremum(a, b, 0, 8, 23)


def f32_max(a: int, b: int) -> tuple[int, int]:
    """Return the greater, +0 above -0; of a number and a NaN the number."""
    return extremum(a, b, 1, 8, 23)


def f32_eq(a: int, b: int) -> tuple[int, int]:
    """Return (a == b, flags); quiet NaNs raise nothing."""
    return equal(a, b, 8, 23)


def f32_lt(a: int, b: int) -> tuple[int, int]:
    """Return (a < b, flags); any NaN is invalid."""
    return less(a, b, 8, 23)


def f32_le(a: int, b: int) -> tuple[int, int]:
    """Return (a <= b, flags); any NaN is invalid."""
    return less_equal(a, b, 8, 23)


def f32_classify(a: int) -> int:
    """Return the ten-bit class mask of FCLASS; no flags."""
    return class_mask(a, 8, 23)


def f32_to_i32(a: int, rm: int) -> tuple[int, int]:
    """Return a as a signed 32-bit integer, sign-extended to 64 bits."""
    return to_integer(a, 0, 32, rm, 8, 23)


def f32_to_u32(a: int, rm: int) -> tuple[int, int]:
    """Return a as an unsigned 32-bit integer, sign-extended to 64 bits."""
    return to_integer(a, 1, 32, rm, 8, 23)


def f32_to_i64(a: int, rm: int) -> tuple[int, int]:
    """Return a as a signed 64-bit integer."""
    return to_integer(a, 0, 64, rm, 8, 23)


def f32_to_u64(a: int, rm: int) -> tuple[int, int]:
    """Return a as an unsigned 64-bit integer."""
    return to_integer(a, 1, 64, rm, 8, 23)


def i32_to_f32(value: int, rm: int) -> tuple[int, int]:
    """Return the low 32 bits of value, signed, as a single."""
    return i64_to_f32(((value & 0xFFFF_FFFF) ^ 0x8000_0000) - 0x8000_0000, rm)


def u32_to_f32(value: int, rm: int) -> tuple[int, int]:
    """Return the low 32 bits of value, unsigned, as a single."""
    return i64_to_f32(value & 0xFFFF_FFFF, rm)


def i64_to_f32(value: int, rm: int) -> tuple[int, int]:
    """Return the signed 64-bit value as a single."""
    if value >= -EXACT and value <= EXACT:
        return f64_to_f32_bits(float(value)), 0
    return from_integer(value, 0, rm, 8, 23)


def u64_to_f32(value: int, rm: int) -> tuple[int, int]:
    """Return the 64-bit value, its bits read as unsigned, as a single."""
    if value >= 0:
        return i64_to_f32(value, rm)
    return from_integer(value, 1, rm, 8, 23)
