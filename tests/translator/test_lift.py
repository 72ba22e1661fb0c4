"""The lifter: what is traced, how decisions are joined, where blocks end."""

from __future__ import annotations

import numpy as np
import pytest

from vtbook.cpu.hart import Hart
from vtbook.cpu.interpreter import Stop
from vtbook.cpu.layout import BREAKPOINTS, BUDGET
from vtbook.cpu.traps import Trap as GuestTrap
from vtbook.errors import VtbookError
from vtbook.isa.assembler import assemble
from vtbook.isa.definition import Instruction, instruction
from vtbook.isa.operations import branch, illegal, jump, load32, raise_trap, select, set_word, word
from vtbook.isa.sets import RV64GC
from vtbook.translator.engine import IrEngine
from vtbook.translator.ir import Get, Helper, If, IrError, Mark, Put, walk
from vtbook.translator.lift import lift, lift_block, lift_report, lift_sequence, trace
from vtbook.translator.symbols import Untraceable
from vtbook.translator.validate import validate

BASE = 0x8000_0000


def made_of(body, syntax: str = "op rd, rs1, rs2") -> Instruction:
    """An instruction with this meaning."""
    return instruction(syntax, "0000000 rs2 rs1 000 rd 0001011")(body)


def traced(body, rd: int = 1, rs1: int = 2, rs2: int = 3) -> list[str]:
    """The lines that a definition is traced to."""
    item = made_of(body)
    ops = trace(item, item.operands(rd=rd, rs1=rs1, rs2=rs2, size=4), 0x1234)
    return "\n".join(str(op) for op in ops).split("\n")


def reason(body) -> str:
    """Why a definition cannot be traced."""
    with pytest.raises(Untraceable) as caught:
        traced(body)
    return str(caught.value)


def hart_with(source: str) -> Hart:
    hart = Hart(RV64GC)
    memory = np.zeros(0x1000, np.uint8)
    raw = bytes(assemble(source, origin=BASE))
    memory[: len(raw)] = np.frombuffer(raw, np.uint8)
    hart.map_memory(BASE, memory)
    hart.pc = BASE
    return hart


# --- what is traced ------------------------------------------------------------------------------


def test_every_instruction_of_rv64gc_is_traced() -> None:
    helpers = {r.instruction.name: r.reason for r in lift_report(RV64GC) if not r.traced}
    assert helpers == {}


def test_x0_reads_as_a_constant_and_its_writes_are_dropped() -> None:
    def add(h, d):
        h.x[d.rd] = h.x[d.rs1] + h.x[d.rs2]

    assert traced(add, rd=0, rs1=0) == ["t0 = get x3", "t1 = add 0, t0"]
    assert traced(add, rs1=0, rs2=0) == ["put x1, 0"]


def test_a_load_into_x0_still_happens() -> None:
    decoded = RV64GC.decode(0x0005A003)  # lw zero, 0(a1)
    assert "load32" in str(lift(decoded))


def test_conditions_on_operands_are_ordinary_python() -> None:
    def f(h, d):
        if d.rd != 0 and d.rs1 in (2, 4):
            h.x[d.rd] = d.rs1 << 2

    assert traced(f) == ["put x1, 8"]
    assert traced(f, rs1=5) == [""]


def test_an_arm_that_traps_is_a_side_exit() -> None:
    def f(h, d):
        if h.mode == 0:
            illegal(h)
        h.x[d.rd] = 1

    assert traced(f)[2:] == ["if t1:", "    trap 2, 0x1234", "put x1, 1"]


def test_when_the_other_arm_traps_the_condition_is_turned() -> None:
    def f(h, d):
        if h.mode == 3:
            h.x[d.rd] = 1
        else:
            raise_trap(h, 2, 0)

    assert traced(f)[2:] == ["if not t1:", "    trap 2, 0", "put x1, 1"]


def test_arms_that_both_go_on_are_joined_and_share_their_end() -> None:
    def f(h, d):
        a = h.x[d.rs1]
        if a == 0:
            h.x[d.rd] = 7
            h.x[5] = a
        else:
            h.x[5] = a
        h.mscratch = 3

    assert traced(f) == [
        "t0 = get x2",
        "t1 = eq t0, 0",
        "if t1:",
        "    put x1, 7",
        "put x5, t0",
        "put mscratch, 3",
    ]


