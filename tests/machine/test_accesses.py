"""Accesses to devices, noted on the bus: against programs counted by hand, with page tables too."""

from __future__ import annotations

import pytest

from vtbook import Board, Disk, Machine, assemble
from vtbook.guests.kernel import disk_image, kernel_image
from vtbook.machine.accesses import count_accesses, noting_accesses

PROGRAM = """
_start: li   a0, 0x10000000
        li   a1, 65
        lbu  a2, 5(a0)          # the UART's line status
        sb   a1, 0(a0)
        sb   a1, 0(a0)
        li   a0, 0x100000
        li   a1, 0x5555
        sw   a1, 0(a0)
"""


@pytest.mark.parametrize("engine", ["interpreter", "python"])
def test_a_program_counted_by_hand(engine):
    machine = Machine("1 MiB", engine)
    machine.load(assemble(PROGRAM))
    with count_accesses(machine) as touched:
        assert machine.run().ok
    assert touched == {
        ("uart", "read", 5): 1,
        ("uart", "write", 0): 2,
        ("finisher", "write", 0): 1,
    }
    machine.reset()
    machine.run()
    assert touched.total() == 4  # what comes after the block is not counted


def test_a_note_has_the_value_and_comes_in_order():
    machine = Machine("1 MiB")
    machine.load(assemble(PROGRAM))
    seen = []
    with noting_accesses(machine, lambda *access: seen.append(access)):
        machine.run()
    assert seen == [
        ("read", 0x1000_0005, 1, 0x60),
        ("write", 0x1000_0000, 1, 65),
        ("write", 0x1000_0000, 1, 65),
        ("write", 0x10_0000, 4, 0x5555),
    ]


def test_a_kernel_behind_page_tables_prints_what_the_uart_was_given():
    machine = Machine(Board(disks=[Disk(size=disk_image())]))
    machine.boot(kernel_image(), append='run="echo hello; poweroff"')
    with count_accesses(machine) as touched:
        assert machine.run(100_000_000).ok
    assert touched["uart", "write", 0] >= len(machine.console.output)
    assert touched["virtio0", "write", 0x50] > 0
    assert {access.device for access in touched} <= {r.name for r in machine.board.bus.regions}
