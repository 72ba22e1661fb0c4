"""Exits read as sentences; sizes read as people write them."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtbook.machine import Exit
from vtbook.machine.exits import REASONS
from vtbook.machine.units import SizeError, format_size, parse_size

FIELDS = {
    "shutdown": {"code": 3},
    "watchpoint": {"kind": "write", "addr": 0x8000_0010, "size": 8, "value": 255},
    "mmio": {"kind": "read", "addr": 0x1000_0000, "size": 1},
    "trap": {"cause": 2, "tval": 0xFFFF, "cause_name": "illegal instruction", "detail": "why"},
}


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_reads_as_a_sentence(reason):
    exit = Exit(reason, 0x8000_0004, 1234, "main+0x4", **FIELDS.get(reason, {}))
    text = str(exit)
    assert text.startswith(f"{reason}: ")
    assert "main+0x4" in text
    assert "1,234 instructions" in text
    assert "None" not in text
    for value in FIELDS.get(reason, {}).values():
        shown = (f"{value:#x}", str(value)) if isinstance(value, int) else (value,)
        assert any(part in text for part in shown)


@pytest.mark.parametrize("reason", REASONS)
def test_every_sentence_names_only_fields_of_an_exit(reason):
    names = {name for _, name, _, _ in string.Formatter().parse(REASONS[reason].sentence) if name}
    assert names <= set(Exit.__dataclass_fields__)


def test_html_is_escaped():
    exit = Exit("shutdown", 0, 0, "<b>", code=1, message="<script>")
    html = exit._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert re.fullmatch(r"<b>shutdown</b>.*<small>\(.*\)</small>", html)


def test_without_symbols_the_place_is_a_number():
    assert "at 0x80000004 after" in str(Exit("budget", 0x8000_0004, 1))
    assert "at 0x80000004" in str(Exit("breakpoint", 0x8000_0004, 1))


def test_only_success_is_ok():
    assert Exit("shutdown", 0, 0, code=0).ok
    assert not Exit("shutdown", 0, 0, code=1).ok
    assert not Exit("budget", 0, 0).ok


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("128 MiB", 128 << 20),
        ("128MiB", 128 << 20),
        ("64K", 64 << 10),
        ("64 kib", 64 << 10),
        (" 2 G ", 2 << 30),
        ("1 TiB", 1 << 40),
        ("0.5 GiB", 1 << 29),
        ("4096", 4096),
        ("4_096 B", 4096),
        ("0x1000", 4096),
        (4096, 4096),
        (0, 0),
    ],
)
def test_sizes_as_people_write_them(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("128 MB", "write MiB"),
        ("", "write for instance"),
        ("lots", "write for instance"),
        ("12 parsecs", "unknown unit"),
        ("-1", "write for instance"),
        (-1, "negative"),
        ("0.3 KiB", "whole number of bytes"),
        (1.5, "not a size"),
        (None, "not a size"),
        (True, "not a size"),
        ("1e9", "unknown unit|not a size"),
    ],
)
def test_what_is_no_size_says_what_to_write(bad, message):
    with pytest.raises(SizeError, match=message):
        parse_size(bad, "RAM")


@given(st.integers(0, 1 << 50))
def test_formatting_loses_nothing(size):
    assert parse_size(format_size(size)) == size


@given(st.text(max_size=20))
def test_no_text_raises_anything_else(text):
    try:
        assert parse_size(text) >= 0
    except SizeError as error:
        assert str(error).startswith("size: ")  # noqa: PT017
