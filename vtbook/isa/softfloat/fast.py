"""Fast forms of the frequent operations, which use the host's FPU where that is safe.

The host computes in its default mode, to nearest even, and its flags cost too much to
read. So, as QEMU's "hardfloat" does, a host result counts only if

- the rounding mode is RNE;
- the result is a normal number well above the underflow threshold, hence no operand is a
  NaN or an infinity, and no flag but NX can be raised;
- NX is raised already, or the rounding error is computed and tells whether to raise it.

An exact zero counts too: the sum of opposite numbers, the product with a zero.

Otherwise the integer routine runs. Each function takes the accrued flags before the
operation (fflags) and returns (bits, accrued flags after it), both equal to what the
integer routine gives.

Singles are computed in double precision and rounded once more: for + - * / and the
square root this second rounding changes nothing, as 53 >= 2 * 24 + 2 (Figueroa, "When is
double rounding innocuous?", 1995).
"""

import math

from vtbook.isa.softfloat.core import NX, RNE
from vtbook.isa.softfloat.double import f64_add, f64_div, f64_fma, f64_mul, f64_sqrt, f64_sub
from vtbook.isa.softfloat.host import (
    bits_to_f64,
    f32_bits_to_f64,
    f64_to_bits,
    f64_to_f32_bits,
    host_f32_fma,
    host_f64_fma,
)
from vtbook.isa.softfloat.single import f32_add, f32_div, f32_fma, f32_mul, f32_sqrt, f32_sub

MAGNITUDE64 = (1 << 63) - 1
SIGN64 = -1 << 63
# From here on the rounding error of a product is itself a normal number.
SAFE64 = 128 << 52
LIMIT64 = 0x7FE << 52
MAGNITUDE32 = (1 << 31) - 1
SAFE32 = 2 << 23
LIMIT32 = 0xFF << 23


def f64_is_safe(bits: int) -> bool:
    """Tell whether a double is normal and far from underflow and from overflow."""
    magnitude = bits & MAGNITUDE64
    return magnitude >= SAFE64 and magnitude < LIMIT64


def f32_is_safe(bits: int) -> bool:
    """Tell whether a single is normal and above the least normal binade."""
    magnitude = bits & MAGNITUDE32
    return magnitude >= SAFE32 and magnitude < LIMIT32


def sum_is_inexact(x: float, y: float, total: float) -> bool:
    """Tell whether total, which is x + y rounded to nearest, differs from x + y.

    The error is computed exactly (Knuth's TwoSum; Muller et al., "Handbook of
    Floating-Point Arithmetic", section 4.3.2).
    """
    y_part = total - x
    return (x - (total - y_part)) + (y - y_part) != 0.0


def f64_add_fast(a: int, b: int, rm: int, flags: int) -> tuple[int, int]:
    """Return a + b and the accrued flags."""
    if rm == RNE:
        x = bits_to_f64(a)
        y = bits_to_f64(b)
        total = x + y
        result = f64_to_bits(total)
        if f64_is_safe(result):
            if flags & NX == 0 and sum_is_inexact(x, y, total):
                return result, flags | NX
            return result, flags
        if total == 0.0:  # a sum that rounds to zero is zero
            return result, flags
    result, raised = f64_add(a, b, rm)
    return result, flags | raised


def f64_sub_fast(a: int, b: int, rm: int, flags: int) -> tuple[int, int]:
    """Return a - b and the accrued flags."""
    if rm == RNE:
        x = bits_to_f64(a)
        y = bits_to_f64(b)
        difference = x - y
        result = f64_to_bits(difference)
        if f64_is_safe(result):
            if flags & NX == 0 and sum_is_inexact(x, -y, difference):
                return result, flags | NX
            return result, flags
        if difference == 0.0:  # a sum that rounds to zero is zero
            return result, flags
    result, raised = f64_sub(a, b, rm)
    return result, flags | raised


def f64_mul_fast(a: int, b: int, rm: int, flags: int) -> tuple[int, int]:
    """Return a * b and the accrued flags."""
    if rm == RNE:
        result = f64_to_bits(bits_to_f64(a) * bits_to_f64(b))
        if f64_is_safe(result):
            if flags & NX == 0 and host_f64_fma(a, b, result ^ SIGN64) & MAGNITUDE64 != 0:
                return result, flags | NX
            return result, flags
        if result & MAGNITUDE64 == 0 and (a & MAGNITUDE64 == 0 or b & MAGNITUDE64 == 0):
            return result, flags
    result, raised = f64_mul(a, b, rm)
    return result, flags | raised


def f64_div_fast(a: int, b: int, rm: int, flags: int) -> tuple[int, int]:
    """Return a / b and the accrued flags."""
    if rm == RNE and b & MAGNITUDE64 != 0:
        result = f64_to_bits(bits_to_f64(a) / bits_to_f64(b))
        if f64_is_safe(result):
            if flags & NX != 0:
                return result, flags
            if f64_is_safe(a):
                remainder = host_f64_fma(result, b, a ^ SIGN64)
                return result, flags | NX if remainder & MAGNITUDE64 != 0 else flags
    result, raised = f64_div(a, b, rm)
    return result, flags | raised


