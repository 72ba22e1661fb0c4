"""Encoding patterns: reading them, and putting values in and out."""

from __future__ import annotations

import pytest

from vtbook.isa.definition import DefinitionError, instruction
from vtbook.isa.encoding import EncodingError, parse_encoding
from vtbook.isa.syntax import slots_of


def test_a_pattern_fixes_bits_and_places_fields():
    encoding = parse_encoding("imm[11:0] rs1 010 rd 0000011")
    assert (encoding.size, encoding.mask, encoding.match) == (4, 0x707F, 0x2003)
    assert encoding.decode(0xFFC1_2503) == {"imm": -4, "rs1": 2, "rd": 10}
    assert encoding.encode({"imm": -4, "rs1": 2, "rd": 10}) == 0xFFC1_2503


def test_scattered_bits_come_together_in_order():
    encoding = parse_encoding("imm[12|10:5] rs2 rs1 000 imm[4:1|11] 1100011")
    for offset in (-4096, -2, 0, 2, 2048, 4094):
        word = encoding.encode({"imm": offset, "rs1": 0, "rs2": 0})
        assert encoding.decode(word)["imm"] == offset
    assert encoding.encode({"imm": 2048, "rs1": 0, "rs2": 0}) == 0x0000_00E3  # bit 11 is bit 7


def test_a_primed_register_is_one_of_x8_to_x15():
    encoding = parse_encoding("010 uimm[5:3] rs1' uimm[2|6] rd' 00")
    assert encoding.decode(0x4000) == {"uimm": 0, "rs1": 8, "rd": 8}
    with pytest.raises(EncodingError, match="rd = 7 does not fit: 8 to 15"):
        encoding.encode({"uimm": 0, "rs1": 8, "rd": 7})


@pytest.mark.parametrize("value", [-2049, 2048, 1 << 40])
def test_a_value_out_of_range_is_refused(value):
    encoding = parse_encoding("imm[11:0] rs1 010 rd 0000011")
    with pytest.raises(EncodingError, match="does not fit: -2048 to 2047"):
        encoding.encode({"imm": value, "rs1": 0, "rd": 0})


def test_a_value_between_multiples_is_refused():
    encoding = parse_encoding("imm[12|10:5] rs2 rs1 000 imm[4:1|11] 1100011")
    with pytest.raises(EncodingError, match="not a multiple of 2"):
        encoding.encode({"imm": 3, "rs1": 0, "rs2": 0})


def test_an_excluded_value_is_refused_and_does_not_match():
    encoding = parse_encoding("010 uimm[5] rd!=0 uimm[4:2|7:6] 10")
    assert not encoding.matches(0x4002)
    assert encoding.matches(0x4082)
    with pytest.raises(EncodingError, match="not 0"):
        encoding.encode({"uimm": 0, "rd": 0})


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("imm[11:0] rs1 010 rd 000001", "31 bits; an instruction has 16 or 32"),
        ("imm rs1 010 rd 0000011", "imm needs its bits"),
        ("imm[0:11] rs1 010 rd 0000011", "runs upward"),
        ("imm[11:0] RS1 010 rd 0000011", "cannot read 'RS1'"),
    ],
)
def test_a_pattern_that_cannot_be_read_says_why(pattern, message):
    with pytest.raises(EncodingError) as caught:
        parse_encoding(pattern)
    assert message in str(caught.value)


def test_a_field_is_found_by_name():
    encoding = parse_encoding("imm[11:0] rs1 010 rd 0000011")
    assert encoding.field("imm").width == 12
    with pytest.raises(KeyError):
        encoding.field("rs2")


@pytest.mark.parametrize("syntax", ["bad rd, rs9", "bad rd, imm(rs9)", "bad rd, rs2[31:12]"])
def test_a_syntax_that_names_no_field_is_refused(syntax):
    @instruction(syntax, "imm[11:0] rs1 010 rd 0001011")
    def bad(h, d):
        """Nothing."""

    with pytest.raises(DefinitionError, match="no field"):
        slots_of(bad)
