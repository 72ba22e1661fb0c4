"""`vtbook run`: what a user sees of a run, and the exit status a shell sees."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time

import pytest

from tests.course.conftest import COMMAND, environment
from vtbook.guests import find_compilers
from vtbook.guests.images import manifest

LOOP = "_start: addi a0, a0, 1\n j _start\n"
RUNNING = """
_start: li t0, 0x10000000
        li t1, 'r'
        sb t1, (t0)
forever: addi a0, a0, 1
        j forever
"""


def test_the_console_goes_to_stdout_and_nothing_to_stderr(vtbook):
    done = vtbook("run", "guest:hello")
    assert (done.returncode, done.stdout.decode()) == (0, manifest()["images"]["hello"]["output"])
    assert b"compiling" in done.stderr or done.stderr == b""


@pytest.mark.parametrize("engine", ["interpreter", "python"])
def test_the_exit_status_is_the_guests(vtbook, answer, engine):
    done = vtbook("run", answer(42), "--engine", engine)
    assert (done.returncode, done.stdout) == (42, b"the answer\n")


def test_a_guest_code_beyond_a_byte_stays_a_failure(vtbook, answer):
    assert vtbook("run", answer(512)).returncode == 255


def test_arguments_reach_main(vtbook):
    done = vtbook("run", "guest:fib", "4")
    assert done.stdout.decode().splitlines()[-1] == "fib(3) = 2"


def test_engines_agree_in_the_json_report(vtbook, answer):
    path = answer(7)
    reports = [
        json.loads(vtbook("run", path, "--json", "--stats", "--engine", engine).stdout)
        for engine in ("interpreter", "python")
    ]
    for report in reports:
        assert report.pop("wall_seconds") >= 0
        assert report.pop("mips") >= 0
        assert report.pop("engine") in ("interpreter", "python")
    assert reports[0] == reports[1]
    assert reports[0]["console"] == "the answer\n"
    assert (reports[0]["reason"], reports[0]["exit_code"], reports[0]["status"]) == (
        "shutdown",
        7,
        7,
    )
    assert sum(reports[0]["counts"].values()) == reports[0]["instructions"]
    assert reports[0]["counts"]["sb"] == len("the answer\n")


def test_the_table_of_executed_instructions_goes_to_stderr(vtbook, answer):
    done = vtbook("run", answer(), "--stats", "--engine", "python")
    assert done.stdout == b"the answer\n"
    text = done.stderr.decode()
    assert re.search(r"sb\s+│\s+11\s+│", text)
    assert "of wall time" in text


def test_the_budget_ends_a_run_with_the_status_of_timeout(vtbook, tmp_path):
    (tmp_path / "loop.s").write_text(LOOP)
    done = vtbook("run", "loop.s", "--max-instructions", "1_001")
    assert done.returncode == 124
    assert "loop.s: still running at 0x80000004 <_start+0x4> after 1,001 instructions" in (
        done.stderr.decode()
    )
    report = json.loads(vtbook("run", "loop.s", "--max-instructions", "10k", "--json").stdout)
    assert (report["reason"], report["instructions"]) == ("budget", 10_000)


def test_an_unhandled_trap_says_what_and_where(vtbook, tmp_path):
    (tmp_path / "bad.s").write_text("_start: nop\nbroken: ld a0, 16(zero)\n")
    done = vtbook("run", "bad.s")
    text = done.stderr.decode()
    assert done.returncode == 125
    assert "load access fault (cause 5, tval 0x10) at 0x80000004 <broken>: ld a0, 16(zero)" in text
    report = json.loads(vtbook("run", "bad.s", "--json").stdout)
    assert report["trap"]["cause"] == 5
    assert report["trap"]["instruction"] == "ld a0, 16(zero)"


def test_a_wait_that_cannot_end_is_told(vtbook, tmp_path):
    (tmp_path / "wait.s").write_text("_start: wfi\n j _start\n")
    done = vtbook("run", "wait.s")
    assert done.returncode == 125
    assert "no interrupt can come" in done.stderr.decode()


def heed_ctrl_c():
    """In a new process: heed SIGINT, which a shell's background jobs are born to ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def endless(tmp_path):
    """Start the command on a guest that never ends; wait until it runs; kill it afterwards."""
    (tmp_path / "loop.s").write_text(RUNNING)
    started = []

    def start(*options, stdin=subprocess.DEVNULL):
        process = subprocess.Popen(
            [*COMMAND, "run", "loop.s", *options],
            cwd=tmp_path,
            env=environment(),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        if "--json" in options:  # then the guest's output comes only at the end
            time.sleep(5)
        else:
            assert process.stdout.read(1) == b"r"
            time.sleep(0.5)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_ctrl_c_ends_a_run_and_tells_where_it_was(endless):
    process = endless("--json")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    report = json.loads(output)
    assert report["reason"] == "interrupted"
    assert report["symbol"].startswith("forever")
    assert report["instructions"] > 1_000_000


@pytest.mark.parametrize("engine", ["interpreter", "python"])
def test_the_first_ctrl_c_is_enough(endless, engine):
    process = endless("--engine", engine)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert b"loop.s: interrupted at " in errors


def test_sigterm_ends_a_run(endless):
    process = endless()
    process.terminate()
    assert process.wait(timeout=30) == -signal.SIGTERM


def test_a_run_ends_when_nobody_reads_its_output(endless):
    process = endless()
    process.stdout.close()
    assert process.wait(timeout=30) == -signal.SIGPIPE


@pytest.mark.parametrize("how", ["pipe", "file"])
def test_input_is_typed_and_ends_with_ctrl_d(vtbook, tmp_path, how):
    if how == "pipe":
        done = vtbook("run", "guest:echo", input=b"one\ntwo")
    else:
        (tmp_path / "typed").write_bytes(b"one\ntwo")
        done = vtbook("run", "guest:echo", "--input", "typed")
    assert (done.returncode, done.stdout) == (0, b"one\ntwo\n7 bytes\n")


def test_runs_with_the_same_input_are_the_same(vtbook):
    reports = [
        json.loads(vtbook("run", "guest:echo", "--json", input=b"abc").stdout) for _ in range(2)
    ]
    assert reports[0]["instructions"] == reports[1]["instructions"]


@pytest.fixture
def terminal():
    """Start the command on a terminal of its own; returns it and the terminal's other end."""
    leader, follower = pty.openpty()
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            env=environment(),
            stdin=follower,
            stdout=follower,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=lambda: _control_terminal(follower),
        )
        started.append(process)
        _wait_for_keys(leader)
        return process, leader

    yield start
    for process in started:
        process.kill()
        process.wait()
    os.close(leader)
    os.close(follower)


