"""What the assembler says about a wrong source: where, what, and what to do."""

from __future__ import annotations

import pytest

from vtbook.errors import VtbookError
from vtbook.isa.assembler import AssemblyError, assemble
from vtbook.isa.sets import RV64IM


def errors(source: str, **options) -> list:
    """The diagnostics of a source that must not assemble."""
    with pytest.raises(AssemblyError) as caught:
        assemble(source, **options)
    return list(caught.value.diagnostics)


def only(source: str, **options):
    (error,) = errors(source, **options)
    return error


def test_the_message_points_at_the_token():
    error = only("nop\n\tlw a0, 4(b1)", filename="boot.S")
    assert (error.line, error.column, error.width) == (2, 11, 2)
    assert str(error) == (
        "boot.S:2:11: 'b1' is not an integer register; "
        "write lw rd, imm(rs1) or lw rd, symbol\n"
        "    \tlw a0, 4(b1)\n"
        "    \t         ^~"
    )


def test_all_errors_are_collected_in_order():
    found = errors("adi a0, a0, 1\nnop\nj nowhere\naddi a0, a0, 5000\n.wrod 1\n")
    assert [e.line for e in found] == [1, 3, 4, 5]


def test_after_twenty_errors_it_stops():
    assert len(errors("bad\n" * 50)) == 20


