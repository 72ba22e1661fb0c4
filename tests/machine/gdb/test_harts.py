"""Several harts are gdb's threads: each with its registers, its steps, its breakpoints."""

import re
import shutil

import pytest

from tests.machine.gdb.rsp import Qemu, stop_of
from vtbook.isa.assembler import assemble
from vtbook.machine import Machine, Segment, write_elf
from vtbook.machine.board import Board

PROGRAM = """
.globl _start
_start: la a1, data
        csrr a0, mhartid
        slli t0, a0, 6
        add a1, a1, t0
        bnez a0, second
first:  addi a2, a2, 1
first_store:
        sd a2, (a1)
        ld a3, 64(a1)
        j first
second: addi a2, a2, 1
second_store:
        sd a2, (a1)
call:   jal leaf
        j second
leaf:   addi a4, a4, 1
        ret
sleep:  wfi
        j sleep
.balign 4096
data:   .zero 512
"""
DATA = 0x8000_1000
PC, A2 = 32, 12


@pytest.fixture(params=["python", "interpreter"])
def machine(request):
    machine = Machine(Board(harts=2, ram="4 MiB", pmp=0), request.param)
    machine.load(assemble(PROGRAM))
    return machine


def of(client, thread, register=PC):
    assert client.ask(f"Hg{thread:x}") == "OK"
    return client.register(register)


def run_to(client, address):
    assert client.ask(f"Z0,{address:x},4") == "OK"
    stop = stop_of(client.ask("c"))
    assert client.ask(f"z0,{address:x},4") == "OK"
    return stop[2]["thread"]


def test_there_is_a_thread_for_each_hart(connect, machine):
    client = connect(machine)
    assert client.ask("qfThreadInfo") == "m01,02"
    assert [client.ask(f"T{n}") for n in (1, 2, 3)] == ["OK", "OK", "E22"]
    assert client.ask("qXfer:threads:read::0,fff").count("<thread id=") == 2
    assert bytes.fromhex(client.ask("qThreadExtraInfo,2")).startswith(b"hart 1, machine mode")
    assert of(client, 2, 10) == 1  # a0 is the number of the hart


def test_a_breakpoint_says_which_hart_came_there(connect, machine):
    client, symbols = connect(machine), machine.symbols
    assert run_to(client, symbols["second_store"]) == "02"
    assert client.ask("qC") == "QC02"
    assert client.register(PC) == symbols["second_store"]
    assert symbols["first"] <= of(client, 1) <= symbols["first"] + 14
    assert run_to(client, symbols["first_store"]) == "01"


def test_registers_are_those_of_the_chosen_thread(connect, machine):
    client = connect(machine)
    run_to(client, machine.symbols["second_store"])
    client.ask("Hg1")
    assert client.set_register(A2, 1234) == "OK"
    assert (of(client, 1, A2), of(client, 2, A2)) == (1234, 1)
    assert machine.harts[0].x[12] == 1234


@pytest.mark.parametrize("packet", ["vCont;s:{};c", "vCont;s:{}"])
def test_a_step_is_one_of_the_thread_that_is_asked_for(connect, machine, packet):
    client = connect(machine)
    run_to(client, machine.symbols["second_store"])
    for thread in (2, 1, 1, 2, 1, 2, 2):
        harts = [hart.instret for hart in machine.harts]
        stop = stop_of(client.ask(packet.format(thread)))
        assert stop == ("T", 5, {"thread": f"{thread:02x}"})
        moved = [hart.instret - n for hart, n in zip(machine.harts, harts, strict=True)]
        assert moved == [int(thread == 1), int(thread == 2)]


def test_one_thread_can_run_alone(connect, machine):
    client = connect(machine)
    run_to(client, machine.symbols["second_store"])
    for thread, label in ((2, "leaf"), (1, "first"), (1, "first_store"), (2, "second")):
        other = machine.harts[2 - thread].instret
        client.ask(f"Z0,{machine.symbols[label]:x},2")
        stop = stop_of(client.ask(f"vCont;c:{thread}"))
        assert stop == ("T", 5, {"thread": f"{thread:02x}"})
        assert of(client, thread) == machine.symbols[label]
        assert machine.harts[2 - thread].instret == other
        client.ask(f"z0,{machine.symbols[label]:x},2")


