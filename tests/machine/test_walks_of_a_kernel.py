"""Walks through the page table that a running kernel uses, against what the hart itself does."""

from __future__ import annotations

import pytest

from vtbook import Board, Machine, record_walk
from vtbook.guests.kernel import kernel_image
from vtbook.machine.page_walks import current_table
from vtbook.mmu.walk import WalkError


def test_the_bytes_at_a_walked_address_are_the_instruction_that_the_hart_fetches():
    machine = Machine(Board())
    machine.boot(kernel_image())
    with pytest.raises(WalkError, match="satp is 0"):
        record_walk(machine, None, 0x1000)
    machine.run(100_000_000, until_output="$ ")
    machine.add_breakpoint("trap_entry")
    while machine.run(100_000_000).reason == "breakpoint" and machine.hart.scause != 8:
        machine.console.feed("ls\n")
    root, scheme = current_table(machine)
    assert scheme == "sv39"
    assert root == (machine.hart.satp & (1 << 44) - 1) << 12
    pc, mode = machine.hart.pc, "S"
    for _ in range(2):
        walk = record_walk(machine, None, pc, access="fetch", mode=mode)
        word = machine.hart.fetch(pc)
        raw = machine.read(int(walk["physical"], 16), 4)
        assert int.from_bytes(raw, "little") & (0xFFFF if word & 3 != 3 else 0xFFFFFFFF) == word
        machine.step_back()  # to the ecall of the program
        pc, mode = machine.hart.pc, "U"
