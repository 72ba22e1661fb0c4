"""The intermediate code: its text, its rules, and what its operations compute."""

from __future__ import annotations

import inspect
import random

import pytest

from tests.translator.random_words import register_value
from vtbook.cpu.hart import Hart
from vtbook.isa import operations
from vtbook.isa.operations import PURE
from vtbook.isa.sets import RV64GC
from vtbook.translator import values
from vtbook.translator.interpret import run_block
from vtbook.translator.ir import (
    I1,
    I64,
    Block,
    Branch,
    Call,
    CheckAtomic,
    Compute,
    Const,
    Event,
    Get,
    If,
    IrError,
    Jump,
    Leaves,
    Load,
    Mark,
    Op,
    Place,
    Put,
    Store,
    Temp,
    Trap,
    leaves,
    walk,
)
from vtbook.translator.lift import lift
from vtbook.translator.validate import validate

MARK = Mark(0, 4, 0x13, "nop")
A, B, C = Temp(0), Temp(1), Temp(2)
T = Temp(3, I1)


def block(*ops: Op) -> Block:
    return Block((MARK, *ops), 4)


GOOD = [
    (),
    (Get(A, Place("x", 5)), Put(Place("x", 6), A)),
    (Get(A, Place("pc")), Jump(A)),
    (Compute(T, "lt", (Const(1), Const(2))), If(T, (Trap(Const(2), Const(0)),))),
    (Compute(T, "and", (Const(1, I1), Const(0, I1))), Branch(T, Const(8))),
    (Call((A, B), "f64_add_fast", (Const(0),) * 4), Store(8, A, B)),
    (If(Const(1, I1), (Get(A, Place("frm")),), (Get(B, Place("frm")),)),),
    (CheckAtomic(Const(0), 4), Load(A, 4, Const(0)), Event("wfi")),
]


@pytest.mark.parametrize("ops", GOOD)
def test_code_that_keeps_the_rules_is_accepted(ops: tuple[Op, ...]) -> None:
    assert validate(block(*ops)).ops[1:] == ops


BAD = [
    ("not defined before", (Put(Place("x", 5), A),)),
    ("assigned twice", (Get(A, Place("x", 5)), Get(A, Place("x", 6)))),
    ("assigned twice", (If(Const(1, I1), (Get(A, PLACE := Place("x", 1)),), (Get(A, PLACE),)),)),
    ("not defined before", (If(Const(1, I1), (Get(A, PLACE),)), Put(PLACE, A))),
    ("is i64, not i1", (Get(A, PLACE), Branch(Temp(0, I1), Const(0)))),
    ("takes i64, not i1", (Put(PLACE, Const(1, I1)),)),
    ("takes i1, not i64", (If(Const(1), ()),)),
    ("takes i64, i64, not i64", (Compute(A, "add", (Const(1),)),)),
    ("the result is i1", (Compute(A, "eq", (Const(1), Const(1))),)),
    ("no operation is called 'divide'", (Compute(A, "divide", (Const(1), Const(1))),)),
    ("no function f128_add", (Call((A,), "f128_add", ()),)),
    ("returns 2 values", (Call((A,), "f64_add_fast", (Const(0),) * 4),)),
    ("no x0", (Get(A, Place("x", 0)),)),
    ("no x32", (Put(Place("x", 32), Const(0)),)),
    ("no satp5", (Get(A, Place("satp", 5)),)),
    ("only a branch or a jump moves the pc", (Put(Place("pc"), Const(0)),)),
    ("not 3", (Load(A, 3, Const(0)),)),
    ("a shift count is 0 to 63", (Compute(A, "shl", (Const(1), Const(64))),)),
    ("is no i64", (Put(PLACE, Const(1 << 63)),)),
    ("always leaves", (Jump(Const(0)), Put(PLACE, Const(0)))),
    ("always leaves", (Branch(Const(1, I1), Const(0)), Put(PLACE, Const(0)))),
    ("inside an if", (If(Const(1, I1), (MARK,)),)),
    ("the events are", (Event("reset"),)),
    ("should begin at pc", (Mark(8, 4, 0x13, "nop"),)),
]


