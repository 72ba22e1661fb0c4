"""Every word decodes to one instruction or to none, and other decoders agree which.

2**32 calls of ``decode`` would take hours. They are not needed: which encoding a word has depends
on the bits that some encoding of its opcode fixes or excludes, and on no other. So all values of
those bits are tried, opcode by opcode, in numpy; the rest of the word only goes into fields, and a
field's value is made of its bits alone.
"""

from __future__ import annotations

import random

import numpy as np
import pytest

from vtbook.isa.assembler.forms import forms_of
from vtbook.isa.definition import Compressed, DefinitionError, Instruction, compressed, instruction
from vtbook.isa.encoding import Encoding, Field
from vtbook.isa.sets import RV64GC, RV64IM

from .test_disassembler import capstone_text, needs_objdump, objdump_texts, random_words

LONG = [s for s in RV64GC if s.encoding.size == 4]
SHORT = [s for s in RV64GC if s.encoding.size == 2]
OPCODES = [op for op in range(128) if op & 3 == 3]
#: Short words end in 00, 01 or 10.
SHORT_WORDS = np.array([w for w in range(1 << 16) if w & 3 != 3], np.uint32)


# --- the argument --------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", list(RV64GC), ids=lambda s: s.name)
def test_each_bit_of_an_encoding_is_fixed_or_in_one_field(spelling):
    """So extracting a field uses bits of the word only, and is defined for every word."""
    encoding = spelling.encoding
    bits = encoding.mask
    for f in encoding.fields:
        for piece in f.pieces:
            part = ((1 << piece.width) - 1) << piece.word_low
            assert bits & part == 0
            bits |= part
    assert bits == (1 << 8 * encoding.size) - 1
    assert encoding.match & ~encoding.mask == 0


def field_bits(f: Field) -> int:
    return sum(((1 << p.width) - 1) << p.word_low for p in f.pieces)


def extract(f: Field, words: np.ndarray) -> np.ndarray:
    """The unsigned bits of a field in many words."""
    value = np.zeros_like(words)
    for p in f.pieces:
        value |= ((words >> p.word_low) & ((1 << p.width) - 1)) << p.value_low
    return value


def matches(encoding: Encoding, words: np.ndarray) -> np.ndarray:
    """Which words have an encoding."""
    found = (words & np.uint32(encoding.mask)) == np.uint32(encoding.match)
    for f in encoding.fields:
        for value in f.excluded:
            found &= extract(f, words) != np.uint32(value - f.bias)
    return found


def winners(spellings: list[Instruction | Compressed], words: np.ndarray) -> np.ndarray:
    """The index of each word's spelling, -1 for none.

    Where two match, one must be a special case of the other, and it wins.
    """
    winner = np.full(len(words), -1, np.int16)
    fixed = np.zeros(len(words), np.int16)
    for index, spelling in enumerate(spellings):
        count = spelling.encoding.mask.bit_count()
        found = matches(spelling.encoding, words)
        for other in np.unique(winner[found]):
            if other >= 0:
                a, b = spelling.encoding, spellings[other].encoding
                assert a.mask & b.mask in (a.mask, b.mask)
                assert a.mask != b.mask
        better = found & (count > fixed)
        winner[better] = index
        fixed[better] = count
    return winner


def choosing_bits(spellings: list[Instruction | Compressed]) -> int:
    """The bits that choose among these encodings."""
    bits = 0
    for spelling in spellings:
        bits |= spelling.encoding.mask
        for f in spelling.encoding.fields:
            if f.excluded:
                bits |= field_bits(f)
    return bits


def spread(numbers: np.ndarray, bits: int) -> np.ndarray:
    """Each number's bits, moved to the positions of the ones in ``bits``."""
    words = np.zeros_like(numbers)
    source = 0
    for position in range(32):
        if bits >> position & 1:
            words |= ((numbers >> source) & 1) << position
            source += 1
    return words


def decoded_name(word: int) -> str | None:
    decoded = RV64GC.decode(word)
    return decoded.spelling.name if decoded else None


def test_every_short_word_decodes_to_the_one_encoding_that_matches():
    winner = winners(SHORT, SHORT_WORDS)
    for word, index in zip(SHORT_WORDS.tolist(), winner.tolist(), strict=True):
        assert decoded_name(word) == (SHORT[index].name if index >= 0 else None)


