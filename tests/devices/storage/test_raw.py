"""Image files: locks, refusals, holes, and that they do not go back."""

import os
import subprocess
import sys

import pytest

from vtbook.devices.storage import CLUSTER, MemoryDisk, Overlay, RawFile, StorageError

SIZE = 20 * CLUSTER


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "disk.img"
    RawFile.create(path, SIZE).close()
    return path


def test_an_image_is_the_disk_byte_for_byte(image):
    with RawFile(image) as disk:
        disk.write(5000, b"hello")
    contents = image.read_bytes()
    assert contents[5000:5005] == b"hello"
    assert len(contents) == disk.size == SIZE


def test_a_new_image_takes_no_place_and_replaces_nothing(image):
    assert os.stat(image).st_blocks * 512 < SIZE
    with pytest.raises(StorageError, match="File exists"):
        RawFile.create(image, SIZE)


def test_what_is_discarded_gives_its_place_back(image):
    with RawFile(image) as disk:
        disk.write(0, b"x" * SIZE)
        disk.flush()
        full = os.stat(image).st_blocks
        disk.discard(CLUSTER, SIZE - 2 * CLUSTER)
        assert disk.read(0, SIZE) == b"x" * CLUSTER + bytes(SIZE - 2 * CLUSTER) + b"x" * CLUSTER
        disk.flush()
        if sys.platform == "linux":
            assert os.stat(image).st_blocks < full


def test_where_the_file_system_has_no_holes_zeroes_are_written(image, monkeypatch):
    monkeypatch.setattr("vtbook.devices.storage.host_file._punch_hole", lambda *_: False)
    with RawFile(image) as disk:
        disk.write(0, b"x" * SIZE)
        disk.discard(100, SIZE - 200)
        assert disk.read(0, SIZE) == b"x" * 100 + bytes(SIZE - 200) + b"x" * 100


def test_a_read_only_disk_refuses_to_be_changed(image):
    image.chmod(0o444)
    with RawFile(image, read_only=True) as disk:
        for change in (
            lambda: disk.write(0, b"x"),
            lambda: disk.discard(0, 1),
            lambda: disk.write_zeroes(0, 1),
        ):
            with pytest.raises(StorageError, match="it is read only"):
                change()
        disk.flush()
    assert image.read_bytes() == bytes(SIZE)


def test_one_writes_or_several_read(image):
    with RawFile(image):
        for read_only in (False, True):
            with pytest.raises(StorageError, match="close the other machine's disk"):
                RawFile(image, read_only=read_only)
    readers = [RawFile(image, read_only=True) for _ in range(2)]
    with pytest.raises(StorageError, match="somebody else uses it"):
        RawFile(image)
    for reader in readers:
        reader.close()
    RawFile(image).close()


def test_a_disk_that_nobody_has_any_more_holds_no_lock(image):
    """As when a notebook's cell runs again: the old machine is a cycle of objects."""
    forgotten = [RawFile(image)]
    forgotten.append(forgotten)
    del forgotten
    RawFile(image).close()


def test_the_lock_holds_against_another_process(image):
    program = "import sys; from vtbook.devices.storage import RawFile; RawFile(sys.argv[1])"
    command = [sys.executable, "-c", program, str(image)]
    with RawFile(image):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert "somebody else uses it" in done.stderr
    assert subprocess.run(command, timeout=60, check=False).returncode == 0


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_what_is_no_image_is_refused(tmp_path, kind):
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)  # opening it would wait for ever
    with pytest.raises(StorageError, match=str(path)):
        RawFile(path, read_only=True)


def test_a_closed_disk_refuses_everything_but_to_be_closed_again(image):
    for disk in (RawFile(image), MemoryDisk(SIZE), Overlay(MemoryDisk(SIZE))):
        disk.close()
        disk.close()
        for use in (
            lambda disk=disk: disk.read(0, 1),
            lambda disk=disk: disk.write(0, b"x"),
            disk.flush,
            disk.state,
        ):
            with pytest.raises(StorageError, match="it is closed"):
                use()


def test_an_image_that_is_written_directly_cannot_go_back(image):
    with RawFile(image) as disk:
        assert not disk.can_go_back
        for what in (disk.capture, disk.state, lambda: disk.put_back({})):
            with pytest.raises(StorageError, match="open it read only with an Overlay"):
                what()


def test_an_image_that_is_only_read_goes_back(image):
    with RawFile(image, read_only=True) as disk:
        assert disk.can_go_back
        saved = disk.state()
        assert disk.capture() == {}
        disk.load_state(saved)
        disk.put_back({})
        with pytest.raises(StorageError, match="has changes"):
            disk.put_back({0: bytes(CLUSTER)})


def test_an_image_is_known_again_by_its_age_or_by_its_contents(image, tmp_path):
    with RawFile(image, read_only=True) as disk:
        known = disk.identity()
    copy = tmp_path / "copy.img"
    copy.write_bytes(image.read_bytes())
    os.utime(copy, ns=(1, 1))
    with RawFile(copy, read_only=True) as disk:
        assert disk.identity().modified == 1
        assert disk.identity().fits(known)
    copy.write_bytes(b"x" + image.read_bytes()[1:])
    with RawFile(copy, read_only=True) as disk:
        assert not disk.identity().fits(known)


def test_the_fingerprint_of_a_large_disk_reads_pieces_of_all_of_it():
    size = 2000 << 16
    seen = []

    class Watched(MemoryDisk):
        def _read(self, offset, size):
            seen.append((offset, offset + size))
            return super()._read(offset, size)

    plain = Watched(size).identity()
    assert sum(end - start for start, end in seen) <= 64 << 20
    assert (seen[0][0], seen[-1][1]) == (0, size)
    for offset in (0, size - 1):
        disk = MemoryDisk(size)
        disk.write(offset, b"x")
        assert not disk.identity().fits(plain)


def test_a_sparse_disk_in_memory_is_discarded_whole_at_once():
    disk = MemoryDisk(1 << 50)
    disk.write(1 << 49, b"x")
    disk.discard(0, 1 << 50)
    assert disk.capture() == {}