def test_the_same_question_is_asked_once() -> None:
    def f(h, d):
        less = h.x[d.rs1] < 0
        if less:
            h.x[1] = 1
        if less:
            h.x[2] = 2

    item = made_of(f)
    ops = trace(item, item.operands(rd=1, rs1=2, rs2=3, size=4), 0)
    assert sum(isinstance(op, If) for op in walk(ops)) == 1


def test_fields_by_offset_have_their_names() -> None:
    from vtbook.cpu.layout import offset

    def f(h, d):
        set_word(h, offset("mepc"), word(h, offset("x") + 8 * 7))
        set_word(h, offset("x"), 5)
        h.x[d.rd] = word(h, offset("x")) + word(h, offset("zero"))

    assert traced(f) == ["t0 = get x7", "put mepc, t0", "put x1, 0"]


def test_numpy_numbers_are_constants() -> None:
    table = np.array([3, 5], np.int64)

    def f(h, d):
        h.x[d.rd] = (table[1] & h.x[d.rs1]) + (h.x[d.rs2] - table[0])

    assert traced(f) == [
        "t0 = get x2",
        "t1 = and 5, t0",
        "t2 = get x3",
        "t3 = sub t2, 3",
        "t4 = add t1, t3",
        "put x1, t4",
    ]


def test_truth_values_become_numbers_where_they_are_used_as_such() -> None:
    def f(h, d):
        less = h.x[d.rs1] < h.x[d.rs2]
        h.x[d.rd] = less + (less == False) + select(less != True, 1, 2)  # noqa: E712

    assert traced(f)[3:] == [
        "t3 = not t2",
        "t4 = zext t2",
        "t5 = zext t3",
        "t6 = add t4, t5",
        "t7 = not t2",
        "t8 = select t7, 1, 2",
        "t9 = add t6, t8",
        "put x1, t9",
    ]


# --- what is not ---------------------------------------------------------------------------------


def test_definitions_that_cannot_be_traced_say_why() -> None:
    def loop(h, d):
        n = h.x[d.rs1]
        while n > 0:
            n = n - 1

    def length(h, d):
        for n in range(h.x[d.rs1]):
            h.x[1] = n

    def index(h, d):
        h.x[h.x[d.rs1]] = 1

    def after(h, d):
        branch(h, h.x[d.rs1] == 0, 8)
        h.x[d.rd] = 1

    def table(h, d):
        h.x[d.rd] = [1, 2, 3][h.x[d.rs1]]

    def inside(h, d):
        h.x[d.rd] = h.bus.read(0, 4)

    def writes_pc(h, d):
        h.pc = 0

    def fraction(h, d):
        h.x[d.rd] = h.x[d.rs1] + 0.5

    def power(h, d):
        h.x[d.rd] = h.x[d.rs1] ** 2

    def ways(h, d):
        for n in range(8):
            if h.x[n + 1] == 0:
                h.x[n + 1] = n

    def shift(h, d):
        h.x[d.rd] = h.x[d.rs1] << 64

    assert "a loop on data" in reason(loop)
    assert "a range, an index" in reason(length)
    assert "a range, an index" in reason(index)
    assert "something stands after 'branch t1, pc+8'" in reason(after)
    assert "a range, an index" in reason(table)
    assert "it uses hart.bus" in reason(inside)
    assert "it sets hart.pc" in reason(writes_pc)
    assert "0.5, which is no integer" in reason(fraction)
    assert "TypeError" in reason(power)
    assert "more than 64 ways" in reason(ways)
    assert "shifts by 64" in reason(shift)


def test_a_definition_that_cannot_be_traced_becomes_a_helper() -> None:
    def loop(h, d):
        n = h.x[d.rs1]
        while n > 0:
            n = n - 1

    isa = RV64GC + made_of(loop)
    decoded = isa.decode(made_of(loop).encoding.encode({"rd": 1, "rs1": 2, "rs2": 3}))
    made = validate(lift(decoded, isa=isa))
    assert isinstance(made.ops[1], Helper)
    assert str(made).endswith("helper op(rs2=3, rs1=2, rd=1, size=4)")


