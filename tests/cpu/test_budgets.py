"""Budgets, breakpoints and counts are exact, however runs are cut up and instructions are paired.

The model is the plain-Python machine, one instruction at a time.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.cpu.twins import RAM, Twins
from tests.translator.engines import PlainEngine
from tests.translator.random_words import register_value, words
from vtbook.cpu import plain
from vtbook.cpu.decode_tables import FIRST
from vtbook.cpu.fusion import FREQUENT
from vtbook.cpu.hart import Hart
from vtbook.cpu.interpreter import Interpreter, compiled_set
from vtbook.cpu.layout import ARCHITECTURAL, BREAK, BUDGET, UNHANDLED
from vtbook.isa.assembler import assemble
from vtbook.isa.operations import MASK64
from vtbook.isa.sets import RV64GC

FUZZ = int(os.environ.get("VTBOOK_FUZZ", "1"))
CODE, DATA, SIZE = 0x8000_0000, 0x8000_3000, 0x4000
HANDLER = 0x8000_2000
#: A handler that goes on four bytes after the instruction that trapped.
SKIP = (0x34102FF3, 0x004F8F93, 0x341F9073, 0x30200073)
MEMORY = {"lb", "lbu", "lh", "lw", "ld", "sb", "sh", "sw", "sd"}
SHORT = ("c.addi a0, 3", "c.mv a1, a0", "c.add a2, a1", "c.ld a3, 8(s0)", "c.sd a2, 16(s0)")
REGISTERS = ("a0", "a1", "a2", "a3")


def line(name: str, choose: random.Random) -> str:
    """One line with this mnemonic; jumps and branches go to the line after the next."""
    a, b, c = (choose.choice(REGISTERS) for _ in range(3))
    if name in MEMORY:
        return f"{name} {a}, {8 * choose.randrange(16)}(s0)"
    if name == "jal":
        return "jal t2, 1f"
    if name == "jalr":
        return "la t1, 1f\n jalr t2, 0(t1)"
    if name.startswith("b"):
        return f"{name} {a}, {b}, 1f"
    if name in ("auipc", "lui"):
        return f"{name} {a}, {choose.randrange(1 << 20)}"
    last = choose.randrange(32) if name.endswith(("i", "iw")) else c
    return f"{name} {a}, {b}, {last}"


def program(seed: int) -> bytes:
    """Endless: pairs that share a handler, short forms, traps, and a way back to the start."""
    choose = random.Random(seed)
    text = []
    for _ in range(40):
        first, second, _ = choose.choice(FREQUENT)
        text += [line(first, choose), line(second, choose)]
        if choose.random() < 0.3:
            text.append(choose.choice(SHORT))
        text.append("1:")
        if choose.random() < 0.1:
            text.append(choose.choice(("ecall", "lw a0, 0(zero)", "amoadd.w a1, a2, 1(zero)")))
    text = [t.replace(", 1(zero)", ", (s1)") for t in text]
    return bytes(assemble("\n".join(["start:", *text, "j start"]), origin=CODE))


def random_code(seed: int) -> bytes:
    choose = random.Random(seed)
    stream = words(RV64GC, choose)
    some = [next(stream) for _ in range(40)]
    return b"".join(w.to_bytes(4, "little")[: 2 if w & 3 != 3 else 4] for w in some)


def make_hart(code: bytes) -> Hart:
    ram = np.zeros(SIZE, np.uint8)
    ram[: len(code)] = np.frombuffer(code, np.uint8)
    ram[HANDLER - CODE :][:16] = np.array(SKIP, "<u4").view(np.uint8)
    hart = Hart(RV64GC)
    hart.map_memory(CODE, ram)
    hart.reset(CODE)
    hart.mtvec, hart.mstatus = HANDLER, 3 << 13
    choose = random.Random(len(code))
    for n in range(1, 32):
        hart.x[n] = register_value(choose)
    hart.x[8], hart.x[9] = DATA, DATA + 1  # s0 points to memory, s1 to a misaligned word
    return hart


def seen(hart: Hart) -> dict[str, Any]:
    """All that a guest can see, but what x0's stand-in holds."""
    state = {n: hart.state[n][0].tolist() for n in ARCHITECTURAL}
    state["x"] = state["x"][:32]
    state["memory"] = hart.memory[0][1].tobytes()
    return state


@pytest.fixture(params=["pairs", "no pairs"])
def pairs(request: pytest.FixtureRequest) -> Iterator[bool]:
    """With and without handlers that cover two instructions."""
    tables = compiled_set(RV64GC).tables
    arrays, header = list(tables.arrays), tables.header
    if request.param == "no pairs":
        tables.set_pairs([], FIRST)
    yield request.param == "pairs"
    tables.arrays[:], tables.header = arrays, header


CODES = [program(seed) for seed in range(4 * FUZZ)] + [random_code(s) for s in range(4 * FUZZ)]


def test_the_programs_meet_most_frequent_pairs() -> None:
    met: set[tuple[str, str]] = set()
    for code in CODES:
        hart, last = make_hart(code), ""
        for _ in range(400):
            _, decoded = plain.step(hart)
            name = decoded.instruction.name if decoded else ""
            met.add((last, name))
            last = name
    assert len({(a, b) for a, b, _ in FREQUENT} & met) > 40


