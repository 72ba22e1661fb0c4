"""Snapshots hold the whole state, and a damaged file never becomes one."""

import dataclasses
import random

import pytest

from vtbook.isa.assembler import assemble
from vtbook.isa.sets import RV64IM
from vtbook.machine import Machine, Snapshot, SnapshotError

COUNTER = """
_start: la a1, data
        li a2, 0x10000000
loop:   ld a0, (a1)
        addi a0, a0, 1
        sd a0, (a1)
        andi a3, a0, 63
        addi a3, a3, 32
        sb a3, (a2)
        lbu a4, 5(a2)
        andi a4, a4, 1
        beqz a4, loop
        lbu a5, (a2)
        add a6, a6, a5
        j loop
.balign 4096
data:   .dword 0
"""


@pytest.fixture(params=["python", "interpreter"])
def machine(request):
    machine = Machine("1 MiB", request.param)
    machine.load(assemble(COUNTER))
    return machine


def test_a_restored_machine_goes_on_like_the_original(machine):
    machine.console.feed(b"abc")
    machine.run(500)
    snapshot = machine.snapshot()
    machine.run(700)
    end = machine.snapshot().digest
    machine.restore(snapshot)
    assert machine.snapshot().digest == snapshot.digest
    assert machine.hart.instret == 500
    machine.run(700)
    assert machine.snapshot().digest == end


def test_engines_reach_the_same_state():
    digests = set()
    for engine in ("python", "interpreter"):
        machine = Machine("1 MiB", engine)
        machine.load(assemble(COUNTER))
        machine.console.feed(b"xyz")
        for budget in (1, 10, 1000, 3333):
            machine.run(budget)
            digests.add((machine.hart.instret, machine.snapshot().digest))
    assert len(digests) == 4


def test_a_snapshot_moves_to_another_machine_through_a_file(machine, tmp_path):
    machine.run(1234)
    machine.snapshot().save(tmp_path / "state")
    loaded = Snapshot.load(tmp_path / "state")
    assert loaded.digest == machine.snapshot().digest
    assert loaded == machine.snapshot()
    other = Machine("1 MiB", "python")
    other.restore(loaded)
    other.run(100)
    machine.run(100)
    assert other.snapshot().digest == machine.snapshot().digest
    assert other.console.output == machine.console.output


def test_the_digest_sees_every_part(machine):
    machine.run(10)
    digests = {machine.snapshot().digest}
    machine.hart.x[20] = 1
    digests.add(machine.snapshot().digest)
    machine.write("data", b"\xff")
    digests.add(machine.snapshot().digest)
    machine.board.uart.write(7, 1, 0x55)
    digests.add(machine.snapshot().digest)
    machine.console.feed(b"x")
    digests.add(machine.snapshot().digest)
    machine.hart.mscratch = 1
    digests.add(machine.snapshot().digest)
    assert len(digests) == 6


def test_unchanged_pages_are_shared(machine):
    machine.run(100)
    first = machine.snapshot()
    machine.run(100)
    second = machine.snapshot(like=first)
    base = machine.board.ram.base
    code, data = 0, (machine.symbols["data"] - base) // 4096
    assert second.pages[code] is first.pages[code]
    assert second.pages[data] is not first.pages[data]
    assert second.pages == machine.snapshot().pages


def test_pages_written_since_are_zero_again(machine):
    before = machine.snapshot()
    machine.write(machine.board.ram.end - 5000, bytes([1]) * 5000)
    machine.restore(before)
    assert not any(machine.read(machine.board.ram.end - 5000, 5000))


def test_a_snapshot_of_another_machine_is_refused(machine):
    machine.run(50)
    before = machine.snapshot().digest
    for other, what in (
        (Machine("2 MiB", "python"), "RAM size"),
        (Machine("1 MiB", "python", isa=RV64IM), "instruction set"),
    ):
        with pytest.raises(SnapshotError, match=what):
            machine.restore(other.snapshot())
    assert machine.snapshot().digest == before


@pytest.mark.parametrize(
    "change",
    [
        {"harts": []},
        {"harts": [{}]},
        {"harts": ["text"]},
        {"others": {}},
        {"devices": {}},
        {"devices": None},
        {"devices": {"uart": 1, "finisher": 2, "console": 3}},
    ],
)
def test_a_snapshot_with_parts_that_do_not_fit_changes_nothing(machine, change):
    machine.run(50)
    good = machine.snapshot()
    with pytest.raises(SnapshotError):
        machine.restore(dataclasses.replace(good, **change))
    assert machine.snapshot().digest == good.digest