# --- blocks --------------------------------------------------------------------------------------


def test_a_basic_block_ends_with_the_instruction_that_may_branch() -> None:
    hart = hart_with("addi a0, a0, 1\n lw a1, 0(a0)\n bnez a1, .\n nop")
    made = validate(lift_block(hart))
    assert [m.text for m in made.marks] == ["addi a0, a0, 1", "lw a1, 0(a0)", "bnez a1, pc+0"]
    assert made.size == 12


@pytest.mark.parametrize("last", ["ecall", "fence.i", "wfi", "mret", "jal ra, ."])
def test_a_basic_block_ends_with_what_leaves_or_tells_the_engine(last: str) -> None:
    made = lift_block(hart_with(f"nop\n {last}\n nop"))
    assert len(made.marks) == 2


def test_a_basic_block_ends_before_what_is_no_instruction() -> None:
    made = lift_block(hart_with("nop\n nop\n .word 0"))
    assert made.size == 8
    with pytest.raises(GuestTrap, match="illegal instruction"):
        lift_block(hart_with(".word 0"))


def test_a_basic_block_is_no_longer_than_its_limit() -> None:
    source = "nop\n" * 100
    assert len(lift_block(hart_with(source)).marks) == 64
    assert len(lift_block(hart_with(source), limit=5).marks) == 5


def test_a_block_at_a_fixed_address_never_asks_for_the_pc() -> None:
    hart = hart_with("auipc a0, 0\n jal ra, .")
    assert any(isinstance(op, Get) for op in lift_block(hart).ops)
    fixed = lift_block(hart, fixed=True)
    assert not any(isinstance(op, Get) for op in fixed.ops)
    assert [op.value.value for op in fixed.ops if isinstance(op, Put)] == [BASE, BASE + 8]


def test_temporaries_are_numbered_in_the_order_of_the_text() -> None:
    made = lift_block(hart_with("add a0, a1, a2\n sc.w a3, a4, (a5)\n add a0, a1, a2"))
    numbers = [t.number for op in walk(made.ops) for t in op.results]
    assert numbers == list(range(len(numbers)))


def test_a_sequence_cannot_go_on_after_a_jump() -> None:
    jump_on, nop = RV64GC.decode(0x0000006F), RV64GC.decode(0x13)
    with pytest.raises(IrError, match="never reaches the instruction after it"):
        lift_sequence([jump_on, nop])
    assert isinstance(lift_sequence([nop, jump_on]).ops[1], Mark)


# --- the engine ----------------------------------------------------------------------------------


def test_the_engine_keeps_a_block_for_each_word() -> None:
    hart = hart_with("li t0, 3\n 1: addi t0, t0, -1\n bnez t0, 1b\n ecall")
    engine = IrEngine(hart)
    assert engine.run(7) == Stop(BUDGET, 7)
    assert len(engine.blocks) == 3
    engine.flush()
    assert not engine.blocks


def test_the_engine_counts_what_retires_by_mnemonic() -> None:
    engine = IrEngine(hart_with("li t0, 3\n 1: c.addi t0, -1\n bnez t0, 1b\n ecall"))
    engine.count_instructions(True)
    engine.run()
    assert engine.counts == {"addi": 4, "bne": 3}
    engine.count_instructions(False)
    assert not engine.counts


def test_the_engine_has_room_for_as_many_breakpoints_as_the_others() -> None:
    with pytest.raises(VtbookError, match=f"at most {BREAKPOINTS} breakpoints"):
        IrEngine(hart_with("nop")).set_breakpoints(list(range(BREAKPOINTS + 1)))


def test_a_definition_may_jump_to_what_it_loads() -> None:
    def f(h, d):
        jump(h, load32(h, h.x[d.rs1]))

    assert traced(f) == ["t0 = get x2", "t1 = load32 t0", "jump t1"]
