"""The forms that use the host's FPU give what the integer routines give."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbook.isa import softfloat
from vtbook.isa.softfloat import NX, RNE, UF

from .operands import FORMATS, operands, pattern, random_operands
from .operations import BY_NAME, Operation

FAST = [name.removesuffix("_fast") for name in softfloat.__all__ if name.endswith("_fast")]


def check(operation: Operation, values: tuple[int, ...], rm: int, before: int) -> None:
    bits, raised = operation.function(*values, rm)
    fast = getattr(softfloat, f"{operation.name}_fast")
    assert fast(*values, rm, before) == (bits, before | raised)


def test_every_frequent_operation_has_a_fast_form() -> None:
    names = ("add", "sub", "mul", "div", "sqrt", "fma")
    assert sorted(FAST) == sorted(f"{kind}_{name}" for kind in ("f32", "f64") for name in names)


@pytest.mark.parametrize("name", FAST)
def test_fast_form_agrees_on_random_corners(name: str) -> None:
    operation = BY_NAME[name]
    rng = random.Random(name)
    for _ in range(3000):
        values = random_operands(rng, operation.operands)
        check(operation, values, rng.choice((0, 0, 0, 1, 2, 3, 4)), rng.choice((0, 1, 18, 31)))


@pytest.mark.parametrize("name", FAST)
def test_fast_form_agrees_on_any_operands(name: str) -> None:
    operation = BY_NAME[name]

    @settings(max_examples=150, deadline=None)
    @given(operands(operation.operands), st.sampled_from((0, 1)))
    def agrees(values: tuple[int, ...], before: int) -> None:
        check(operation, values, 0, before)

    agrees()


SMALL = [1.0, 2.0, 3.0, 0.5, 0.1, 1e10, -7.0, 1 / 3]


@pytest.mark.parametrize("name", [name for name in FAST if "fma" not in name])
def test_exactness_of_ordinary_numbers_is_seen(name: str) -> None:
    """Of exact and inexact results both occur, and NX is raised for the latter alone."""
    operation = BY_NAME[name]
    patterns = [softfloat.host.f64_to_bits(value) for value in SMALL]
    if name.startswith("f32"):
        patterns = [softfloat.host.f64_to_f32_bits(value) for value in SMALL]
    seen = set()
    for a in patterns:
        for b in patterns:
            values = (a, b)[: len(operation.operands)]
            check(operation, values, 0, 0)
            seen.add(operation.function(*values, 0)[1])
    assert {0, 1} <= seen


@pytest.mark.parametrize("kind", ["f32", "f64"])
@pytest.mark.parametrize("before", [0, NX])
def test_underflow_is_seen_where_the_result_rounds_up_to_a_normal(kind: str, before: int) -> None:
    """The greatest number below 1, scaled to just below the least normal, is tiny and a tie."""
    eb, fb = FORMATS[kind]
    bias = (1 << (eb - 1)) - 1
    least_normal = pattern(kind, 0, 1, 0)
    below_one = pattern(kind, 0, bias - 1, (1 << fb) - 1)
    least_binade_top, two = pattern(kind, 0, 1, (1 << fb) - 1), pattern(kind, 0, bias + 1, 0)
    expected = (least_normal, before | UF | NX)
    multiply, divide, fma = (
        getattr(softfloat, f"{kind}_{op}_fast") for op in ("mul", "div", "fma")
    )
    assert multiply(below_one, least_normal, RNE, before) == expected
    assert divide(least_binade_top, two, RNE, before) == expected
    assert fma(below_one, least_normal, 0, RNE, before) == expected
