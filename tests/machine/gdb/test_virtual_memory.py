"""gdb sees memory as the hart does: through its page tables, and in each of its modes."""

import shutil

import pytest

from tests.machine.gdb.rsp import Qemu, stop_of
from vtbook.isa.assembler import assemble
from vtbook.machine import Machine, Segment, write_elf

PROGRAM = """
.globl _start
_start: la t0, protected
        csrw mtvec, t0
        li t0, -1
        csrw pmpaddr0, t0
        li t0, 0x1f
        csrw pmpcfg0, t0
.balign 4
protected:
        la t0, machine_trap
        csrw mtvec, t0
        li t0, 3 << 11
        csrc mstatus, t0
        li t0, 1 << 8
        csrw medeleg, t0
        li t0, 1 << 11          # MPP: S mode
        csrs mstatus, t0
        la t0, root
        srli t0, t0, 12
        li t1, 8 << 60
        or t0, t0, t1
        csrw satp, t0
        sfence.vma
        la t0, supervisor
        li t1, -0x4000000000    # the upper half: 0xffffffc000000000
        add t0, t0, t1
        csrw mepc, t0
        mret
.balign 4
machine_trap:
        j machine_trap

supervisor:
        la t0, supervisor_trap
        csrw stvec, t0
        la a0, word
        li a1, 0x77
store:  sd a1, (a0)
        ld a2, (a0)
        li t0, 1 << 8
        csrc sstatus, t0
        li t0, 0x1000 + user - user_page
        csrw sepc, t0
        sret
.balign 4
supervisor_trap:
        addi s0, s0, 1
        csrr t0, sepc
        addi t0, t0, 4
        csrw sepc, t0
        sret

.balign 4096
user_page:
        .word 0
user:   li a3, 0x2000
        ld a4, (a3)
again:  addi a4, a4, 1
user_store:
        sd a4, (a3)
.option norvc
call:   ecall
.option rvc
        j again

.balign 4096
word:   .dword 0
        .dword 5
.balign 4096
user_data:
        .dword 40

# Page tables. Flags: 1 V, 2 R, 4 W, 8 X, 16 U, 64 A, 128 D.
.balign 4096
root:   .dword (middle >> 12) << 10 | 1
        .zero 8
        .dword (0x80000000 >> 12) << 10 | 0xcf
        .zero 8 * (258 - 3)
        .dword (0x80000000 >> 12) << 10 | 0xcf
        .zero 8 * (512 - 259)
middle: .dword (leaves >> 12) << 10 | 1
        .zero 8 * 511
leaves: .dword 0
        .dword (user_page >> 12) << 10 | 0x5b
        .dword (user_data >> 12) << 10 | 0x17
        .dword 0x10 << 10 | 0xc7
        .zero 8 * 508
"""
HIGH = -0x40_0000_0000 & (1 << 64) - 1
USER_DATA = 0x2000
PC, PRIV = 32, 4161


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The program as an ELF file, and its symbols."""
    assembled = assemble(PROGRAM)
    path = tmp_path_factory.mktemp("virtual") / "program.elf"
    segments = [Segment(one.address, one.data) for one in assembled.sections if one.data]
    path.write_bytes(write_elf(segments, assembled.entry, assembled.symbols))
    return path, assembled.symbols


@pytest.fixture(params=["python", "interpreter", "ir"])
def machine(request, program):
    machine = Machine("16 MiB", request.param)
    machine.load(program[0])
    return machine


@pytest.fixture
def both(machine, program, connect):
    """QEMU's stub and ours, about the same program."""
    found = shutil.which("qemu-system-riscv64")
    if found is None:
        pytest.skip("qemu-system-riscv64 missing")
    with Qemu(program[0], found) as theirs:
        ours = connect(machine)
        for client in (theirs, ours):
            client.ask("qSupported:swbreak+;hwbreak+")
            client.ask("qXfer:features:read:target.xml:0,ffb")
            run_to(client, program[1]["protected"])  # with or without memory protection
        theirs.ask("G" + ours.ask("g"))
        yield theirs, ours


def user(symbols, name):
    """The address in U mode of a label on the user's page."""
    return 0x1000 + symbols[name] - symbols["user_page"]


def run_to(client, address):
    client.ask(f"Z0,{address:x},4")
    reply = client.ask("c")
    client.ask(f"z0,{address:x},4")
    assert client.register(PC) == address
    return stop_of(reply)


def test_every_step_through_all_modes_is_the_same(both):
    modes = set()
    theirs, ours = both
    privileges = [
        next(n for n, name, _ in client.features()["org.gnu.gdb.riscv.virtual"] if name == "priv")
        for client in both
    ]
    for step in range(120):
        assert theirs.core() == ours.core(), f"after {step} steps"
        mode = ours.register(privileges[1])
        assert theirs.register(privileges[0]) == mode
        modes.add(mode)
        for client in both:
            client.ask("s")
    assert modes == {0, 1, 3}