def test_while_one_steps_through_many_turns_the_others_go_on(connect, machine):
    client = connect(machine)
    run_to(client, machine.symbols["second_store"])
    for hart in machine.harts:
        hart.x[12] = 0
    end = machine.symbols["sleep"]
    client.ask(f"Z0,{machine.symbols['leaf']:x},2")  # ends the range
    before = machine.harts[0].instret
    for _ in range(4):
        reply = stop_of(client.ask(f"vCont;r{machine.symbols['second']:x},{end:x}:2;c"))
        assert reply[2]["thread"] == "02"
        client.ask("vCont;s:2")
    assert machine.harts[0].instret >= before


@pytest.mark.parametrize(("label", "thread"), [("first_store", 1), ("second_store", 2)])
def test_a_watchpoint_says_which_hart_is_about_to_write(connect, machine, label, thread):
    client, place = connect(machine), DATA + 64 * (thread - 1)
    run_to(client, machine.symbols["second_store"])
    client.ask(f"Z2,{place:x},8")
    stop = stop_of(client.ask("c"))
    assert stop[2] == {"thread": f"{thread:02x}", "watch": f"{place:016x}"}
    assert client.register(PC) == machine.symbols[label]
    before = client.ask(f"m{place:x},8")
    client.ask(f"z2,{place:x},8")
    client.ask(f"vCont;s:{thread}")
    value = client.register(A2).to_bytes(8, "little").hex()
    assert before != value == client.ask(f"m{place:x},8")


def test_undone_accesses_leave_the_turns_as_they_are(connect, machine):
    """A run with many stops at a watchpoint ends in the same state as one without any."""
    twin = Machine(Board(harts=2, ram="4 MiB", pmp=0), "python")
    twin.load(assemble(PROGRAM))
    client = connect(machine)
    client.ask(f"Z2,{DATA + 64:x},8")
    for _ in range(40):
        assert "watch" in stop_of(client.ask("c"))[2]
        client.ask(f"z2,{DATA + 64:x},8")
        client.ask("vCont;s:2")
        client.ask(f"Z2,{DATA + 64:x},8")
    twin.run(machine.instructions)
    assert machine.snapshot().digest == twin.snapshot().digest


@pytest.mark.parametrize("before", range(6))
def test_no_breakpoint_is_missed_where_turns_change(connect, before):
    """Six instructions are one turn of the loop: in one case it begins where the hart's ends."""
    machine = Machine(Board(harts=2, ram="4 MiB", pmp=0))
    machine.load(assemble(PROGRAM.replace("bnez", "nop\n" * before + "bnez")))
    machine.run(19_950)  # the first turn of the second hart is nearly over
    client = connect(machine)
    seen = []
    for _ in range(20):
        assert run_to(client, machine.symbols["second"]) == "02"
        seen.append(client.register(A2))
        client.ask("vCont;s:2")
    assert seen == list(range(seen[0], seen[0] + 20))


def test_steps_back_are_those_of_a_thread(connect, machine):
    client = connect(machine)
    run_to(client, machine.symbols["second_store"])  # hart 0 has had a turn before
    states = []
    for _ in range(3):
        states.append((of(client, 1), of(client, 2)))
        client.ask("vCont;s:2;c")
    for state in reversed(states):
        assert stop_of(client.ask("bs"))[2] == {"thread": "02"}
        assert (of(client, 1), of(client, 2)) == state
    client.ask("Hc1")
    assert stop_of(client.ask("bs"))[2] == {"thread": "01"}
    assert machine.harts[0].instret == 9_999


def test_running_back_finds_the_last_stop_of_any_hart(connect, machine):
    machine.run(21_000)  # hart 0 has its second turn
    client, symbols = connect(machine), machine.symbols
    client.ask(f"Z0,{symbols['second_store']:x},4")
    assert stop_of(client.ask("bc"))[2]["thread"] == "02"
    assert client.register(PC) == symbols["second_store"]
    position = machine.instructions
    assert position < 20_000
    client.ask(f"Z2,{DATA:x},8")
    client.ask(f"z0,{symbols['second_store']:x},4")
    assert stop_of(client.ask("bc"))[2] == {"thread": "01", "watch": f"{DATA:016x}"}
    client.ask("Hc1")
    client.ask("bs")
    assert client.register(PC) == symbols["first_store"]
    assert machine.instructions < position


