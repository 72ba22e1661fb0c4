"""A session: the machine on a thread of its own, and a guest that waits for nothing but a key."""

import threading
import time

import pytest

from vtbook.isa.assembler import assemble
from vtbook.machine import Machine, MachineError
from vtbook.machine.idle import waits_for_input
from vtbook.machine.session import TYPED_LIMIT, SessionError

ECHO = """
_start: li s0, 0x10000000
poll:   lbu a0, 5(s0)
        andi a0, a0, 1
        beqz a0, poll
        lbu a0, 0(s0)
        sb a0, 0(s0)
        j poll
"""
COUNTING = """
_start: li s0, 0x10000000
        li s1, 20000
poll:   lbu a0, 5(s0)
        addi s1, s1, -1
        beqz s1, late
        andi a0, a0, 1
        beqz a0, poll
late:   li a0, 0x100000
        li a1, 0x5555
        sw a1, (a0)
hang:   j hang
"""
FLOOD = """
_start: li s0, 0x10000000
        li a0, 'y'
more:   sb a0, 0(s0)
        j more
"""
LOOP = "_start: addi a0, a0, 1\n j _start"
STORES = "_start: li s0, 0x10000000\n la s1, _start+64\npoll: lbu a0, 5(s0)\n ld a1, (s1)\n {}\n"
STORES += " sd a1, (s1)\n li a1, 0\n j poll"


@pytest.fixture
def started():
    """Start a session on a program; it ends with the test."""
    sessions = []

    def start(text, **options):
        machine = Machine("1 MiB", **options)
        machine.load(assemble(text))
        session = machine.session()
        sessions.append(session)
        session.run()
        return session

    yield start
    for session in sessions:
        session.close()


def test_a_waiting_guest_burns_nothing_and_answers(started):
    session = started(ECHO)
    assert session.wait(30) == "waiting"
    assert session.instructions < 1000
    before = session.instructions
    time.sleep(0.2)
    assert session.instructions == before
    session.feed("hello")
    assert session.expect("hello", 30) == "hello"
    session.wait(30)
    assert session.instructions - before < 1000
    assert session.mips == 0


def test_what_happened_is_the_same_when_it_is_done_again(started):
    """Sleeping leaves no mark: typing at the same counts gives the same state."""
    session = started(ECHO)
    for text in ("a", "bc"):
        session.wait(30)
        session.feed(text)
        session.expect(text, 30)
    session.wait(30)
    session.pause()
    machine = session.machine
    again = Machine("1 MiB", "python")
    again.load(assemble(ECHO))
    for entry in machine.history.inputs:
        again.run(budget=entry.position - again.instructions)
        again.console.feed(entry.data)
    again.run(budget=machine.hart.instret - again.hart.instret)
    assert again.snapshot().digest == machine.snapshot().digest


def test_a_guest_that_counts_down_while_it_polls_is_not_put_to_sleep(started):
    session = started(COUNTING)
    assert session.wait(60) == "off"
    assert session.exit.ok


@pytest.mark.parametrize(("change", "idle"), [("nop", True), ("addi a1, a1, 1", False)])
def test_a_loop_that_changes_memory_does_not_count_as_waiting(change, idle):
    machine = Machine("1 MiB")
    machine.load(assemble(STORES.format(change)))
    assert machine.run(budget=100_000, until_input=True).reason == "input"
    assert waits_for_input(machine) is idle


def test_a_loop_that_reads_a_counter_does_not_count_as_waiting():
    machine = Machine("1 MiB")
    machine.load(
        assemble("_start: li s0, 0x10000000\np: lbu a0, 5(s0)\n rdtime a1\n li a1, 0\n j p")
    )
    machine.run(budget=10_000, until_input=True)
    assert not waits_for_input(machine)


def test_pause_stops_an_endless_loop_and_the_past_is_there(started):
    session = started(LOOP)
    machine = session.machine
    with pytest.raises(MachineError, match="pause its console or session"):
        machine.run(budget=1)
    with pytest.raises(MachineError, match="running in the background"):
        machine.step_back()
    session.pause()
    assert session.state == "paused"
    count = machine.hart.instret
    machine.step_back(5)
    assert machine.hart.instret == count - 5
    session.run()
    assert session.state == "running"


def test_a_flood_of_output_keeps_a_bounded_past(started):
    session = started(FLOOD)
    session.machine.console.limit = 5000
    while session.written < 20_000:
        time.sleep(0.01)
    session.pause()
    first, data = session.since(0)
    assert len(data) <= 5000
    assert first + len(data) == session.written
    assert set(data) == {ord("y")}


def test_the_thread_ends_with_the_session(started):
    session = started(ECHO)
    thread = session._thread
    assert thread.is_alive()
    session.close()
    assert not thread.is_alive()
    assert session.machine.runner is None
    with pytest.raises(SessionError, match="closed"):
        session.run()
    assert session.machine.session() is not session


def test_stops_are_told_apart(started):
    session = started("_start: ld a0, 8(zero)")
    assert session.wait(30) == "stopped"
    assert session.status["reason"] == "trap"
    assert session.status["cause"] == "load access fault"
    with pytest.raises(SessionError, match="the machine is stopped"):
        session.expect("x")


def test_an_error_in_the_thread_is_kept(started, monkeypatch):
    session = started(ECHO)
    session.wait(30)
    monkeypatch.setattr(session.machine.board.uart, "read", lambda *_: 1 / 0)
    session.feed("x")
    assert session.wait(30) == "error"
    assert "ZeroDivisionError" in session.status["detail"]
    assert session.machine.runner is None


def test_reset_starts_again_with_an_empty_screen(started):
    session = started(ECHO)
    session.wait(30)
    session.feed("abc")
    session.expect("abc", 30)
    epoch = session.epoch
    session.reset()
    assert (session.state, session.written, session.instructions) == ("ready", 0, 0)
    assert session.epoch != epoch
    session.run()
    session.feed("d")
    assert session.expect("d", 30) == "d"


def test_too_much_typing_is_refused(started):
    session = started(LOOP)
    with pytest.raises(SessionError, match="feed less at once"):
        session.feed(b"x" * (TYPED_LIMIT + 1))


def test_a_failing_listener_does_not_stop_the_machine(started):
    session = started(ECHO)
    session.listen(lambda settled: 1 / 0)
    session.feed("ok")
    session.expect("ok", 30)
    assert "ZeroDivisionError" in session.error


def test_expect_goes_on_after_the_last_match_and_counts_bytes(started):
    session = started(ECHO)
    session.feed("ação> ação>")
    assert session.expect(">", 30) == "ação>"
    assert session.expect(">", 30) == " ação>"
    session.wait(30)
    with pytest.raises(SessionError, match="did not come"):
        session.expect("never", 0.05)


def test_typing_from_many_threads_loses_nothing(started):
    session = started(ECHO)
    threads = [threading.Thread(target=session.feed, args=(b"z" * 20,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert session.expect("z" * 160, 30) == "z" * 160


def test_a_run_can_be_limited_in_time():
    machine = Machine("1 MiB")
    machine.load(assemble(LOOP))
    assert machine.run(seconds=0.01).reason == "time"


def test_the_status_follows_what_the_reader_does_by_hand(started):
    session = started(COUNTING)
    assert session.wait(60) == "off"
    session.machine.step_back(3)
    assert session.status["state"] == "paused"
    session.machine.run()
    assert session.status["state"] == "off"
    assert session.status["code"] == 0
