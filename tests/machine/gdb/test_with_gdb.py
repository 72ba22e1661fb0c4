"""gdb-multiarch itself: what a reader sees who debugs a guest with it."""

import re
import signal

import pytest

from tests.machine.gdb.conftest import Gdb
from vtbook.isa.assembler import assemble
from vtbook.machine import Machine, Segment, write_elf
from vtbook.machine.gdb import GdbServer


@pytest.fixture
def machine(program):
    machine = Machine("128 MiB")
    machine.load(program)
    return machine


def assembled(source, path):
    """Write an assembled program to an ELF file; a machine that has it."""
    program = assemble(source)
    segments = [Segment(one.address, one.data) for one in program.sections if one.data]
    path.write_bytes(write_elf(segments, program.entry, program.symbols))
    machine = Machine("1 MiB")
    machine.load(path)
    return machine


def values(text):
    """All that ``print`` wrote, in order."""
    return re.findall(r"\$\d+ = (.*)$", text, re.MULTILINE)


def test_breakpoints_frames_and_finish(gdb, machine, program):
    text = gdb(
        machine, program, "break square", "continue", "bt", "print n", "finish", "info locals"
    )
    assert re.search(r"#0 +square \(n=1\)", text)
    assert re.search(r"#1 .* in add \(n=1\)", text)
    assert re.search(r"#2 .* in main \(\)", text)
    assert values(text) == ["1", "1"]  # the second is what finish tells
    assert "Run till exit" in text or "Value returned" in text


def test_a_conditional_breakpoint_and_a_program_that_ends(gdb, machine, program):
    text = gdb(
        machine, program, "break add if n == 4", "continue", "print n", "print total", "delete",
        "continue",
    )  # fmt: skip
    assert values(text) == ["4", "14"]
    assert "exited normally" in text
    assert machine.console.text == "total 55\n"


@pytest.mark.parametrize("system", ["GNU/Linux", "none"])
def test_stepping_over_into_and_by_instructions(gdb, machine, program, system):
    """For a Linux program gdb steps by breakpoints, for one without a system by steps."""
    text = gdb(
        machine, program, f"set osabi {system}", "break add", "continue", "step", "bt 1",
        "finish", "next", "next",
        "print total", "print $pc", "stepi", "print $pc",
    )  # fmt: skip
    assert re.search(r"#0 +square \(n=1\)", text)
    found = values(text)
    assert found[1] == "1"
    before, after = (int(re.search("0x[0-9a-f]+", one)[0], 16) for one in found[2:4])
    assert after - before in (2, 4)


def test_registers_and_memory_are_read_and_written(gdb, machine, program):
    text = gdb(
        machine, program, "break add", "continue", "set var $s5 = 0x1234", "print $s5",
        "set var total = 1000", "print $mtvec != 0", "info registers priv",
        "set var $fa5.double = 2.5", "print $fa5.double", "finish", "x/1wd &total",
    )  # fmt: skip
    assert values(text) == ["4660", "1", "2.5", "1001"]
    assert re.search(r"priv .*prv:3 \[Machine\]", text)
    assert re.search(r"<total>:\s+1001", text)


def test_floating_point_registers_of_a_call(gdb, machine, program):
    text = gdb(
        machine, program, "break grow", "continue", "print x", "print $fa0.double", "finish",
        "info registers fcsr",
    )  # fmt: skip
    assert values(text) == ["2", "2", "3.25"]
    assert re.search(r"fcsr +0x0", text)


def test_a_watchpoint_shows_old_and_new_value(gdb, machine, program):
    text = gdb(machine, program, "watch total", "continue", "continue", "bt 1")
    assert text.count("Hardware watchpoint 1: total") == 3
    assert re.findall(r"Old value = (\d+)\nNew value = (\d+)", text) == [("0", "1"), ("1", "5")]
    assert re.search(r"#0 .*\badd \(n=2\)", text)


def test_read_and_access_watchpoints(gdb, machine, program):
    text = gdb(
        machine, program, "break add", "continue", "delete", "rwatch copy", "awatch scale",
        "continue", "continue",
    )  # fmt: skip
    assert re.search(r"Hardware access .* watchpoint 3: scale\n\nValue = 1.5", text)
    assert "Old value = 1.5\nNew value = 3.25" in text


@pytest.mark.parametrize("system", ["GNU/Linux", "none"])
def test_going_back_by_steps(gdb, machine, program, system):
    text = gdb(
        machine, program, f"set osabi {system}", "break add", "continue", "next", "print $pc",
        "stepi", "stepi",
        "reverse-stepi", "reverse-stepi", "print $pc", "next", "print total", "reverse-next",
        "print total", "delete", "reverse-finish", "bt 1",
    )  # fmt: skip
    found = values(text)
    assert found[0] == found[1]
    assert found[2:4] == ["1", "0"]
    assert re.search(r"#0 .*\bmain \(\)", text)


