"""Who runs, recorded from a machine, against what its trace and its counters say."""

from __future__ import annotations

import pytest

from vtbook import Machine, guest_image, record_timeline, record_walk
from vtbook.machine.debugging import MachineError
from vtbook.mmu import pte


def machine(name):
    m = Machine(engine="python")
    m.load(guest_image(name))
    return m


def test_lanes_follow_the_mode_that_the_trace_records():
    timeline = record_timeline(machine("user_mode"), 3000, devices=False)
    trace = machine("user_mode").record(3000)
    names = {"U": "user (U)", "M": "kernel (M)"}
    mode, count, expected = "M", 0, dict.fromkeys(names.values(), 0)
    moves = []
    for step in trace["steps"]:
        retired = next((change[1] for change in step[1:] if change[0] == "retired"), 1)
        expected[names[mode]] += retired
        count += retired
        for change in step[1:]:
            if change[0] == "mode":
                moves.append([count, names[mode], names[change[1]]])
                mode = change[1]
    lanes = [name for name, _ in timeline["lanes"]]
    found = dict.fromkeys(lanes, 0)
    for lane, start, end, _ in timeline["spans"]:
        found[lanes[lane]] += end - start
    assert found == expected
    assert [[t, lanes[a], lanes[b]] for t, a, b, *_ in timeline["events"] if a != b] == moves


def test_the_end_and_its_reason_are_recorded():
    timeline = record_timeline(machine("hello"), 20_000)
    assert timeline["events"][-1][3:5] == ["end", "shutdown"]


def test_uses_of_a_device_are_one_event_and_counted():
    m = machine("hello")
    timeline = record_timeline(m, 20_000)
    lanes = [name for name, _ in timeline["lanes"]]
    uses = [event for event in timeline["events"] if lanes[event[2]] == "uart"]
    assert len(uses) == 1
    written = int(uses[0][4].split(", ")[1].split()[0])
    assert written == len(m.console.output)


@pytest.mark.parametrize("steps", [0, 10**6])
def test_a_number_of_steps_that_cannot_be_is_refused(steps):
    with pytest.raises(MachineError, match="record 1 to 200,000 steps"):
        record_timeline(machine("hello"), steps)


def test_a_walk_reads_the_tables_in_ram_and_changes_nothing():
    m = machine("hello")
    root = 0x8010_0000
    m.write(root + 16, pte(0x8000_0000, "VRA").to_bytes(8, "little"))
    before = bytes(m.read(root, 4096))
    found = record_walk(m, root, 0x8000_1234, title="one")
    after = bytes(m.read(root, 4096))
    assert (found["physical"], found["page"], before) == ("80001234", 1 << 30, after)
    assert [i for i, _ in found["tables"][0][1]] == [0, 1, 2, 3, 4]
    assert record_walk(m, 0x1_0000_0000, 0)["fault"] == "access"
