"""Results are the exact ones, rounded: against fractions, and against the host's doubles."""

import math
import operator
import struct
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vtbook.isa import softfloat

from .operands import FORMATS, numbers, pattern

NX, UF, OF = 1, 2, 4
RNE, RTZ, RDN, RUP, RMM = range(5)
CANONICAL_NAN = 0x7FF8 << 48
formats = pytest.mark.parametrize("kind", ["f32", "f64"])


def value_of(kind: str, bits: int) -> Fraction:
    """The exact value of a finite number."""
    eb, fb = FORMATS[kind]
    exponent = bits >> fb & (1 << eb) - 1
    fraction = bits & (1 << fb) - 1
    if exponent:
        fraction += 1 << fb
    scale = Fraction(2) ** (max(exponent, 1) - (1 << (eb - 1)) + 1 - fb)
    return (-1 if bits >> (eb + fb) & 1 else 1) * fraction * scale


def is_finite(kind: str, bits: int) -> bool:
    eb, fb = FORMATS[kind]
    return bits >> fb & (1 << eb) - 1 != (1 << eb) - 1


def round_to_integer(value: Fraction, rm: int) -> int:
    floor = math.floor(value)
    if rm == RNE:
        return round(value)
    if rm == RMM:
        half_away = math.floor(abs(value) + Fraction(1, 2))
        return half_away if value >= 0 else -half_away
    if rm == RDN or value == floor or (rm == RTZ and value > 0):
        return floor
    return floor + 1


def round_fraction(kind: str, value: Fraction, rm: int) -> tuple[int, int]:
    """Round a nonzero exact value to a format; return (bits, flags)."""
    eb, fb = FORMATS[kind]
    bias = (1 << (eb - 1)) - 1
    size = abs(value)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if Fraction(2) ** exponent > size:
        exponent -= 1
    unit = Fraction(2) ** (exponent - fb)
    tiny = abs(round_to_integer(value / unit, rm) * unit) < Fraction(2) ** (1 - bias)
    unit = Fraction(2) ** (max(exponent, 1 - bias) - fb)
    rounded = round_to_integer(value / unit, rm) * unit
    sign = int(value < 0)
    if abs(rounded) >= Fraction(2) ** (bias + 1):
        goes_to_finite = rm == RTZ or (rm == RDN and not sign) or (rm == RUP and sign)
        if goes_to_finite:
            return pattern(kind, sign, 2 * bias, (1 << fb) - 1), OF | NX
        return pattern(kind, sign, 2 * bias + 1, 0), OF | NX
    flags = 0 if rounded == value else NX | UF if tiny else NX
    units = int(abs(rounded) / Fraction(2) ** (1 - bias - fb))  # of the least subnormal
    field = max(units.bit_length() - fb - 1, 0)
    return pattern(kind, sign, 0, (field << fb) + (units >> field)), flags


EXACT: dict[str, Callable[..., Fraction]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "fma": lambda a, b, c: a * b + c,
}


@formats
@pytest.mark.parametrize("name", EXACT)
def test_result_is_the_exact_one_rounded_once(kind: str, name: str) -> None:
    function = getattr(softfloat, f"{kind}_{name}")
    count = 3 if name == "fma" else 2

    @settings(max_examples=150, deadline=None)
    @given(st.tuples(*[numbers(kind)] * count), st.integers(0, 4))
    def rounds(bits: tuple[int, ...], rm: int) -> None:
        assume(all(is_finite(kind, b) for b in bits))
        values = [value_of(kind, b) for b in bits]
        assume(name != "div" or values[1] != 0)
        exact = EXACT[name](*values)
        assume(exact != 0)
        assert function(*bits, rm) == round_fraction(kind, exact, rm)

    rounds()


@formats
def test_fused_sum_of_nearly_opposite_terms_is_exact(kind: str) -> None:
    """c is within a few units of -(a * b), so that what is left is the product's low half."""
    multiply = getattr(softfloat, f"{kind}_mul")
    fma = getattr(softfloat, f"{kind}_fma")
    sign_bit = 1 << sum(FORMATS[kind])

    @settings(max_examples=200, deadline=None)
    @given(numbers(kind), numbers(kind), st.integers(0, 4), st.integers(0, 4))
    def rounds(a: int, b: int, rm: int, rm_of_product: int) -> None:
        product = multiply(a, b, rm_of_product)[0] & 2 * sign_bit - 1
        c = product ^ sign_bit
        if c >> 63:
            c -= 1 << 64
        assume(all(is_finite(kind, bits) for bits in (a, b, c)))
        exact = value_of(kind, a) * value_of(kind, b) + value_of(kind, c)
        assume(exact != 0)
        assert fma(a, b, c, rm) == round_fraction(kind, exact, rm)

    rounds()


