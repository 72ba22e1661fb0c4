"""The forms that use the host's FPU give what the integer routines give."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbook.isa import softfloat

from .operands import operands, random_operands
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
