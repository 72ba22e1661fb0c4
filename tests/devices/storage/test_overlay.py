"""Overlays: the base stays, files know their base, damage is told, files do not grow for ever."""

import contextlib
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbook.devices.state import DeviceStateError
from vtbook.devices.storage import (
    CLUSTER,
    MemoryDisk,
    Overlay,
    RawFile,
    StorageError,
    cluster_file,
    open_disk,
    overlay_format,
)

SIZE = 30 * CLUSTER
CONTENTS = random.Random(1).randbytes(SIZE)


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "base.img"
    path.write_bytes(CONTENTS)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "work.overlay"


def overlay(path=None, **options):
    return Overlay(MemoryDisk(CONTENTS, read_only=True), path, **options)


def overwrite(path, offset, data):
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.mark.parametrize("in_a_file", [False, True])
def test_the_base_stays_as_it_is(image, path, in_a_file):
    with Overlay(RawFile(image, read_only=True), path if in_a_file else None) as disk:
        disk.write(3 * CLUSTER + 7, b"changed")
        disk.discard(8 * CLUSTER, CLUSTER)
        assert disk.changed_clusters == [3, 8]
        assert disk.read(3 * CLUSTER + 7, 7) == b"changed"
    assert image.read_bytes() == CONTENTS


def test_an_overlay_may_be_larger_than_its_base(path):
    with overlay(path, size=SIZE + 100_000) as disk:
        assert disk.read(SIZE - 10, 100) == CONTENTS[-10:] + bytes(90)
        disk.write(SIZE + 99_999, b"x")
    with overlay(path) as disk:
        assert disk.size == SIZE + 100_000
        assert disk.read(SIZE + 99_990, 10) == bytes(9) + b"x"
    with pytest.raises(StorageError, match="at least its size"):
        overlay(size=SIZE - 1)
    with pytest.raises(StorageError, match="not 1,000,000"):
        overlay(path, size=1_000_000)


def test_overlays_stand_on_overlays(path):
    with overlay(path) as lower:
        lower.write(0, b"lower")
    upper_path = path.with_name("upper.overlay")
    with Overlay(overlay(path, read_only=True), upper_path) as upper:
        upper.write(CLUSTER, b"upper")
        assert upper.read(0, 5) == b"lower"
    with overlay(path) as lower:
        assert lower.read(CLUSTER, 5) == CONTENTS[CLUSTER : CLUSTER + 5]


def test_what_was_not_flushed_is_not_in_the_file(path):
    disk = overlay(path)
    disk.write(0, b"flushed")
    disk.flush()
    disk.write(0, b"written")
    disk._file.file.close()  # as the end of the process does
    with overlay(path) as again:
        assert again.read(0, 7) == b"flushed"


def test_a_file_is_locked_while_it_is_open(path):
    with overlay(path), pytest.raises(StorageError, match="somebody else uses it"):
        overlay(path)
    with overlay(path, read_only=True), overlay(path, read_only=True):
        pass


def test_a_new_file_replaces_nothing_and_leaves_nothing_if_it_fails(tmp_path, path):
    path.write_bytes(b"something else")
    with pytest.raises(StorageError, match="is not an overlay"):
        overlay(path)
    assert path.read_bytes() == b"something else"
    with pytest.raises(StorageError, match=r"call it work\.overlay"):
        overlay(tmp_path / "work.img")
    with pytest.raises(StorageError, match="No such file"):
        overlay(tmp_path / "none" / "work.overlay")
    assert [each.name for each in tmp_path.iterdir()] == ["work.overlay"]


# -- which base ---------------------------------------------------------------------------------


def test_a_file_refuses_another_base(path):
    overlay(path).close()
    other = MemoryDisk(CONTENTS[:-1] + b"?")
    with pytest.raises(StorageError, match="made on another disk"):
        Overlay(other, path)
    with pytest.raises(StorageError, match="made on another disk"):
        Overlay(MemoryDisk(SIZE + 1), path, check_base=False)
    Overlay(other, path, check_base=False).close()


def test_a_base_that_was_written_to_is_refused(image, path):
    Overlay(RawFile(image, read_only=True), path).close()
    os.utime(image)
    Overlay(RawFile(image, read_only=True), path).close()  # it reads the same
    with RawFile(image) as base:
        base.write(0, b"changed")
    with pytest.raises(StorageError, match="has changed since"):
        Overlay(RawFile(image, read_only=True), path)


