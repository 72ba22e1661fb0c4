"""Compiled by numba, every routine gives what it gives in plain Python and in qemu."""

import inspect
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs numba, which compiles the routines")
import numba

import vtbook.cpu.compiled_float  # noqa: F401  (makes the routines callable from compiled code)
from vtbook.isa import softfloat
from vtbook.isa.softfloat import bits, host

from .operands import random_operands
from .operations import BY_NAME, OPERATIONS, Operation
from .oracles import Oracle, missing_for_qemu, qemu_oracle, unicorn_oracle

# Columns of the array of cases.
OPERANDS, RM, FLAGS = 0, 3, 4


def compiled_loop(operation: Operation, fast: bool = False) -> Callable[..., Any]:
    """Compile `loop(cases, results)`, which applies an operation to every case."""
    arguments = [f"cases[i, {OPERANDS + n}]" for n in range(len(operation.operands))]
    if operation.rounds:
        arguments.append(f"cases[i, {RM}]")
    if fast:
        arguments.append(f"cases[i, {FLAGS}]")
    call = f"function({', '.join(arguments)})"
    if inspect.signature(operation.function).return_annotation is int:
        call += ", 0"
    source = (
        "def loop(cases, results):\n"
        "    for i in range(len(cases)):\n"
        f"        results[i, 0], results[i, 1] = {call}\n"
    )
    function = getattr(softfloat, f"{operation.name}_fast") if fast else operation.function
    scope: dict[str, Any] = {"function": function}
    exec(source, scope)
    return numba.njit("void(int64[:, ::1], int64[:, ::1])")(scope["loop"])


def cases_array(operation: Operation, count: int) -> np.ndarray:
    rng = random.Random(f"compiled {operation.name}")
    cases = np.zeros((count, 5), np.int64)
    for i in range(count):
        values = random_operands(rng, operation.operands)
        cases[i, : len(values)] = values
        cases[i, RM] = rng.choice((0, 0, 1, 2, 3, 4))
        cases[i, FLAGS] = rng.choice((0, 1, 16, 31))
    return cases


def oracle() -> Oracle:
    return unicorn_oracle() if missing_for_qemu() else qemu_oracle()


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_compiled_routine_agrees_with_an_emulator(operation: Operation) -> None:
    cases = cases_array(operation, 5000)
    results = np.zeros((len(cases), 2), np.int64)
    compiled_loop(operation)(cases, results)
    count = len(operation.operands)
    asked = [(tuple(map(int, case[:count])), int(case[RM])) for case in cases]
    expected = oracle().run(operation, asked)
    for case, result, wanted in zip(asked, results.tolist(), expected, strict=True):
        if not oracle().fails(operation, case[0]):
            assert tuple(result) == wanted, (operation.name, case)


@pytest.mark.parametrize(
    "name", [name.removesuffix("_fast") for name in softfloat.__all__ if name.endswith("_fast")]
)
def test_compiled_fast_form_agrees_with_the_integer_routine(name: str) -> None:
    operation = BY_NAME[name]
    cases = cases_array(operation, 20_000)
    fast = np.zeros((len(cases), 2), np.int64)
    integer = np.zeros_like(fast)
    compiled_loop(operation, fast=True)(cases, fast)
    compiled_loop(operation)(cases, integer)
    integer[:, 1] |= cases[:, FLAGS]
    wrong = np.nonzero((fast != integer).any(axis=1))[0]
    assert wrong.size == 0, (cases[wrong[0]].tolist(), fast[wrong[0]], integer[wrong[0]])


def test_machine_forms_agree_with_plain_python() -> None:
    """Reinterpreting, converting, counting zeros and host fma: numbers only, no NaNs."""

    @numba.njit
    def compiled(a, b, c, s):
        return (
            host.f64_to_bits(host.bits_to_f64(a)),
            host.f64_to_f32_bits(host.bits_to_f64(a)),
            host.f64_to_bits(host.f32_bits_to_f64(s)),
            host.host_f64_fma(a, b, c),
            host.host_f32_fma(s, s, s),
            bits.leading_zeros(a & bits.LIMB_MASK),
        )

    rng = random.Random(3)
    checked = 0
    while checked < 2000:
        a, b, c = random_operands(rng, ("f64", "f64", "f64"))
        (s,) = random_operands(rng, ("f32",))
        if any(softfloat.f64_classify(v) >> 8 for v in (a, b, c)) or softfloat.f32_classify(s) >> 8:
            continue
        result = host.host_f64_fma(a, b, c)
        single = host.host_f32_fma(s, s, s)
        # The host's NaN has a sign of its own.
        if softfloat.f64_classify(result) >> 8 or softfloat.f32_classify(single) >> 8:
            continue
        checked += 1
        assert compiled(a, b, c, s) == (
            host.f64_to_bits(host.bits_to_f64(a)),
            host.f64_to_f32_bits(host.bits_to_f64(a)),
            host.f64_to_bits(host.f32_bits_to_f64(s)),
            result,
            single,
            bits.leading_zeros(a & bits.LIMB_MASK),
        )
