"""Programs of random instructions: the engines agree after every step, and over longer runs."""

from __future__ import annotations

import random

import pytest

from tests.translator.engines import CODE, DATA, DEVICE, END, HANDLER, SCRATCH, Trio
from tests.translator.random_words import register_value, words
from vtbook.cpu.hart import Hart
from vtbook.cpu.layout import BREAK, BUDGET, PYTHON, UNHANDLED, WFI
from vtbook.cpu.traps import Trap
from vtbook.isa.assembler import assemble
from vtbook.isa.sets import RV64IM
from vtbook.translator.interpret import run_block
from vtbook.translator.lift import lift_block
from vtbook.translator.validate import validate

POINTERS = (DATA + 64, DATA + 0xFFB, END - 3, DEVICE + 16, CODE + 0x400)

#: A trap handler that goes on four bytes after the instruction that trapped.
SKIP = (0x34102FF3, 0x004F8F93, 0x341F9073, 0x30200073)


@pytest.fixture(scope="module")
def trio() -> Trio:
    return Trio()


def begin(trio: Trio, seed: int, length: int = 40) -> random.Random:
    """Random code at CODE, ending in the middle of nowhere, and registers that point to memory."""
    choose = random.Random(seed)
    trio.reset(CODE, trap_exits=False, seed=seed)
    stream = words(trio.isa, choose)
    trio.write(CODE, [next(stream) for _ in range(length)])
    trio.write(HANDLER, SKIP)
    for n in range(1, 32):
        pointer = choose.choice(POINTERS) + choose.randrange(-8, 8)
        trio.set(**{f"x{n}": choose.choice((pointer, register_value(choose)))})
        trio.set(**{f"f{n}": register_value(choose)})
    return choose


@pytest.mark.parametrize("seed", range(60))
def test_random_programs_agree_after_every_step(trio: Trio, seed: int) -> None:
    begin(trio, seed)
    for _ in range(60):
        if trio.run(1).reason == UNHANDLED:
            break


@pytest.mark.parametrize("seed", range(60, 120))
def test_random_programs_agree_over_longer_runs(trio: Trio, seed: int) -> None:
    choose = begin(trio, seed)
    for _ in range(8):
        stop = trio.run(choose.randrange(1, 40))
        if stop.reason == UNHANDLED:
            break


@pytest.mark.parametrize("seed", range(120, 160))
def test_random_blocks_do_what_their_instructions_do(trio: Trio, seed: int) -> None:
    """A lifted basic block against the same number of single steps in plain Python."""
    begin(trio, seed)
    plain, mine = trio.harts["plain"], trio.harts["ir"]
    for _ in range(20):
        try:
            block = validate(lift_block(mine, fixed=seed % 2 == 0))
        except Trap:
            break
        before = mine.instret
        trap = None
        try:
            run_block(block, mine)
        except Trap as problem:
            trap = (problem.cause, problem.value)
        assert 0 <= mine.instret - before <= len(block.marks)
        plain.trap_exits = 1
        trio.engines["plain"].run(mine.instret - before)
        if trap is not None:
            stop = trio.engines["plain"].run(1)
            assert (stop.trap.cause, stop.trap.value) == trap
        assert _state(mine) == _state(plain)
        assert trio.memory["ir"][1].tobytes() == trio.memory["plain"][1].tobytes()
        if trap is not None:
            break


def _state(hart: Hart) -> list[object]:
    return [list(hart.x), list(hart.f), hart.pc, hart.instret, hart.mode, hart.mstatus, hart.fflags]


def test_a_program_of_loops_and_calls_agrees_to_its_end(trio: Trio) -> None:
    program = assemble(
        """
            li      sp, 0x80002ff0
            li      a0, 12
            call    fib
            j       done
        fib:
            li      t0, 2
            blt     a0, t0, leaf
            addi    sp, sp, -32
            sd      ra, 0(sp)
            sd      a0, 8(sp)
            addi    a0, a0, -1
            call    fib
            sd      a0, 16(sp)
            ld      a0, 8(sp)
            addi    a0, a0, -2
            call    fib
            ld      t1, 16(sp)
            add     a0, a0, t1
            ld      ra, 0(sp)
            addi    sp, sp, 32
        leaf:
            ret
        done:
            ecall
        """,
        origin=CODE,
    )
    trio.reset(CODE)
    trio.write_bytes(CODE, bytes(program))
    stop = trio.run(100_000)
    assert stop.reason == UNHANDLED
    assert stop.trap.cause == 11
    assert trio.harts["ir"].x[10] == 144


