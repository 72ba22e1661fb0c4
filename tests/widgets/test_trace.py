"""The trace: what the builder stores is what was given, and the check names what is wrong."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbook.errors import VtbookError
from vtbook.widgets.trace import TraceBuilder, TraceError, validate_trace

MASK = (1 << 64) - 1


def builder(**changes):
    arguments = {
        "title": "t",
        "listing": [(0x8000_0000, "00500513", "li a0, 5", "_start")],
        "registers": {"x": [0] * 32, "f": None},
        "csrs": [("mcause", 0), ("mepc", 0)],
        "memory": [(0x8000_1000, b"ab\0\0", "data")],
        "mode": "M",
        "pc": 0x8000_0000,
    }
    return TraceBuilder(**{**arguments, **changes})


def registers_at(trace, bank):
    """Replay one register bank: the state before the first step, and after each."""
    now = [int(value, 16) for value in trace["initial"][bank]]
    states = [list(now)]
    for step in trace["steps"]:
        for change in step[1:]:
            if change[0] == bank:
                now[change[1]] = int(change[2], 16)
        states.append(list(now))
    return states


word = st.integers(-(1 << 63), MASK)
state = st.lists(word, min_size=32, max_size=32)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(state, state), min_size=1, max_size=6))
def test_replaying_the_differences_gives_the_states_back(states):
    first_x, first_f = states[0]
    b = builder(registers={"x": first_x, "f": first_f})
    for n, (x, f) in enumerate(states[1:]):
        b.step(pc=n, x=x, f=dict(enumerate(f)))
    trace = json.loads(json.dumps(b.build()))
    assert registers_at(trace, "x") == [[v & MASK for v in x] for x, _ in states]
    assert registers_at(trace, "f") == [[v & MASK for v in f] for _, f in states]


def test_only_what_changed_is_stored():
    b = builder()
    b.step(pc=4, x={10: 5, 11: 0}, csrs={"mcause": 0}, mode="M")
    b.step(pc=8, x=[0] * 10 + [5] + [0] * 21)
    assert b.build()["steps"] == [["4", ["x", 10, "5"]], ["8"]]


def test_every_kind_of_change_is_stored_in_a_fixed_order():
    b = builder(registers={"x": [0] * 32, "f": [0] * 32})
    b.step(
        pc=0x20,
        mode="U",
        x={1: -1},
        f={2: 1 << 63},
        csrs={"mepc": 0x8000_0000},
        reads=[(0x8000_1000, 8)],
        writes=[(-8, b"\x01\x02")],
        console=b"ol\xc3",
        event={"kind": "trap", "text": "t", "cause": (1 << 63) | 7, "epc": 0, "tval": 0},
    )
    assert b.build()["steps"][0] == [
        "20",
        ["x", 1, "ffffffffffffffff"],
        ["f", 2, "8000000000000000"],
        ["csr", 1, "80000000"],
        ["mode", "U"],
        ["r", "80001000", 8],
        ["w", "fffffffffffffff8", "0102"],
        ["out", "6f6cc3"],
        ["retired", 0],
        ["event", "trap", "t", [["cause", "8000000000000007"], ["epc", "0"], ["tval", "0"]]],
    ]


def test_a_trap_retires_nothing_unless_told():
    b = builder()
    b.step(pc=4, event={"kind": "trap", "text": ""})
    b.step(pc=8, event={"kind": "exit", "reason": "shutdown"})
    b.step(pc=8, retired=3)
    traps, exits, several = b.build()["steps"]
    assert ["retired", 0] in traps
    assert all(change[0] != "retired" for change in exits[1:])
    assert ["retired", 3] in several


def test_zeros_at_the_end_of_a_region_are_not_stored():
    assert builder().build()["initial"]["memory"] == [["80001000", 4, "6162", "data"]]


def test_lines_are_sorted_and_modified_code_is_a_change_of_the_next_step():
    b = builder()
    b.line(0x7FFF_FFFE, "4505", "li a0, 1", "before")
    b.line(0x8000_0000, "00500513", "li a0, 5")
    b.step(pc=0)
    b.line(0x8000_0000, "00600513", "li a0, 6")
    b.step(pc=4)
    trace = b.build()
    assert [line[0] for line in trace["listing"]] == ["7ffffffe", "80000000"]
    assert trace["steps"] == [["0"], ["4", ["code", "80000000", "00600513", "li a0, 6"]]]


def test_numpy_integers_are_accepted():
    numpy = pytest.importorskip("numpy")
    b = builder(registers={"x": numpy.full(32, -1, numpy.int64), "f": None})
    b.step(pc=numpy.int64(8), x={3: numpy.uint64(MASK - 1)})
    assert b.build()["steps"] == [["8", ["x", 3, "fffffffffffffffe"]]]
    assert b.build()["initial"]["x"][5] == "f" * 16


def test_two_thousand_steps_stay_well_under_300_kb():
    b = builder(memory=[(0x8000_1000, bytes(range(256)) * 4, "data")])
    for n in range(2000):
        b.step(pc=0x8000_0000 + n % 64 * 4, x={n % 32: n * 0x9E3779B97F4A7C15 & MASK})
    size = len(json.dumps(b.build(), separators=(",", ":")))
    assert size < 150_000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda b: b.step(pc=1 << 64), "step 1: pc: .*does not fit in 64 bits"),
        (lambda b: b.step(pc=0, x={32: 1}), "register x32 is not recorded"),
        (lambda b: b.step(pc=0, f={0: 1}), "register f0 is not recorded.*0 f registers"),
        (lambda b: b.step(pc=0, csrs={"satp": 1}), "CSR 'satp'.*mcause, mepc"),
        (lambda b: b.step(pc=0, event={"text": "x"}), "event has no 'kind'"),
        (lambda b: b.step(pc=0, event={"kind": "trap", "why": 1}), "no field 'why'"),
    ],
)
def test_the_builder_names_the_step_and_the_problem(call, message):
    with pytest.raises(TraceError, match=message):
        call(builder())


def good():
    b = builder(registers={"x": [0] * 32, "f": [0] * 32})
    b.step(pc=4, x={1: 1}, writes=[(0, b"a")], event={"kind": "trap", "cause": 2})
    return b.build()


def put(path, value):
    """A change of the good trace: the value at a path of keys and indices."""

    def change(trace):
        for key in path[:-1]:
            trace = trace[key]
        trace[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (put(["format"], "x"), "format"),
        (put(["version"], 2), "version"),
        (put(["extra"], 2), "trace"),
        (put(["title"], 2), "title"),
        (put(["listing", 0, 1], "005005"), "listing[0][1]"),
        (put(["listing", 0, 0], "0x80000000"), "listing[0][0]"),
        (put(["listing"], [["4", "0001", "a", ""], ["4", "0001", "a", ""]]), "listing[1]"),
        (put(["initial", "x"], ["0"] * 31), "initial.x"),
        (put(["initial", "f"], ["0"] * 31), "initial.f"),
        (put(["initial", "x", 4], 5), "initial.x[4]"),
        (put(["initial", "x", 4], "0005"), "initial.x[4]"),
        (put(["initial", "mode"], "X"), "initial.mode"),
        (put(["initial", "memory", 0, 1], 1), "initial.memory[0]"),
        (put(["initial", "csrs", 0], ["mcause"]), "initial.csrs[0]"),
        (put(["initial", "console"], "6"), "initial.console"),
        (put(["steps", 0], []), "steps[0]"),
        (put(["steps", 0, 0], "-4"), "steps[0][0]"),
        (put(["steps", 0, 1], ["x", 32, "1"]), "steps[0][1][1]"),
        (put(["steps", 0, 1], ["csr", 2, "1"]), "steps[0][1][1]"),
        (put(["steps", 0, 1], ["x", 3]), "steps[0][1]"),
        (put(["steps", 0, 1], ["y", 3]), "steps[0][1]"),
        (put(["steps", 0, 2, 2], "6"), "steps[0][2][2]"),
        (put(["steps", 0, -1, 1], "bang"), "steps[0][4][1]"),
        (put(["steps", 0, -1, 3, 0], ["why", "1"]), "steps[0][4][3][0]"),
    ],
)
def test_the_check_names_the_path_of_the_first_problem(change, path):
    trace = copy.deepcopy(good())
    validate_trace(trace)
    change(trace)
    with pytest.raises(TraceError) as caught:
        validate_trace(trace)
    assert caught.value.path == path
    assert str(caught.value) == f"{path}: {caught.value.problem}"
    assert isinstance(caught.value, VtbookError)


def test_building_a_trace_imports_no_notebook_package():
    code = (
        "import sys, vtbook.widgets.trace\n"
        "print(sorted({'anywidget', 'ipywidgets', 'IPython', 'nbconvert'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