@pytest.mark.parametrize("opcode", OPCODES, ids=hex)
def test_every_word_of_an_opcode_decodes_to_the_one_encoding_that_matches(opcode):
    """All values of the bits that choose; for each choice, words with any other bits."""
    choose = random.Random(opcode)
    spellings = [s for s in LONG if (s.encoding.match ^ opcode) & s.encoding.mask & 0x7F == 0]
    bits = choosing_bits(spellings) & ~0x7F
    number = bits.bit_count()
    legal = 0
    for start in range(0, 1 << number, 1 << 22):
        numbers = np.arange(start, min(start + (1 << 22), 1 << number), dtype=np.uint32)
        words = spread(numbers, bits) | np.uint32(opcode)
        winner = winners(spellings, words)
        legal += int(np.count_nonzero(winner >= 0))
        for index in np.unique(winner).tolist():
            of_this = np.flatnonzero(winner == index)
            expected = spellings[index].name if index >= 0 else None
            for _ in range(60):
                word = int(words[choose.choice(of_this)])
                word |= choose.getrandbits(32) & ~bits & ~0x7F
                assert decoded_name(word) == expected
    # As many words as the encodings have room for: none is lost and none counted twice.
    free = 25 - number
    assert legal << free == sum(size_of(s.encoding) for s in spellings)


def size_of(encoding: Encoding) -> int:
    """The number of words of an encoding without special cases."""
    assert not any(f.excluded for f in encoding.fields)
    return 1 << (32 - encoding.mask.bit_count())


def test_only_the_low_half_of_a_short_word_counts():
    assert RV64GC.decode(0xDEAD4505) == RV64GC.decode(0x4505)


def test_operands_put_back_give_the_word():
    for word, _ in random_words(60, seed=8):
        decoded = RV64GC.decode(word)
        encoding = decoded.spelling.encoding
        values = encoding.decode(word)
        assert encoding.encode(values) == word
        for f in encoding.fields:
            assert f.low <= values[f.name] <= f.high
            assert values[f.name] % f.alignment == 0


def test_a_short_form_decodes_to_the_operands_of_the_instruction_it_stands_for():
    """The expansion is an instruction that the 4-byte encoding can express too."""
    for word, size in random_words(60, seed=9):
        if size == 4:
            continue
        decoded = RV64GC.decode(word)
        operands = decoded.operands._asdict()
        assert operands.pop("size") == 2
        long = RV64GC.decode(decoded.instruction.encoding.encode(operands))
        assert long.instruction is decoded.instruction
        assert {**long.operands._asdict(), "size": 2} == decoded.operands._asdict()


# --- other decoders ------------------------------------------------------------------------------

MNEMONICS = frozenset(forms_of(RV64GC).by_name)


def is_hint(word: int) -> bool:
    """A compressed instruction that changes nothing, set apart as a hint (spec table 27.3)."""
    decoded = RV64GC.decode(word)
    d = decoded.operands
    name = decoded.spelling.name
    if name in ("c.li", "c.lui", "c.mv", "c.add", "c.slli") and d.rd == 0:
        return True
    if name == "c.addi":
        return (d.rd == 0) != (d.imm == 0)
    return name in ("c.slli", "c.srli", "c.srai") and d.shamt == 0


def why_capstone_differs(word: int, theirs: str | None) -> str | None:
    """The reason for which capstone's verdict on a word is another; None if there is none."""
    decoded = RV64GC.decode(word)
    if decoded is None:
        if theirs == "c.unimp":
            return "all zeros: named, but illegal"
        return "c.lui with 0 is reserved" if theirs and theirs.startswith("c.lui ") else None
    return "hint" if decoded.size == 2 and is_hint(word) else why_reserved(decoded)


def why_reserved(decoded) -> str | None:
    """Encodings that the specification reserves in a field, and that decode here.

    Reserved fields of fences are ignored (2.7). A reserved rounding mode traps when the
    instruction runs; and binutils and capstone know only mode 0 where it doesn't matter.
    """
    d, name = decoded.operands, decoded.instruction.name
    if name == "fence" and (d.fm or d.rs1 or d.rd):
        return "reserved fence"
    if name == "fence.i" and (d.imm or d.rs1 or d.rd):
        return "reserved fence.i"
    if name in ("fcvt.d.w", "fcvt.d.wu", "fcvt.d.s") and d.rm != 0:
        return "exact conversion with a rounding mode"
    if getattr(d, "rm", 0) in (5, 6):
        return "reserved rounding mode"
    return None


def known(text: str | None) -> bool:
    """True if a text is an instruction of this set; others know more extensions."""
    return text is not None and text.split()[0] in MNEMONICS


