"""The language of the assembler and the program that comes out of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbook.isa.assembler import Program, assemble
from vtbook.isa.assembler.data import float_bytes
from vtbook.isa.definition import instruction
from vtbook.isa.disassembler import disassemble_range
from vtbook.isa.sets import RV64GC, RV64IM


def words(source: str, **options) -> list[str]:
    """The code of a source, disassembled."""
    program = assemble(source, **options)
    return [line.text for line in disassemble_range(program.segments[0][1], program.origin)]


def value(expression: str, **symbols: int) -> int:
    """What the assembler makes of an expression."""
    data = assemble(f".data\n.dword {expression}", symbols=symbols).segments[0][1]
    return int.from_bytes(data, "little", signed=True)


# --- expressions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0x1F", 31), ("0b101", 5), ("0o17", 15), ("017", 15), ("1234", 1234), ("'A'", 65),
        (r"'\n'", 10), (r"'\\'", 92), (r"'\x7f'", 127), (r"'\''", 39), ("' '", 32),
        ("-5 + 3", -2), ("~0", -1), ("!0", 1), ("!7", 0), ("+4", 4), ("- -4", 4),
        ("7 / 2", 3), ("-7 / 2", -3), ("-7 % 3", -1), ("1 << 10", 1024), ("-8 >> 1", -4),
        ("2 + 3 * 4", 14), ("(2 + 3) * 4", 20), ("0xf0 & 0x3c", 0x30), ("6 ^ 3", 5), ("4 | 1", 5),
        ("1 + 1 << 4", 17), ("8 | 1 + 1", 10), ("a - b", 30), ("0xffffffffffffffff", -1),
    ],
)  # fmt: skip
def test_expressions_have_the_values_of_the_manual(text, expected):
    assert value(text, a=50, b=20) == expected


@settings(max_examples=200, deadline=None)
@given(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-(1 << 63), (1 << 63) - 1))
def test_division_truncates_toward_zero(a, b):
    if b == 0:
        return
    quotient, remainder = value(f"{a} / {b}") if a != -(1 << 63) else 0, value(f"{a} % {b}")
    assert abs(remainder) < abs(b)
    assert remainder == 0 or (remainder < 0) == (a < 0)
    if a != -(1 << 63):
        assert quotient * b + remainder == a


def test_a_dot_is_the_address_of_the_statement():
    assert words("nop\nj . + 8\nj . - 4") == ["nop", "j 0x8000000c", "j 0x80000004"]


def test_a_plain_number_as_a_target_is_an_address():
    assert words("j 0x80000020\nbeqz a0, 0x80000000") == ["j 0x80000020", "beqz a0, 0x80000000"]


# --- symbols -------------------------------------------------------------------------------------


def test_numeric_labels_mean_the_nearest_before_and_after():
    source = """
    1: nop
    1: j 1b      # the second one
       j 1f
       j 2f
    1: j 1b
    2:
    """
    assert words(source) == [
        "nop", "j 0x80000004", "j 0x80000010", "j 0x80000014", "j 0x80000010",
    ]  # fmt: skip
    assert assemble(source).symbols == {}


def test_constants_may_change_and_may_come_after_their_use():
    source = ".equ n, 1\nli a0, n\n.set n, n + 1\nli a1, n\nm = n * 10\nli a2, m\nli a3, late\n"
    assert words(source + ".equ late, 7") == ["li a0, 1", "li a1, 2", "li a2, 20", "li a3, 7"]
    assert assemble(source + ".equ late, 7").symbols == {"n": 2, "m": 20, "late": 7}


def test_a_constant_may_depend_on_addresses():
    program = assemble("start: nop\nnop\nend:\n.equ size, end - start\nli a0, size")
    assert program.symbols["size"] == 8
    assert program.segments[0][1][8:] == bytes.fromhex("13058000")


def test_li_of_an_address_is_as_long_as_it_needs():
    program = assemble("li a0, after\nafter: nop", origin=0x8000_0000)
    assert program.symbols["after"] == 0x8000_000C
    assert len(program.listing) == 4  # 1 << 31 is not a sign-extended number of 32 bits
    assert words("li a0, after\nafter: nop", origin=0x1000) == [
        "lui a0, 0x1", "addiw a0, a0, 8", "nop",
    ]  # fmt: skip


def test_symbols_can_be_given():
    assert words("li a0, uart\ncall uart", symbols={"uart": 0x1000_0000}) == [
        "lui a0, 0x10000", "auipc ra, 0x90000", "jalr -4(ra)",
    ]  # fmt: skip


def test_a_weak_symbol_without_definition_is_zero():
    assert value("hook\n.weak hook") == 0


def test_a_label_may_stand_alone_and_several_may_share_a_place():
    program = assemble("a: b:\nc: nop; d: nop")
    assert program.symbols == dict.fromkeys("abc", 0x8000_0000) | {"d": 0x8000_0004}


def test_labels_may_have_the_names_of_registers_and_instructions():
    assert words("add: j add\nt0: j t0") == ["j 0x80000000", "j 0x80000004"]


# --- operands ------------------------------------------------------------------------------------


def test_relocation_operators_pair_up():
    source = """
    here: auipc a0, %pcrel_hi(there)
    nop
    addi a0, a0, %pcrel_lo(here)
    lw a1, %pcrel_lo(here)(a0)
    .org 0x1800
    there: .word 0
    """
    assert words(source)[:4] == [
        "auipc a0, 0x2", "nop", "addi a0, a0, -2048", "lw a1, -2048(a0)",
    ]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.integers(-(1 << 31), (1 << 31) - 0x801))
def test_hi_and_lo_add_up(address):
    program = assemble("lui a0, %hi(x)\naddi a0, a0, %lo(x)", symbols={"x": address})
    code = program.segments[0][1]
    high = RV64GC.decode(int.from_bytes(code[:4], "little")).operands.imm
    low = RV64GC.decode(int.from_bytes(code[4:], "little")).operands.imm
    assert high + low == address


def test_spellings_of_operands():
    assert words("lw a0, (a1)") == words("lw x10, 0(x11)") == ["lw a0, 0(a1)"]
    assert words("lr.w a0, 0(a1)") == ["lr.w a0, (a1)"]
    assert words("LW a0, 4(fp)") == ["lw a0, 4(s0)"]
    assert words("lw a0, (4 + 4) * 2(sp)") == ["lw a0, 16(sp)"]
    assert words("csrr a0, 0x300") == words("csrr a0, MSTATUS") == ["csrr a0, mstatus"]
    assert words(".equ mine, 0x7c0\ncsrw mine, a0") == ["csrw 0x7c0, a0"]
    assert words("lui a0, -1") == words("lui a0, 0xfffff") == ["lui a0, 0xfffff"]
    assert words("andi a0, a0, 0xfffffffffffffff0") == ["andi a0, a0, -16"]


def test_comments_and_separators():
    source = "nop # one; nop\nnop // two\n/* three\nnop */ nop; nop\n;;\n"
    assert words(source) == ["nop"] * 4


def test_atomic_orderings_are_suffixes():
    assert words("amoadd.w.aqrl a0, a1, (a2)\nlr.d.aq a0, (a1)\nsc.d.rl a0, a1, (a2)") == [
        "amoadd.w.aqrl a0, a1, (a2)", "lr.d.aq a0, (a1)", "sc.d.rl a0, a1, (a2)",
    ]  # fmt: skip


# --- sections and options ------------------------------------------------------------------------


def test_sections_are_placed_by_kind_and_on_pages_by_permission():
    program = assemble("""
    .data
    d: .word 1
    .bss
    b: .space 100
    .section .rodata
    r: .word 2
    .text
    t: nop
    .section .text.init, "ax"
    i: nop
    """)
    assert [(s.name, s.flags) for s in program.sections] == [
        (".text.init", "ax"), (".text", "ax"), (".rodata", "a"), (".data", "aw"), (".bss", "aw"),
    ]  # fmt: skip
    s = program.symbols
    assert s["i"] == 0x8000_0000
    assert s["t"] == 0x8000_0004
    assert s["r"] == 0x8000_1000
    assert s["d"] == 0x8000_2000
    assert s["b"] == 0x8000_2008
    assert program.segments[-1] == (0x8000_2008, bytes(100))


def test_sections_stack_and_alternate():
    program = assemble("""
    nop
    .pushsection .rodata
    .byte 1
    .popsection
    .data
    .byte 2
    .previous
    nop
    .comm shared, 16, 8
    """)
    data = {s.name: s.data for s in program.sections}
    assert len(data[".text"]) == 8
    assert data[".rodata"] == b"\1"
    assert data[".data"] == b"\2"
    assert data[".bss"] == bytes(16)
    assert program.symbols["shared"] % 8 == 0


def test_options_turn_compression_on_and_off():
    source = """
    addi a0, a0, 1
    .option push
    .option norvc
    addi a0, a0, 1
    .option pop
    addi a0, a0, 1
    """
    assert [len(line.data) for line in assemble(source, compress=True).listing] == [2, 4, 2]
    turned_on = ".option rvc\n" + source
    assert [len(line.data) for line in assemble(turned_on).listing] == [2, 4, 2]
    assert [len(line.data) for line in assemble(source, isa=RV64IM, compress=True).listing] == [
        4
    ] * 3


def test_words_of_compilers_are_accepted():
    source = """
    .file "a.c"
    .option nopic
    .attribute arch, "rv64i2p1"
    .globl main
    .type main, @function
    main: .cfi_startproc
    ret
    .cfi_endproc
    .size main, . - main
    .ident "GCC"
    .section .note.GNU-stack,"",@progbits
    """
    assert words(source) == ["ret"]


def test_padding_in_code_is_nops():
    assert words("nop\n.balign 16\nnop") == ["nop"] * 5
    assert words("c.nop\n.balign 8\nnop", compress=True) == ["nop"] * 4
    data = assemble(".data\n.byte 1\n.p2align 3,,2\n.balign 4, 0xee").segments[0][1]
    assert data == b"\x01\xee\xee\xee"


@pytest.mark.parametrize(
    ("text", "single"),
    [
        ("1.5", 0x3FC00000), ("-0.0", 0x80000000), ("inf", 0x7F800000), ("nan", 0x7FC00000),
        ("1e-45", 1), ("1e-46", 0), ("1e39", 0x7F800000),
        # Rounding to a double first would lose the last digit, which decides.
        ("1.00000005960464477539062500000000001", 0x3F800001),
        ("3.4028235677973367e38", 0x7F800000), ("3.4028235677973366e38", 0x7F7FFFFF),
    ],
)  # fmt: skip
def test_singles_are_rounded_once(text, single):
    assert int.from_bytes(float_bytes(text, 4), "little") == single


# --- the program ---------------------------------------------------------------------------------

HELLO = """
        .equ UART, 0x10000000
        .globl _start
