"""A kernel under gdb: its code at high addresses, its harts, and a process in U mode."""

import re
import time

import pytest

from tests.machine.gdb.rsp import Client, stop_of
from vtbook.guests.kernel import kernel_image, program_image
from vtbook.machine import Machine
from vtbook.machine.board import Board
from vtbook.machine.elf import load_elf

USER = 0x1_0000
"""Where the kernel's programs begin."""
PC, PRIV = 32, 4161


def test_a_kernel_that_waits_takes_real_time_and_what_is_typed(serve):
    machine = Machine(Board())
    machine.boot(kernel_image())
    lines = [b"echo typed | wc\n", b"sleep 50; poweroff\n"]  # half a second
    typed = []

    def poll():
        if lines and machine.console.text.count("\n$ ") > len(typed):
            typed.append(lines.pop(0))
            machine.console.feed(typed[-1])

    with Client(serve(machine, poll=poll).address) as client:
        started = time.monotonic()
        assert client.ask("c") == "W00"
        assert time.monotonic() - started >= 0.4
    assert "1 1 6" in re.sub(" +", " ", machine.console.text)


@pytest.fixture
def machine():
    machine = Machine(Board(harts=2))
    machine.boot(kernel_image(), append='run="echo hello; poweroff"')
    return machine


def values(text):
    return re.findall(r"\$\d+ = (.*)$", text, re.MULTILINE)


def test_functions_and_variables_of_the_kernel(gdb, machine):
    text = gdb(
        machine, kernel_image(), "hbreak kernel_main", "continue", "print $priv", "bt 1",
        "print/x *(unsigned int *)&hart_count", "delete", "break sys_exec", "continue",
        "info threads", "print $sp > 0xffffffc000000000", "x/2i $pc",
    )  # fmt: skip
    assert re.search(r"#0 .*\bkernel_main \(\)", text)
    assert re.search(r"Breakpoint 2, .*in sys_exec \(\)", text)
    assert re.search(r"Thread 1 .*hart 0, supervisor mode", text)
    assert re.search(r"Thread 2 .*hart 1, supervisor mode", text)
    assert "in process 0" not in text
    assert re.search(r"=> 0xffffffc08\w+ <sys_exec.*>:", text)


def test_a_breakpoint_in_a_process(connect, machine):
    client = connect(machine)
    client.ask(f"Z0,{USER:x},2")
    code = load_elf(program_image("init")).segments[0].data[:16].hex()
    assert stop_of(client.ask("c"))[0] == "T"
    assert (client.register(PC), client.register(PRIV)) == (USER, 0)
    assert client.ask(f"m{USER:x},10") == code
    client.ask(f"z0,{USER:x},2")
    client.ask("vCont;s:1")


def test_from_a_process_back_into_the_kernel(connect, machine):
    client, kernel = connect(machine), load_elf(kernel_image()).symbols
    client.ask(f"Z0,{USER:x},2")
    client.ask("c")
    thread = client.ask("qC")[2:]
    process = client.core()
    client.ask(f"z0,{USER:x},2")
    client.ask(f"Z0,{kernel['process_exec']:x},2")
    assert stop_of(client.ask("bc"))[2] == {"thread": thread}
    assert (client.register(PC), client.register(PRIV)) == (kernel["process_exec"], 1)
    client.ask(f"z0,{kernel['process_exec']:x},2")
    client.ask(f"Z0,{USER:x},2")
    client.ask("c")
    assert client.core() == process


def test_a_watchpoint_on_a_variable_of_the_kernel(gdb, machine):
    text = gdb(
        machine, kernel_image(), "break begin_first", "continue", "delete",
        "watch *(long *)&switches", "continue", "bt 1", "delete", "continue",
    )  # fmt: skip
    assert re.search(r"Old value = \d+\nNew value = \d+", text)
    assert "exited normally" in text
    assert "hello" in machine.console.text