@formats
@settings(max_examples=150, deadline=None)
@given(data=st.data(), rm=st.integers(0, 4))
def test_square_root_is_the_exact_one_rounded(kind: str, data: st.DataObject, rm: int) -> None:
    bits = data.draw(numbers(kind))
    assume(is_finite(kind, bits))
    square = value_of(kind, bits)
    assume(square > 0)
    # Far more digits of the root than the format has, then a sticky one.
    shift = 400 + (square.denominator.bit_length() & ~1)
    scaled = (square.numerator << 2 * shift) // square.denominator
    root = math.isqrt(scaled)
    exact = Fraction(root, 1 << shift)
    if exact * exact != square:
        exact += Fraction(1, 1 << (shift + 2))
    assert getattr(softfloat, f"{kind}_sqrt")(bits, rm) == round_fraction(kind, exact, rm)


def to_float(bits: int) -> float:
    return struct.unpack("<d", struct.pack("<q", bits))[0]


def from_float(value: float) -> int:
    if math.isnan(value):
        return CANONICAL_NAN
    return struct.unpack("<q", struct.pack("<d", value))[0]


@pytest.mark.parametrize("name", ["add", "sub", "mul"])
def test_double_to_nearest_even_is_python_arithmetic(name: str) -> None:
    @settings(max_examples=200, deadline=None)
    @given(numbers("f64"), numbers("f64"))
    def agrees(a: int, b: int) -> None:
        expected = getattr(operator, name)(to_float(a), to_float(b))
        assert getattr(softfloat, f"f64_{name}")(a, b, RNE)[0] == from_float(expected)

    agrees()


@settings(max_examples=200, deadline=None)
@given(numbers("f64"), numbers("f64"))
def test_double_division_and_root_are_python_arithmetic(a: int, b: int) -> None:
    if to_float(b) != 0.0:
        quotient = to_float(a) / to_float(b)
        assert softfloat.f64_div(a, b, RNE)[0] == from_float(quotient)
    if to_float(b) >= 0.0:
        assert softfloat.f64_sqrt(b, RNE)[0] == from_float(math.sqrt(to_float(b)))


@settings(max_examples=200, deadline=None)
@given(numbers("f64"))
def test_conversion_to_single_is_that_of_struct(bits: int) -> None:
    value = to_float(bits)
    assume(not math.isnan(value))
    try:
        expected = struct.unpack("<I", struct.pack("<f", value))[0]
    except OverflowError:
        expected = 0x7F80_0000 | (0x8000_0000 if value < 0 else 0)
    assert softfloat.f64_to_f32(bits, RNE)[0] == expected


@formats
@pytest.mark.parametrize(
    ("integer", "least", "greatest"),
    [
        ("i32", -(1 << 31), (1 << 31) - 1),
        ("u32", 0, (1 << 32) - 1),
        ("i64", -(1 << 63), (1 << 63) - 1),
        ("u64", 0, (1 << 64) - 1),
    ],
)
def test_conversion_to_integer_rounds_then_clamps(
    kind: str, integer: str, least: int, greatest: int
) -> None:
    function = getattr(softfloat, f"{kind}_to_{integer}")
    width = int(integer[1:])

    @settings(max_examples=150, deadline=None)
    @given(numbers(kind), st.integers(0, 4))
    def agrees(bits: int, rm: int) -> None:
        assume(is_finite(kind, bits))
        exact = value_of(kind, bits)
        rounded = round_to_integer(exact, rm)
        clamped = min(max(rounded, least), greatest)
        flags = 16 if clamped != rounded else int(rounded != exact)
        register = (clamped + (1 << width - 1)) % (1 << width) - (1 << width - 1)
        assert function(bits, rm) == (register, flags)

    agrees()
