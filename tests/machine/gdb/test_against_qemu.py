"""The same conversation with QEMU's stub and with ours, about the same program."""

import shutil
from itertools import pairwise

import pytest

from tests.machine.gdb.rsp import Qemu, stop_of
from vtbook.isa.assembler import assemble
from vtbook.machine import Machine, Segment, write_elf

PROGRAM = """
.globl _start
_start: la t0, handler
        csrw mtvec, t0
        li t0, 3 << 13
        csrs mstatus, t0
        la s0, data
        li s1, 0x10000000
        li s2, 5
        fcvt.d.w fa0, s2
loop:   fmul.d fa1, fa0, fa0
        fdiv.d fa2, fa1, fa0
        fsqrt.d fa3, fa1
        fcvt.w.d a0, fa3
        sd a0, (s0)
store:  amoadd.d a1, s2, (s0)
load:   ld a2, (s0)
        mul a3, a2, a1
        rem a4, a3, s2
        fsd fa2, 16(s0)
        lwu a5, 20(s0)
        sb a4, (s1)
        ecall
        ebreak
        unimp
        lr.d a6, (s0)
        sc.d a7, s2, (s0)
        addi s2, s2, -1
        fadd.d fa0, fa0, fa1
        bnez s2, loop
        csrr t1, fcsr
        csrr t2, mscratch
end:    j end
.balign 4
handler:
        csrr t3, mcause
        csrr t4, mepc
        lhu t5, (t4)
        andi t5, t5, 3
        addi t4, t4, 2
        addi t5, t5, -3
        bnez t5, 1f
        addi t4, t4, 2
1:      csrw mepc, t4
        csrrw t6, mscratch, t3
        mret
.balign 4096
data:   .dword 0, 0, 0, 0
"""
DATA = 0x8000_1000
STEPS = 500
CSRS = ("mcause", "mepc", "mtvec", "mscratch", "mhartid", "mie")
UXL_AND_SXL = 0xF << 32  # QEMU's hart has S mode as well


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The program as an ELF file, and assembled."""
    assembled = assemble(PROGRAM)
    path = tmp_path_factory.mktemp("qemu") / "program.elf"
    segments = [Segment(one.address, one.data) for one in assembled.sections if one.data]
    path.write_bytes(write_elf(segments, assembled.entry, assembled.symbols))
    return path, assembled


@pytest.fixture
def qemu(program):
    """QEMU's stub, at the program's first instruction."""
    found = shutil.which("qemu-system-riscv64")
    if found is None:
        pytest.skip("qemu-system-riscv64 missing")
    path, assembled = program
    with Qemu(path, found) as client:
        client.ask("qSupported:swbreak+;hwbreak+")
        client.ask("qXfer:features:read:target.xml:0,ffb")
        client.ask(f"Z0,{assembled.entry:x},4")
        client.ask("c")
        client.ask(f"z0,{assembled.entry:x},4")
        yield client


@pytest.fixture
def ours(program, connect):
    """Our stub, with the same program."""
    machine = Machine("128 MiB", "python")
    machine.load(program[0])
    client = connect(machine)
    client.ask("qSupported:swbreak+;hwbreak+")
    return client


@pytest.fixture
def both(qemu, ours):
    """Both, with the registers of both the same."""
    start = ours.ask("g")
    assert qemu.ask("G" + start) == "OK"
    assert qemu.ask("g") == start
    return qemu, ours


def numbers(client):
    """Numbers of all registers by name."""
    features = client.features()
    return {name: n for registers in features.values() for n, name, _ in registers}


def test_every_step_leads_to_the_same_registers(both, program):
    theirs, ours = both
    seen = []
    for step in range(STEPS):
        states = [client.core() for client in both]
        assert states[0] == states[1], f"after {step} steps"
        seen.append(states[1][32])
        assert [stop_of(client.ask("s")) for client in both] == [("T", 5, {"thread": "01"})] * 2
    assert seen[-1] == program[1].symbols["end"]  # the whole program was compared
    assert sum(after not in (before + 2, before + 4) for before, after in pairwise(seen)) > 30
    for n in range(33, 65):
        assert ours.register(n) == theirs.register(n), f"f{n - 33}"


def test_csrs_are_the_same_after_traps(both, program):
    end = program[1].symbols["end"]
    for client in both:
        client.ask(f"Z1,{end:x},4")
        client.ask("c")
    theirs, ours = ([client, numbers(client)] for client in both)
    for name in CSRS:
        values = [client.register(named[name]) for client, named in (theirs, ours)]
        assert values[0] == values[1], name
    status = [client.register(named["mstatus"]) & ~UXL_AND_SXL for client, named in (theirs, ours)]
    assert status[0] == status[1]
    assert [client.register(named["priv"]) for client, named in (theirs, ours)] == [3, 3]


def test_the_descriptions_agree_on_what_both_have(both):
    theirs, ours = (client.features() for client in both)
    assert ours["org.gnu.gdb.riscv.cpu"] == theirs["org.gnu.gdb.riscv.cpu"]
    assert ours["org.gnu.gdb.riscv.fpu"][:32] == theirs["org.gnu.gdb.riscv.fpu"][:32]
    assert ours.keys() == theirs.keys()
    csrs = [{name for _, name, _ in one["org.gnu.gdb.riscv.csr"]} for one in (theirs, ours)]
    assert {"mstatus", "mtvec", "mepc", "mcause", "mtval", "mscratch"} <= csrs[0] & csrs[1]


@pytest.mark.parametrize("kind", [0, 1])
def test_breakpoints_stop_at_the_same_moment(both, program, kind):
    where = program[1].symbols["load"]
    for client in both:
        assert client.ask(f"Z{kind},{where:x},4") == "OK"
    for _ in range(3):
        assert [stop_of(client.ask("c"))[1] for client in both] == [5, 5]
        theirs, ours = (client.core() for client in both)
        assert theirs == ours
        assert ours[32] == where
        for client in both:
            client.ask(f"z{kind},{where:x},4")
            client.ask("s")
            client.ask(f"Z{kind},{where:x},4")


@pytest.mark.parametrize(("kind", "where", "size"), [(2, 0, 8), (2, 4, 1), (4, 16, 4), (3, 20, 2)])
def test_watchpoints_stop_before_the_same_instruction(both, kind, where, size):
    watched = f"{kind},{DATA + where:x},{size:x}"
    for client in both:
        assert client.ask(f"Z{watched}") == "OK"
    for _ in range(4):
        theirs, ours = (stop_of(client.ask("c")) for client in both)
        assert theirs == ours
        theirs, ours = (client.core() for client in both)
        assert theirs == ours
        assert both[0].ask(f"m{DATA:x},20") == both[1].ask(f"m{DATA:x},20")
        for client in both:
            client.ask(f"z{watched}")
            client.ask("s")
            client.ask(f"Z{watched}")


@pytest.mark.parametrize(
    "packet",
    [
        *("g", "qC", "qAttached", "qfThreadInfo", "qsThreadInfo", "Hg1", "Hg0", "Hc-1", "T1", "T2"),
        *("vMustReplyEmpty", "qFoo", "Z9,0,1", "m80000000,40", "m0,4", "p20", "p2b", "m80001000,8"),
        *("M80001000,4:01020304", "P5=0102030405060708", "z0,80000000,4", "Z8,0,1"),
        *("qXfer:features:read:no.xml:0,10", "P21=0000000000000840", "Z0,80000000,2"),
    ],
)
def test_answers_are_the_same(both, packet):
    assert both[1].ask(packet) == both[0].ask(packet)
