"""Instructions that a reader adds: one definition, and all engines run it alike.

Among them are definitions that cannot be traced, which intermediate code calls as helpers.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.translator.engines import CODE, DATA, END, HANDLER, Trio
from vtbook.isa.definition import Instruction, instruction
from vtbook.isa.operations import (
    branch,
    csr_read,
    illegal,
    jump,
    load64,
    raise_trap,
    select,
    srl,
    store64,
    ult,
    wrap,
)
from vtbook.isa.sets import RV64GC
from vtbook.translator.lift import lift_report


@instruction("mac rd, rs1, rs2", "0000000 rs2 rs1 000 rd 0001011")
def mac(h, d):
    """Multiply and accumulate: reads what it writes."""
    h.x[d.rd] = h.x[d.rd] + h.x[d.rs1] * h.x[d.rs2]


@instruction("collatz rd, rs1", "0000001 00000 rs1 000 rd 0001011")
def collatz(h, d):
    """An if on data, both ways go on."""
    n = h.x[d.rs1]
    if n & 1:
        h.x[d.rd] = 3 * n + 1
    else:
        h.x[d.rd] = srl(n, 1)


@instruction("clamp rd, rs1, rs2", "0000010 rs2 rs1 000 rd 0001011")
def clamp(h, d):
    """Decisions inside decisions, and Python's ``and``, ``or``, ``not``."""
    a, b = h.x[d.rs1], h.x[d.rs2]
    result = a
    if a < 0 and not b < 0:
        result = -b
    elif a > b or a == 5:
        result = b
    h.x[d.rd] = result


@instruction("bfar rs1, rs2, imm", "imm[11:5] rs2 rs1 001 imm[4:0] 0001011")
def bfar(h, d):
    """A conditional branch whose distance is computed."""
    branch(h, h.x[d.rs1] != 0, (h.x[d.rs2] & 62) + d.imm * 2)


@instruction("bthree rs1, imm", "imm[11:0] rs1 010 00000 0001011")
def bthree(h, d):
    """Three ways on: a branch in each arm of an if."""
    if h.x[d.rs1] < 0:
        branch(h, True, 4 * d.imm)
    else:
        branch(h, h.x[d.rs1] == 0, 8)


@instruction("jtable rd, rs1", "0000011 00000 rs1 000 rd 0001011")
def jtable(h, d):
    """Load where to go, and link."""
    target = load64(h, h.x[d.rs1]) & ~1
    h.x[d.rd] = h.pc + d.size
    jump(h, target)


@instruction("popcount rd, rs1", "0000100 00000 rs1 000 rd 0001011")
def popcount(h, d):
    """A loop on data: it cannot be traced."""
    left = h.x[d.rs1]
    count = 0
    while left != 0:
        left = left & wrap(left - 1)
        count += 1
    h.x[d.rd] = count


@instruction("rev8 rd, rs1", "0000101 00000 rs1 000 rd 0001011")
def rev8(h, d):
    """A loop whose length is known: it is traced, unrolled."""
    value = h.x[d.rs1]
    result = 0
    for n in range(8):
        result = result | ((srl(value, 8 * n) & 0xFF) << (56 - 8 * n))
    h.x[d.rd] = result


@instruction("bounded rd, rs1, rs2", "0000110 rs2 rs1 000 rd 0001011")
def bounded(h, d):
    """A load that traps by itself where the address is past a bound."""
    address = h.x[d.rs1]
    if ult(h.x[d.rs2], address):
        raise_trap(h, 24, address)
    h.x[d.rd] = load64(h, address)


@instruction("swap rs1, rs2", "0000111 rs2 rs1 000 00000 0001011")
def swap(h, d):
    """Two accesses: a fault in the second comes after the first has happened."""
    a, b = h.x[d.rs1], h.x[d.rs2]
    first = load64(h, a)
    store64(h, a, h.x[d.rs2])
    store64(h, b, first)
    h.x[d.rs1] = first


def secret(h, number):
    """A plain function that definitions share."""
    if h.mode != 3 and number != 0:
        illegal(h)
    return select(h.mode == 3, h.mscratch, 0) + number


@instruction("peek rd, rs1", "0001000 00000 rs1 000 rd 0001011")
def peek(h, d):
    """A function called on data, a CSR, and a field of the hart."""
    h.x[d.rd] = secret(h, h.x[d.rs1] & 1) ^ csr_read(h, 0x340)


