"""A handler's machine code, as it is shown to the reader."""

from __future__ import annotations

import platform
import re

import pytest

from vtbook.cpu.inspect_code import handler_assembly
from vtbook.errors import VtbookError
from vtbook.isa.definition import instruction
from vtbook.isa.sets import RV64GC

needs_x86 = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="needs an x86-64 processor"
)


def last(assembly: str) -> str:
    return assembly.splitlines()[-1].split()[0]


@needs_x86
def test_addi_adds_and_jumps_to_the_next_handler():
    code = handler_assembly("addi")
    words = [line.split()[0] for line in code.splitlines()]
    assert len(words) < 14
    assert any(word.startswith(("add", "lea")) for word in words)
    assert "call" not in code
    assert "ret" not in code
    assert last(code).startswith("jmp")


def test_only_instructions_and_labels_are_left():
    for line in handler_assembly("bne").splitlines():
        assert re.match(r"\s+[a-z]|\.?L\w+:", line), line


def test_an_instruction_of_the_readers_can_be_looked_at():
    @instruction("triple rd, rs1", "0000000 00000 rs1 000 rd 0001011")
    def triple(h, d):
        """Three times."""
        h.x[d.rd] = 3 * h.x[d.rs1]

    assert handler_assembly("triple", isa=RV64GC + triple)


@pytest.mark.parametrize("name", ["nonsense", "c.addi"])
def test_what_has_no_handler_is_refused(name):
    with pytest.raises(VtbookError, match=f"no instruction '{name}'"):
        handler_assembly(name)
