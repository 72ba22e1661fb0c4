"""Every kind of storage against a plain array of bytes."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.devices.snapshots import through_a_file
from vtbook.devices.storage import CLUSTER, MemoryDisk, Overlay, RawFile, StorageError

SIZE = 9 * CLUSTER + 1536
"""The last cluster is cut off."""
BASE = bytes(range(256)) * 16 + bytes(CLUSTER) + bytes(reversed(range(256))) * 70

OFFSETS = st.one_of(
    st.integers(0, SIZE), st.integers(0, SIZE // CLUSTER).map(lambda number: number * CLUSTER)
)
LENGTHS = st.sampled_from([0, 1, 512, CLUSTER - 1, CLUSTER, CLUSTER + 1, 3 * CLUSTER, SIZE])
FILLS = st.one_of(st.just(b"\0"), st.binary(min_size=1, max_size=5))


class Model(RuleBasedStateMachine):
    """A disk, and the array of bytes that it has to be."""

    can_be_reopened = False

    def open(self):
        raise NotImplementedError

    @initialize()
    def start(self):
        self.folder = Path(tempfile.mkdtemp())
        self.expected = bytearray(SIZE)
        self.captures = []
        self.disk = self.open()

    def place(self, offset, length):
        return offset, min(length, SIZE - offset)

    @rule(offset=OFFSETS, length=LENGTHS, fill=FILLS)
    def write(self, offset, length, fill):
        offset, length = self.place(offset, length)
        data = (fill * length)[:length]
        self.disk.write(offset, memoryview(data) if length % 2 else data)
        self.expected[offset : offset + length] = data

    @rule(offset=OFFSETS, length=LENGTHS, how=st.sampled_from(["discard", "write_zeroes"]))
    def zero(self, offset, length, how):
        offset, length = self.place(offset, length)
        getattr(self.disk, how)(offset, length)
        self.expected[offset : offset + length] = bytes(length)

    @rule(offset=OFFSETS, length=LENGTHS)
    def read(self, offset, length):
        offset, length = self.place(offset, length)
        data = self.disk.read(offset, length)
        assert type(data) is bytes
        assert data == self.expected[offset : offset + length]

    @rule()
    def flush(self):
        self.disk.flush()

    @rule(offset=st.integers(-9, SIZE + 9), length=st.integers(-9, SIZE + 9))
    def refuse_what_leaves_the_disk(self, offset, length):
        if not 0 <= offset <= offset + length <= SIZE:
            with pytest.raises(StorageError, match="the disk has"):
                self.disk.read(offset, length)
            with pytest.raises(StorageError):
                self.disk.discard(offset, length)
            if length >= 0:
                with pytest.raises(StorageError):
                    self.disk.write(offset, bytes(length))

    @precondition(lambda self: self.disk.can_go_back)
    @rule(with_like=st.booleans())
    def capture(self, with_like):
        like = self.captures[-1][0] if with_like and self.captures else None
        clusters = self.disk.capture(like)
        for number, data in clusters.items():
            if like and like.get(number) == data:
                assert data is like[number], "equal clusters are shared"
        self.captures.append((clusters, bytes(self.expected)))

    @precondition(lambda self: self.disk.can_go_back and self.captures)
    @rule(data=st.data(), saved=st.booleans())
    def put_back(self, data, saved):
        clusters, expected = data.draw(st.sampled_from(self.captures))
        if saved:  # in a snapshot's file, and from it into another machine
            clusters = {number: bytes(bytearray(piece)) for number, piece in clusters.items()}
            self.disk.load_state(through_a_file(self.disk.state()))
        self.disk.put_back(clusters)
        self.expected[:] = expected

    @precondition(lambda self: self.can_be_reopened)
    @rule()
    def close_and_open(self):
        self.disk.close()
        self.disk = self.open()

    @invariant()
    def it_reads_as_expected(self):
        if hasattr(self, "disk"):
            assert self.disk.read(0, SIZE) == self.expected

    def teardown(self):
        if hasattr(self, "disk"):
            self.disk.close()
            shutil.rmtree(self.folder)


class Memory(Model):
    """In memory."""

    def open(self):
        return MemoryDisk(SIZE)


class MemoryWithContents(Model):
    """In memory, with contents to begin with."""

    def open(self):
        self.expected[:] = BASE.ljust(SIZE, b"\1")
        return MemoryDisk(bytes(self.expected))


class Raw(Model):
    """A file."""

    can_be_reopened = True

    def open(self):
        path = self.folder / "disk.img"
        return (
            RawFile(path, sync=False) if path.exists() else RawFile.create(path, SIZE, sync=False)
        )


class OverlayInMemory(Model):
    """Changes in memory, to a smaller disk."""

    def open(self):
        self.expected[:] = BASE[:5000].ljust(SIZE, b"\0")
        return Overlay(MemoryDisk(BASE[:5000], read_only=True), size=SIZE)


class OverlayInAFile(Model):
    """Changes in a file, to a file."""

    can_be_reopened = True

    def open(self):
        image = self.folder / "base.img"
        if not image.exists():
            self.expected[:] = BASE.ljust(SIZE, b"\1")
            image.write_bytes(self.expected)
        base = RawFile(image, read_only=True)
        return Overlay(base, self.folder / "work.overlay", sync=False)


KINDS = [Memory, MemoryWithContents, Raw, OverlayInMemory, OverlayInAFile]
for kind in KINDS:
    case = kind.TestCase
    case.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
    globals()[f"Test{kind.__name__}"] = case
del case, kind