@pytest.mark.parametrize("in_a_file", [False, True])
def test_commit_writes_the_changes_into_the_base(image, path, in_a_file):
    with Overlay(RawFile(image), path if in_a_file else None) as disk:
        disk.write(5 * CLUSTER - 2, b"changed")
        disk.commit()
        assert disk.changed_clusters == []
        disk.write(0, b"later")
        expected = CONTENTS[: 5 * CLUSTER - 2] + b"changed" + CONTENTS[5 * CLUSTER + 5 :]
        assert disk.read(5, SIZE - 5) == expected[5:]
    assert image.read_bytes() == expected
    if in_a_file:
        with open_disk(path) as disk:
            assert disk.read(0, SIZE) == b"later" + expected[5:]


def test_a_file_that_was_closed_can_be_committed_later(image, path):
    with Overlay(RawFile(image, read_only=True), path) as disk:
        disk.write(0, b"changed")
    with Overlay(RawFile(image), path) as disk:
        disk.commit()
    with open_disk(path) as disk:
        assert disk.read(0, 8) == b"changed" + CONTENTS[7:8]


def test_commit_needs_a_base_that_can_take_it():
    with overlay() as disk, pytest.raises(StorageError, match="open it for writing to commit"):
        disk.commit()
    with Overlay(MemoryDisk(100), size=200) as disk, pytest.raises(StorageError, match="smaller"):
        disk.commit()


# -- the file -----------------------------------------------------------------------------------


def test_a_file_does_not_grow_by_writing_the_same_place_again(path, monkeypatch):
    monkeypatch.setattr(cluster_file, "COMPACT_FROM", 100)
    with overlay(path, sync=False) as disk:
        for number in range(3000):
            disk.write(number % 10 * CLUSTER, number.to_bytes(4, "little") * 1024)
            disk.flush()
    # ten clusters, one more being written, header, and at most three segments of the journal
    assert path.stat().st_size <= (10 + 1 + 2 + 3 * overlay_format.SEGMENT) * CLUSTER
    with overlay(path) as disk:
        for number in range(2990, 3000):
            assert disk.read(number % 10 * CLUSTER, 4) == number.to_bytes(4, "little")


def test_a_long_journal_goes_on_in_new_segments(path):
    """Without compaction: more pairs than fit into one segment of 64 KiB."""
    with overlay(path, sync=False) as disk:
        for number in range(1500):
            disk.write(number % 10 * CLUSTER, number.to_bytes(4, "little") * 1024)
            disk.flush()
        assert len(disk._file.journal.segments) > 1
    with overlay(path) as disk:
        assert disk.read(0, 4) == (1490).to_bytes(4, "little")


@pytest.mark.parametrize("copy", [0, 1])
def test_one_damaged_header_does_not_matter(path, copy):
    with overlay(path) as disk:
        disk.write(0, b"kept")
    overwrite(path, copy * 4096 + 100, b"damage")
    with overlay(path) as disk:
        assert disk.read(0, 4) == b"kept"


@pytest.mark.parametrize("copy", [0, 1])
def test_an_old_header_does_not_come_back(path, copy):
    """After a crash between the two copies; the old one's journal is something else then."""
    with overlay(path) as disk:
        disk.write(0, b"old")
    stale = path.read_bytes()[:4096]
    with overlay(path) as disk:
        disk.write(0, b"new")
        disk.flush()
        disk._file._compact()
    overwrite(path, copy * 4096, stale)
    overlay(path, read_only=True).close()
    with overlay(path) as disk:
        assert disk.read(0, 3) == b"new"
        header = path.read_bytes()[: 2 * 4096]
        assert header[:4096] == header[4096:] != stale


def test_both_headers_are_never_on_their_way_to_the_disk_at_once(path, monkeypatch):
    steps = []
    write, sync = os.pwrite, os.fdatasync
    monkeypatch.setattr(os, "pwrite", lambda *a: (steps.append(a[2]), write(*a))[1])
    monkeypatch.setattr(os, "fdatasync", lambda fd: (steps.append("sync"), sync(fd))[1])
    monkeypatch.setattr(cluster_file, "COMPACT_FROM", 2)
    with overlay(path) as disk:
        steps.clear()
        for number in range(20):
            disk.write(0, bytes((number,)))
            disk.flush()
    first, second = 0, 4096
    assert steps.count(second) > 2
    for number, step in enumerate(steps):
        if step in (first, second):
            assert steps[number + 1] == "sync"