def test_code_that_changes_itself_is_seen_after_fence_i(trio: Trio) -> None:
    trio.reset(SCRATCH)
    trio.set(x10=SCRATCH + 12, x11=0x00700613)  # li a2, 7
    trio.write(SCRATCH, [0x13, 0x00B52023, 0x0000100F, 0x00500613, 0xFFDFF06F])  # li a2, 5; j .-4
    assert trio.run(3).reason == BUDGET
    trio.run(1)
    assert trio.harts["ir"].x[12] == 7


def test_breakpoints_stop_before_an_instruction_and_let_go_of_it(trio: Trio) -> None:
    trio.reset(CODE)
    trio.write(CODE, [0x13, 0xFFDFF06F])  # nop; j .-4
    for engine in trio.engines.values():
        engine.set_breakpoints([CODE])
    for _ in range(3):
        stop = trio.run(100)
        assert (stop.reason, stop.executed) == (BREAK, 2)
    assert trio.run(2).reason == BUDGET


def test_wfi_leaves_all_engines_after_it_retired(trio: Trio) -> None:
    trio.reset(CODE)
    trio.write(CODE, [0x13, 0x10500073, 0x13])  # nop, wfi, nop
    stop = trio.run(3)
    assert (stop.reason, stop.executed) == (WFI, 2)


def test_a_breakpoint_on_the_trap_handler_stops_a_run_that_traps_at_once(trio: Trio) -> None:
    trio.reset(CODE, trap_exits=False)
    trio.write(CODE, [0x73])  # ecall
    for engine in trio.engines.values():
        engine.set_breakpoints([HANDLER])
    stop = trio.run(5)
    assert (stop.reason, stop.executed) == (BREAK, 0)
    assert trio.run(5).reason == BUDGET


def test_watched_memory_leaves_all_engines_with_the_event() -> None:
    trio = Trio()
    for hart in trio.harts.values():
        hart.watch(DATA, DATA + 8, 3)
    trio.reset(CODE)
    trio.set(x10=DATA)
    trio.write(CODE, [0x00053583, 0x13, 0x00B53023, 0x13])  # ld, nop, sd, nop
    stops = [trio.run(10), trio.run(10)]
    assert [(s.reason, s.executed) for s in stops] == [(PYTHON, 1), (PYTHON, 2)]
    assert [s.events[0][:4] for s in stops] == [("watch", DATA, 8, 1), ("watch", DATA, 8, 2)]
    assert trio.run(1).reason == BUDGET


def test_a_jump_to_a_target_that_is_not_aligned_does_not_link() -> None:
    trio = Trio(RV64IM)
    for word in (0x006000EF, 0x000500E7):  # jal ra, .+6; jalr ra, 0(a0)
        trio.reset(CODE)
        trio.set(x1=77, x10=CODE + 6)
        trio.write(CODE, [word])
        assert trio.run(1).trap.cause == 0
        assert trio.harts["ir"].x[1] == 77


def test_a_set_without_compressed_instructions_traps_on_targets_that_are_not_aligned() -> None:
    trio = Trio(RV64IM)
    for word in (0x0060006F, 0x00000363, 0x00050067):  # j .+6; beqz zero, .+6; jr a0
        for taken in (CODE + 6, CODE + 8):
            trio.reset(CODE)
            trio.set(x10=taken)
            trio.write(CODE, [word])
            stop = trio.run(1)
            misaligned = word != 0x00050067 or taken & 3
            assert (stop.reason == UNHANDLED and stop.trap.cause == 0) == bool(misaligned)