def test_memory_is_what_the_hart_sees(both, program):
    _, symbols = program
    places = [symbols["word"], symbols["word"] + HIGH, 0x1004, USER_DATA, 0x4000, 0x1FFC]
    for stop in (symbols["supervisor"] + HIGH, user(symbols, "user")):
        for client in both:
            run_to(client, stop)
        for place in places:
            theirs, ours = (client.ask(f"m{place:x},4") for client in both)
            if stop < 0x8000 and place > 0x8000:
                assert theirs == "E14"  # QEMU asks the rights of U mode; we show the kernel's too
                assert ours != "E14"
            else:
                assert ours == theirs, hex(place)


def test_memory_that_two_pages_share_is_read_and_written(connect, machine, program):
    client = connect(machine)
    run_to(client, user(program[1], "user"))
    assert client.ask(f"M{USER_DATA - 2:x},4:01020304") == "OK"  # the first page is read-only
    assert client.ask(f"m{USER_DATA - 2:x},4") == "01020304"
    assert machine.read(program[1]["user_data"], 2) == b"\3\4"
    last = machine.read(program[1]["user_data"] + 0xFFC, 4)
    assert client.ask("m2ffc,8") == "E14"  # the second page is a device's
    assert client.ask("M2ffc,8:0102030405060708") == "E14"
    assert machine.read(program[1]["user_data"] + 0xFFC, 4) == last


def test_devices_behind_page_tables_are_not_read(connect, machine, program):
    client = connect(machine)
    run_to(client, user(program[1], "user"))
    assert client.ask("m3000,4") == "E14"


@pytest.mark.parametrize("kind", [2, 4])
def test_a_watchpoint_at_a_virtual_address_stops_before_the_store(both, program, kind):
    _, symbols = program
    for client in both:
        run_to(client, user(symbols, "again"))
        assert client.ask(f"Z{kind},{USER_DATA:x},8") == "OK"
    for _ in range(3):
        theirs, ours = (stop_of(client.ask("c")) for client in both)
        assert theirs == ours
        theirs, ours = (client.core() for client in both)
        assert theirs == ours
        assert ours[PC] == user(symbols, "user_store")
        assert both[0].ask(f"m{USER_DATA:x},8") == both[1].ask(f"m{USER_DATA:x},8")
        for client in both:
            client.ask(f"z{kind},{USER_DATA:x},8")
            client.ask("s")
            client.ask(f"Z{kind},{USER_DATA:x},8")


def test_undoing_a_watched_store_takes_the_dirty_bit_back(connect, machine, program):
    client, leaf = connect(machine), program[1]["leaves"] + 8 * 2
    run_to(client, user(program[1], "user_store"))
    before = machine.snapshot().digest
    assert machine.read(leaf, 1) == b"\x57"
    client.ask(f"Z2,{USER_DATA:x},8")
    assert "watch" in stop_of(client.ask("c"))[2]
    if machine.engine_name == "interpreter":  # it translates before it asks who watches
        machine.write(leaf, b"\x57")
    assert machine.snapshot().digest == before
    client.ask(f"z2,{USER_DATA:x},8")
    client.ask("s")
    assert machine.read(leaf, 1) == b"\xd7"


def test_going_back_crosses_modes(connect, machine, program):
    client, symbols = connect(machine), program[1]
    run_to(client, user(symbols, "call"))
    states = []
    for _ in range(8):
        states.append((client.core(), client.register(PRIV)))
        client.ask("s")
    for state in reversed(states):
        client.ask("bs")
        assert (client.core(), client.register(PRIV)) == state
    client.ask(f"Z2,{USER_DATA:x},8")
    assert "watch" in stop_of(client.ask("bc"))[2]
    assert client.register(PC) == user(symbols, "call")
    client.ask(f"z2,{USER_DATA:x},8")
    client.ask(f"Z0,{symbols['store'] + HIGH:x},4")
    client.ask("bc")
    assert (client.register(PC), client.register(PRIV)) == (symbols["store"] + HIGH, 1)


def test_monitor_walks_to_a_user_page(connect, machine, program):
    client = connect(machine)
    run_to(client, user(program[1], "user"))
    reply = bytes.fromhex(client.ask("qRcmd," + b"walk 0x2000".hex())).decode()
    assert "level 0: entry 2" in reply
    assert f"physical {program[1]['user_data']:#x}, in a page of 4 KiB" in reply
    reply = bytes.fromhex(client.ask("qRcmd," + b"walk 0x5000".hex())).decode()
    assert "0x5000 is not mapped: V is 0" in reply
