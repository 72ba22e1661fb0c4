"""Waiting harts: time, what comes from outside meanwhile, and that going back repeats it."""

from __future__ import annotations

import pytest

from vtbook import Board, Machine, Nic, assemble
from vtbook.devices.network import Cable, Port

#: Waits for the UART, with a timer far ahead or none; each byte is added to s0, and the time to s1.
LISTENER = """
        .equ    UART, 0x10000000
        .equ    PLIC, 0xc000000
_start: csrr    t0, mhartid
        bnez    t0, idle
        la      t0, handler
        csrw    mtvec, t0
        li      s2, UART
        li      t0, 1
        sb      t0, 1(s2)
        li      s3, PLIC
        sw      t0, 40(s3)
        li      t1, PLIC + 0x2000
        li      t0, 1 << 10
        sw      t0, (t1)
        li      s4, PLIC + 0x200004
        li      t0, 0x880
        csrw    mie, t0
        li      t1, 0x2004000
        ld      t2, timer
        sd      t2, (t1)
        csrsi   mstatus, 8
1:      wfi
        addi    s7, s7, 1
        j       1b
        .balign 4
handler: csrr   t0, mcause
        slli    t0, t0, 1
        li      t1, 22
        beq     t0, t1, 1f
        li      t1, 0x2004000
        li      t2, -1
        sd      t2, (t1)
        mret
1:      lw      t1, (s4)
2:      lbu     t0, 5(s2)
        andi    t0, t0, 1
        beqz    t0, 3f
        lbu     t0, (s2)
        add     s0, s0, t0
        rdtime  t0
        slli    s1, s1, 1
        add     s1, s1, t0
        j       2b
3:      sw      t1, (s4)
        mret
idle:   wfi
        addi    s7, s7, 1
        j       idle
        .balign 8
timer:  .dword  -1
"""


def listener(harts: int = 1, timer: int = -1, **parts: object) -> Machine:
    made = Machine(Board(harts=harts, ram="1 MiB", **parts))  # type: ignore[arg-type]
    made.load(assemble(LISTENER.replace(".dword  -1", f".dword {timer}")))
    return made


class Clock:
    """A real clock for `Machine.pace`: it lets half of what is asked for pass; and somebody types.

    `typed`: how often it was asked -> what is typed then, before the time has passed.
    """

    def __init__(self, machine: Machine, typed: dict[int, str]) -> None:
        self.machine, self.typed, self.calls = machine, typed, 0

    def __call__(self, seconds: float) -> float:
        self.calls += 1
        if text := self.typed.get(self.calls):
            self.machine.console.feed(text)
        return max(seconds / 2, 0.001)


def paced(harts: int) -> Machine:
    made = listener(harts, timer=20_000_000)
    made.pace = Clock(made, {3: "a", 5: "bc", 9: "d"})
    assert made.run(10_000).reason == "wfi"  # the timer has come, and no other is set
    made.pace = None
    assert made.harts[0].x[8] == sum(b"abcd")
    return made


@pytest.mark.parametrize("harts", [1, 3])
def test_what_is_typed_while_all_wait_comes_at_the_same_time_again(harts: int) -> None:
    made = paced(harts)
    now, digest, times = made.instructions, made.snapshot().digest, made.harts[0].x[9]
    made.history.checkpoints[1:] = []
    made.go_to(now)
    assert made.harts[0].x[9] == times
    assert made.snapshot().digest == digest
    stepped = {}
    for _ in range(60):
        made.step_back()
        stepped[made.instructions] = made.snapshot().digest  # a trap comes after the count
    twin = paced(harts)
    for count, expected in stepped.items():
        twin.go_to(count)
        assert twin.snapshot().digest == expected, now - count


@pytest.mark.parametrize("harts", [1, 2, 3])
def test_a_wfi_for_which_nothing_is_due_is_a_hint_if_it_is_run_all_the_same(harts: int) -> None:
    made = listener(harts)
    states = []
    for _ in range(4):
        assert made.run().reason == "wfi"
        states.append((made.instructions, made.snapshot().digest))
    assert len({count for count, _ in states}) == 4
    made.console.feed("x")
    assert made.run().reason == "wfi"
    assert made.harts[0].x[8] == ord("x")
    end = made.instructions, made.snapshot().digest
    made.history.checkpoints[1:] = []
    made.go_to(end[0])
    assert made.snapshot().digest == end[1]
    for count, digest in reversed(states[:-1]):  # at the last, x has been typed
        made.go_to(count)
        assert made.snapshot().digest == digest


def test_steps_back_pass_a_wfi_for_which_nothing_was_due() -> None:
    made = Machine("1 MiB")
    made.load(assemble("_start: wfi\n nop\n wfi\n nop\n wfi\n j _start"))
    for _ in range(3):
        assert made.run().reason == "wfi"
    assert made.instructions == 5
    for left in (4, 3, 2, 1, 0):
        assert made.step_back().reason == "step"
        assert made.instructions == left


def test_a_frame_that_ends_a_wait_is_no_input_that_is_waited_for() -> None:
    made = listener(timer=20_000_000, nics=[Nic()])
    port = made.board.ports["net0"]
    port.unplug()
    other = Port("other")
    Cable(port, other)
    made.pace = Clock(made, {})
    sent = []

    def pace(seconds: float) -> float:
        other.send(bytes(60))
        sent.append(seconds)
        return 0.01

    made.pace = pace
    assert made.run(10_000).reason == "wfi"
    assert len(sent) > 100


def test_an_alarm_in_a_far_future_does_not_stop_the_clock() -> None:
    alarm = """
    _start: li t0, 0x101000
            li t1, 0x7fffffff
            sw zero, 4(t0)
            sw zero, 0(t0)
            li t2, 1
            sw t2, 16(t0)
            sw t1, 12(t0)
            sw t1, 8(t0)
            wfi
            j _start
    """
    made = Machine(Board(harts=8, ram="1 MiB"))
    made.load(assemble(alarm))
    for _ in range(8):
        clock = made.board.clock
        assert made.run(10_000).reason in ("wfi", "budget")
        assert made.board.clock >= clock


@pytest.mark.parametrize("every", [1, 100, 7919])
def test_a_breakpoint_is_met_once_a_visit_wherever_slices_and_turns_end(every: int) -> None:
    made = Machine(Board(harts=3, ram="1 MiB"))
    source = "_start: addi a5, a5, 1\n addi a4, a4, 1\nhere: addi a3, a3, 1\n j _start"
    made.load(assemble(source))
    made.add_breakpoint("here")
    made.slice = every
    seen = []
    while made.instructions < 45_000:
        if made.run(45_000 - made.instructions).reason == "breakpoint":
            assert made.hart.pc == made.symbols["here"]
            seen.append((made.hart.mhartid, made.hart.x[13]))
    for hart in range(3):
        visits = [count for number, count in seen if number == hart]
        assert visits == list(range(len(visits)))
        assert len(visits) >= made.harts[hart].x[13]