def test_capstone_finds_the_same_short_words_legal():
    for word in SHORT_WORDS.tolist():
        theirs = capstone_text(word, 2)
        if known(theirs) != (RV64GC.decode(word) is not None):
            assert why_capstone_differs(word, theirs), (hex(word), theirs)


@needs_objdump
def test_objdump_finds_the_same_short_words_legal(tmp_path):
    words = [(word, 2) for word in SHORT_WORDS.tolist()]
    texts = objdump_texts(words, tmp_path, "-M", "no-aliases")
    for (word, _), theirs in zip(words, texts, strict=True):
        ours = RV64GC.decode(word)
        if known(theirs) == (ours is not None):
            continue
        if ours is None:  # the all-zero word has a name; adding 0 to sp is reserved
            assert theirs.split() in (["c.unimp"], ["c.addi16sp", "sp,0"])
        else:  # shifts by 0
            assert theirs.split()[0] in ("c.slli64", "c.srli64", "c.srai64")
            assert is_hint(word)


def nearly_legal_words(count: int) -> list[int]:
    """Words of every long encoding, and the same with one or two bits flipped."""
    choose = random.Random(10)
    words = []
    for spelling in LONG:
        encoding = spelling.encoding
        for _ in range(count):
            word = (choose.getrandbits(32) & ~encoding.mask) | encoding.match
            one, two = 1 << choose.randrange(2, 32), 1 << choose.randrange(2, 32)
            words += [word, word ^ one, word ^ one ^ two]
    # xxx11111 begins an instruction of more than 32 bits.
    return [word for word in words if word & 0x1F != 0x1F]


def test_capstone_finds_the_same_long_words_legal():
    for word in nearly_legal_words(100):
        theirs = capstone_text(word, 4)
        if known(theirs) != (RV64GC.decode(word) is not None):
            assert why_capstone_differs(word, theirs), (hex(word), theirs)


@needs_objdump
def test_objdump_finds_the_same_long_words_legal(tmp_path):
    words = nearly_legal_words(100)
    texts = objdump_texts([(word, 4) for word in words], tmp_path, "-M", "no-aliases")
    for word, theirs in zip(words, texts, strict=True):
        ours = RV64GC.decode(word)
        if known(theirs) != (ours is not None):
            assert ours is not None, (hex(word), theirs)
            assert why_reserved(ours), (hex(word), theirs)


# --- sets ----------------------------------------------------------------------------------------


def test_an_ambiguous_encoding_is_refused():
    @instruction("addq rd, rs1, rs2", "0000000 rs2 rs1 000 rd 0110011")
    def addq(h, d):
        """The encoding of add."""

    with pytest.raises(DefinitionError, match=r"add.*addq.*overlap"):
        RV64IM + addq


def test_a_special_case_wins_over_the_general_encoding():
    @instruction("addzero rd, rs1", "0000000 00000 rs1 000 rd 0110011")
    def addzero(h, d):
        """The add of x0."""

    isa = RV64IM + addzero
    assert isa.decode(0x0005_8533).instruction.name == "addzero"
    assert isa.decode(0x0015_8533).instruction.name == "add"


def test_a_set_without_an_instruction_finds_its_word_illegal():
    assert RV64IM.decode(0x02B5_0533).instruction.name == "mul"
    assert RV64IM.without("mul").decode(0x02B5_0533) is None
    with pytest.raises(KeyError, match="nothing"):
        RV64IM.without("nothing")


def test_short_forms_leave_with_the_instruction_they_stand_for():
    assert RV64GC.decode(0x4505).spelling.name == "c.li"
    assert RV64GC.without("addi").decode(0x4505) is None


def test_short_forms_expand_to_a_replaced_instruction():
    @instruction("addi rd, rs1, imm", "imm[11:0] rs1 000 rd 0010011")
    def addi(h, d):
        """An addition that counts."""

    isa = RV64GC.replace(addi)
    assert isa.decode(0x4505).instruction is addi


def test_a_short_form_that_leaves_an_operand_open_is_refused():
    with pytest.raises(DefinitionError, match="rs1"):
        compressed("c.x rd, imm", "010 imm[5] rd imm[4:0] 01", RV64GC.instructions["addi"])


def test_a_set_knows_its_length_and_names():
    assert len(RV64GC) == len(LONG) + len(SHORT)
    assert "mul" in RV64GC
    assert "c.mv" in RV64GC
    assert "vadd.vv" not in RV64GC
    assert set("IMAFDC") <= set(RV64GC.letters)
    assert RV64GC.has_compressed
    assert not RV64IM.has_compressed
