"""Every instruction of RV64GC in compiled code against unicorn, alone and in sequences.

Where unicorn leaves the specification, ``deviates`` or ``Pair.check`` names the line that decides.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cpu.unicorn_hart import (
    CODE,
    DATA,
    DATA_SIZE,
    NOWHERE,
    Pair,
    naming,
    result_format,
    source_format,
)
from tests.isa.softfloat.operands import integers, numbers, random_integer, random_number
from tests.translator.random_words import field_value
from vtbook.isa.definition import Compressed, Instruction
from vtbook.isa.disassembler import disassemble
from vtbook.isa.encoding import Field
from vtbook.isa.instruction_set import Decoded
from vtbook.isa.sets import RV64GC
from vtbook.isa.softfloat import box32, f32_classify, f64_classify, unbox32

FUZZ = int(os.environ.get("VTBOOK_FUZZ", "1"))

#: Not compared here, and which test has them instead.
ELSEWHERE = {
    "ecall": "a trap: test_traps",
    "ebreak": "a trap: test_traps",
    "c.ebreak": "a trap: test_traps",
    "mret": "changes the mode: test_traps",
    "sret": "changes the mode: test_supervisor",
    "sfence.vma": "unicorn has no page tables here: test_supervisor",
    "wfi": "unicorn halts in it: test_traps, test_hostile",
}
COMPARED = [spelling.name for spelling in RV64GC if spelling.name not in ELSEWHERE]
#: CSRs that both keep, and their numbers.
CSRS = {0x001: "fflags", 0x002: "frm", 0x003: "fcsr"} | {
    0x340: "mscratch",
    0x342: "mcause",
    0x343: "mtval",
}
MEMORY = bytes(random.Random(1).randrange(256) for _ in range(DATA_SIZE))
ALIGNMENT = {"b": 1, "h": 2, "w": 4, "d": 8}


def test_every_instruction_is_compared_or_explained() -> None:
    assert set(COMPARED) | set(ELSEWHERE) == set(RV64GC.instructions) | set(RV64GC.compressed)
    assert len(COMPARED) > 180


def field_values(field: Field) -> st.SearchStrategy[int]:
    """Values of an operand; few registers, so that operands meet, and CSRs that both know."""
    if field.name == "csr":
        return st.sampled_from(sorted(CSRS))
    if field.name == "rm":
        return st.sampled_from((7, 0, 1, 2, 3, 4, 7, 5, 6))
    if field.kind == "imm":
        span = (field.high - field.low) // field.alignment
        values = st.one_of(st.sampled_from((0, span, (span + 1) // 2)), st.integers(0, span))
        values = values.map(lambda n: field.low + field.alignment * n)
    else:
        low = 8 if field.bias else 0
        values = st.sampled_from((low, 8, 9, 10, 15 if field.bias else 31))
    return values.filter(lambda n: field.low <= n <= field.high and n not in field.excluded)


def deviates(decoded: Decoded, f: dict[int, int]) -> bool:
    """True where unicorn is known to be wrong on these operands.

    * FMIN, FMAX with a signalling NaN and a number: unicorn gives NaN; "If only one operand is a
      NaN, the result is the non-NaN operand" (20.6).
    * Fused multiply-add of infinity, zero and a quiet NaN: unicorn raises nothing; it "must set
      the invalid operation exception flag when the multiplicands are infinity and zero, even when
      the addend is a quiet NaN" (20.6).
    """
    name, d = decoded.instruction.name, decoded.operands
    single = name.endswith(".s")
    classify = f32_classify if single else f64_classify
    kinds = [
        classify(unbox32(f.get(getattr(d, n), 0)) if single else f.get(getattr(d, n), 0))
        for n in ("fs1", "fs2", "fs3")
        if hasattr(d, n)
    ]
    if name.startswith(("fmin", "fmax")):
        return 1 << 8 in kinds and not set(kinds) <= {1 << 8, 1 << 9}
    if "madd" in name or "msub" in name:
        product = kinds[0] | kinds[1]
        zero_times_infinity = product & 0x81 and product & 0x18 and kinds[0] != kinds[1]
        return bool(zero_times_infinity) and kinds[2] == 1 << 9
    return False


def access_size(name: str) -> int:
    """Bytes that a load, a store or an atomic reaches."""
    if name.startswith(("lr.", "sc.", "amo")):
        return ALIGNMENT[name.split(".")[1]]
    return ALIGNMENT[name.lstrip("f")[1]]


def reaches_memory(instruction: Instruction) -> bool:
    return "(rs1)" in instruction.syntax and instruction.name != "jalr"


@st.composite
def cases(draw: Any, name: str) -> tuple[list[int], dict[int, int], dict[int, int], dict, str]:
    """Words whose last is the instruction, and the state that they meet."""
    spelling = RV64GC[name]
    fields = {f.name: draw(field_values(f)) for f in spelling.encoding.fields}
    word = spelling.encoding.encode(fields)
    decoded = RV64GC.decode(word)
    assert decoded is not None
    instruction, d = decoded.instruction, decoded.operands
    kind = {"s": "f32", "d": "f64"}[source_format(instruction.name)]
    floats = numbers(kind).map(lambda v: box32(v) if kind == "f32" else v)
    x = {n: draw(integers()) for n in {getattr(d, r) for r in ("rs1", "rs2") if hasattr(d, r)}}
    f = {getattr(d, r): draw(floats) for r in ("fs1", "fs2", "fs3") if hasattr(d, r)}
    words = [word]
    if reaches_memory(instruction):
        size = access_size(instruction.name)
        spot = DATA + draw(st.sampled_from((0, 8, 64, 0xFF8, DATA_SIZE - 8)))
        if size < 8 or "." not in instruction.name:
            spot += draw(st.integers(0, 8 - size))
        target = draw(st.sampled_from((spot, spot, spot, spot, NOWHERE)))
        x[d.rs1] = target - getattr(d, "imm", 0)
        if instruction.name.startswith("sc."):
            other = draw(st.sampled_from((spot & -size, spot & -size, DATA + 256)))
            x[d.rs1] = spot & -size
            x[7] = other
            width = 0x2000 if size == 4 else 0x3000
            words.insert(0, 2 << 27 | 7 << 15 | width | 0x2F)  # lr to x0 from x7
    elif instruction.name == "jalr":
        x[d.rs1] = CODE + draw(st.integers(-4096, 4096)) - d.imm
    elif "csr" in name and d.csr in (0x001, 0x002, 0x003) and "rs1" in fields:
        x[d.rs1] = draw(st.integers(-256, 255))
    rounding = draw(st.sampled_from((0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 7)))
    csrs = {"frm": rounding, "fflags": draw(st.sampled_from((0, 0, 1, 31)))}
    csrs |= {n: draw(integers()) for n in ("mscratch", "mcause", "mtval") if "csr" in name}
    return words, x, f, csrs, instruction.name


@pytest.fixture(scope="module")
def pair() -> Pair:
    return Pair()


@pytest.mark.parametrize("name", COMPARED)
def test_an_instruction_does_what_unicorn_does(pair: Pair, name: str) -> None:
    @settings(max_examples=15 * FUZZ, deadline=None, derandomize=True, database=None)
    @given(cases(name))
    def check(case: Any) -> None:
        words, x, f, csrs, target = case
        decoded = RV64GC.decode(words[-1])
        assert decoded is not None
        if deviates(decoded, f):
            return
        if target[:3] in ("sc.", "jal") and getattr(decoded.operands, "rs1", 1) == 0:
            return  # address 0: unicorn checks it later than we do, or fetches there at once
        pair.set(words, x, f, csrs, MEMORY)
        stop, error = pair.run(len(words))
        singles = set()
        if hasattr(decoded.operands, "fd") and stop.trap is None and result_format(target) == "s":
            singles.add(decoded.operands.fd)
        with naming(disassemble(words[-1], CODE)):
            pair.check(stop, error, frozenset(singles))

    check()


# --- sequences -----------------------------------------------------------------------------------

#: Registers of sequences: pointers to data, which nothing writes; singles and doubles apart, since
#: unicorn does not box (see ``Pair.check``).
POINTERS = {4: DATA + 0x800, 8: DATA + 0x1000, 2: DATA + 0xC00}
SINGLES = frozenset(range(16))


def in_sequences(spelling: Instruction | Compressed) -> bool:
    """Straight-line instructions on which unicorn follows the specification."""
    target = spelling.target if isinstance(spelling, Compressed) else spelling
    name = target.name
    if spelling.name in ELSEWHERE or name in ELSEWHERE or name == "fence.i":
        return False
    if spelling.name == "c.addi16sp" or name.startswith(
        ("b", "jal", "csr", "fmin", "fmax", "fmadd", "fmsub", "fnm")
    ):
        return False
    return not name.startswith(("lr.", "sc.", "amo"))  # they need addresses that are aligned


STRAIGHT = [spelling for spelling in RV64GC if in_sequences(spelling)]


def straight_word(choose: random.Random) -> int:
    """An instruction that writes no pointer, and loads and stores by pointers only."""
    while True:
        spelling = choose.choice(STRAIGHT)
        values = {f.name: field_value(f, choose) for f in spelling.encoding.fields}
        for f in spelling.encoding.fields:
            if f.name == "rm":
                values["rm"] = choose.choice((0, 1, 2, 3, 4, 7))
            elif f.kind == "f":
                values[f.name] = choose.randrange(f.low, min(f.high, 31) + 1)
        word = spelling.encoding.encode(values)
        decoded = RV64GC.decode(word)
        if decoded is None or decoded.spelling is not spelling:
            continue
        d = decoded.operands
        if getattr(d, "rd", 0) in POINTERS:
            continue
        if reaches_memory(decoded.instruction) and d.rs1 not in POINTERS:
            continue
        name = decoded.instruction.name
        inputs = [getattr(d, r) in SINGLES for r in ("fs1", "fs2") if hasattr(d, r)]
        if any(is_single != (source_format(name) == "s") for is_single in inputs):
            continue
        if hasattr(d, "fd") and (d.fd in SINGLES) != (result_format(name) == "s"):
            continue
        return word


def test_most_instructions_occur_in_sequences() -> None:
    choose = random.Random(0)
    seen = {RV64GC.decode(straight_word(choose)).spelling.name for _ in range(6000)}
    assert {s.name for s in STRAIGHT} - seen <= {"c.fld", "c.fsd"}  # their registers hold singles
    assert len(seen) > 130


@pytest.mark.parametrize("seed", range(60 * FUZZ))
def test_a_sequence_does_what_unicorn_does(pair: Pair, seed: int) -> None:
    choose = random.Random(seed)
    words = [straight_word(choose) for _ in range(100)]
    x = {n: random_integer(choose) for n in range(1, 32)} | POINTERS
    f = {n: box32(random_number(choose, "f32")) for n in SINGLES}
    f |= {n: random_number(choose, "f64") for n in range(32) if n not in SINGLES}
    pair.set(words, x, f, {"frm": choose.randrange(5)}, MEMORY)
    stop, error = pair.run(len(words))
    assert stop.trap is None
    with naming("; ".join(disassemble(w) for w in words)):
        pair.check(stop, error, SINGLES)


@pytest.mark.parametrize("seed", range(20 * FUZZ))
def test_a_loop_of_random_instructions_does_what_unicorn_does(pair: Pair, seed: int) -> None:
    """A hundred times around, so that compiled code goes from chain to chain; x9 counts."""
    choose = random.Random(1000 + seed)
    while True:
        words = [straight_word(choose) for _ in range(choose.randrange(1, 30))]
        if all(getattr(RV64GC.decode(w).operands, "rd", 0) != 9 for w in words):
            break
    size = sum(2 if w & 3 != 3 else 4 for w in words)
    back = RV64GC["bne"].encoding
    words = [0x06400493, *words, 0xFFF48493]  # li x9, 100; …; addi x9, x9, -1
    words.append(back.encode({"rs1": 9, "rs2": 0, "imm": -size - 4}))
    x = {n: random_integer(choose) for n in range(1, 32)} | POINTERS
    f = {n: box32(random_number(choose, "f32")) for n in SINGLES}
    f |= {n: random_number(choose, "f64") for n in range(32) if n not in SINGLES}
    pair.set(words, x, f, {"frm": choose.randrange(5)}, MEMORY)
    count = 1 + 100 * (len(words) - 1)
    stop, error = pair.run(count)
    assert stop.executed == count
    with naming("; ".join(disassemble(w) for w in words)):
        pair.check(stop, error, SINGLES)