_start: la   a0, message
        li   a1, UART
loop:   lbu  a2, (a0)
        beqz a2, done
        sb   a2, (a1)
        addi a0, a0, 1
        j    loop
done:   ebreak
        .data
message: .asciz "Hi"
"""


def test_a_program_knows_its_parts():
    program = assemble(HELLO)
    assert isinstance(program, Program)
    assert program.entry == program.origin == 0x8000_0000
    assert program.symbols["message"] == 0x8000_1000
    assert program.symbols["UART"] == 0x1000_0000
    assert program.segments[1] == (0x8000_1000, b"Hi\0")
    assert [address for address, _ in program.segments] == [0x8000_0000, 0x8000_1000]
    assert bytes(program) == program.segments[0][1].ljust(4096, b"\0") + b"Hi\0"


def test_the_entry_is_start_or_the_origin():
    assert assemble("nop\n_start: nop").entry == 0x8000_0004
    assert assemble("nop", origin=0x1000).entry == 0x1000


def test_each_address_has_its_source_line():
    program = assemble(HELLO)
    assert program.source_line(0x8000_0000) == 4
    assert program.source_line(0x8000_0004) == 4  # la is two instructions
    assert program.source_line(program.symbols["loop"]) == 6
    assert program.source_line(program.symbols["message"] + 2) == 13
    assert program.source_line(0x8000_0FFF) is None
    assert program.source_line(0) is None
    assert program.line_at(program.symbols["loop"]).text == "lbu  a2, (a0)"


def test_the_listing_covers_all_bytes():
    program = assemble(HELLO)
    joined = b"".join(line.data for line in program.listing)
    assert joined == b"".join(data for _, data in program.segments)


def test_the_listing_reads_well():
    lines = str(assemble(HELLO)).split("\n")
    assert lines[:4] == [
        "                                     _start:",
        "80000000  00001517              4    la   a0, message",
        "80000004  00050513",
        "80000008  100005b7              5    li   a1, UART",
    ]
    assert lines[-1].split() == ["80001000", "486900", "13", ".asciz", '"Hi"']


def test_an_instruction_of_the_reader_assembles_at_once():
    @instruction("sqadd rd, rs1, imm(rs2)", "imm[6:0] rs2 rs1 000 rd 0001011")
    def sqadd(h, d):
        """Whatever it does."""

    isa = RV64GC + sqadd
    code = assemble("sqadd a0, a1, -4(a2)", isa=isa).segments[0][1]
    decoded = isa.decode(int.from_bytes(code, "little"))
    assert decoded.instruction.name == "sqadd"
    assert (decoded.operands.rd, decoded.operands.rs1, decoded.operands.rs2) == (10, 11, 12)
    assert decoded.operands.imm == -4


def test_a_branch_of_the_reader_takes_labels():
    @instruction("bodd rs1, imm", "imm[12|10:5] 00000 rs1 010 imm[4:1|11] 1100011")
    def bodd(h, d):
        """Branch if odd."""

    isa = RV64GC + bodd
    code = assemble("nop\n1: nop\nbodd a0, 1b", isa=isa).segments[0][1]
    assert isa.decode(int.from_bytes(code[8:], "little")).operands.imm == -4


def test_an_empty_source_is_an_empty_program():
    program = assemble("# nothing\n")
    assert program.segments == []
    assert program.symbols == {}
    assert str(program) == ""


def test_large_sources_take_a_short_time():
    source = "\n".join(f"l{n}: addi a0, a0, 1\nbnez a0, l{max(0, n - 5)}" for n in range(3000))
    assert len(assemble(source, compress=True).listing) == 6000


def test_a_macro_may_take_the_name_of_an_instruction():
    assert words(".macro nop\nmv a0, a1\n.endm\nnop") == ["mv a0, a1"]


def test_the_listing_shows_what_a_macro_became():
    program = assemble(".macro bump r\naddi \\r, \\r, 1\n.endm\nbump a0\nbump a1")
    assert [line.text for line in program.listing] == ["addi a0, a0, 1", "addi a1, a1, 1"]
    assert [line.number for line in program.listing] == [2, 2]


def test_strings_are_listed_in_the_order_of_memory():
    assert str(assemble('.ascii "ABCD"')).split()[1] == "41424344"
    assert str(assemble(".word 0x41424344")).split()[1] == "41424344"


def test_aliases_of_an_instruction_appear_with_it():
    @instruction("sfence.vma rs1, rs2", "0001001 rs2 rs1 000 00000 1110011")
    def sfence_vma(h, d):
        """Order page-table accesses."""

    isa = RV64IM if "sfence.vma" in RV64IM else RV64IM + sfence_vma
    code = assemble("sfence.vma\nsfence.vma a0\nsfence.vma a0, a1", isa=isa).segments[0][1]
    assert code.hex() == "73000012730005127300b512"
    text = [line.text for line in disassemble_range(code, isa=isa)]
    assert text == ["sfence.vma", "sfence.vma a0", "sfence.vma a0, a1"]
