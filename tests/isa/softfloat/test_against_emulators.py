"""Every operation gives the bits and flags of other people's RISC-V emulators."""

import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from .operands import operands, random_operands
from .operations import BY_NAME, OPERATIONS, Operation
from .oracles import Oracle, missing_for_qemu, qemu_oracle, unicorn_oracle

needs_qemu = pytest.mark.skipif(
    missing_for_qemu() != "", reason=f"needs {missing_for_qemu()} on the PATH"
)
every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=str)


def random_cases(operation: Operation, count: int) -> list[tuple[tuple[int, ...], int]]:
    """`count` operand tuples, each in all five rounding modes."""
    rng = random.Random(operation.name)
    return [
        (values, rm)
        for values in (random_operands(rng, operation.operands) for _ in range(count))
        for rm in range(5)
    ]


def check(oracle: Oracle, operation: Operation, cases: list) -> None:
    cases = [case for case in cases if not oracle.fails(operation, case[0])]
    for (values, rm), expected in zip(cases, oracle.run(operation, cases), strict=True):
        result = operation.call(operation.function, values, rm)
        assert result == expected, f"{operation}{tuple(map(hex, values))} rm={rm}"


@every_operation
def test_random_corners_agree_with_unicorn(operation: Operation) -> None:
    check(unicorn_oracle(), operation, random_cases(operation, 300))


@needs_qemu
@every_operation
def test_random_corners_agree_with_qemu(operation: Operation) -> None:
    check(qemu_oracle(), operation, random_cases(operation, 500))


@every_operation
def test_any_operands_agree_with_unicorn(operation: Operation) -> None:
    @settings(max_examples=60, deadline=None)
    @given(operands(operation.operands), st.integers(0, 4))
    def agrees(values: tuple[int, ...], rm: int) -> None:
        assume(not unicorn_oracle().fails(operation, values))
        check(unicorn_oracle(), operation, [(values, rm)])

    agrees()


# What unicorn gets wrong, on operands written out by hand: (name, operands, result, flags).
ONE, SIGNALLING, QUIET, INFINITY = 0x3F80_0000, 0x7FA0_0000, 0x7FC0_1234, 0x7F80_0000
LATER_RULES = [
    ("f32_min", (ONE, SIGNALLING), ONE, 16),
    ("f32_max", (SIGNALLING, ONE), ONE, 16),
    ("f32_min", (QUIET, ONE), ONE, 0),
    ("f32_max", (SIGNALLING, QUIET), 0x7FC0_0000, 16),
    ("f32_fma", (INFINITY, 0, QUIET), 0x7FC0_0000, 16),
    ("f32_fma", (0, INFINITY, QUIET), 0x7FC0_0000, 16),
]


@pytest.mark.parametrize(("name", "values", "bits", "flags"), LATER_RULES)
def test_nan_rules_are_those_of_f_2_2(
    name: str, values: tuple[int, ...], bits: int, flags: int
) -> None:
    operation = BY_NAME[name]
    assert operation.call(operation.function, values, 0) == (bits, flags)


@needs_qemu
@pytest.mark.parametrize(("name", "values", "bits", "flags"), LATER_RULES)
def test_qemu_has_the_nan_rules_of_f_2_2(
    name: str, values: tuple[int, ...], bits: int, flags: int
) -> None:
    assert qemu_oracle().run(BY_NAME[name], [(values, 0)]) == [(bits, flags)]
