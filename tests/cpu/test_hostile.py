"""Guests that run wild: the host survives, memory beyond RAM is never touched, runs always end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cpu.hostile_run import SCENARIOS
from vtbook.cpu.hart import Hart
from vtbook.cpu.interpreter import Interpreter
from vtbook.cpu.layout import BUDGET, UNHANDLED, WFI
from vtbook.isa.assembler import assemble
from vtbook.isa.operations import wrap
from vtbook.isa.sets import RV64GC

FUZZ = int(os.environ.get("VTBOOK_FUZZ", "1"))
ROOT = Path(__file__).parents[2]
RAM, SIZE = 0x8000_0000, 0x4000
#: Instructions that must have run at least, so that a scenario cannot quietly do nothing.
LEAST = {
    "random_bytes": 5_000_000,
    "no_handler": 100,
    "wild_registers": 500,
    "code_over_itself": 0,
    "page_tables": 50_000,
    "protection": 20_000,
    "halves": 20_000,
}


@pytest.mark.parametrize("seed", range(1, 1 + FUZZ))
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_wild_guest_harms_nothing(scenario: str, seed: int) -> None:
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.cpu.hostile_run"]
    done = subprocess.run(
        [*command, scenario, str(seed)], cwd=ROOT, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, f"{scenario} {seed} ended with {done.returncode}: {done.stderr}"
    assert json.loads(done.stdout)["executed"] >= LEAST[scenario]


@pytest.fixture
def hart() -> Hart:
    made = Hart(RV64GC)
    # A strip of 7s on both sides of RAM shows a store that leaves it.
    ram = np.full(SIZE + 512, 7, np.uint8)[256:-256]
    ram[:] = 0
    made.map_memory(RAM, ram)
    made.reset(RAM)
    made.mstatus = 3 << 13
    return made


def load(hart: Hart, source: str) -> Interpreter:
    code = np.frombuffer(bytes(assemble(source, origin=RAM)), np.uint8)
    hart.memory[0][1][: code.size] = code
    return Interpreter(hart)


def canaries(hart: Hart) -> set[int]:
    around = hart.memory[0][1].base
    assert around is not None
    return {*around[:256].tolist(), *around[-256:].tolist()}


OPERATIONS = {"lb": 1, "lh": 2, "lw": 4, "ld": 8, "sb": 1, "sh": 2, "sw": 4, "sd": 8}
CORNERS = [0, 1, (1 << 31) - 8, 1 << 32, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]


@pytest.mark.parametrize("name", [*OPERATIONS, "fld", "fsd"])
@pytest.mark.parametrize("warm", [False, True])
def test_an_access_outside_memory_traps_with_its_address(hart: Hart, name: str, warm: bool) -> None:
    """``warm``: the page before the end, and 64-bit wrap-around, are tried with a filled TLB."""
    size = OPERATIONS.get(name, 8)
    register = "f1" if name[0] == "f" else "t1"
    engine = load(hart, f"{name} {register}, 0(a0)\n {name} {register}, 0(a1)")
    outside = {(c + d) % (1 << 64) for c in CORNERS for d in (-size, -1, 0, 1, 4096)}
    outside |= {RAM - n for n in range(1, 9)} | {RAM + SIZE - size + n for n in range(1, 9)}
    inside = RAM + SIZE - size
    outside = {a for a in outside if not RAM <= a <= inside}
    for address in sorted(outside):
        hart.pc = RAM if warm else RAM + 4
        hart.x[10], hart.x[11] = inside, wrap(address)
        stop = engine.run(5)
        assert stop.reason == UNHANDLED
        cause = 7 if name.lstrip("f")[0] == "s" else 5
        assert (stop.trap.cause, stop.trap.value) == (cause, wrap(address))
        assert hart.pc == RAM + 4
    assert canaries(hart) == {7}


@pytest.mark.parametrize("target", [*CORNERS, RAM - 2, RAM + SIZE, RAM + SIZE + 4094])
@pytest.mark.parametrize("jump", ["jr a0", "jalr a0", "mret"])
def test_a_jump_out_of_memory_traps_there(hart: Hart, target: int, jump: str) -> None:
    engine = load(hart, jump if jump != "mret" else "csrw mepc, a0\n mret")
    hart.x[10] = wrap(target)
    stop = engine.run(9)
    assert stop.reason == UNHANDLED
    landed = wrap(target) & ~1
    assert (stop.trap.cause, stop.trap.value, hart.pc) == (1, landed, landed)


@pytest.mark.parametrize("pc", [1, RAM + 1, RAM + SIZE - 1, -1, (1 << 63) - 1])
def test_an_odd_pc_set_from_outside_traps_as_misaligned(hart: Hart, pc: int) -> None:
    engine = Interpreter(hart)
    hart.pc = pc
    stop = engine.run(3)
    assert (stop.reason, stop.executed, stop.trap.cause, hart.pc) == (UNHANDLED, 0, 0, pc)


def test_running_off_the_end_of_memory_traps_at_the_end(hart: Hart) -> None:
    engine = load(hart, "nop")
    hart.memory[0][1][:] = np.array([1, 0] * (SIZE // 2), np.uint8)  # c.nop
    stop = engine.run(100_000)
    assert (stop.reason, stop.executed) == (UNHANDLED, SIZE // 2)
    assert (stop.trap.cause, hart.pc) == (1, RAM + SIZE)
    hart.memory[0][1][-2:] = 0x13, 5  # the first half of a four-byte instruction
    engine.flush()
    hart.pc = RAM
    stop = engine.run(100_000)
    assert (stop.executed, stop.trap.cause, stop.trap.value) == (SIZE // 2 - 1, 1, RAM + SIZE)


def test_a_handler_that_traps_at_once_ends_the_run(hart: Hart) -> None:
    for vector in (RAM + 0x100, RAM + SIZE, 0x4000, -4):
        hart.reset(RAM)
        engine = load(hart, "ecall")  # at RAM + 0x100 stands an illegal instruction
        hart.mtvec = vector
        stop = engine.run(1000)
        assert (stop.reason, stop.executed) == (UNHANDLED, 0)


def test_wfi_ends_a_run_after_it(hart: Hart) -> None:
    source = "nop\n wfi\n nop\n wfi"
    engine = load(hart, source)
    assert [(s.reason, s.executed) for s in (engine.run(10), engine.run())] == [(WFI, 2), (WFI, 2)]
    assert hart.pc == RAM + len(bytes(assemble(source, origin=RAM)))


@pytest.mark.parametrize("loop", ["here: j here", "here: addi a0, a0, 1\n j here"])
def test_an_endless_loop_ends_exactly_at_its_budget(hart: Hart, loop: str) -> None:
    engine = load(hart, loop)
    for budget in (1, 2, 3, 1000, 1_000_003):
        stop = engine.run(budget)
        assert (stop.reason, stop.executed) == (BUDGET, budget)
    assert hart.instret == 1 + 2 + 3 + 1000 + 1_000_003


def test_a_trap_loop_that_retires_instructions_ends_at_its_budget(hart: Hart) -> None:
    engine = load(hart, "nop\n ecall")
    hart.mtvec = RAM
    stop = engine.run(5001)
    assert (stop.reason, stop.executed, hart.mcause) == (BUDGET, 5001, 11)
