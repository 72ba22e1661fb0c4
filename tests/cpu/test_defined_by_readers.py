"""Instructions that a reader defines: assembled, decoded, and the same in both machines.

Each program puts the new instruction behind others, in the middle of a chain of compiled code, and
on memory that compiled code has not met yet: what is fast in the middle of things is another path
than the first instruction of a run.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cpu.twins import FUZZ, RAM, ROM, Twins
from vtbook.cpu.layout import BUDGET, UNHANDLED
from vtbook.errors import VtbookError
from vtbook.isa import operations, rv64i
from vtbook.isa.definition import Extension, Instruction, instruction
from vtbook.isa.disassembler import disassemble
from vtbook.isa.instruction_set import InstructionSet
from vtbook.isa.operations import (
    branch,
    illegal,
    jump,
    load64,
    raise_trap,
    select,
    srl,
    store32,
    store64,
    wrap,
)
from vtbook.isa.sets import RV64GC, RV64IM


@instruction("mac rd, rs1, rs2", "0000000 rs2 rs1 000 rd 0001011")
def mac(h, d):
    """Multiply and accumulate: reads what it writes."""
    h.x[d.rd] = h.x[d.rd] + h.x[d.rs1] * h.x[d.rs2]


def rotated(value, count):
    """A helper on values."""
    return (value << (count & 63)) | srl(value, -count & 63)


def put(h, d, value):
    """A helper on hart and operands: compiled code must see what it does with them."""
    h.x[d.rd] = h.x[d.rd] ^ value
    return d.size


@instruction("rolx rd, rs1, rs2", "0000001 rs2 rs1 000 rd 0001011")
def rolx(h, d):
    """Helpers: rotate, exclusive or into rd, add the size to rs1."""
    size = put(h, d, rotated(h.x[d.rs1], h.x[d.rs2]))
    h.x[d.rs1] = h.x[d.rs1] + size


@instruction("brev8 rd, rs1", "0000010 00000 rs1 000 rd 0001011")
def brev8(h, d):
    """A loop: reverse the low eight bits."""
    value = h.x[d.rs1]
    result = 0
    for n in range(8):
        result = result | (((value >> n) & 1) << (7 - n))
    h.x[d.rd] = result


@instruction("popc rd, rs1", "0000011 00000 rs1 000 rd 0001011")
def popc(h, d):
    """A loop that is as long as its value has ones."""
    left, count = h.x[d.rs1], 0
    while left != 0:
        left = left & wrap(left - 1)
        count += 1
    h.x[d.rd] = count


@instruction("push2 rs1, rs2", "0000100 rs2 rs1 000 00000 0001011")
def push2(h, d):
    """Two stores below the stack pointer, which moves when both are done."""
    top = h.x[2]
    store64(h, top - 8, h.x[d.rs1])
    store32(h, top - 16, h.x[d.rs2])
    h.x[2] = top - 16


@instruction("absd rd, rs1, rs2", "0000101 rs2 rs1 000 rd 0001011")
def absd(h, d):
    """An if on a value."""
    a, b = h.x[d.rs1], h.x[d.rs2]
    if a < b:
        h.x[d.rd] = b - a
    else:
        h.x[d.rd] = a - b


@instruction("skipn rs1, imm", "imm[11:0] rs1 001 00000 0001011")
def skipn(h, d):
    """A branch whose distance is computed from an operand and a register."""
    branch(h, h.x[d.rs1] != 0, 2 * d.imm + (h.x[d.rs1] & 4))


@instruction("lpre rd, rs1", "0000110 00000 rs1 000 rd 0001011")
def lpre(h, d):
    """Add 8, then load there: changes a register before memory answers."""
    h.x[d.rs1] = h.x[d.rs1] + 8
    h.x[d.rd] = load64(h, h.x[d.rs1])


@instruction("ldadd rd, rs1, rs2", "0000111 rs2 rs1 000 rd 0001011")
def ldadd(h, d):
    """Load, add, store, with the operations called by their module's name."""
    address = h.x[d.rs1]
    old = operations.load64(h, address)
    operations.store64(h, address, old + h.x[d.rs2])
    h.x[d.rd] = old


@instruction("bound rs1, rs2", "0001000 rs2 rs1 000 00000 0001011")
def bound(h, d):
    """Trap by itself, after it has counted in x9."""
    h.x[9] = h.x[9] + 1
    if h.x[d.rs1] >= h.x[d.rs2]:
        raise_trap(h, 24, h.x[d.rs1])


@instruction("privd rd", "0001001 00000 00000 000 rd 0001011")
def privd(h, d):
    """Return early or trap: the code goes on although it ends in a trap."""
    if h.mode == 3:
        h.x[d.rd] = h.instret
        return
    illegal(h)