@pytest.mark.parametrize(
    ("offset", "data", "message"),
    [
        (0, bytes(2 * 4096), "is not an overlay"),
        (50, bytes(4096), "the header is damaged"),
        (2 * 4096 + 20, b"damage", "the journal is damaged"),
    ],
)
def test_damage_is_told(path, offset, data, message):
    with overlay(path) as disk:
        disk.write(0, CONTENTS[::-1])
    overwrite(path, offset, data)
    with pytest.raises(StorageError, match=message):
        overlay(path)


def test_a_file_that_was_cut_off_is_told(path):
    with overlay(path) as disk:
        disk.write(0, CONTENTS[::-1])
    os.truncate(path, path.stat().st_size - 4096)
    with pytest.raises(StorageError, match="cut off"):
        overlay(path)


def test_another_version_is_told(path):
    overlay(path).close()
    header = overlay_format.Header.decode(path.read_bytes()[:4096], "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlay_format, "VERSION", 7)
        block = header.encode("")
    overwrite(path, 0, block)
    with pytest.raises(StorageError, match="an overlay of version 7"):
        overlay(path)


@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=200))
@settings(max_examples=100, deadline=None)
def test_random_damage_ends_in_an_error_or_in_a_disk(tmp_path_factory, offset, damage):
    path = tmp_path_factory.mktemp("damage") / "work.overlay"
    with overlay(path, sync=False) as disk:
        for number in range(5):
            disk.write(number * 5000, bytes((number,)) * 9000)
            disk.flush()
    overwrite(path, offset % path.stat().st_size, damage)
    with contextlib.suppress(StorageError), overlay(path, sync=False) as disk:
        assert len(disk.read(0, SIZE)) == SIZE
        disk.write(0, b"x")


def test_a_guest_cannot_forge_the_journal(path):
    """It writes copies of the journal itself to its disk, and the process is killed in between."""
    disk = overlay(path)
    disk.write(0, b"kept")
    disk.flush()
    segment = disk._file.journal.segments[0]
    journal = path.read_bytes()[segment * 4096 : (segment + 16) * 4096]
    guess = overlay_format.Journal(bytes(32), disk._file.header.start, [segment])
    forged = guess.transaction([(0, 5)], lambda: 0)[0][1]
    for number in range(8):
        disk.write(2 * CLUSTER, journal[number * CLUSTER :][: 4 * CLUSTER])
        disk.write(6 * CLUSTER, (forged * 100)[: 3 * CLUSTER])
        disk.flush()
    used = disk._file.journal.used
    # even a guest that knows everything but the key
    guess = overlay_format.Journal(bytes(32), disk._file.journal.check, [segment])
    forged = guess.transaction([(0, 5)], lambda: 0)[0][1]
    disk.write(9 * CLUSTER, forged * 20)
    disk._file.file.close()
    # and gets it to where the next record would be
    overwrite(path, segment * 4096 + used, forged)
    with overlay(path) as disk:
        assert disk.read(0, 4) == b"kept"
        assert disk._file.journal.used == used


# -- snapshots ----------------------------------------------------------------------------------


@pytest.mark.parametrize("in_a_file", [False, True])
def test_captures_share_what_did_not_change(path, in_a_file):
    with overlay(path if in_a_file else None) as disk:
        disk.write(0, b"x" * 10 * CLUSTER)
        first = disk.capture()
        disk.write(3 * CLUSTER, b"y")
        second = disk.capture()
        assert [n for n in first if first[n] is not second[n]] == [3]
        disk.write(3 * CLUSTER, b"x")
        assert disk.capture(first)[3] is first[3]


def test_a_disk_goes_back_in_its_file_too(path):
    with overlay(path) as disk:
        disk.write(0, b"past")
        past = disk.capture()
        disk.write(0, b"present")
        disk.write(7 * CLUSTER, b"present")
        disk.flush()
        disk.put_back(past)
        assert disk.changed_clusters == [0]
    with overlay(path) as disk:
        assert disk.read(0, SIZE) == b"past" + CONTENTS[4:]


