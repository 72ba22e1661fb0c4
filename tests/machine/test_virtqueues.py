"""Recording a queue of the running kernel: the steps say what the bytes of both sides say."""

from __future__ import annotations

import pytest

from vtbook import Board, Disk, Machine
from vtbook.guests.kernel import disk_image, kernel_image
from vtbook.machine.debugging import MachineError
from vtbook.machine.virtqueues import record_virtqueue

ENTRIES = 8


def at_the_prompt(entries=ENTRIES):
    machine = Machine(Board(disks=[Disk(size=disk_image())]))
    machine.board.bus["virtio0"].device.queues[0].size_max = entries
    machine.boot(kernel_image())
    machine.run(100_000_000, until_output="$ ")
    return machine


def test_replaying_the_writes_gives_the_memory_of_the_machine():
    machine = at_the_prompt()
    machine.console.feed("cat demo.sh\n")
    data = record_virtqueue(machine, steps=40)
    memory = {int(base, 16): bytearray(bytes.fromhex(start).ljust(size, b"\0"))
              for base, size, start, _ in data["memory"]}  # fmt: skip
    for _, _, *changes in data["steps"]:
        for kind, *values in changes:
            if kind == "w":
                address, written = int(values[0], 16), bytes.fromhex(values[1])
                for base, content in memory.items():
                    if base <= address < base + len(content):
                        content[address - base : address - base + len(written)] = written
    for base, content in memory.items():
        assert bytes(content) == machine.read(base, len(content))


def test_each_index_is_moved_by_its_owner_only():
    machine = at_the_prompt()
    machine.console.feed("cat demo.sh\n")
    data = record_virtqueue(machine, steps=40)
    owners = {(1, 0): "device", (1, 1): "driver", (2, 0): "device"}
    moved = [(actor, (s, p)) for actor, _, *changes in data["steps"]
             for kind, s, p, *_ in changes if kind == "pointer"]  # fmt: skip
    assert len(moved) >= 6
    assert all(owners[pointer] == actor for actor, pointer in moved)


def test_a_read_goes_from_descriptors_over_a_notification_to_the_used_ring():
    machine = at_the_prompt()
    machine.console.feed("cat demo.sh\n")
    notes = [note for _, note, *_ in record_virtqueue(machine, steps=20)["steps"]]
    order = ["descriptor 0", "QueueNotify", "writes 1024 bytes", "its status", "of the used ring"]
    places = [next(i for i, note in enumerate(notes) if part in note) for part in order]
    assert places == sorted(places)


def test_the_recording_changes_nothing():
    digests = []
    for recorded in (True, False):
        machine = at_the_prompt()
        machine.console.feed("cat demo.sh\n")
        if recorded:
            machine.add_watchpoint(0x8000_0000, 4, "rw")
            record_virtqueue(machine)
            assert machine.watchpoints == [(0x8000_0000, 4, "rw")]
            machine.clear_breakpoints()
        machine.run(100_000_000, until_output="$ ")
        digests.append(machine.snapshot().digest)
    assert digests[0] == digests[1]


def test_queues_that_cannot_be_shown_are_refused():
    machine = at_the_prompt(128)
    for slot, number, message in (
        ("virtio0", 0, "a queue of 128 entries"),
        ("virtio0", 1, "has no virtqueue 1"),
        ("uart", 0, "uart has no virtqueue"),
    ):
        with pytest.raises(MachineError, match=message):
            record_virtqueue(machine, slot, number)
    machine.reset()
    with pytest.raises(MachineError, match="not ready"):
        record_virtqueue(machine)
