"""Counts of instructions, traps and device accesses, against programs counted by hand."""

from __future__ import annotations

import pytest

from vtbook import Machine, assemble, guest_image
from vtbook.machine.counting import count_events
from vtbook.machine.debugging import MachineError

PROGRAM = """
_start: la   t0, handler
        csrw mtvec, t0
        la   t0, user
        csrw mepc, t0
        mret                    # 7 instructions in M: la is two
handler:
        li   a0, 0x100000       # 4 more: li of it is one, li of 0x5555 two
        li   a1, 0x5555
        sw   a1, 0(a0)          # one device write
user:   addi a0, a0, 1
        addi a0, a0, 1
        ecall                   # 2 in U, then a trap
"""


def test_a_program_counted_by_hand():
    machine = Machine(ram="1 MiB", engine="python")
    machine.load(assemble(PROGRAM))
    assert count_events(machine, 1000) == {
        "instructions M": 7 + 4,
        "instructions U": 2,
        "traps": 1,
        "device writes": 1,
    }


def test_instructions_add_up_to_those_of_the_compiled_engine():
    counted, compiled = Machine(ram="2 MiB"), Machine(ram="2 MiB")
    for machine in (counted, compiled):
        machine.load(guest_image("hello"))
    found = count_events(counted, 100_000)
    compiled.run()
    assert (
        sum(n for name, n in found.items() if name.startswith("instructions"))
        == (compiled.position[0])
    )
    assert found["device writes"] >= len(compiled.console.output)
    assert counted.is_off is not None


def test_nothing_to_count_is_refused():
    with pytest.raises(MachineError, match="0 steps to count"):
        count_events(Machine(ram="1 MiB", engine="python"), 0)