@instruction("callt rd, rs1", "0001010 00000 rs1 000 rd 0001011")
def callt(h, d):
    """Jump to what memory says, and link."""
    target = load64(h, h.x[d.rs1]) & ~1
    h.x[d.rd] = h.pc + d.size
    jump(h, target)


@instruction("upu rd, uimm[31:12]", "uimm[31:12] rd 0101011")
def upu(h, d):
    """An unsigned operand of 32 bits."""
    h.x[d.rd] = h.x[d.rd] + (d.uimm >> 3)


# As in a notebook whose cells have no file: no source can be found for these.
_CELL = '''
BITS = 13

def twisted(value):
    return srl(value, BITS) ^ value

@instruction("nosrc rd, rs1, imm", "imm[11:5] 00000 rs1 010 rd 0001011")
def nosrc(h, d):
    """Everything that traits look for, and no source to find it in."""
    h.x[d.rd] = twisted(h.x[d.rs1]) + h.pc + d.size
    branch(h, h.x[d.rd] & 1 == 0, 8)

@instruction("nosrcst rs1, rs2", "0001011 rs2 rs1 000 00000 0001011")
def nosrcst(h, d):
    h.x[d.rs1] = h.x[d.rs1] + 8
    store64(h, h.x[d.rs1], h.x[d.rs2] + h.instret)
'''
_cell = {n: globals()[n] for n in ("instruction", "srl", "branch", "store64")}
exec(_CELL.replace("imm[11:5] 00000", "imm[11:0]"), _cell)

NEW: list[Instruction] = [
    *(mac, rolx, brev8, popc, push2, absd, skipn, lpre, ldadd, bound, privd, callt, upu),
    _cell["nosrc"],
    _cell["nosrcst"],
]


@pytest.fixture(scope="module")
def twins() -> Twins:
    title = "defined by the reader"
    return Twins(RV64GC + Extension("Xreader", title, tuple(NEW)))


DEVICE = 0x1000_0000

#: Programs by the instruction that they are about. t0 points to fresh memory, a1 and a2 are given.
PROGRAMS = {
    "mac": "mac a0, a1, a2; mac a0, a0, a0; mac zero, a1, a2; add a3, zero, zero",
    "rolx": "rolx a0, a1, a2; rolx zero, a2, a1; rolx a1, a1, a1; add a3, zero, a0",
    "brev8": "brev8 a0, a1; brev8 zero, a2; brev8 a1, a1",
    "popc": "popc a0, a1; popc zero, a2; popc a2, a2",
    "push2": "push2 a1, a2; push2 a2, zero; push2 sp, sp",
    "absd": "absd a0, a1, a2; absd a1, a2, a1; absd zero, a0, a1",
    "skipn": "skipn a1, 4; li a3, 1; nop; skipn a2, 8; nop; nop; nop; nop; nop; li a4, 2",
    "lpre": "lpre a0, t0; lpre a1, t0; lpre t0, t0",
    "ldadd": "ldadd a0, t0, a1; ldadd a1, t0, a2; ldadd zero, t0, a2; ld a3, 0(t0)",
    "bound": "nop; bound a1, a2; nop; bound a2, a1",
    "privd": "nop; privd a0; nop; privd a1; li a2, 1",
    "callt": "sd t1, 0(t0); nop; callt a0, t0; callt a1, t0; li a2, 1",
    "upu": "upu a0, 1; upu a0, 0xfffff; upu zero, 1",
    "nosrc": "nosrc a0, a1, 0; nop; nop; nosrc a0, a2, 0; nop; nop; nop; nosrc zero, a1, 4",
    "nosrcst": "nop; nosrcst t0, a1; nosrcst t0, a2; nosrcst zero, a1",
}
VALUES = st.one_of(
    st.sampled_from((0, 1, -1, 2, 4, 7, 1 << 31, -(1 << 31), (1 << 63) - 1, -(1 << 63))),
    st.integers(-(1 << 63), (1 << 63) - 1),
)


def program(name: str) -> str:
    return ".option norvc\n" + PROGRAMS[name].replace("; ", "\n") + "\nnop\nnop\n"


