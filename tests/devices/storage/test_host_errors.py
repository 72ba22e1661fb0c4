"""The host's disk is full, broken, or writes half of what it is given."""

import errno
import os
import random
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbook.devices.storage import CLUSTER, MemoryDisk, Overlay, RawFile, StorageError

SIZE = 12 * CLUSTER

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fdatasync"), reason="needs os.pwrite and os.fdatasync, so a Unix but macOS"
)


class FaultyHost:
    """`os.pwrite` and `os.fdatasync` that fail as `chooser` says, until `faults` is empty."""

    def __init__(self, patch, chooser, faults):
        self.chooser, self.faults = chooser, faults
        self.pwrite, self.fdatasync = os.pwrite, os.fdatasync
        patch.setattr(os, "pwrite", self.write)
        patch.setattr(os, "fdatasync", self.sync)

    def fault(self):
        return (
            self.chooser.choice(self.faults) if self.faults and self.chooser.random() < 0.3 else 0
        )

    def write(self, descriptor, data, offset):
        fault = self.fault()
        short = self.chooser.randrange(len(data) + 1)
        if fault == "short":
            return self.pwrite(descriptor, data[: max(short, 1)], offset)
        if fault and fault != "sync":
            self.pwrite(descriptor, data[:short], offset)
            raise OSError(fault, os.strerror(fault))
        return self.pwrite(descriptor, data, offset)

    def sync(self, descriptor):
        if self.fault() == "sync":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.fdatasync(descriptor)


FAULTS = st.sets(st.sampled_from(["short", errno.ENOSPC, errno.EIO, "sync"]), min_size=1).map(
    lambda faults: sorted(faults, key=str)
)


def between(found, old, new):
    """Whether each byte is as before or as written."""
    return all(byte in pair for byte, *pair in zip(found, old, new, strict=True))


@given(st.integers(0, 2**32), FAULTS)
@settings(max_examples=80, deadline=None)
def test_an_overlay_on_a_failing_host_is_as_at_a_flush(seed, faults):
    chooser = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "work.overlay"
        disk = Overlay(MemoryDisk(SIZE), path)
        host = FaultyHost(patch, chooser, faults)
        contents = bytes(SIZE)
        allowed = {contents}
        for _ in range(chooser.randrange(20)):
            if chooser.random() < 0.3:
                try:
                    disk.flush()
                    allowed = {contents}
                except StorageError:
                    allowed.add(contents)
                continue
            offset = chooser.randrange(SIZE)
            data = chooser.randbytes(min(chooser.choice([9, 4096, 9000]), SIZE - offset))
            wanted = contents[:offset] + data + contents[offset + len(data) :]
            try:
                disk.write(offset, data)
                contents = wanted
            except StorageError:
                found = disk.read(0, SIZE)
                assert between(found, contents, wanted)
                contents = found
        try:
            disk.close()
            allowed = {contents}
        except StorageError:
            allowed.add(contents)
        host.faults = ()
        with Overlay(MemoryDisk(SIZE), path) as again:
            assert again.read(0, SIZE) in allowed


@pytest.fixture(params=["image", "overlay"])
def disk(request, tmp_path):
    if request.param == "image":
        return RawFile.create(tmp_path / "disk.img", SIZE)
    return Overlay(MemoryDisk(SIZE), tmp_path / "work.overlay")


def failing(error):
    def fail(*_):
        raise OSError(error, os.strerror(error))

    return fail


def test_short_writes_are_continued(disk, monkeypatch):
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: write(fd, data[:100], offset))
    data = random.Random(1).randbytes(SIZE)
    disk.write(0, data)
    disk.flush()
    assert disk.read(0, SIZE) == data


def test_an_error_says_which_file_where_and_why(disk, monkeypatch):
    monkeypatch.setattr(os, "pwrite", failing(errno.ENOSPC))
    with pytest.raises(StorageError, match=r"cannot write .* \(No space left on device\)") as error:
        disk.write(CLUSTER, b"x" * CLUSTER)
    assert disk.name in str(error.value)
    assert error.value.errno == errno.ENOSPC


def test_a_full_disk_can_be_used_again_when_there_is_room(disk, monkeypatch):
    disk.write(0, b"before")
    disk.flush()
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", failing(errno.ENOSPC))
        with pytest.raises(StorageError):
            disk.write(0, b"failed")
    assert disk.read(0, 6) == b"before"
    disk.write(0, b"after!")
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", failing(errno.ENOSPC))
        if isinstance(disk, Overlay):  # which has its journal to write
            with pytest.raises(StorageError):
                disk.flush()
    disk.flush()
    assert disk.read(0, 6) == b"after!"


def test_after_a_failed_flush_no_later_one_pretends_to_succeed(disk, monkeypatch):
    """The kernel reports a lost write once, and then counts the page as written."""
    disk.write(0, b"lost")
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", failing(errno.EIO))
        with pytest.raises(StorageError, match="cannot flush"):
            disk.flush()
    with pytest.raises(StorageError, match="an earlier flush failed"):
        disk.flush()
    with pytest.raises(StorageError, match="an earlier flush failed"):
        disk.close()
    assert disk.closed


def test_a_file_that_was_cut_off_is_told(tmp_path):
    disk = RawFile.create(tmp_path / "disk.img", SIZE)
    os.truncate(tmp_path / "disk.img", 5000)
    assert disk.read(0, 5000) == bytes(5000)
    with pytest.raises(StorageError, match="ends at 5,000; was it cut off"):
        disk.read(4000, 4096)


def test_a_limit_of_the_system_on_the_size_of_files_keeps_what_was_flushed(disk):
    """With RLIMIT_FSIZE, in a process of its own: the kernel's own short writes and errors."""
    resource = pytest.importorskip("resource")
    child = os.fork()
    if not child:
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            disk.write(0, b"flushed")
            disk.flush()
            resource.setrlimit(resource.RLIMIT_FSIZE, (8 * CLUSTER - 100, hard))
            with pytest.raises(StorageError, match="File too large"):
                disk.write(5 * CLUSTER, bytes(range(256)) * 16 * 7)
            assert disk.read(0, 7) == b"flushed"
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            disk.write(6 * CLUSTER, b"x" * CLUSTER)
            disk.flush()
            assert disk.read(0, 7) == b"flushed"
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    name = disk.name
    disk.file.close() if isinstance(disk, RawFile) else disk._file.file.close()
    again = RawFile(name) if isinstance(disk, RawFile) else Overlay(MemoryDisk(SIZE), name)
    with again:
        assert again.read(0, 7) == b"flushed"
        assert again.read(6 * CLUSTER, CLUSTER) == b"x" * CLUSTER
