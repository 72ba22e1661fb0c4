"""`vtbook console`: talking to a guest in a terminal, and leaving it."""

import os
import signal
import sys

import pytest

from tests.course.conftest import environment

pexpect = pytest.importorskip("pexpect")
termios = pytest.importorskip("termios", reason="needs a Unix terminal")

CTRL_A = "\x01"
SLOW = 30  # seconds; a cold start compiles


@pytest.fixture
def terminal(tmp_path):
    """Start the command in a pseudo-terminal of its own; it is closed after the test."""
    started = []

    def start(*arguments):
        arguments = ["-m", "vtbook", "console", *arguments]
        child = pexpect.spawn(
            sys.executable, arguments, env=environment(), timeout=SLOW, cwd=tmp_path, echo=True
        )
        child.delaybeforesend = None
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


def mode(child):
    return termios.tcgetattr(child.child_fd)[:4]


def test_a_conversation_ends_with_the_guests_status(terminal):
    child = terminal("guest:monitor")
    child.expect("Ctrl-A h for help")
    child.expect("Type help.")
    child.expect_exact("> ")
    child.send("echo hello there\r")
    child.expect("echo hello there\r+\nhello there\r+\n")
    child.send("exit 7\r")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 7


def test_keys_after_ctrl_a_are_vtbooks_and_ctrl_c_is_the_guests(terminal):
    child = terminal("guest:monitor")
    child.expect_exact("> ")
    child.send("\x03echo still here\r")  # the monitor ignores Ctrl-C
    child.expect("\nstill here\r+\n")
    child.send(CTRL_A + "h")
    child.expect("Ctrl-A x  quit")
    child.send(CTRL_A + "p")
    child.expect(r"paused at \S+: .*; ([\d,]+) instructions")
    before = int(child.match[1].replace(b",", b""))
    child.send(CTRL_A + "s")
    child.expect(r"paused at \S+: .*; ([\d,]+) instructions")
    assert int(child.match[1].replace(b",", b"")) == before + 1
    child.send(CTRL_A + "b")
    child.expect(r"paused at \S+: .*; ([\d,]+) instructions")
    assert int(child.match[1].replace(b",", b"")) == before
    child.send(CTRL_A + "p")
    child.expect("goes on")
    child.send("echo back\r")
    child.expect("\nback\r+\n")
    child.send(CTRL_A + "r")
    child.expect("restarted")
    child.expect("Type help.")
    child.send(CTRL_A + "x")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 130


def test_the_terminal_is_as_before_after_every_end(terminal):
    for end in ("x", signal.SIGTERM, signal.SIGHUP):
        # a shell around it, which keeps the terminal open
        child = pexpect.spawn("sh", env=environment(PS1="ready$ "), timeout=SLOW)
        child.delaybeforesend = None
        child.expect_exact("ready$ ")
        before = mode(child)
        child.sendline(f"{sys.executable} -m vtbook console guest:monitor; echo over $?")
        child.expect_exact("> \x1b[0m")
        assert mode(child) != before
        if end == "x":
            child.send(CTRL_A + "x")
        else:
            foreground = os.tcgetpgrp(child.child_fd)
            os.kill(foreground, end)
        child.expect(r"over \d+")
        child.expect_exact("ready$ ")
        assert mode(child) == before
        child.close(force=True)


def test_an_endless_loop_can_be_left(terminal, tmp_path):
    (tmp_path / "loop.s").write_text("_start: addi a0, a0, 1\n j _start\n")
    child = terminal("loop.s")
    child.expect("to quit")
    child.send(CTRL_A + "s")
    child.expect("running at")
    child.send(CTRL_A + "x")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 130


def test_input_from_a_pipe_is_typed_and_its_end_is_ctrl_d(vtbook):
    done = vtbook("console", "guest:monitor", input=b"echo piped\rexit 3\r")
    assert done.returncode == 3
    assert b"\r\npiped\r\n" in done.stdout
    assert vtbook("console", "guest:monitor", input=b"echo x\r").returncode == 0


def test_a_guest_that_wants_more_than_there_is_ends_as_stuck(vtbook, tmp_path):
    poll = "_start: li a0, 0x10000000\np: lbu a1, 5(a0)\n andi a1, a1, 1\n beqz a1, p\n"
    (tmp_path / "deaf.s").write_text(poll + " lbu a1, (a0)\n j p\n")
    done = vtbook("console", "deaf.s", input=b"abc")
    assert done.returncode == 125
    assert b"waits for input and there is no more" in done.stderr


def test_a_trap_is_told_with_the_instruction(vtbook, tmp_path):
    (tmp_path / "bad.s").write_text("_start: nop\nbroken: ld a0, 16(zero)\n")
    done = vtbook("console", "bad.s")
    assert done.returncode == 125
    assert b"load access fault" in done.stderr
    assert b"ld a0, 16(zero)" in done.stderr


def test_a_missing_program_is_a_usage_error(vtbook):
    done = vtbook("console", "nothing.elf")
    assert done.returncode == 2
    assert b"no such file" in done.stderr