def test_the_error_is_one_of_ours():
    with pytest.raises(VtbookError):
        assemble("bad")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        # words
        ("adi a0, a0, 1", "unknown instruction 'adi'; did you mean"),
        ("vadd.vv v1, v2, v3", "unknown instruction 'vadd.vv'"),
        (".wrod 1", "unknown directive .wrod; did you mean .word"),
        (".option rvx", "unknown option rvx; did you mean rvc"),
        ("5 nop", "expected an instruction, found '5'"),
        ("lw a0, 4(sp", "')' is missing here"),
        ("lw a0, 4", None),  # an address: legal
        ("sw a0, 4", "the base register is missing, as in 8(sp); write sw rs2, imm(rs1) or sw"),
        ("sw a0, 4,", "an integer register is missing here"),
        ("add a0, a1", "',' is missing here; write add rd, rs1, rs2 or add rd, rs1, imm"),
        ("add a0, a1, a2, a3", "unexpected ','"),
        ("nop nop", "unexpected 'nop'"),
        ("@", "expected an instruction, found '@'"),
        ("add a0, a1, `", "unexpected '`'"),
        (".asciz \"open", "a quote without its end"),
        # registers and operands
        ("add a0, a1, s12", "'s12' is not defined; did you mean s2 or s1 or s11?"),
        ("fadd.s fa0, fa1, a2", "'a2' is not a floating-point register"),
        ("addi a0, a0, a1", "expected a number, found the register a1"),
        ("lw a0, a1", None),  # a symbol may have any name, but this one is not defined
        ("lw a0, a1(a2)", "expected a number, found the register a1"),
        ("lr.w a0, 4(a1)", "takes no offset"),
        ("c.lw a0, 4(t6)", "c.lw can use the registers 8 to 15 only, not 31"),
        ("c.lwsp a0, 4(a1)", "only the register sp can stand here"),
        ("c.lwsp zero, 4(sp)", "c.lwsp can't use register 0 here"),
        ("fadd.s fa0, fa1, fa2, rxx", "'rxx' is not a rounding mode: rne, rtz"),
        ("fence wr, rw", "'wr' is not a set of accesses"),
        ("csrr a0, mstauts", "'mstauts' is not a CSR; did you mean mstatus"),
        # numbers
        ("addi a0, a0, 2048", "2048 does not fit: addi takes -2048 to 2047; li can load"),
        ("sd a0, 2048(sp)", "2048 does not fit: sd takes -2048 to 2047"),
        ("slli a0, a0, 64", "64 does not fit: slli takes 0 to 63"),
        ("slliw a0, a0, 32", "32 does not fit: slliw takes 0 to 31"),
        ("csrwi mie, 32", "32 does not fit: csrrwi takes 0 to 31"),
        ("csrr a0, 0x1000", "4096 does not fit"),
        ("lui a0, 0x100000", "lui takes 20 bits, 0 to 0xfffff"),
        ("c.lui a0, 32", "c.lui takes 1 to 31"),
        ("c.addi16sp sp, 8", "8 is not a multiple of 16"),
        ("c.addi4spn a0, sp, 0", "c.addi4spn can't have 0 here"),
        ("li a0, 1 << 64", "a shift by 64"),
        ("li a0, (1 << 63) * 2", "does not fit in 64 bits"),
        (".byte 256", "0x100 does not fit in 1 bytes"),
        (".word 1 / 0", "division by zero"),
        (".word 089", "089 is not an octal number"),
        (".word 1.5", "1.5 is not a whole number"),
        (".float x", "x is not a decimal number"),
        (".asciz \"\\q\"", "unknown escape \\q"),
        # symbols
        ("j nowhere", "'nowhere' is not defined"),
        ("loop: j lop", "'lop' is not defined; did you mean loop"),
        ("j 1f", "no label 1: follows"),
        ("j 1b", "no label 1: stands before this line"),
        ("a: nop\na: nop", "'a' is defined twice"),
        (".equ a, 1\na: nop", "'a' is defined twice"),
        ("a: nop\n.equ a, 1", "'a' is already a label"),
        (".equ a, b\n.equ b, a\nli a0, a", "is defined by itself"),
        # addresses
        ("j 16", "write . + 8 for a distance"),
        ("j far\n.space 1 << 21\nfar: nop", "jal reaches -0x100000 to +0xffffe"),
        ("c.beqz a0, far\n.space 1024\nfar: nop", "c.beqz reaches -0x100 to +0xfe"),
        ("j . + 3", "3 bytes away, an odd number"),
        (".byte 1\nnop", "an instruction at 0x80000001; put .balign 2 before it"),
        ("x: lui a0, %hi(x)", "cannot be made by lui"),
        ("la a0, 0x100000000", None),  # within 2 GiB of the origin
        ("la a0, 0x200000000", "auipc reaches 2 GiB"),
        ("addi a0, a0, %hi(0)", "%hi does not belong in addi"),
        ("lui a0, %lo(0)", "%lo does not belong in lui"),
        ("x: addi a0, a0, %pcrel_lo(x)", "%pcrel_lo needs the label of one"),
        ("lui a0, %got(x)", "unknown operator %got; known are %hi, %lo"),
        # macros and conditions
        (".macro", "a name for the macro is missing here"),
        (".macro m\nnop", ".macro without .endm"),
        (".rept 2\nnop", ".rept without .endr"),
        (".rept x\nnop\n.endr\nx:", "'x' is not defined"),
        (".rept -1\nnop\n.endr", "-1 repetitions"),
        (".macro m a\nli a0, \\a\n.endm\nm 1, 2", "m takes 1 argument"),
        (".macro m\nnop\n.endm\nm 1", "m takes no arguments"),
        (".macro m a:req\nli a0, \\a\n.endm\nm", "m needs a value for a"),
        (".macro m a:rex\n.endm", "expected req or vararg, found 'rex'"),
        (".macro m\nm\n.endm\nm", "m nests more than 100 deep"),
        (".endm", "unknown directive .endm"),
        (".if 1\nnop", ".if without .endif"),
        (".if 0\nnop", ".if without .endif"),
        (".else", ".else without .if"),
        (".endif", ".endif without .if"),
        ("x: .if x\n.endif", "this must be a constant, not an address"),
        ("li a0, \\a", "expected a value, found"),
        # places
        (".align 40", "the power of two must be 0 to 31; .balign takes bytes"),
        (".balign 12", "12 is not a power of two"),
        (".align x\nx: nop", "'x' is not defined"),
        ("x: .balign x", "this must be a constant, not an address"),
        (".space -1", "a space of -1 bytes"),
        ("nop\n.org 0", ".org would move by -4 bytes"),
        (".popsection", ".popsection without .pushsection"),
        (".option pop", ".option pop without .option push"),
        (".section 5", "expected a section name"),
        (".fill 1, 9", "a unit of 9 bytes"),
    ],
)  # fmt: skip
def test_each_mistake_is_named(source, message):
    if message is None:
        return
    found = errors(source)
    assert any(message in e.message for e in found), [e.message for e in found]
    assert all(e.message and e.line >= 1 and e.column >= 1 for e in found)


@pytest.mark.parametrize("source", ["lw a0, 4", "la a0, 0x100000000 - 4096"])
def test_what_looks_like_a_mistake_but_is_none(source):
    assert len(assemble(source).listing) == 2


def test_an_instruction_of_another_set_is_told_from_an_unknown_one():
    assert only("fadd.s fa0, fa1, fa2", isa=RV64IM).message == (
        "fadd.s is not in this instruction set (RV64IM)"
    )


def test_alignment_is_four_without_compressed_instructions():
    message = only(".half 1\nnop", isa=RV64IM).message
    assert "put .balign 4 before it" in message
    assert assemble(".half 1\nnop").segments


def test_an_error_in_a_macro_shows_the_text_it_became_and_who_used_it():
    error = only(".macro load reg, n\n    li \\reg, 1 <<< \\n\n.endm\nnop\nload a0, 5")
    assert error.line == 2
    assert "(in macro load, used in line 5)" in error.message
    assert error.source == "    li a0, 1 <<< 5"


def test_an_error_that_a_repetition_repeats_is_shown_once():
    assert len(errors(".rept 5\nbad\n.endr")) == 1