@instruction("lessbits rd, rs1, rs2", "0001001 rs2 rs1 000 rd 0001011")
def lessbits(h, d):
    """Truth values in arithmetic."""
    a, b = h.x[d.rs1], h.x[d.rs2]
    h.x[d.rd] = select((a < b) & (b > 0), 2, 0) + select((a == b) | (a != 3), 1, 0) + abs(a // 7)


@instruction("spin rs1", "0001010 00000 rs1 000 00000 0001011")
def spin(h, d):
    """A helper that branches back: it counts a register down by itself."""
    left = h.x[d.rs1]
    for _ in range(left & 3):
        left = wrap(left - 1)
    h.x[d.rs1] = left
    branch(h, left > 0, -8)


NEW: list[Instruction] = [
    *(
        mac,
        collatz,
        clamp,
        bfar,
        bthree,
        jtable,
        popcount,
        rev8,
        bounded,
        swap,
        peek,
        lessbits,
        spin,
    )
]
UNTRACEABLE = {"popcount": "loop on data", "spin": "a range"}


@pytest.fixture(scope="module")
def trio() -> Trio:
    isa = RV64GC
    for item in NEW:
        isa = isa + item
    return Trio(isa)


NUMBERS = st.one_of(
    st.sampled_from((0, 1, -1, 2, 3, 5, 7, -(1 << 63), (1 << 63) - 1)),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.sampled_from((DATA, DATA + 64, DATA + 0xFFD, END - 7, END, CODE + 0x200)),
)
REGISTERS = st.sampled_from((0, 8, 9, 10))


@pytest.mark.parametrize("name", [item.name for item in NEW])
def test_a_new_instruction_is_the_same_in_all_engines(trio: Trio, name: str) -> None:
    encoding = trio.isa[name].encoding

    @settings(
        max_examples=80,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        rd=REGISTERS,
        rs1=REGISTERS,
        rs2=REGISTERS,
        imm=st.integers(-64, 64),
        values=st.tuples(NUMBERS, NUMBERS, NUMBERS),
        mode=st.sampled_from((0, 3)),
        trap_exits=st.booleans(),
    )
    def check(rd, rs1, rs2, imm, values, mode, trap_exits):
        trio.reset(CODE + 0x200, trap_exits)
        given_fields = {"rd": rd, "rs1": rs1, "rs2": rs2, "imm": imm}
        fields = {f.name: given_fields[f.name] for f in encoding.fields}
        trio.write(CODE + 0x200, [encoding.encode(fields), 0x13, 0x13])
        trio.set(x8=values[0], x9=values[1], x10=values[2], mode=mode, mscratch=1234)
        for _ in range(3):
            trio.run(1)

    check()


def test_only_what_depends_on_data_becomes_a_helper(trio: Trio) -> None:
    reports = {r.instruction.name: r for r in lift_report(trio.isa)}
    assert {name for name, r in reports.items() if not r.traced} == set(UNTRACEABLE)
    for name, reason in UNTRACEABLE.items():
        assert reason in reports[name].reason
        assert reason in str(reports[name])


def test_a_changed_instruction_replaces_the_old_one_in_all_engines() -> None:
    @instruction("add rd, rs1, rs2", "0000000 rs2 rs1 000 rd 0110011")
    def saturating(h, d):
        """Add, and stay at the largest number instead of wrapping."""
        a, b = h.x[d.rs1], h.x[d.rs2]
        total = wrap(a + b)
        over = (a > 0) & (b > 0) & (total < 0)
        h.x[d.rd] = select(over, (1 << 63) - 1, total)

    trio = Trio(RV64GC.replace(saturating))
    trio.reset(CODE)
    trio.set(x8=(1 << 63) - 2, x9=5)
    trio.write(CODE, [0x00940533, 0x9426])  # add a0, s0, s1; c.add s0, s1
    trio.run(2)
    assert trio.harts["ir"].x[10] == trio.harts["ir"].x[8] == (1 << 63) - 1


def test_a_sensitive_instruction_that_does_nothing_in_user_mode_is_flawed_everywhere() -> None:
    @instruction("mret", "0011000 00010 00000 000 00000 1110011")
    def flawed(h, d):
        """Return from a trap, but only in M mode; elsewhere silently nothing."""
        if h.mode == 3:
            h.mode = (h.mstatus >> 11) & 3
            jump(h, h.mepc)

    trio = Trio(RV64GC.replace(flawed))
    for mode, pc in ((3, HANDLER), (0, CODE + 4)):
        trio.reset(CODE)
        trio.write(CODE, [0x30200073])
        trio.set(mode=mode, mepc=HANDLER)
        trio.run(1)
        assert trio.harts["ir"].pc == pc