@pytest.mark.parametrize(("message", "ops"), BAD)
def test_code_that_breaks_a_rule_is_refused_by_name(message: str, ops: tuple[Op, ...]) -> None:
    with pytest.raises(IrError, match=message):
        validate(block(*ops))


def test_a_block_accounts_for_all_of_its_bytes() -> None:
    with pytest.raises(IrError, match="begins with a mark"):
        validate(Block((), 0))
    with pytest.raises(IrError, match="marks for all"):
        validate(Block((MARK,), 8))


def text(word: int, pc: int | None = None) -> str:
    decoded = RV64GC.decode(word)
    assert decoded is not None
    return str(lift(decoded, pc=pc))


TEXTS = {
    0x00B50463: """\
pc+0  beq a0, a1, pc+8
    t0 = get x10
    t1 = get x11
    t2 = eq t0, t1
    branch t2, pc+8""",
    0xFE050EE3: """\
pc+0  beqz a0, pc-4
    t0 = get x10
    t1 = eq t0, 0
    branch t1, pc-4""",
    0x00C5A503: """\
pc+0  lw a0, 12(a1)
    t0 = get x11
    t1 = add t0, 12
    t2 = load32 t1
    t3 = sext32 t2
    put x10, t3""",
    0x00000073: """\
pc+0  ecall
    t0 = get mode
    t1 = add 8, t0
    trap t1, 0""",
    0x18B5272F: """\
pc+0  sc.w a4, a1, (a0)
    t0 = get x10
    check_atomic32 t0
    t1 = get reservation
    t2 = eq t1, t0
    if t2:
        t3 = get x11
        store32 t0, t3
        put x14, 0
    else:
        put x14, 1
    put reservation, -1""",
    0xD2057053: """\
pc+0  fcvt.d.w ft0, a0, dyn
    t0 = get mstatus
    t1 = and t0, 0x6000
    t2 = eq t1, 0
    if t2:
        trap 2, 0xd2057053
    t3 = get frm
    t4 = gt t3, 4
    if t4:
        trap 2, 0xd2057053
    t5 = get x10
    t6, t7 = call i32_to_f64(t5, t3)
    put f0, t6
    t8 = get fflags
    t9 = or t8, t7
    put fflags, t9
    t10 = get mstatus
    t11 = or t10, 0x6000
    put mstatus, t11""",
    0x0000100F: """\
pc+0  fence.i
    event fence.i""",
    0x00000013: "pc+0  nop",
}


@pytest.mark.parametrize("word", TEXTS, ids=hex)
def test_the_text_of_a_block_is_what_a_student_reads(word: int) -> None:
    assert text(word) == TEXTS[word]


def test_a_block_at_a_known_address_says_where() -> None:
    assert text(0x00001517, 0x8000_0000) == ("0x80000000  auipc a0, 0x1\n    put x10, 0x80001000")


def test_constants_are_short_in_decimal_and_long_in_hexadecimal() -> None:
    assert [str(Const(v)) for v in (0, -1, 4095, 4096, -4096)] == [
        "0",
        "-1",
        "4095",
        "0x1000",
        "0xfffffffffffff000",
    ]
    assert (str(Const(1, I1)), str(Const(0, I1))) == ("true", "false")


def test_walk_and_leaves_look_into_the_arms() -> None:
    trap, jump = Trap(Const(2), Const(0)), Jump(Const(0))
    both = If(Const(1, I1), (trap,), (jump,))
    one = If(Const(1, I1), (trap,))
    assert list(walk((both,))) == [both, trap, jump]
    assert leaves((both,)) is Leaves.ALWAYS
    assert leaves((one,)) is Leaves.MAY
    assert leaves((If(Const(1, I1), (), ()),)) is Leaves.NEVER