def test_every_definition_has_a_program() -> None:
    assert {item.name for item in NEW} == set(PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_definition_does_the_same_in_a_chain_and_alone(twins: Twins, name: str) -> None:
    @settings(
        max_examples=15 * FUZZ,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        a1=VALUES,
        a2=VALUES,
        t0=st.sampled_from((RAM + 0x2000, RAM + 0x2FFC, ROM - 8, ROM, 0, -8)),
        mode=st.sampled_from((3, 3, 0)),
        budgets=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    )
    def check(a1, a2, t0, mode, budgets):
        fields = {"x2": t0, "x5": t0, "x6": RAM + 20, "x11": a1, "x12": a2, "mode": mode}
        twins.reset(program(name), **fields)
        for budget in budgets:
            if twins.run(budget).reason == UNHANDLED:
                break

    check()


@pytest.mark.parametrize("item", NEW, ids=lambda item: item.name)
def test_a_definition_is_decoded_and_written_as_it_was_assembled(
    twins: Twins, item: Instruction
) -> None:
    twins.reset(program(item.name))
    words = twins.memory[0][0][:80].view("<u4").tolist()
    found = [d for d in map(twins.isa.decode, words) if d and d.instruction.name == item.name]
    assert len(found) >= 2
    for decoded in found:
        text = disassemble(decoded.word, RAM, isa=twins.isa)
        twins.write(RAM, f".option norvc\n{text}\n")
        assert twins.memory[0][0][:4].view("<u4")[0] == decoded.word, text


def test_results_are_those_of_the_definitions(twins: Twins) -> None:
    """Both machines could be wrong together: a few results by hand."""
    twins.reset(program("brev8"), x11=0b1101)
    twins.run(1)
    assert twins.x[10] == 0b10110000
    twins.reset(program("mac"), x10=5, x11=6, x12=7)
    twins.run(2)
    assert twins.x[10] == 47 + 47 * 47
    twins.reset(program("lpre"), x5=RAM + 0x1000)
    twins.write(RAM + 0x1008, (1234).to_bytes(8, "little"))
    twins.run(1)
    assert (twins.x[10], twins.x[5]) == (1234, RAM + 0x1008)
    twins.reset(program("privd"))
    twins.run(5)
    assert (twins.x[10], twins.x[11]) == (1, 3)
    twins.reset(program("bound"), x11=3, x12=4)
    stop = twins.run(9)
    assert (stop.executed, stop.trap.cause, stop.trap.value) == (3, 24, 4)
    assert twins.x[9] == 2


class Ports:
    """A device of 64 bytes at DEVICE that notes what is done to it."""

    def __init__(self) -> None:
        self.log: list[tuple[int, ...]] = []

    def _check(self, address: int, size: int) -> None:
        if not DEVICE <= address <= DEVICE + 64 - size:
            raise LookupError(address)

    def read(self, address: int, size: int) -> int:
        self._check(address, size)
        self.log.append((address, size))
        return 0x0123_4567_89AB_CDEF & ((1 << 8 * size) - 1)

    def write(self, address: int, size: int, value: int) -> None:
        self._check(address, size)
        self.log.append((address, size, value))


@pytest.mark.parametrize("name", ["lpre", "nosrcst", "push2", "ldadd", "callt"])
@pytest.mark.parametrize("start", [0, 8, 40, 52, 64])
def test_a_definition_that_meets_a_device_happens_once(twins: Twins, name: str, start: int) -> None:
    """Plain Python does it then, from its start: nothing that compiled code began may remain."""
    ports = [Ports(), Ports()]
    for hart, own in zip(twins.harts, ports, strict=True):
        hart.bus = own
        if not hart.device_count:
            hart.map_device(DEVICE, DEVICE + 64)
    try:
        fields = {f"x{n}": DEVICE + start for n in (2, 5)}
        twins.reset(program(name), **fields, x6=RAM + 20, x11=7, x12=9)
        twins.run(6)
        assert ports[0].log == ports[1].log
        assert ports[1].log or start != 40
    finally:
        for hart in twins.harts:
            hart.bus = None


# --- definitions that are changed ----------------------------------------------------------------


def small_set(*changed: Instruction) -> InstructionSet:
    """A few base instructions, which compile in no time, some of them changed."""
    names = ("addi", "add", "jal", "jalr", "bne", "slli", "ld", "sd", "lui")
    table = {item.name: item for item in changed}
    by_name = {i.name: i for i in rv64i.RV64I.instructions}
    members = tuple(table.get(n, by_name[n]) for n in names)
    return InstructionSet([Extension("small", "a few", members)])


def test_a_changed_instruction_that_traps_after_a_write_does_not_write_twice() -> None:
    """add with itself is a pair that compiled code runs as one."""

    @instruction("add rd, rs1, rs2", "0000000 rs2 rs1 000 rd 0110011")
    def trapping(h, d):
        """Add, and trap on a negative sum."""
        total = wrap(h.x[d.rs1] + h.x[d.rs2])
        h.x[d.rd] = total
        if total < 0:
            raise_trap(h, 24, total)

    twins = Twins(small_set(trapping))
    for first, second in ((5, -20), (5, -3), (20, -8)):
        twins.reset("add a0, a0, a1\nadd a0, a0, a1\nadd a0, a0, a1\n", x10=first, x11=second)
        twins.run(3)


def test_a_changed_instruction_that_jumps_after_a_write_does_not_write_twice() -> None:
    @instruction("add rd, rs1, rs2", "0000000 rs2 rs1 000 rd 0110011")
    def jumping(h, d):
        """Add, and skip an instruction where the sum is negative."""
        total = wrap(h.x[d.rs1] + h.x[d.rs2])
        h.x[d.rd] = total
        branch(h, total < 0, 8)

    twins = Twins(small_set(jumping))
    for first, second in ((5, -20), (5, -3), (20, -8)):
        code = "add a0, a0, a1\nadd a0, a0, a1\nadd a0, a0, a1\naddi a2, a2, 1\naddi a2, a2, 2\n"
        twins.reset(code, x10=first, x11=second)
        twins.run(4)


def test_an_instruction_that_is_left_out_is_illegal_in_both_machines() -> None:
    twins = Twins(RV64GC.without("mul", "c.add"))
    for word, size in ((0x02B50533, 4), (0x952E, 2)):
        twins.reset(b"\x01\x00" + word.to_bytes(size, "little"))
        stop = twins.run(2)
        assert (stop.reason, stop.executed, stop.trap.cause) == (UNHANDLED, 1, 2)
        assert stop.trap.value == word


def test_a_flawed_instruction_stays_flawed_when_it_is_compiled() -> None:
    """A sensitive instruction that does nothing in user mode, as on the Pentium."""

    @instruction("mret", "0011000 00010 00000 000 00000 1110011")
    def flawed(h, d):
        """Return from a trap; outside M mode nothing happens."""
        if h.mode == 3:
            h.mode = select((h.mstatus >> 11) & 3 == 3, 3, 0)
            jump(h, h.mepc)

    for isa, reason in ((RV64GC.replace(flawed), BUDGET), (RV64GC, UNHANDLED)):
        twins = Twins(isa)
        twins.reset("nop\nmret\nnop\n", mode=0, mepc=RAM + 64)
        assert twins.run(3).reason == reason


def test_an_operand_of_more_than_32_bits_is_refused_by_the_compiler() -> None:
    @instruction("upper rd, uimm[51:32]", "uimm[51:32] rd 0101011")
    def upper(h, d):
        h.x[d.rd] = d.uimm

    with pytest.raises(VtbookError, match=r"uimm .*32 bits"):
        Twins(small_set() + upper)


# --- targets without compressed instructions -----------------------------------------------------


@pytest.fixture(scope="module")
def wide_twins() -> Twins:
    return Twins(RV64IM)


BEFORE = ".option norvc\nnop\n"


@pytest.mark.parametrize(
    ("code", "target"),
    [
        (".word 0x006000ef", RAM + 10),  # jal ra, .+6
        (".word 0x7fe000ef", RAM + 4 + 0x7FE),  # jal ra, .+0x7fe: in the same page
        (".word 0x002010ef", RAM + 4 + 0x1002),  # jal ra, .+0x1002: in the next page
        ("jalr ra, 6(a0)", RAM + 6),
        ("jalr a0, 2(a0)", RAM + 2),
        (".word 0x00b51363", RAM + 10),  # bne a0, a1, .+6
        (".word 0xfeb51fe3", RAM + 4 - 2),  # bne a0, a1, .-2
    ],
)
def test_a_misaligned_target_traps_at_the_jump(wide_twins: Twins, code: str, target: int) -> None:
    """Cause 0, tval is the target, mepc the jump (privileged spec 3.1.15, unprivileged 2.5)."""
    wide_twins.reset(BEFORE + code + "\n", x10=RAM, x1=77, mtvec=RAM + 0x100)
    wide_twins.run(2)
    hart = wide_twins.harts[1]
    assert (hart.mcause, hart.mtval, hart.mepc) == (0, target, RAM + 4)
    assert (hart.x[1], hart.x[10]) == (77, RAM)  # no link was written


def test_a_branch_that_is_not_taken_may_have_a_misaligned_target(wide_twins: Twins) -> None:
    wide_twins.reset(BEFORE + ".word 0x00b51363\n.word 0xfeb51fe3\nnop\n", x10=1, x11=1)
    stop = wide_twins.run(4)
    assert (stop.reason, stop.executed) == (BUDGET, 4)


def test_an_address_to_return_to_is_aligned_where_instructions_are(wide_twins: Twins) -> None:
    """Without compressed instructions the two low bits of mepc are always zero (3.1.14)."""
    wide_twins.reset("csrw mepc, a0\ncsrr a1, mepc\n", x10=RAM + 0x17)
    wide_twins.run(2)
    assert wide_twins.x[11] == RAM + 0x14
