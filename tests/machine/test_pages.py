"""Pages written in intervals of a run: against what a program is known to store."""

from __future__ import annotations

import numpy as np
import pytest

from vtbook import Machine, assemble
from vtbook.machine.debugging import MachineError
from vtbook.machine.pages import (
    CODE,
    EMPTY,
    OTHER,
    UNTOUCHED,
    WRITTEN_BEFORE,
    WRITTEN_NOW,
    page_kinds,
    pages_written,
    write_frames,
)

WALK = """
        li   a0, 0x80010000     # page 16: one store a page, then the first page again
        li   a1, 4096
    next:
        sd   a1, 0(a0)
        add  a0, a0, a1
        j    next
"""
"""Three instructions a page from `next` on."""


@pytest.fixture
def walking():
    machine = Machine(ram="1 MiB", engine="python")
    machine.load(assemble(WALK))
    while machine.position[1] != machine.symbols["next"]:
        machine.step()
    return machine


def test_each_interval_has_the_pages_that_were_stored_to(walking):
    intervals = pages_written(walking, 9, 3)
    assert [i.pages.tolist() for i in intervals] == [[16, 17, 18], [19, 20, 21], [22, 23, 24]]
    assert [i.instructions for i in intervals] == [9, 9, 9]
    assert {i.exit.reason for i in intervals} == {"budget"}


def test_a_store_of_what_was_there_is_not_a_change_and_one_of_zero_is(walking):
    walking.write(0x8001_0000, (4096).to_bytes(8, "little"))
    walking.write(0x8001_1000, b"\xff" * 9)
    (one,) = pages_written(walking, 6, 1)
    assert one.pages.tolist() == [17]
    walking.write(0x8001_0000, bytes(8))
    walking.load(assemble("    li a0, 0x80020000\n    sd zero, 0(a0)\nhere: j here\n"))
    walking.write(0x8002_0000, b"\1")
    (gone,) = pages_written(walking, 50, 1)
    assert gone.pages.tolist() == [32]


def test_an_interval_that_ends_early_is_the_last():
    machine = Machine(ram="1 MiB", engine="python")
    machine.load(assemble("    li a0, 0x100000\n    li a1, 0x5555\n    sw a1, 0(a0)\n"))
    intervals = pages_written(machine, 1000, 5)
    assert [i.exit.reason for i in intervals] == ["shutdown"]


def test_frames_tell_now_from_before(walking):
    frames = write_frames(pages_written(walking, 3, 2), 15, 4)
    assert [frame.tolist() for frame in frames] == [
        [UNTOUCHED] * 4,
        [UNTOUCHED, WRITTEN_NOW, UNTOUCHED, UNTOUCHED],
        [UNTOUCHED, WRITTEN_BEFORE, WRITTEN_NOW, UNTOUCHED],
    ]
    assert frames[0].dtype == np.uint8


def test_kinds_are_those_of_the_segments_and_of_what_is_in_use(walking):
    pages_written(walking, 3, 1)
    kinds = page_kinds(walking, 0, 18)
    assert kinds[0] == CODE
    assert kinds[16] == OTHER
    assert set(kinds[1:16].tolist()) == {EMPTY}
    assert page_kinds(walking, 15, 2).tolist() == [EMPTY, OTHER]


def test_what_makes_no_sense_is_refused(walking):
    for interval, rounds in ((0, 1), (1, 0)):
        with pytest.raises(MachineError, match="give at least 1"):
            pages_written(walking, interval, rounds)
    with pytest.raises(MachineError, match="RAM has 256"):
        page_kinds(walking, 0, 257)
