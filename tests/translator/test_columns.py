"""A block beside its guest code keeps all of both."""

from __future__ import annotations

from vtbook import Machine, guest_image
from vtbook.translator import lift_block
from vtbook.translator.columns import block_columns


def test_every_operation_stands_beside_its_instruction():
    m = Machine(engine="python")
    m.load(guest_image("hello"))
    block = lift_block(m.hart, m.address("putchar"))
    guest, code = block_columns(block)["frames"][0]["columns"]
    assert len(guest["lines"]) == len(block.marks)
    assert all(mark.text in line[0] for mark, line in zip(block.marks, guest["lines"], strict=True))
    shown = [line[0] for line in code["lines"]]
    marks = {str(mark) for mark in block.marks}
    assert shown == [
        one.removeprefix("    ") for one in str(block).splitlines() if one not in marks
    ]
    assert {link for line in code["lines"] for link in line[2]} <= set(range(len(block.marks)))
