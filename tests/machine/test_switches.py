"""Who runs, recorded at full speed: against plain steps, against the clock, and against itself."""

from __future__ import annotations

import itertools

import pytest

from vtbook import Board, Disk, Machine
from vtbook.cpu.traps import MODES
from vtbook.guests.kernel import disk_image, kernel_image
from vtbook.guests.kernel.inside import running_process
from vtbook.machine.debugging import MachineError
from vtbook.machine.switches import mode_counts, record_switches, switches

SECOND = 100_000_000
TICKS = 100


@pytest.fixture(scope="module")
def at_the_prompt():
    machine = Machine(Board(disks=[Disk(size=disk_image())]))
    machine.boot(kernel_image())
    machine.run(SECOND, until_output="$ ")
    return machine, machine.snapshot()


@pytest.fixture
def machine(at_the_prompt):
    machine, snapshot = at_the_prompt
    machine.restore(snapshot)
    return machine


def test_modes_are_those_that_plain_steps_see():
    """Around the first system calls of the shell."""
    machine = Machine(Board(ram="16 MiB"))
    machine.boot(kernel_image())
    machine.add_breakpoint("sys_write")  # the first, by the shell for its prompt
    assert machine.run(SECOND).reason == "breakpoint"
    machine.clear_breakpoints()
    before = machine.snapshot()
    expected = dict.fromkeys(MODES.values(), 0)
    for _ in range(2000):
        mode, count = MODES[machine.hart.mode], machine.instructions
        machine.step()
        expected[mode] += machine.instructions - count
    end, retired = machine.board.clock, machine.instructions
    machine.restore(before)
    passed = end - machine.board.clock
    expected["wait"] = passed - (retired - machine.instructions)
    found = mode_counts(machine, passed)
    assert found == {mode: count for mode, count in expected.items() if count}
    assert {"U", "M", "wait"} <= found.keys()


def test_a_second_of_the_guest_has_a_hundred_ticks_and_is_mostly_waiting(machine):
    start = machine.board.clock
    seen = list(switches(machine, SECOND))
    assert machine.board.clock - start >= SECOND
    timers = [one for one in seen if one.kind == "interrupt" and one.cause & 63 == 5]
    assert abs(len(timers) - TICKS) <= 1
    assert [one.time for one in seen] == sorted(one.time for one in seen)
    for one, following in itertools.pairwise(seen):
        assert one.target == following.source


def test_counts_add_up_to_the_clock(machine):
    start = machine.board.clock
    machine.console.feed("ls\n")
    counts = mode_counts(machine, SECOND, until_output="$ ")
    assert counts.total() == machine.board.clock - start
    assert {"U", "S"} <= counts.keys()
    assert "welcome.txt" in machine.console.text


def test_the_recording_changes_nothing_and_gives_breakpoints_back(machine):
    machine.add_breakpoint("sys_read")
    before = machine.snapshot()
    machine.console.feed("ls\n")
    record_switches(machine, SECOND, until_output="$ ")
    recorded = machine.snapshot().digest
    assert machine.breakpoints == [machine.symbols["sys_read"]]
    machine.clear_breakpoints()
    machine.restore(before)
    machine.console.feed("ls\n")
    machine.run(SECOND, until_output="$ ")
    assert machine.snapshot().digest == recorded


def test_two_programs_take_turns_at_the_ticks(machine):
    def name(machine):
        return str(running_process(machine.read, machine.symbols))

    machine.console.feed("cpu 9000 &\ncpu 9000\n")
    timeline = record_switches(machine, 8_000_000, process=name)
    lanes = [lane for lane, _ in timeline["lanes"]]
    programs = {number for number, lane in enumerate(lanes) if lane.startswith("cpu")}
    assert len(programs) == 2
    turns = [span[0] for span in timeline["spans"] if span[0] in programs][-6:]
    assert all(a != b for a, b in itertools.pairwise(turns))
    assert timeline["basis"] == "counted"


def test_what_cannot_be_recorded_is_refused():
    with pytest.raises(MachineError, match="call boot first"):
        mode_counts(Machine("1 MiB"), 1000)
    several = Machine(Board(harts=2))
    several.boot(kernel_image())
    with pytest.raises(MachineError, match="this board has 2"):
        record_switches(several, 1000)
