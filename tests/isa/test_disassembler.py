"""The text of the disassembler: capstone's and objdump's, and text that assembles again."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from capstone import CS_ARCH_RISCV, CS_MODE_RISCV64, CS_MODE_RISCVC, Cs

from vtbook.isa.assembler import assemble
from vtbook.isa.csr_names import CSR_NAMES
from vtbook.isa.definition import instruction
from vtbook.isa.disassembler import disassemble, disassemble_range
from vtbook.isa.sets import RV64GC, RV64IM

ADDRESS = 0x8000_0000
CAPSTONE = Cs(CS_ARCH_RISCV, CS_MODE_RISCV64 | CS_MODE_RISCVC)


def random_words(count: int, seed: int) -> Iterator[tuple[int, int]]:
    """(word, size) of ``count`` random words of every encoding."""
    choose = random.Random(seed)
    for spelling in RV64GC:
        encoding = spelling.encoding
        for n in range(count):
            free = choose.getrandbits(8 * encoding.size)
            if n % 3 == 1:  # few bits, and registers out of a few: aliases appear
                free &= choose.getrandbits(8 * encoding.size)
            word = (free & ~encoding.mask) | encoding.match
            if encoding.matches(word):
                yield word, encoding.size


# --- capstone ------------------------------------------------------------------------------------


def capstone_text(word: int, size: int) -> str | None:
    for found in CAPSTONE.disasm(word.to_bytes(size, "little"), ADDRESS, 1):
        if found.size == size:
            return f"{found.mnemonic} {found.op_str}".strip()
    return None


def normal(text: str, target: bool = False) -> list[str]:
    """A text as words: numbers in decimal, CSRs as numbers, targets as distances."""
    names = {name: str(number) for number, name in CSR_NAMES.items()}
    words = re.findall(r"-?0x[0-9a-f]+|[^\s,()]+", text)
    plain = [
        str(int(word, 0)) if re.fullmatch(r"-?0x[0-9a-f]+|-?\d+", word) else names.get(word, word)
        for word in words[1:]
    ]
    if target:
        plain[-1] = str(signed(int(plain[-1]) - ADDRESS))
    return [words[0], *plain]


def signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def same_as_capstone(ours: list[str], theirs: list[str]) -> bool:
    """Equal, or different in a way that the comments here explain."""
    if len(ours) == len(theirs):
        # capstone also has names for CSRs of RV32 (cycleh) and of the old N extension (uie).
        ours = [
            b if re.fullmatch(OTHER_CSRS, b) and a.isdigit() else a
            for a, b in zip(ours, theirs, strict=True)
        ]
    if ours == theirs:
        return True
    if ours[:2] == ["c.addi", "zero"]:
        return theirs == ["c.nop"]  # a hint
    match ours:
        # capstone has no li and puts the offset of jalr last.
        case ["li", rd, value]:
            return theirs == ["addi", rd, "zero", value]
        case ["jalr", rd, offset, base]:
            return theirs == ["jalr", rd, base, offset]
        case ["jalr", offset, base]:
            return theirs == ["jalr", "ra", base, offset]
        case ["jr", offset, base]:
            return theirs == ["jalr", "zero", base, offset]
    return False


OTHER_CSRS = r"u(status|ie|tvec|scratch|epc|cause|tval|ip)|s[ei]deleg|\w+h"


@pytest.mark.parametrize("size", [2, 4])
def test_text_is_that_of_capstone(size):
    """Short words in their own syntax, for capstone prints that; others with pseudos."""
    differences = []
    compared = 0
    for word, word_size in random_words(80, seed=2):
        ours = disassemble(word, ADDRESS, pseudo=size == 4)
        theirs = capstone_text(word, word_size)
        if word_size != size or ours.startswith(".") or theirs is None:
            continue  # which words are legal is tested elsewhere
        compared += 1
        a, b = normal(ours, is_branch(word)), normal(theirs)
        if not same_as_capstone(a, b):
            differences.append((hex(word), ours, theirs))
    assert not differences
    assert compared > 1000


def is_branch(word: int) -> bool:
    decoded = RV64GC.decode(word)
    assert decoded is not None
    return decoded.instruction.name in ("jal", "beq", "bne", "blt", "bge", "bltu", "bgeu")


# --- objdump -------------------------------------------------------------------------------------

OBJDUMP = next(
    filter(None, map(shutil.which, ("riscv64-unknown-elf-objdump", "riscv64-linux-gnu-objdump"))),
    None,
)
needs_objdump = pytest.mark.skipif(
    OBJDUMP is None, reason="needs objdump for riscv64 (apt install binutils-riscv64-unknown-elf)"
)


def objdump_texts(words: list[tuple[int, int]], tmp_path: Path, *options: str) -> list[str]:
    """The text of each word, one after the other from ADDRESS."""
    assert OBJDUMP
    binary = tmp_path / "words.bin"
    binary.write_bytes(b"".join(word.to_bytes(size, "little") for word, size in words))
    command = [OBJDUMP, "-D", "-b", "binary", "-m", "riscv:rv64", f"--adjust-vma={ADDRESS:#x}"]
    output = subprocess.run(
        [*command, *options, str(binary)], capture_output=True, text=True, check=True
    ).stdout
    found = re.findall(r"^\s*([0-9a-f]+):\t[0-9a-f]+ +\t(.*)$", output, re.MULTILINE)
    texts = {int(address, 16): re.sub(r"#.*|<.*", "", text) for address, text in found}
    address, result = ADDRESS, []
    for _, size in words:
        result.append(texts[address])
        address += size
    return result


def same_as_objdump(ours: str, theirs: str, pseudo: bool) -> bool:
    """Equal, or different in a way that the comments here explain."""
    if ours.startswith("."):
        # Reserved rounding modes are "unknown" there, reserved fences are data; neither can be
        # assembled again.
        return "unknown" in theirs or theirs.startswith(".4byte")
    a, b = normal(ours), normal(theirs)
    # CSRs of RV32, of the vector extension and of advanced interrupts have names there.
    for n, (x, y) in enumerate(zip(a, b, strict=False)):
        if x.isdigit() and re.fullmatch(r"[a-z]\w+", y) and a[0].startswith("csr"):
            a[n] = y
    if a == b:
        return True
    if theirs.startswith(".4byte"):
        # binutils 2.40 knows the exact conversions with rounding mode 0 only.
        return a[0] in ("fcvt.d.w", "fcvt.d.wu", "fcvt.d.s")
    if not pseudo and b[0] in (
        "c.srli64",
        "c.srai64",
        "c.slli64",
    ):  # the hint of a shift by nothing
        return [*b, "0"] == [a[0] + "64", *a[1:]]
    if pseudo and b[0].startswith("c."):
        return is_hint(b)  # printed in its own syntax there, in full here
    if pseudo and a[0] == "mv":  # c.addi with nothing to add: a hint
        return b == ["add", a[1], a[1], "0"]
    if pseudo and a[0].endswith(("i", "iu", "iw")):  # objdump calls addi add, sltiu sltu, …
        return [a[0].replace("iu", "u").replace("iw", "w").removesuffix("i"), *a[1:]] == b
    return False


def is_hint(words: list[str]) -> bool:
    """A compressed instruction that writes x0, or shifts or adds nothing."""
    return words[1] == "zero" or words[0] == "c.nop" or words[0].endswith("64")


@needs_objdump
@pytest.mark.parametrize("pseudo", [False, True], ids=["own", "pseudo"])
def test_text_is_that_of_objdump(pseudo, tmp_path):
    words = list(random_words(60, seed=3))
    options = [] if pseudo else ["-M", "no-aliases"]
    differences = []
    address = ADDRESS
    for (word, size), theirs in zip(words, objdump_texts(words, tmp_path, *options), strict=True):
        ours = disassemble(word, address, pseudo=pseudo)
        if not same_as_objdump(ours, theirs, pseudo):
            differences.append((hex(word), ours, theirs))
        address += size
    assert not differences


# --- round trips ---------------------------------------------------------------------------------


def assembled(text: str, compress: bool = False) -> int:
    program = assemble(text, origin=ADDRESS, compress=compress)
    return int.from_bytes(program.segments[0][1], "little")


def test_own_syntax_assembles_to_the_same_word():
    for word, _ in random_words(40, seed=4):
        text = disassemble(word, ADDRESS, pseudo=False)
        assert assembled(text) == word, text


def test_pseudo_instructions_assemble_to_the_same_instruction():
    """A short word may get a longer spelling, for hints are never chosen; its meaning stays."""
    for word, size in random_words(40, seed=5):
        text = disassemble(word, ADDRESS)
        again = assembled(text, compress=size == 2)
        if again != word:
            assert size == 2, text
            assert meaning(again) == meaning(word), text


def meaning(word: int) -> tuple:
    decoded = RV64GC.decode(word)
    assert decoded is not None
    operands = {k: v for k, v in decoded.operands._asdict().items() if k != "size"}
    if decoded.instruction.name == "addi" and operands["imm"] == 0:
        return ("add", {"rd": operands["rd"], "rs1": 0, "rs2": operands["rs1"]})
    return (decoded.instruction.name, operands)


def test_every_printable_alias_round_trips():
    """Each alias as its own word, for random words rarely have two equal registers or a zero."""
    seen = set()
    for line in ALIASES:
        word = assembled(line)
        assert disassemble(word, ADDRESS) == line
        seen.add(line.split()[0])
    assert len(seen) == len(ALIASES)


ALIASES = """nop; li a0, -5; mv a0, a1; not a0, a1; neg a0, a1; negw a0, a1; sext.w a0, a1
zext.b a0, a1; seqz a0, a1; snez a0, a1; sltz a0, a1; sgtz a0, a1; j 0x80000010; jal 0x80000010
ret; jr a1; jalr a1; beqz a0, 0x80000010; bnez a0, 0x80000010; blez a0, 0x80000010
bgez a0, 0x80000010; bltz a0, 0x80000010; bgtz a0, 0x80000010; unimp; rdcycle a0; rdtime a0
rdinstret a0; frcsr a0; frrm a0; frflags a0; fscsr a0; fsrm a0; fsflags a0; fsrmi 3; fsflagsi 3
csrr a0, mstatus; csrw mstatus, a0; csrs mie, a0; csrc mie, a0; csrwi mie, 8; csrsi mie, 8
csrci mie, 8; fence; pause; fence.tso; fmv.s fa0, fa1; fneg.s fa0, fa1; fabs.s fa0, fa1
fmv.d fa0, fa1; fneg.d fa0, fa1; fabs.d fa0, fa1""".replace("\n", "; ").split("; ")


# --- the functions -------------------------------------------------------------------------------


def test_targets_are_addresses_with_the_nearest_symbol():
    symbols = {"main": ADDRESS + 0x10, "loop": ADDRESS + 0x20, "far": ADDRESS + 0x40_0000}
    call = assembled("jal . + 0x10")
    assert disassemble(call, ADDRESS, symbols=symbols) == "jal 0x80000010 <main>"
    assert disassemble(call, ADDRESS + 0x18, symbols=symbols) == "jal 0x80000028 <loop+0x8>"
    assert disassemble(call, ADDRESS - 0x10, symbols=symbols) == "jal 0x80000000"


def test_targets_wrap_at_the_end_of_the_address_space():
    back = assembled("j . - 8")
    assert disassemble(back, 0) == "j 0xfffffffffffffff8"


def test_words_that_are_no_instruction_are_data():
    assert disassemble(0xFFFFFFFF) == ".word 0xffffffff"
    assert disassemble(0) == ".half 0x0000"
    assert disassemble(0x02B50533, isa=RV64IM.without("mul")) == ".word 0x02b50533"


def test_a_reserved_field_is_shown_as_data_and_named():
    assert disassemble(0x0FF0000F | 5 << 7) == ".word 0x0ff0028f  # fence, reserved bits set"


def test_bytes_and_words_give_the_same_text():
    assert disassemble(bytes.fromhex("1305b600")) == disassemble(0x00B60513) == "addi a0, a2, 11"
    assert disassemble(bytes.fromhex("4545ffff")) == "li a0, 17"


def test_a_range_gives_every_instruction_and_the_bytes_left_over():
    code = bytes.fromhex("130000000100678000")
    lines = list(disassemble_range(code, 0x1000))
    assert [(line.address, line.raw.hex(), line.text) for line in lines] == [
        (0x1000, "13000000", "nop"),
        (0x1004, "0100", "nop"),
        (0x1006, "6780", ".half 0x8067"),
        (0x1008, "00", ".byte 0x0"),
    ]


def test_a_range_covers_its_bytes_once():
    code = random.Random(1).randbytes(3000)
    lines = list(disassemble_range(code, ADDRESS))
    assert b"".join(line.raw for line in lines) == code
    assert [line.address for line in lines[1:]] == [
        line.address + len(line.raw) for line in lines[:-1]
    ]


def test_an_instruction_of_the_reader_is_printed_by_its_syntax():
    @instruction("madd rd, rs1, rs2, rs3", "rs3 01 rs2 rs1 000 rd 0001011")
    def madd(h, d):
        """Multiply and add."""
        h.x[d.rd] = h.x[d.rs1] * h.x[d.rs2] + h.x[d.rs3]

    isa = RV64IM + madd
    code = assemble("madd a0, a1, a2, a3", isa=isa).segments[0][1]
    assert disassemble(code, isa=isa) == "madd a0, a1, a2, a3"
