"""Going back: every earlier moment can be reached again, exactly."""

import os
import random
import signal
import threading

import pytest

from vtbook.isa.assembler import assemble
from vtbook.machine import HistoryError, Machine
from vtbook.machine import history as history_module
from vtbook.machine import machine as machine_module

PROGRAM = """
_start: la a1, data
        la a2, handler
        csrw mtvec, a2
        li a2, 0x10000000
loop:   ld a0, (a1)
        addi a0, a0, 1
store:  sd a0, (a1)
call:   ecall
after:  lbu a4, 5(a2)
        andi a4, a4, 1
        beqz a4, loop
        lbu a5, (a2)
        sb a5, (a2)
        add a6, a6, a5
        j loop
.balign 4
handler: csrr t0, mepc
        addi t0, t0, 4
        csrw mepc, t0
        addi s0, s0, 1
        mret
.balign 4096
data:   .dword 0
"""


def steps_of(machine, count):
    """The digests of the next `count` states, one step apart, the present one first."""
    digests = [machine.snapshot().digest]
    for _ in range(count):
        machine.step()
        digests.append(machine.snapshot().digest)
    return digests


@pytest.fixture(params=["python", "interpreter"])
def machine(request):
    machine = Machine("64 KiB", request.param)
    program = PROGRAM.replace("ecall", ".option norvc\n ecall\n .option rvc")
    machine.load(assemble(program))
    return machine


def test_each_single_step_can_be_undone(machine):
    digests = steps_of(machine, 60)
    for digest in reversed(digests[:-1]):
        assert machine.step_back().reason == "step"
        assert machine.snapshot().digest == digest
    assert machine.step_back().reason == "start"
    assert machine.snapshot().digest == digests[0]


def test_many_steps_back_at_once(machine):
    digests = steps_of(machine, 80)
    generator = random.Random(1)
    here = 80
    for _ in range(12):
        back = generator.randint(0, here)
        machine.step_back(back)
        here -= back
        assert machine.snapshot().digest == digests[here]
        forward = generator.randint(0, 80 - here)
        machine.step(forward) if forward else None
        here += forward
        assert machine.snapshot().digest == digests[here]


def test_a_step_back_undoes_only_the_trap(machine):
    machine.add_breakpoint("call")
    machine.run()
    before = machine.position
    machine.step()
    assert machine.position == (before[0], machine.symbols["handler"])
    machine.step_back()
    assert machine.position == before


