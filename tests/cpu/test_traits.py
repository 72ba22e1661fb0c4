"""What the engines find out about a definition."""

import pytest

from vtbook.cpu.traits import CAUTIOUS, traits_of
from vtbook.isa import DefinitionError, instruction, operations
from vtbook.isa.operations import branch, illegal, jump, load64, raise_trap, store64
from vtbook.isa.sets import RV64GC

ENCODING = "000000000000 rs1 000 rd 0001011"


def traits(name):
    return traits_of(RV64GC.instructions[name])


def test_only_what_needs_the_pc_or_the_counter_gets_it():
    assert [n for n in RV64GC.instructions if traits(n).uses_pc and "csr" not in n] == [
        "auipc",
        "jal",
        "jalr",
        "ebreak",
    ]
    counting = {n for n in RV64GC.instructions if traits(n).uses_counter}
    assert counting == {"csrrw", "csrrs", "csrrc", "csrrwi", "csrrsi", "csrrci"}


def test_branches_go_by_their_own_offset_and_end_no_chain():
    for name in ("beq", "bne", "blt", "bge", "bltu", "bgeu"):
        assert traits(name).offset_operand == "imm"
        assert not traits(name).ends_chain
    assert traits("jal").ends_chain
    assert traits("jalr").ends_chain
    assert not traits("jalr").offset_operand


def test_an_atomic_with_two_accesses_cannot_begin_again():
    assert traits("lw").restartable
    assert traits("sd").restartable
    assert not traits("amoadd.w").restartable


def test_a_register_that_is_read_too_is_not_redirected():
    @instruction("acc rd, rs1", ENCODING)
    def acc(h, d):
        h.x[d.rd] = h.x[d.rd] + h.x[d.rs1]

    assert not traits_of(acc).rd_only_written
    assert traits("add").rd_only_written
    assert not traits("csrrw").rd_only_written  # asks whether rd is x0


def test_two_stores_cannot_begin_again():
    @instruction("swap2 rd, rs1", ENCODING)
    def swap2(h, d):
        old = load64(h, h.x[d.rs1])
        store64(h, h.x[d.rs1], 0)
        h.x[d.rd] = old

    assert not traits_of(swap2).restartable


def test_code_after_a_jump_is_refused():
    @instruction("late rd, rs1", ENCODING)
    def late(h, d):
        jump(h, h.x[d.rs1])
        h.x[d.rd] = 1

    with pytest.raises(DefinitionError, match=r"late: jump.* must be the last thing"):
        traits_of(late)


def test_code_after_a_branch_in_one_arm_is_refused_and_at_the_end_of_arms_is_not():
    @instruction("arms rd, rs1", ENCODING)
    def arms(h, d):
        if h.x[d.rs1] == 0:
            branch(h, True, 8)
        else:
            jump(h, h.x[d.rs1])

    @instruction("armed rd, rs1", ENCODING)
    def armed(h, d):
        if h.x[d.rs1] == 0:
            branch(h, True, 8)
        h.x[d.rd] = 1

    assert traits_of(arms).offset_operand == ""
    with pytest.raises(DefinitionError, match="armed"):
        traits_of(armed)


def test_without_source_the_answer_is_cautious():
    scope = {"instruction": instruction, "ENCODING": ENCODING}
    exec(
        "@instruction('hidden rd, rs1', ENCODING)\ndef hidden(h, d):\n    h.x[d.rd] = h.x[d.rs1]\n",
        scope,
    )
    assert traits_of(scope["hidden"]) == CAUTIOUS


def test_a_computed_distance_needs_the_pc():
    @instruction("far rs1, imm", "imm[11:0] rs1 000 00000 0001011")
    def far(h, d):
        branch(h, h.x[d.rs1] != 0, 2 * d.imm)

    assert traits_of(far).uses_pc
    assert not traits_of(far).offset_operand


def test_a_register_changed_before_a_load_or_a_trap_forbids_to_begin_again():
    @instruction("lpre rd, rs1", ENCODING)
    def lpre(h, d):
        h.x[d.rs1] = h.x[d.rs1] + 8
        h.x[d.rd] = load64(h, h.x[d.rs1])

    @instruction("lpost rd, rs1", ENCODING)
    def lpost(h, d):
        value = load64(h, h.x[d.rs1])
        h.x[d.rs1] = h.x[d.rs1] + 8
        h.x[d.rd] = value

    @instruction("addt rd, rs1", ENCODING)
    def addt(h, d):
        h.x[d.rd] = h.x[d.rs1] + 1
        if h.x[d.rs1] == 5:
            raise_trap(h, 24, 0)

    assert not traits_of(lpre).restartable
    assert traits_of(lpost).restartable
    assert not traits_of(addt).restartable


def advance(h, d):
    h.x[d.rs1] = h.x[d.rs1] + 8


def test_a_change_in_a_function_that_is_called_counts():
    @instruction("lfun rd, rs1", ENCODING)
    def lfun(h, d):
        advance(h, d)
        h.x[d.rd] = load64(h, h.x[d.rs1])

    assert not traits_of(lfun).restartable
    assert traits("flw").restartable  # need_float may trap, but changes nothing


def test_operands_that_are_passed_on_may_be_used_in_any_way():
    @instruction("whole rd, rs1", ENCODING)
    def whole(h, d):
        advance(h, d)
        h.x[d.rd] = 1

    assert traits_of(whole).uses_size
    assert not traits_of(whole).rd_only_written


def test_operations_called_by_their_module_are_seen():
    @instruction("twice rd, rs1", ENCODING)
    def twice(h, d):
        old = operations.load64(h, h.x[d.rs1])
        operations.store64(h, h.x[d.rs1], old + 1)

    assert traits_of(twice).uses_memory
    assert not traits_of(twice).restartable


def test_a_definition_that_may_return_early_ends_no_chain():
    @instruction("early rd, rs1", ENCODING)
    def early(h, d):
        if h.mode == 3:
            h.x[d.rd] = 1
            return
        illegal(h)

    assert not traits_of(early).ends_chain


def test_registers_that_are_read_after_they_were_written_are_named():
    @instruction("again rd, rs1", ENCODING)
    def again(h, d):
        h.x[d.rd] = h.x[d.rs1] + 1
        h.x[d.rs1] = h.x[d.rd] + 1

    @instruction("looping rd, rs1", ENCODING)
    def looping(h, d):
        for _ in range(3):
            h.x[d.rd] = h.x[d.rd] + h.x[d.rs1]

    @instruction("alias rd, rs1", ENCODING)
    def alias(h, d):
        x = h.x
        x[d.rd] = x[d.rs1]

    assert traits_of(again).reads_back == ("rd",)
    assert traits_of(looping).reads_back == ("rd",)
    assert traits_of(alias).reads_back == CAUTIOUS.reads_back
    assert not any(traits(name).reads_back for name in RV64GC.instructions)