def test_replace_reaches_operands_and_results_at_any_depth() -> None:
    nested = If(T, (Compute(C, "add", (A, B)),), (Call((C,), "box32", (A,)),))
    up = {t: Temp(t.number + 10, t.type) for t in (A, B, C, T)}
    assert str(nested.replace(up.__getitem__, up.__getitem__)) == (
        "if t13:\n    t12 = add t10, t11\nelse:\n    t12 = call box32(t10)"
    )


# --- what the operations compute -----------------------------------------------------------------


def run_compute(name: str, arguments: list[int]) -> int:
    """The value of one operation, by way of a block."""
    types, result = values.takes(name)
    target = Temp(0, result)
    operands = tuple(Const(a, t) for a, t in zip(arguments, types, strict=True))
    ops: list[Op] = [MARK, Compute(target, name, operands)]
    value = target
    if result is I1:
        value = Temp(1)
        ops.append(Compute(value, "zext", (target,)))
    ops.append(Put(Place("x", 5), value))
    hart = Hart(RV64GC)
    run_block(validate(Block(tuple(ops), 4)), hart)
    return hart.x[5]


@pytest.mark.parametrize("name", sorted(set(PURE) - {"wrap"}))
def test_each_operation_of_the_definitions_means_the_same_in_the_code(name: str) -> None:
    """The oracle is ``vtbook.isa.operations``; ``wrap`` does nothing and is never written down."""
    choose = random.Random(name)
    types, _ = values.takes(name)
    assert len(types) == len(inspect.signature(getattr(operations, name)).parameters)
    for _ in range(50):
        arguments = [choose.getrandbits(1) if t is I1 else register_value(choose) for t in types]
        if name == "srl":
            arguments[1] &= 63
        assert run_compute(name, arguments) == int(PURE[name](*arguments))


WRAPS = [
    ("add", (1 << 63) - 1, 1, -(1 << 63)),
    ("sub", -(1 << 63), 1, (1 << 63) - 1),
    ("mul", 1 << 62, 2, -(1 << 63)),
    ("mul", (1 << 63) - 1, (1 << 63) - 1, 1),
    ("shl", 3, 63, -(1 << 63)),
    ("sar", -(1 << 63), 63, -1),
    ("floordiv", -7, 2, -4),
    ("floordiv", -(1 << 63), -1, -(1 << 63)),
    ("floordiv", 7, 0, 0),
    ("floormod", -7, 2, 1),
    ("xor", -1, 5, -6),
]


@pytest.mark.parametrize(("name", "a", "b", "expected"), WRAPS)
def test_arithmetic_wraps_at_64_bits(name: str, a: int, b: int, expected: int) -> None:
    assert run_compute(name, [a, b]) == expected


def test_truth_values_have_one_bit() -> None:
    target, wide = Temp(0, I1), Temp(1)
    for name, arguments, expected in (
        ("not", (1,), 0),
        ("not", (0,), 1),
        ("xor", (1, 1), 0),
        ("and", (1, 1), 1),
        ("or", (0, 0), 0),
    ):
        hart = Hart(RV64GC)
        made = block(
            Compute(target, name, tuple(Const(a, I1) for a in arguments)),
            Compute(wide, "zext", (target,)),
            Put(Place("x", 5), wide),
        )
        run_block(validate(made), hart)
        assert hart.x[5] == expected


def test_a_block_made_for_one_address_refuses_another() -> None:
    made = lift(RV64GC.decode(0x13), pc=0x8000_0000)
    with pytest.raises(IrError, match="this block is for pc 0x80000000"):
        run_block(made, Hart(RV64GC))


def test_types_of_unknown_operations_are_refused() -> None:
    with pytest.raises(IrError, match="no operation is called 'wrong'"):
        values.takes("wrong")
    assert values.takes("and", I1) == ((I1, I1), I1)
    assert values.takes("neg") == ((I64,), I64)