def test_going_back_across_checkpoints_and_typed_input(machine, monkeypatch):
    monkeypatch.setattr(history_module, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(history_module, "SHARE", 0)
    machine.history.clear()
    monkeypatch.setattr(machine_module, "LONGEST_SLICE", 50)
    machine.slice = 50
    marks = {}
    for round in range(8):
        machine.run(237)
        marks[machine.hart.instret] = None
        machine.console.feed(bytes([65 + round]) * (round % 3 + 1))
        marks[machine.hart.instret] = machine.snapshot().digest
    assert len(machine.history.checkpoints) > 20
    output = machine.console.output
    assert output
    for position in sorted(marks, reverse=True):
        machine.go_to(position)
        assert machine.snapshot().digest == marks[position]
    assert machine.console.output != output, "what was printed since is undone"


def test_checkpoints_are_thinned_and_the_past_stays_reachable(machine, monkeypatch):
    monkeypatch.setattr(history_module, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(history_module, "SHARE", 0)
    machine.history.clear()
    monkeypatch.setattr(machine_module, "LONGEST_SLICE", 10)
    machine.slice = 10
    machine.run(100)
    digest = machine.snapshot().digest
    machine.run(2000)
    assert len(machine.history.checkpoints) <= history_module.CHECKPOINTS
    assert machine.history.start == 0
    machine.go_to(100)
    assert machine.snapshot().digest == digest


def test_changes_by_hand_are_kept_when_going_back(machine):
    machine.run(100)
    before = machine.snapshot().digest
    machine.hart.x[16] = 1234
    machine.write("data", b"\x99")
    changed = machine.snapshot().digest
    machine.run(100)
    machine.go_to(150)
    assert machine.hart.x[16] >= 1234
    machine.go_to(100)
    assert machine.snapshot().digest == changed
    machine.step_back()
    machine.step()
    assert machine.snapshot().digest == before


def test_only_hand_made_checkpoints_drop_the_oldest(machine):
    for value in range(100):
        machine.hart.x[17] = value
        machine.run(10)
    assert len(machine.history.checkpoints) <= history_module.CHECKPOINTS
    assert machine.history.start > 0
    machine.go_to(machine.history.start)
    with pytest.raises(HistoryError, match="recorded past goes from"):
        machine.go_to(0)


def test_run_back_finds_the_last_visit(machine):
    machine.run(1000)
    visits = []
    machine.go_to(0)
    while machine.hart.instret < 1000:
        if machine.position[1] == machine.symbols["after"]:
            visits.append(machine.position)
        machine.step()
    for visit in reversed(visits):
        exit = machine.run_back_to("after")
        assert (exit.reason, machine.position) == ("breakpoint", visit)
    assert machine.run_back_to("after").reason == "start"
    assert machine.hart.instret == 0


def test_run_back_to_a_trap_handler_and_to_breakpoints(machine):
    machine.run(200)
    machine.run_back_to("handler")
    handler, instructions = machine.symbols["handler"], machine.hart.instret
    assert machine.position == (instructions, handler)
    machine.add_breakpoint("call")
    assert machine.run_back_to().where == "call"
    assert machine.position == (instructions, machine.symbols["call"])
    assert machine.breakpoints == [machine.symbols["call"]]
    assert machine.run().where == "call", "breakpoints work again"


def test_the_end_of_a_run_can_be_undone(machine):
    text = "_start: li a0, 0x100000\n li a1, 0x5555\n nop\n sw a1, (a0)\nhang: j hang"
    machine.load(assemble(text))
    assert machine.run().reason == "shutdown"
    machine.step_back(2)
    assert machine.run().reason == "shutdown"
    machine.step_back()
    machine.hart.x[11] = 3 << 16 | 0x3333
    exit = machine.run()
    assert (exit.reason, exit.code) == ("shutdown", 3)


def test_replay_prints_nothing():
    pieces = []
    machine = Machine("64 KiB", "python", sink=pieces.append)
    machine.load(assemble("_start: li a1, 0x10000000\n li a0, 65\nloop: sb a0, (a1)\n j loop"))
    machine.run(100)
    printed = len(pieces)
    machine.go_to(50)
    assert len(pieces) == printed
    machine.run(10)
    assert len(pieces) == printed + 5


def test_there_is_nothing_to_go_back_to_before_a_run(machine):
    with pytest.raises(HistoryError, match="nothing has run yet"):
        machine.step_back()
    machine.run(10)
    with pytest.raises(HistoryError, match="from 0 to 10"):
        machine.go_to(11)
    machine.restore(machine.snapshot())
    with pytest.raises(HistoryError, match="nothing has run yet"):
        machine.go_to(5)


def test_a_machine_without_history_says_so():
    machine = Machine("64 KiB", "python", reverse=False)
    machine.load(assemble(PROGRAM))
    machine.run(10)
    with pytest.raises(HistoryError, match="reverse=False"):
        machine.step_back()
    assert machine.history.checkpoints == []


def test_run_back_finds_who_wrote(machine):
    machine.run(500)
    writer = machine.symbols["store"]
    for _ in range(3):
        exit = machine.run_back_to_write("data")
        assert (exit.reason, exit.kind, exit.where) == ("watchpoint", "write", "store")
        assert exit.pc == writer
        assert machine.position[1] == writer
        before = int.from_bytes(machine.read("data", 8), "little")
        assert exit.value == before + 1
        machine.step()
        assert int.from_bytes(machine.read("data", 8), "little") == exit.value
        machine.step_back()
    assert machine.run_back_to_write("_start").reason == "start"
    assert machine.hart.instret == 0
    assert machine.watchpoints == []


def test_run_back_across_many_checkpoints(machine, monkeypatch):
    monkeypatch.setattr(history_module, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(history_module, "SHARE", 0)
    monkeypatch.setattr(machine_module, "LONGEST_SLICE", 30)
    machine.slice = 30
    machine.run(100)
    machine.run_back_to("handler")
    first = machine.position
    machine.run(700)
    machine.hart.x[20] = 1
    machine.run(10)
    while machine.position[0] > first[0]:
        assert machine.run_back_to("handler").reason == "breakpoint"
    assert machine.position == first


def test_changes_by_hand_that_were_not_run_yet_can_be_undone(machine):
    machine.run(40)
    before = machine.snapshot().digest
    machine.hart.x[20] = 77
    machine.step_back()
    machine.step()
    assert machine.snapshot().digest == before
    machine.hart.pc = machine.symbols["loop"]
    machine.run_back_to("_start")
    assert machine.position == (0, machine.symbols["_start"])


def test_many_steps_back_over_a_change_by_hand(machine):
    digests = steps_of(machine, 30)
    machine.hart.x[8] = 1000
    digests += steps_of(machine, 30)
    machine.step_back(15)
    assert machine.snapshot().digest == digests[46]
    assert machine.hart.x[8] >= 1000
    machine.step_back(30)
    assert machine.snapshot().digest == digests[15]
    assert machine.hart.x[8] < 1000


@pytest.mark.parametrize("method", ["go_to", "step_back", "run_back_to", "run_back_to_write"])
def test_ctrl_c_while_going_back_leaves_the_machine_where_it_was(machine, method):
    machine.run(3000)
    before = machine.snapshot().digest
    original = machine.put_state

    def press(snapshot):
        original(snapshot)
        machine.put_state = original
        signal.raise_signal(signal.SIGINT)

    machine.put_state = press
    arguments = {"go_to": 10, "step_back": 500, "run_back_to": "_start"}
    with pytest.raises(KeyboardInterrupt):
        getattr(machine, method)(arguments.get(method, "data"))
    assert machine.snapshot().digest == before
    assert machine.run(10).reason == "budget"
    machine.go_to(3000)
    assert machine.snapshot().digest == before


def test_ctrl_c_stops_a_series_of_steps(machine):
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    exit = machine.step(10_000_000)
    timer.join()
    assert exit.reason == "interrupted"
    assert exit.instructions == machine.hart.instret > 0


def test_checkpoints_hold_a_bounded_amount_of_memory(monkeypatch):
    monkeypatch.setattr(history_module, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(history_module, "SHARE", 0)
    monkeypatch.setattr(history_module, "MEMORY", 40 * 4096)
    monkeypatch.setattr(machine_module, "LONGEST_SLICE", 20)
    machine = Machine("64 KiB", "python")
    # every turn changes another page, all 16 again and again
    text = """
    _start: la a1, _start
            li a2, 0xf000
    loop:   add a0, a0, 16
            and a4, a0, a2
            add a3, a1, a4
            sd a0, 2040(a3)
            li a5, 0x1000
            add a0, a0, a5
            j loop
    """
    machine.load(assemble(text))
    digests = {0: machine.snapshot().digest}
    for _ in range(20):
        machine.run(50)
        digests[machine.hart.instret] = machine.snapshot().digest
        pages = [set(map(id, c.snapshot.pages.values())) for c in machine.history.checkpoints]
        assert len(set().union(*pages)) <= 40
    for position in sorted(digests, reverse=True):
        machine.go_to(position)
        assert machine.snapshot().digest == digests[position]


def test_a_write_is_found_that_led_to_a_checkpoint(machine):
    machine.add_watchpoint("data", 8)
    machine.run(100)
    stored = machine.instructions
    machine.hart.x[20] = 5  # so the next step begins with a checkpoint, right after the store
    machine.clear_breakpoints()
    machine.step()
    exit = machine.run_back_to_write("data", 8)
    assert exit.reason == "watchpoint"
    assert machine.instructions == stored - 1
    assert exit.pc == machine.symbols["store"]