def test_on_a_terminal_each_key_reaches_the_guest_at_once(terminal):
    process, keys = terminal("run", "guest:echo")
    os.write(keys, b"k")
    assert _read_until(keys, b"k") == b"k"  # the guest's echo, once
    os.write(keys, b"\x04")
    assert b"1 bytes" in _read_until(keys, b"bytes")
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert _has_lines(keys)


def test_the_terminal_is_as_before_after_sigterm(terminal):
    process, keys = terminal("run", "guest:echo")
    process.terminate()
    assert process.wait(timeout=30) == -signal.SIGTERM
    assert _has_lines(keys)


def _control_terminal(fd):
    import fcntl
    import termios

    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)


def _has_lines(fd):
    import termios

    return bool(termios.tcgetattr(fd)[3] & termios.ICANON)


def _wait_for_keys(fd):
    for _ in range(600):
        if not _has_lines(fd):
            return
        time.sleep(0.05)
    raise AssertionError("the terminal was never set")


def _read_until(fd, wanted):
    got = b""
    while wanted not in got:
        got += os.read(fd, 100)
    return got


def test_c_is_compiled_first(vtbook, tmp_path):
    if not find_compilers():
        pytest.skip("needs a C compiler for RISC-V: pip install ziglang")
    (tmp_path / "six.c").write_text(
        '#include <stdio.h>\nint main(void) { printf("%d\\n", 6 * 7); return 3; }\n'
    )
    done = vtbook("run", "six.c")
    assert (done.returncode, done.stdout) == (3, b"42\n"), done.stderr


def test_the_bare_machine_of_qemu_gives_the_same_status(vtbook, answer, tmp_path):
    qemu = shutil.which("qemu-system-riscv64")
    if not qemu:
        pytest.skip("needs qemu-system-riscv64: apt install qemu-system-misc")
    assert vtbook("asm", answer(9), "-o", "answer.elf").returncode == 0
    command = [qemu, "-M", "virt", "-nographic", "-bios", "none", "-kernel", "answer.elf"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, stdin=subprocess.DEVNULL, timeout=60
    )
    ours = vtbook("run", "answer.elf")
    assert (done.returncode, done.stdout) == (ours.returncode, ours.stdout) == (9, b"the answer\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.elf"], "nowhere.elf: no such file"),
        (["hello.elf"], "there is a prebuilt program guest:hello"),
        (["."], ".: is a folder"),
        (["text.txt"], "neither an ELF file nor assembly"),
        (["cut.elf"], "cut.elf"),
        (["wrong.s"], "wrong.s:1:1: unknown instruction 'frobnicate'"),
        (["guest:nothing"], "no image 'nothing'"),
        (["guest:hello", "--ram", "12q"], "unknown unit 'q'"),
        (["guest:hello", "--input", "nowhere"], "nowhere: cannot be read"),
        (["loop.s", "argument"], "has no command line"),
    ],
)
def test_a_program_that_cannot_be_run_is_one_message_and_status_2(
    vtbook, tmp_path, arguments, message
):
    (tmp_path / "text.txt").write_text("hello\n")
    (tmp_path / "cut.elf").write_bytes(b"\x7fELF" + bytes(9))
    (tmp_path / "wrong.s").write_text("frobnicate a0\n")
    (tmp_path / "loop.s").write_text(LOOP)
    done = vtbook("run", *arguments)
    text = done.stderr.decode()
    assert done.returncode == 2
    assert message in text
    assert "vtbook: " in text
    assert "Traceback" not in text


def test_debug_shows_the_traceback(vtbook):
    assert b"Traceback" in vtbook("--debug", "run", "nowhere.elf").stderr


@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5", "10T", ""])
def test_a_wrong_number_of_instructions_is_a_usage_error(vtbook, count):
    done = vtbook("run", "guest:hello", f"--max-instructions={count}")
    assert done.returncode == 2
    assert b"instructions" in done.stderr