@pytest.mark.parametrize("code", CODES, ids=range(len(CODES)))
@pytest.mark.parametrize("counting", [False, True], ids=["plain", "counting"])
def test_any_slicing_passes_through_the_same_states(
    pairs: bool, code: bytes, counting: bool
) -> None:
    model, hart = make_hart(code), make_hart(code)
    oracle, engine = PlainEngine(model), Interpreter(hart)
    engine.count_instructions(counting)
    choose = random.Random(7)
    for _ in range(60):
        budget = choose.choice((1, 1, 2, 3, choose.randrange(4, 60)))
        ours, theirs = engine.run(budget), oracle.run(budget)
        assert (ours.reason, ours.executed) == (theirs.reason, theirs.executed)
        assert seen(hart) == seen(model)
        if ours.reason == UNHANDLED:
            break
        assert ours.reason != BUDGET or ours.executed == budget


@pytest.mark.parametrize("code", CODES[:4], ids=range(4))
def test_one_long_run_is_the_sum_of_short_ones(pairs: bool, code: bytes) -> None:
    one, many = make_hart(code), make_hart(code)
    assert Interpreter(one).run(20_000).executed == 20_000
    engine = Interpreter(many)
    for budget in (1, 999, 7000, 3, 11_997):
        assert engine.run(budget).executed == budget
    assert seen(one) == seen(many)


@pytest.mark.parametrize("code", CODES[:4], ids=range(4))
def test_a_breakpoint_anywhere_stops_before_its_instruction(pairs: bool, code: bytes) -> None:
    """On either half of a pair, one at a time and all at once."""
    addresses = list(range(CODE, CODE + len(code), 2))
    for address in addresses[::3]:
        model, hart = make_hart(code), make_hart(code)
        oracle, engine = PlainEngine(model), Interpreter(hart)
        engine.set_breakpoints([address])
        oracle.set_breakpoints([address])
        for _ in range(2):
            ours, theirs = engine.run(150), oracle.run(150)
            assert (ours.reason, ours.executed, hart.pc) == (
                theirs.reason,
                theirs.executed,
                model.pc,
            ), hex(address)
        assert seen(hart) == seen(model)


@pytest.mark.parametrize("code", CODES[:4], ids=range(4))
def test_breakpoints_changed_between_runs(pairs: bool, code: bytes) -> None:
    """Also set while stopped on one: it does not stop the run that starts there."""
    model, hart = make_hart(code), make_hart(code)
    oracle, engine = PlainEngine(model), Interpreter(hart)
    choose = random.Random(5)
    stops = 0
    for _ in range(80):
        here = [hart.pc, *(CODE + 2 * choose.randrange(len(code) // 2) for _ in range(20))]
        chosen = choose.choice(([], here[:1], here, here[1:]))
        engine.set_breakpoints(chosen)
        oracle.set_breakpoints(chosen)
        budget = choose.randrange(1, 50)
        ours, theirs = engine.run(budget), oracle.run(budget)
        assert (ours.reason, ours.executed) == (theirs.reason, theirs.executed)
        assert hart.pc & MASK64 == model.pc & MASK64
        stops += ours.reason == BREAK
    assert seen(hart) == seen(model)
    assert stops > 5


@pytest.mark.parametrize("code", CODES, ids=range(len(CODES)))
@pytest.mark.parametrize("slices", [[500], [1] * 120, [7, 100, 1, 1, 33]], ids=["1", "steps", "5"])
def test_counts_are_of_retired_instructions(code: bytes, slices: list[int]) -> None:
    """An instruction that traps is not counted: it did not retire."""
    model, hart = make_hart(code), make_hart(code)
    engine = Interpreter(hart)
    engine.count_instructions(True)
    tally: Counter[str] = Counter()
    for budget in slices:
        stop = engine.run(budget)
        for _ in range(stop.executed):
            decoded = None
            while decoded is None:
                _, decoded = plain.step(model)
            tally[decoded.instruction.name] += 1
            model.events.clear()
    assert engine.counts == dict(tally)


def test_a_trap_that_leaves_the_run_is_not_counted() -> None:
    hart = make_hart(bytes(assemble("nop\n ecall", origin=CODE)))
    hart.trap_exits = 1
    engine = Interpreter(hart)
    engine.count_instructions(True)
    for _ in range(3):
        assert engine.run(10).reason == UNHANDLED
    assert engine.counts == {"addi": 1}


def test_counting_can_start_and_stop_between_runs() -> None:
    hart = make_hart(bytes(assemble("start: addi a0, a0, 1\n j start", origin=CODE)))
    engine = Interpreter(hart)
    engine.run(10)
    engine.count_instructions(True)
    engine.run(7)
    assert engine.counts == {"addi": 4, "jal": 3}
    engine.count_instructions(False)
    engine.run(10)
    assert engine.counts == {}
    assert hart.instret == 27


@pytest.mark.parametrize("budget", [1, 7, 1000, 100_000])
def test_a_breakpoint_costs_nothing_in_another_page(budget: int, monkeypatch) -> None:
    """Records are of physical pages: a stop stands at its place in every page."""
    pair = Twins()
    pair.reset("1: addi a0, a0, 1\nxor a1, a1, a0\nj 1b\n", at=RAM + 0x1000)
    steps = []
    plain_step = Interpreter._plain_step
    monkeypatch.setattr(
        Interpreter, "_plain_step", lambda self, start: steps.append(1) or plain_step(self, start)
    )
    for engine in pair.engines:
        engine.set_breakpoints([RAM + 4, RAM + 0x2004, RAM + 0x3008])
    pair.run(budget)
    pair.run(budget)
    assert pair.harts[1].instret == 2 * budget
    assert len(steps) <= 4
    for engine in pair.engines:
        engine.set_breakpoints([RAM + 4, RAM + 0x1004])
    assert pair.run(budget + 10).executed < 4
    assert pair.harts[1].pc == RAM + 0x1004