@pytest.mark.parametrize(
    "clusters",
    [
        {30: bytes(CLUSTER)},
        {-1: bytes(CLUSTER)},
        {0: b"short"},
        {0: bytearray(CLUSTER)},
        {"0": b""},
    ],
)
def test_a_damaged_snapshot_changes_nothing(clusters):
    for disk in (overlay(), MemoryDisk(CONTENTS)):
        with pytest.raises(StorageError, match="of the snapshot"):
            disk.put_back({1: bytes(CLUSTER)} | clusters)
        assert disk.read(0, SIZE) == CONTENTS


def test_a_snapshot_of_another_disk_is_refused():
    saved = overlay().state()
    overlay().load_state(saved)
    with pytest.raises(StorageError, match="give the machine the same image"):
        Overlay(MemoryDisk(CONTENTS[::-1])).load_state(saved)
    with pytest.raises(StorageError, match="of kind overlay"):
        MemoryDisk(SIZE).load_state(saved)
    with pytest.raises(StorageError, match="with 122,880 bytes"):
        overlay(size=SIZE + 1).load_state(saved)
    with pytest.raises(DeviceStateError):
        overlay().load_state({**saved, "size": -1})


# -- opening ------------------------------------------------------------------------------------


def test_by_default_an_image_is_left_as_it_is(image):
    with open_disk(image) as disk:
        assert disk.can_go_back
        disk.write(0, b"gone with the machine")
    assert image.read_bytes() == CONTENTS


def test_an_image_can_be_written_or_only_read(image):
    with open_disk(image, "read") as disk, pytest.raises(StorageError, match="read only"):
        disk.write(0, b"x")
    with open_disk(image, "write") as disk:
        disk.write(0, b"x")
    assert image.read_bytes()[:1] == b"x"
    with pytest.raises(ValueError, match="give 'overlay', 'write' or 'read'"):
        open_disk(image, "snapshot")


def test_an_overlay_is_opened_with_what_is_below_it(image, path, tmp_path, monkeypatch):
    Overlay(RawFile(image, read_only=True), path).close()
    with open_disk(path, "write") as disk:
        disk.write(0, b"first")
    upper = tmp_path / "upper.overlay"
    Overlay(open_disk(path, "read"), upper).close()
    monkeypatch.chdir(tmp_path.parent)
    with open_disk(upper, "write") as disk:
        disk.write(5, b"second")
    with open_disk(upper) as disk:
        assert disk.read(0, 20) == b"firstsecond" + CONTENTS[11:20]
        disk.write(0, b"gone with the machine")
    with open_disk(path, "read") as disk:
        assert disk.read(0, SIZE) == b"first" + CONTENTS[5:]


def test_a_guest_cannot_make_its_image_an_overlay_on_a_file_of_the_host(image, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret" * 1000)
    trap = tmp_path / "trap.overlay"
    Overlay(RawFile(secret, read_only=True), trap).close()
    with open_disk(image, "write") as disk:
        disk.write(0, trap.read_bytes()[: 2 * 4096])
    with open_disk(image) as disk:
        assert disk.size == SIZE
        assert b"secretsecret" not in disk.read(0, SIZE)


def test_an_overlay_without_its_base_or_on_itself_is_told(image, path, tmp_path):
    Overlay(RawFile(image, read_only=True), path).close()
    image.unlink()
    with pytest.raises(StorageError, match="No such file"):
        open_disk(path)
    overlay(tmp_path / "memory.overlay").close()
    with pytest.raises(StorageError, match=r"open it with Overlay\(base, path\)"):
        open_disk(tmp_path / "memory.overlay")
    image.symlink_to(path)
    image.rename(tmp_path / "other.overlay")
    header = overlay_format.Header.decode(path.read_bytes()[:4096], "")
    base = overlay_format.Base("work.overlay", header.base.identity)
    loop = overlay_format.Header.new(SIZE, base).encode("")
    overwrite(path, 0, loop + loop)
    with pytest.raises(StorageError, match="is it its own base"):
        open_disk(path)
    (tmp_path / "no.overlay").write_bytes(b"x" * 5000)
    with pytest.raises(StorageError, match="is not an overlay, as its name says"):
        open_disk(tmp_path / "no.overlay")