def f64_sqrt_fast(a: int, rm: int, flags: int) -> tuple[int, int]:
    """Return the square root of a and the accrued flags."""
    if rm == RNE and a >= SAFE64 and a < LIMIT64:
        result = f64_to_bits(math.sqrt(bits_to_f64(a)))
        if flags & NX == 0 and host_f64_fma(result, result, a ^ SIGN64) & MAGNITUDE64 != 0:
            return result, flags | NX
        return result, flags
    result, raised = f64_sqrt(a, rm)
    return result, flags | raised


def f64_fma_fast(a: int, b: int, c: int, rm: int, flags: int) -> tuple[int, int]:
    """Return a * b + c, rounded once, and the accrued flags."""
    if rm == RNE:
        if flags & NX != 0:
            result = host_f64_fma(a, b, c)
            if f64_is_safe(result):
                return result, flags
        else:
            product = f64_to_bits(bits_to_f64(a) * bits_to_f64(b))
            exact = f64_is_safe(product) and host_f64_fma(a, b, product ^ SIGN64) & MAGNITUDE64 == 0
            if exact or (
                product & MAGNITUDE64 == 0 and (a & MAGNITUDE64 == 0 or b & MAGNITUDE64 == 0)
            ):
                return f64_add_fast(product, c, rm, flags)
    result, raised = f64_fma(a, b, c, rm)
    return result, flags | raised


def f32_add_fast(a: int, b: int, rm: int, flags: int) -> tuple[int, int]:
    """Return a + b and the accrued flags."""
    if rm == RNE:
        x = f32_bits_to_f64(a)
        y = f32_bits_to_f64(b)
        total = x + y
        result = f64_to_f32_bits(total)
        if f32_is_safe(result):
            if flags & NX == 0 and (
                f32_bits_to_f64(result) != total or sum_is_inexact(x, y, total)
            ):
                return result, flags | NX
            return result, flags
        if total == 0.0:
            return result, flags
    result, raised = f32_add(a, b, rm)
    return result, flags | raised


def f32_sub_fast(a: int, b: int, rm: int, flags: int) -> tuple[int, int]:
    """Return a - b and the accrued flags."""
    if rm == RNE:
        x = f32_bits_to_f64(a)
        y = f32_bits_to_f64(b)
        difference = x - y
        result = f64_to_f32_bits(difference)
        if f32_is_safe(result):
            if flags & NX == 0 and (
                f32_bits_to_f64(result) != difference or sum_is_inexact(x, -y, difference)
            ):
                return result, flags | NX
            return result, flags
        if difference == 0.0:
            return result, flags
    result, raised = f32_sub(a, b, rm)
    return result, flags | raised


def f32_mul_fast(a: int, b: int, rm: int, flags: int) -> tuple[int, int]:
    """Return a * b and the accrued flags; a product of singles is exact in double."""
    if rm == RNE:
        product = f32_bits_to_f64(a) * f32_bits_to_f64(b)
        result = f64_to_f32_bits(product)
        if f32_is_safe(result):
            return result, flags if f32_bits_to_f64(result) == product else flags | NX
        if product == 0.0:  # no product of singles underflows in double
            return result, flags
    result, raised = f32_mul(a, b, rm)
    return result, flags | raised


def f32_div_fast(a: int, b: int, rm: int, flags: int) -> tuple[int, int]:
    """Return a / b and the accrued flags; exact if the quotient times b is a."""
    if rm == RNE and b & MAGNITUDE32 != 0:
        x = f32_bits_to_f64(a)
        y = f32_bits_to_f64(b)
        result = f64_to_f32_bits(x / y)
        if f32_is_safe(result):
            return result, flags if f32_bits_to_f64(result) * y == x else flags | NX
    result, raised = f32_div(a, b, rm)
    return result, flags | raised


def f32_sqrt_fast(a: int, rm: int, flags: int) -> tuple[int, int]:
    """Return the square root of a and the accrued flags; exact if its square is a."""
    if rm == RNE and a >= SAFE32 and a < LIMIT32:
        x = f32_bits_to_f64(a)
        result = f64_to_f32_bits(math.sqrt(x))
        root = f32_bits_to_f64(result)
        return result, flags if root * root == x else flags | NX
    result, raised = f32_sqrt(a, rm)
    return result, flags | raised


def f32_fma_fast(a: int, b: int, c: int, rm: int, flags: int) -> tuple[int, int]:
    """Return a * b + c, rounded once, and the accrued flags."""
    if rm == RNE:
        if flags & NX != 0:
            result = host_f32_fma(a, b, c)
            if f32_is_safe(result):
                return result, flags
        else:
            x = f32_bits_to_f64(a) * f32_bits_to_f64(b)  # exact
            y = f32_bits_to_f64(c)
            result = host_f32_fma(a, b, c)
            if f32_is_safe(result) and f32_bits_to_f64(result) == x + y:
                return result, flags | NX if sum_is_inexact(x, y, x + y) else flags
    result, raised = f32_fma(a, b, c, rm)
    return result, flags | raised
