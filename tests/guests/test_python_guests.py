"""Python functions as guest programs give what they give on the host."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbook.guests.python_compiler import PythonGuestError, putchar
from vtbook.machine.python_guest import guest

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@guest
def gcd(a: int, b: int) -> int:
    while b != 0:
        a, b = b, a % b
    return a


@guest
def fibonacci(n):
    if n < 2:
        return n
    return fibonacci(n - 1) + fibonacci(n - 2)


@guest
def even_fibonacci(n: int) -> bool:
    return fibonacci(n) % 2 == 0


@guest
def mean_and_spread(values):
    total = 0.0
    for value in values:
        total += value
    mean = total / values.shape[0]
    worst = 0.0
    for value in values:
        worst = max(worst, abs(value - mean))
    return mean, worst, values.shape[0]


@guest
def reverse(values):
    n = values.shape[0]
    for i in range(n // 2):
        values[i], values[n - 1 - i] = values[n - 1 - i], values[i]


@guest(signature="float64(float64, float64)")
def hypotenuse(a, b):
    return math.sqrt(a * a + b * b)


@guest
def print_number(n: int):
    if n >= 10:
        print_number(n // 10)
    putchar(48 + n % 10)


@guest
def sine(x: float) -> float:
    return math.sin(x)


@guest
def transpose(a, b):
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            b[j, i] = a[i, j]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 62), st.integers(0, 1 << 62))
def test_integers_agree_with_the_host(a, b):
    assert gcd(a, b) == math.gcd(a, b)


@settings(max_examples=25, deadline=None)
@given(st.floats(-1e100, 1e100), st.floats(-1e100, 1e100))
def test_floats_agree_with_the_host_bit_for_bit(a, b):
    assert hypotenuse(a, b) == math.sqrt(a * a + b * b)


def test_a_function_may_call_itself_and_another():
    assert fibonacci(15) == 610
    assert even_fibonacci(15) is True
    assert even_fibonacci(16) is False


def test_arrays_go_to_the_guest_and_come_back():
    values = np.arange(17, dtype=np.int32)
    reverse(values)
    assert values.tolist() == list(range(16, -1, -1))
    table = np.arange(12.0).reshape(3, 4)
    out = np.zeros((4, 3))
    transpose(table, out)
    assert (out == table.T).all()


def test_a_tuple_comes_back():
    values = np.array([1.0, 2.0, 6.0])
    assert mean_and_spread(values) == (3.0, 3.0, 3)


def test_the_guest_prints_and_the_host_prints(capsys):
    assert print_number(20261124) is None
    assert print_number.machine.console.output == b"20261124"
    print_number.function = print_number.function  # the plain function stays reachable
    putchar(65)
    assert capsys.readouterr().out == "A"


def test_every_engine_runs_it():
    counts = set()
    for engine in ("interpreter", "python", "ir"):
        run = guest(fibonacci.function, engine=engine)
        assert run(8) == 21
        counts.add(run.machine.hart.instret)
    assert len(counts) == 1


def test_a_function_that_needs_a_library_is_refused_by_name():
    with pytest.raises(PythonGuestError, match="sin"):
        sine(1.0)


def test_wrong_arguments_are_refused():
    with pytest.raises(PythonGuestError, match="takes 2 arguments"):
        gcd(1)
    with pytest.raises(PythonGuestError, match="is no"):
        gcd("a", 1)


def test_what_numba_cannot_compile_is_explained():
    @guest
    def impossible(n: int) -> int:
        return {n: n}.frobnicate()

    with pytest.raises(PythonGuestError, match="impossible cannot be compiled"):
        impossible(1)


def test_a_closure_is_refused():
    outside = 3

    @guest
    def closure(n: int) -> int:
        return n + outside

    with pytest.raises(PythonGuestError, match="enclosing"):
        closure(1)


def test_the_assembly_can_be_read():
    text = gcd.compiled(6, 4).assembly
    assert "vt_entry:" in text
    assert "rem" in text