def test_a_hart_that_waits_says_so_and_runs_where_it_is_sent(connect, machine):
    client = connect(machine)
    client.ask("Hg2")
    client.set_register(PC, machine.symbols["sleep"])
    client.ask("vCont;s:2")
    assert b"hart 1, machine mode, waits" in bytes.fromhex(client.ask("qThreadExtraInfo,2"))
    client.ask("Hg2")
    client.set_register(PC, machine.symbols["leaf"])
    client.ask(f"Z0,{machine.symbols['leaf'] + 2:x},2")
    assert stop_of(client.ask("vCont;c:2"))[2]["thread"] == "02"
    assert client.register(14) == 1


def test_a_thread_does_not_pass_the_breakpoint_where_it_stands(connect, machine):
    client = connect(machine)
    run_to(client, machine.symbols["second_store"])
    for thread in (1, 2):
        where = of(client, thread)
        client.ask(f"Z1,{where:x},2")
        before = machine.instructions
        assert stop_of(client.ask(f"vCont;c:{thread}"))[2]["thread"] == f"{thread:02x}"
        assert machine.instructions == before
        client.ask(f"z1,{where:x},2")


def test_ctrl_c_while_all_harts_sleep(connect, machine, until):
    client = connect(machine)
    for thread in (1, 2):
        client.ask(f"Hg{thread}")
        client.set_register(PC, machine.symbols["sleep"])
    client.send("c")
    until(lambda: machine.instructions > 0)
    client.socket.sendall(b"\x03")
    assert stop_of(client.receive().decode())[1] == 2
    assert machine.instructions < 100


def test_each_hart_s_first_steps_are_qemu_s(connect, tmp_path):
    path = shutil.which("qemu-system-riscv64")
    if path is None:
        pytest.skip("qemu-system-riscv64 missing")
    program = assemble(PROGRAM)
    file = tmp_path / "harts.elf"
    segments = [Segment(one.address, one.data) for one in program.sections if one.data]
    file.write_bytes(write_elf(segments, program.entry, program.symbols))
    machine = Machine(Board(harts=2), "python")
    machine.load(file)
    ours = connect(machine)
    with Qemu(file, path, "-smp", "2") as theirs:
        theirs.ask("qXfer:features:read:target.xml:0,ffb")
        assert theirs.ask("Hg2") == theirs.ask("T2") == "OK"
        for thread in (1, 2):
            for _ in range(12):  # through its boot ROM
                theirs.ask(f"Hg{thread}")
                if theirs.register(PC) == program.entry:
                    break
                theirs.ask(f"vCont;s:{thread}")
            theirs.ask(f"Hg{thread}")
            ours.ask(f"Hg{thread}")
            assert theirs.register(PC) == program.entry
            theirs.ask("G" + ours.ask("g"))
            for _ in range(30):
                for client in (theirs, ours):
                    client.ask(f"vCont;s:{thread}")
                    client.ask(f"Hg{thread}")
                assert theirs.core() == ours.core()


@pytest.mark.parametrize("system", ["GNU/Linux", "none"])
def test_gdb_shows_a_thread_for_each_hart(gdb, tmp_path, system):
    program = assemble(PROGRAM)
    file = tmp_path / "harts.elf"
    segments = [Segment(one.address, one.data) for one in program.sections if one.data]
    file.write_bytes(write_elf(segments, program.entry, program.symbols))
    machine = Machine(Board(harts=2, ram="4 MiB", pmp=0))
    machine.load(file)
    text = gdb(
        machine, file, f"set osabi {system}", "break leaf", "continue", "info threads",
        "thread apply all print $a0", "delete", "thread 1", "stepi", "print $a0", "thread 2",
        "print $a0", "break second", "continue",
    )  # fmt: skip
    assert re.search(r"\* 2 +Thread 2", text)
    assert re.search(r"1 +Thread 1 .*hart 0, machine mode", text)
    assert re.findall(r"\$\d+ = (\d+)", text) == ["1", "0", "0", "1"]
    assert 'Thread 2 "hart 1" hit Breakpoint 2' in text
