"""`vtbook run --gdb` and `vtbook boot --gdb`: the guest waits for a debugger."""

import re
import shutil
import signal
import socket
import struct
import subprocess

import pytest

from tests.course.conftest import COMMAND, environment
from tests.machine.gdb.rsp import Client
from vtbook.guests.kernel import kernel_image


@pytest.fixture
def waiting(tmp_path):
    """Start ``vtbook run … --gdb 0``; returns the process and the address that it announces."""
    started = []

    def start(*arguments, command="run"):
        process = subprocess.Popen(
            [*COMMAND, command, *map(str, arguments), "--gdb", "0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=environment(),
        )
        started.append(process)
        for line in process.stderr:
            if found := re.search(r"waiting for gdb at (\S+):(\d+)", line):
                return process, (found[1], int(found[2]))
        pytest.fail("it does not wait for gdb")

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_gdb_runs_a_guest_to_its_end_and_the_status_is_the_guest_s(waiting, answer):
    gdb = shutil.which("gdb-multiarch")
    if gdb is None:
        pytest.skip("gdb-multiarch missing")
    process, (host, port) = waiting(answer(7))
    orders = ["set arch riscv:rv64", f"target remote {host}:{port}", "x/2i $pc", "continue"]
    listed = [part for order in orders for part in ("-ex", order)]
    done = subprocess.run([gdb, "-batch", "-nx", *listed], capture_output=True, text=True)
    assert "exited with code 07" in done.stdout
    assert process.communicate(timeout=60)[0] == "the answer\n"
    assert process.returncode == 7


def test_gdb_boots_a_whole_computer(waiting):
    gdb = shutil.which("gdb-multiarch")
    if gdb is None:
        pytest.skip("gdb-multiarch missing")
    process, (host, port) = waiting(
        "teaching", "--harts", "2", "--append", 'run="echo hello; poweroff"', command="boot"
    )
    orders = ["set arch riscv:rv64", f"target remote {host}:{port}", "x/2i $pc", "info threads"]
    orders += ["break sys_write", "continue", "print $priv", "delete", "continue"]
    listed = [part for order in orders for part in ("-ex", order)]
    done = subprocess.run(
        [gdb, "-batch", "-nx", *listed, kernel_image()], capture_output=True, text=True
    )
    assert re.search(r"=> 0x1000:", done.stdout)  # the boot ROM
    assert re.search(r"2 +Thread 2 .*hart 1, machine mode", done.stdout)
    assert re.search(r"Breakpoint 1, .*in sys_write \(\)", done.stdout)
    assert "exited normally" in done.stdout
    assert "hello" in process.communicate(timeout=60)[0]
    assert process.returncode == 0


def test_nothing_runs_before_gdb_comes_and_it_can_go_back(waiting, answer):
    process, address = waiting(answer(7))
    with Client(address) as client:
        assert client.register(32) == 0x8000_0000
        client.ask("s")
        client.ask("bs")
        assert client.register(32) == 0x8000_0000
        assert client.ask("D") == "OK"
    assert process.communicate(timeout=60)[0] == "the answer\n"
    assert process.returncode == 7


def test_what_is_typed_reaches_the_guest_that_gdb_runs(tmp_path, waiting):
    (tmp_path / "keys").write_text("abc")
    process, address = waiting("guest:echo", "--input", tmp_path / "keys")
    with Client(address) as client:
        assert client.ask("c") == "W00"
    assert "abc" in process.communicate(timeout=60)[0]


def test_a_gdb_that_takes_no_answers_and_goes_does_not_end_the_command(waiting, answer):
    process, address = waiting(answer(7))
    for _ in range(3):
        with Client(address) as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.socket.sendall(b"$g#67" * 50)
    with Client(address) as client:
        assert client.ask("c") == "W07"
    assert process.wait(60) == 7


def test_a_kill_by_gdb_and_ctrl_c_end_the_command(waiting, answer):
    process, address = waiting(answer())
    with Client(address) as client:
        client.send("k")
        assert process.wait(60) == 130
    process, _ = waiting(answer())
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gdb", "here"], "no address for gdb"),
        (["--gdb", "127.0.0.1:70000"], "no address for gdb"),
        (["--gdb", "192.0.2.1:1234"], "no server for gdb there"),
        (["--gdb", "0", "--stats"], "without --stats"),
        (["--gdb", "0", "--max-instructions", "5"], "without --stats"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(vtbook, answer, arguments, said):
    done = vtbook("run", answer(), *arguments)
    assert done.returncode == 2
    assert said in re.sub(r"[\s│]+", " ", done.stderr.decode())
