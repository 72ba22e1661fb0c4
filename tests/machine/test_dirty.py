"""The dirty log against what really changed, and against each store seen one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtbook import Board, Disk, Machine, assemble
from vtbook.guests.kernel import disk_image, kernel_image
from vtbook.machine.dirty import DirtyLog, DirtyLogError
from vtbook.machine.ram import PAGE

RAM = 0x8000_0000
STORES = {"sb": 1, "sh": 2, "sw": 4, "sd": 8}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(STORES)), st.integers(0x1_0000, 0x3_FFF0)),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from(["interpreter", "python", "ir"]),
)
def test_each_store_marks_its_pages_and_no_others(stores, engine) -> None:
    text = "".join(
        f"li t0, {RAM + offset}\n{name} zero, (t0)\n{name} zero, (t0)\n" for name, offset in stores
    )
    machine = Machine("1 MiB", engine)
    machine.load(assemble("_start:\n" + text + "1: j 1b"))
    expected = set()
    for name, offset in stores:
        expected |= {offset // PAGE, (offset + STORES[name] - 1) // PAGE}
    for _ in range(2):
        with DirtyLog(machine) as log:
            machine.run(10_000)
            assert set(log.take().tolist()) == expected
            machine.run(100)
            assert not log.pages.size
        machine.reset()


@pytest.mark.parametrize("harts", [1, 3])
def test_a_kernel_changes_no_page_that_is_not_logged(harts: int) -> None:
    board = Board(harts=harts, ram="16 MiB", disks=[Disk(size=disk_image())])
    with Machine(board, reverse=False) as machine:
        machine.boot(kernel_image(), append='run="ls; cat README | wc; poweroff"')
        with DirtyLog(machine) as log:
            before = machine.board.ram.array.copy()
            seen = 0
            while machine.run(200_000).reason == "budget":
                now = machine.board.ram.array.copy()
                changed = (now != before).reshape(-1, PAGE).any(axis=1)
                dirty = np.zeros(changed.size, bool)
                dirty[log.take()] = True
                assert not (changed & ~dirty).any()
                seen += int(changed.sum())
                before = now
        assert machine.is_off
        assert machine.is_off.code == 0
        assert seen > 100


def test_what_the_reader_writes_and_restores_is_logged() -> None:
    machine = Machine("1 MiB")
    machine.load(assemble("_start: j _start"))
    snapshot = machine.snapshot()
    log = DirtyLog(machine)
    machine.write(RAM + PAGE - 1, b"ab")
    assert log.take().tolist() == [0, 1]
    machine.restore(snapshot)
    assert log.take().size == 256
    with pytest.raises(DirtyLogError, match="already"):
        DirtyLog(machine)
    log.stop()
    log.stop()
    machine.write(RAM, b"x")
    assert not log.pages.size
