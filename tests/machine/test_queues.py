"""Recording queues: the steps say what the guest's bytes say, and who stored them."""

from __future__ import annotations

import dataclasses

import pytest

from tests.machine.ring_program import ACTORS, WHO, layouts, ring_machine
from vtbook.machine.debugging import MachineError
from vtbook.machine.queues import record_queues


def recorded(machine, **options):
    return record_queues(machine, layouts(machine), ACTORS, WHO, title="Requests", **options)


def test_replaying_the_stores_gives_the_memory_of_the_machine():
    machine = ring_machine()
    data = recorded(machine)
    ((base, size, start, _),) = data["memory"]
    memory = bytearray(bytes.fromhex(start).ljust(size, b"\0"))
    for _, _, *changes in data["steps"]:
        for kind, *values in changes:
            if kind == "w":
                at, stored = int(values[0], 16) - int(base, 16), bytes.fromhex(values[1])
                memory[at : at + len(stored)] = stored
    assert machine.is_off is not None
    assert bytes(memory) == machine.read(int(base, 16), size)


def test_cells_and_pointers_end_as_the_program_leaves_them():
    data = recorded(ring_machine())
    pointers, cells, said = {}, {}, []
    for actor, _, *changes in data["steps"]:
        for kind, *values in changes:
            if kind == "pointer":
                pointers[values[1]] = values[2]
                said.append((actor, values[1]))
            elif kind == "cell":
                cells[tuple(values[:3])] = values[3]
    assert pointers == {0: 6, 1: 6}
    assert {cells[0, row, column] for row in range(4) for column in range(2)} == {"512"}
    # Each index has one writer: the rule that makes such a ring work without locks.
    assert set(said) == {("device", 0), ("driver", 1)}


def test_a_slot_in_use_names_its_buffer_until_it_is_taken():
    steps = recorded(ring_machine())["steps"]
    links = [change for step in steps for change in step[2:] if change[0] in ("link", "unlink")]
    assert [change for change in links if change[0] == "link"] == [
        ["link", 1, n % 4, 0, n % 4] for n in range(6)
    ]
    assert sum(change[0] == "unlink" for change in links) == 6


def test_it_ends_after_the_steps_asked_for_and_leaves_the_watchpoints():
    machine = ring_machine()
    machine.add_watchpoint(0x8000_2000, 4, "rw")
    data = recorded(machine, steps=5)
    assert len(data["steps"]) == 5
    assert machine.watchpoints == [(0x8000_2000, 4, "rw")]
    assert recorded(machine, budget=0)["steps"] == []


def test_layouts_that_do_not_fit_are_refused():
    machine = ring_machine()
    table, ring = layouts(machine)
    for given, message in (
        ([ring], "names 'buffers'; declared are ring"),
        ([dataclasses.replace(table, stride=6), ring], "field 'answered' ends after byte 6"),
        ([dataclasses.replace(table, entries=5000), ring], "record at most 16384"),
    ):
        with pytest.raises(MachineError, match=message):
            record_queues(machine, given, ACTORS, WHO, title="t")
    with pytest.raises(MachineError, match="0 steps to record"):
        recorded(machine, steps=0)