@pytest.mark.parametrize("value", [1 << 63, "1", None, [1], 1.5, True])
def test_registers_that_are_no_numbers_are_refused(machine, value):
    good = machine.snapshot()
    with pytest.raises(SnapshotError, match="mepc"):
        machine.restore(dataclasses.replace(good, harts=[{**good.hart, "mepc": value}]))


def test_a_damaged_device_state_changes_nothing(machine):
    machine.run(50)
    good = machine.snapshot()
    uart = {**good.devices["uart"], "ier": 999}
    with pytest.raises(SnapshotError, match="ier"):
        machine.restore(dataclasses.replace(good, devices={**good.devices, "uart": uart}))
    assert machine.snapshot().digest == good.digest


def test_a_damaged_file_is_refused(machine, tmp_path):
    machine.run(50)
    path = tmp_path / "state"
    machine.snapshot().save(path)
    good = path.read_bytes()
    generator = random.Random(3)
    lengths = {*range(60), len(good) - 1, *(generator.randrange(len(good)) for _ in range(100))}
    for length in sorted(lengths):
        with pytest.raises(SnapshotError, match="state"):
            Snapshot.from_bytes(good[:length], "state")
    for _ in range(300):
        damaged = bytearray(good)
        damaged[generator.randrange(len(good))] ^= 1 << generator.randrange(8)
        with pytest.raises(SnapshotError, match="state"):
            Snapshot.from_bytes(bytes(damaged), "state")
    with pytest.raises(SnapshotError, match="checksum"):
        Snapshot.from_bytes(good + b"x")


def test_files_of_another_kind_or_version_are_named(tmp_path):
    with pytest.raises(SnapshotError, match="not a snapshot"):
        Snapshot.from_bytes(b"\x7fELF" + bytes(100))
    with pytest.raises(SnapshotError, match="version 7"):
        Snapshot.from_bytes(b"VTBSNAP\0" + (7).to_bytes(4, "little") + bytes(100))
    with pytest.raises(SnapshotError, match="check the path"):
        Snapshot.load(tmp_path / "nothing")
    with pytest.raises(SnapshotError, match="cannot be written"):
        Machine("1 MiB", "python").snapshot().save(tmp_path / "no" / "folder")


def test_a_forged_file_with_a_right_checksum_is_refused():
    import hashlib
    import json
    import zlib

    def forge(description, pages=b"", pack=zlib.compress):
        text = pack(
            description if isinstance(description, bytes) else json.dumps(description).encode()
        )
        body = len(text).to_bytes(8, "little") + text + zlib.compress(pages)
        return b"VTBSNAP\0" + (2).to_bytes(4, "little") + hashlib.sha256(body).digest() + body

    good = {
        "isa": "RV64GC",
        "ram_base": 0,
        "ram_size": 8192,
        "harts": [{}],
        "devices": {},
        "pages": [],
        "others": {},
    }
    Snapshot.from_bytes(forge(good))
    for description, pages in (
        (b"no json", b""),
        (b"[" * 100_000, b""),
        ({}, b""),
        ([], b""),
        ({**good, "extra": 1}, b""),
        ({**good, "pages": [2]}, bytes(4096)),
        ({**good, "pages": [-1]}, bytes(4096)),
        ({**good, "pages": [0, 0]}, bytes(8192)),
        ({**good, "pages": [1, 0]}, bytes(8192)),
        ({**good, "pages": [0]}, bytes(4095)),
        ({**good, "pages": [0]}, bytes(4097)),
        ({**good, "pages": ["0"]}, bytes(4096)),
        ({**good, "pages": None}, b""),
        ({**good, "ram_size": 1 << 80}, b""),
        ({**good, "ram_size": "big"}, b""),
        ({**good, "hart": {"base64": "!"}}, b""),
    ):
        with pytest.raises(SnapshotError):
            Snapshot.from_bytes(forge(description, pages))
    with pytest.raises(SnapshotError):
        Snapshot.from_bytes(forge(good, pack=lambda data: data))
    bomb = forge(good, bytes(64 << 20))
    assert len(bomb) < 100_000
    with pytest.raises(SnapshotError, match="too long"):
        Snapshot.from_bytes(bomb)
