"""Every instruction of RV64GC does the same in plain Python, compiled, and as intermediate code."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.translator.engines import CODE, DATA, DEVICE, END, HANDLER, Trio
from tests.translator.random_words import CSR_NUMBERS
from vtbook.isa.encoding import Field
from vtbook.isa.sets import RV64GC

EXAMPLES = settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

CORNERS = (0, 1, -1, 2, 63, 64, 1 << 31, -(1 << 31), (1 << 31) - 1, 1 << 32, (1 << 63) - 1)
DOUBLES = (0x3FF0 << 48, 0x7FF0 << 48, 0x7FF8 << 48, (0x7FF0 << 48) + 1, 1, 0x43E0 << 48)
SINGLES = (0x3F800000, 0x7F800000, 0x7FC00000, 0x7F800001, 1, 0x4F000000, 0xBF000000)
INTEGERS = st.one_of(
    st.sampled_from((*CORNERS, -(1 << 63))), st.integers(-(1 << 63), (1 << 63) - 1)
)
FLOATS = st.one_of(
    st.sampled_from([d - (s << 63) for d in DOUBLES for s in (0, 1)]),
    st.sampled_from(SINGLES).map(lambda s: s | -1 << 32),
    INTEGERS,
)
#: Addresses that hit, straddle two pages, and miss memory altogether or by a byte.
ADDRESSES = st.sampled_from(
    (
        *(DATA + n for n in (0, 64, 65, 0xFF8, 0xFFD, 0xFFF)),
        *(END + n for n in (-8, -4, -3, -1, 0)),
        *(CODE + n for n in (-4, -1, 0x800, 0xFF9, 0xFFE)),
        *(DEVICE + n for n in (0, 252, 253, 255)),
        *(0, -8, -1, 1 << 62),
    )
)


def field_values(field: Field) -> st.SearchStrategy[int]:
    """Values of an operand; few register numbers, so that rd, rs1 and rs2 often meet."""
    if field.name == "csr":
        return st.one_of(st.sampled_from(CSR_NUMBERS), st.integers(0, 4095))
    if field.kind == "imm":
        step = field.alignment
        span = (field.high - field.low) // step
        values = st.one_of(st.sampled_from((0, span, (span + 1) // 2)), st.integers(0, span))
        values = values.map(lambda n: field.low + step * n)
    else:
        values = st.sampled_from((0, 8, 9, 10, 31))
        values = values.filter(lambda n: field.low <= n <= field.high)
    return values.filter(lambda n: n not in field.excluded)


@st.composite
def cases(draw: Any, name: str) -> tuple[int, dict[str, int], bool]:
    """A word of the instruction, the state it meets, and whether traps leave the engine."""
    spelling = RV64GC[name]
    fields = {f.name: draw(field_values(f)) for f in spelling.encoding.fields}
    word = spelling.encoding.encode(fields)
    decoded = RV64GC.decode(word)
    assert decoded is not None
    operands = decoded.operands._asdict()
    state = {
        "mode": draw(st.sampled_from((3, 0))),
        "mstatus": draw(st.sampled_from((3 << 13, 1 << 13, 0, 0x1888, 0x22_3888))),
        "frm": draw(st.sampled_from((0, 1, 2, 3, 4, 5, 7))),
        "fflags": draw(st.sampled_from((0, 1, 31))),
        "mcounteren": draw(st.sampled_from((0, 7))),
        "mtvec": draw(st.sampled_from((HANDLER, HANDLER | 1, 0))),
        "mepc": CODE + 2 * draw(st.integers(0, 8)),
    }
    for operand in ("rs2", "rs1"):
        if operand in operands:
            state[f"x{operands[operand]}"] = draw(INTEGERS)
    for operand in ("fs1", "fs2", "fs3"):
        if operand in operands:
            state[f"f{operands[operand]}"] = draw(FLOATS)
    if "rs1" in operands and name.split(".")[-1] in ("w", "d"):
        state["reservation"] = address = draw(ADDRESSES)
        state[f"x{operands['rs1']}"] = draw(st.sampled_from((address, address, DATA + 128)))
    elif "rs1" in operands and ("(" in spelling.syntax or draw(st.booleans())):
        state[f"x{operands['rs1']}"] = draw(ADDRESSES) - operands.get("imm", 0)
    return word, state, draw(st.booleans())


@pytest.fixture(scope="module")
def trio() -> Trio:
    return Trio()


@pytest.mark.parametrize("name", [spelling.name for spelling in RV64GC])
def test_an_instruction_is_the_same_in_all_engines(trio: Trio, name: str) -> None:
    @EXAMPLES
    @given(cases(name))
    def check(case: tuple[int, dict[str, int], bool]) -> None:
        word, state, trap_exits = case
        trio.reset(CODE + 0x100, trap_exits)
        trio.write(CODE + 0x100, [word])
        trio.set(**state)
        stop = trio.run(1)
        event(f"trap {stop.trap.cause}" if stop.trap else f"reason {stop.reason}")

    check()


@settings(EXAMPLES, max_examples=600)
@given(
    word=st.one_of(st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 16) - 1)),
    trap_exits=st.booleans(),
    mode=st.sampled_from((0, 3)),
)
def test_any_word_is_the_same_in_all_engines(
    trio: Trio, word: int, trap_exits: bool, mode: int
) -> None:
    trio.reset(CODE + 0x100, trap_exits)
    trio.write(CODE + 0x100, [word])
    trio.set(mode=mode)
    trio.run(1)


@pytest.mark.parametrize(
    ("pc", "cause", "value"),
    [
        (DATA - 4, None, 0),
        (DATA - 2, 1, DATA),
        (DATA, 1, DATA),
        (CODE + 1, 0, CODE + 1),
        (-2, 1, -2),
        (CODE - 2, 1, CODE - 2),
    ],
)
def test_a_fetch_at_the_edge_of_memory_is_the_same_in_all_engines(
    trio: Trio, pc: int, cause: int | None, value: int
) -> None:
    trio.reset(pc)
    trio.write_bytes(DATA - 4, bytes([0x13, 0x05, 0x13, 0x05]))  # addi a0, x6, 81: four bytes
    stop = trio.run(1)
    assert (stop.trap and (stop.trap.cause, stop.trap.value)) == (
        None if cause is None else (cause, value)
    )