def test_running_back_to_a_breakpoint_and_to_the_start(gdb, machine, program):
    text = gdb(
        machine, program, "break grow", "continue", "break add", "reverse-continue", "print n",
        "reverse-continue", "print n", "delete", "reverse-continue", "print $pc",
    )  # fmt: skip
    found = values(text)
    assert found[:2] == ["5", "4"]
    assert "No more reverse-execution history" in text
    assert "0x80000000" in found[2]


def test_running_back_to_a_watchpoint(gdb, machine, program):
    text = gdb(
        machine, program, "break grow", "continue", "delete", "watch total", "reverse-continue",
        "bt 1", "reverse-continue", "continue", "print total",
    )  # fmt: skip
    changes = re.findall(r"Old value = (\d+)\nNew value = (\d+)", text)
    assert changes == [("55", "30"), ("30", "14"), ("14", "30")]
    assert re.search(r"#0 .*\badd \(n=5\)", text)


def test_what_happened_after_going_back_is_undone_and_happens_again(gdb, machine, program):
    text = gdb(
        machine, program, "break add if n == 3", "continue", "reverse-stepi", "stepi",
        "delete", "continue",
    )  # fmt: skip
    assert "exited normally" in text
    assert machine.console.text == "total 55\n"


def test_the_table_of_csrs_by_name(gdb, machine, program):
    text = gdb(
        machine, program, "break main", "continue", "info registers mhartid misa mstatus mepc",
        "print $mscratch = 77", "print $mscratch", "info registers csr",
    )  # fmt: skip
    assert re.search(r"mhartid +0x0", text)
    assert re.search(r"misa +0x800000000", text)
    assert re.search(r"mstatus .*FS:[0-3]", text)
    assert values(text) == ["77", "77"]
    assert re.search(r"minstret +0x[1-9a-f]", text)


def test_threads_are_harts_and_monitor_answers(gdb, machine, program):
    text = gdb(machine, program, "info threads", "monitor where", "monitor no-such-thing")
    assert re.search(r'\* 1 +Thread 1 "hart 0" \(hart 0, machine mode', text)
    assert "0 instructions since reset" in text
    assert "there is no command 'no-such-thing'" in text


def test_gdb_loads_a_program_itself(gdb, program):
    machine = Machine("128 MiB")
    machine.load(b"\0" * 4, at=0x8000_0000)
    text = gdb(machine, program, "load", "compare-sections", "break main", "continue")
    assert "MIS-MATCHED" not in text
    assert re.search(r"Section .text.*: matched", text)
    assert re.search("Breakpoint 1, main", text)


def test_a_trap_without_a_handler_is_a_signal(gdb, tmp_path):
    path = tmp_path / "trap.elf"
    machine = assembled("_start: nop\nhere: unimp\n", path)
    text = gdb(machine, path, "continue", "print $pc")
    assert "SIGILL" in text
    assert "<here>" in values(text)[0]


@pytest.fixture
def endless(tmp_path):
    """A machine in an endless loop, and its file."""
    path = tmp_path / "loop.elf"
    return assembled("_start: addi a0, a0, 1\n j _start", path), path


def test_ctrl_c_stops_an_endless_loop(gdb_path, serve, endless, until):
    machine, path = endless
    run = Gdb(gdb_path, path, serve(machine).address, ["continue", "print $a0 > 0", "stepi"])
    until(lambda: machine.hart.instret > 1000)
    run.process.send_signal(signal.SIGINT)
    text = run.output()
    assert "SIGINT" in text
    assert values(text) == ["1"]


def test_detaching_lets_the_machine_run_to_its_end(gdb, machine, program, until):
    text = gdb(machine, program, "break add", "continue", "detach")
    assert "detached" in text
    until(lambda: machine.is_off is not None)
    assert machine.console.text == "total 55\n"


def test_a_gdb_that_dies_leaves_the_machine_for_the_next(gdb_path, endless, until):
    machine, path = endless
    with GdbServer(machine) as server:
        first = Gdb(gdb_path, path, server.address, ["break *0x80000100", "continue"])
        until(lambda: machine.hart.instret > 1000)
        first.process.kill()
        first.output()
        until(lambda: machine.runner is None)
        count = machine.hart.instret
        second = Gdb(gdb_path, path, server.address, ["print $a0 > 0", "stepi", "disconnect"])
        assert values(second.output()) == ["1"]
        assert machine.hart.instret == count + 1
