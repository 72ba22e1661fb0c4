"""The host loses its power: of what was not synchronized, anything may be on the disk, even halves.

The writes and synchronizations of an overlay's file and of its base are recorded. Then both are
made as a power loss at any moment may leave them, and opened.
"""

import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbook.devices.storage import CLUSTER, MemoryDisk, Overlay, cluster_file, overlay_format

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fdatasync"), reason="needs os.fdatasync, so a Unix other than macOS"
)

SECTOR = 512
SIZE = 300 * CLUSTER
BASE = b"base" * (SIZE // 4)


class Recorder:
    """What happens to the files, in order.

    Entries of the log: ``(file, offset, data)`` for a write, ``(file, "sync")``, and
    ``("flush", "begin")`` and ``("flush", "end")`` around what the test promises to itself.
    """

    def __init__(self, patch):
        self.log = []
        self.really_write = os.pwrite
        patch.setattr(os, "pwrite", self.write)
        patch.setattr(os, "fdatasync", lambda descriptor: self.log.append(("overlay", "sync")))

    def write(self, descriptor, data, offset):
        self.log.append(("overlay", offset, bytes(data)))
        return self.really_write(descriptor, data, offset)

    def after_power_loss(self, file, moment, chooser, contents=b""):
        """The bytes of a file when the power goes before entry `moment` of the log."""
        synced = max((n for n in range(moment) if self.log[n] == (file, "sync")), default=0)
        image = bytearray(contents)
        for number, (name, offset, *data) in enumerate(self.log[:moment]):
            if name != file or not data:
                continue
            chance = 1 if number < synced else chooser.choice([0, 0.5, 1])
            for at in range(0, len(data[0]), SECTOR):
                if chooser.random() < chance:
                    piece = data[0][at : at + SECTOR]
                    image.extend(bytes(max(offset + at + len(piece) - len(image), 0)))
                    image[offset + at : offset + at + len(piece)] = piece
        return bytes(image)


class RecordedDisk(MemoryDisk):
    """A base whose writes by `commit` are recorded."""

    def __init__(self, recorder, contents):
        super().__init__(contents)
        self.recorder = recorder

    def _write(self, offset, data):
        self.recorder.log.append(("base", offset, bytes(data)))
        super()._write(offset, data)

    def _flush(self):
        self.recorder.log.append(("base", "sync"))


def run(recorder, disk, chooser, steps):
    """Write, discard, go back, flush and commit; returns the contents at each flush."""
    states = [disk.read(0, SIZE)]
    captures = [disk.capture()]
    for _ in range(steps):
        for _ in range(chooser.randrange(1, 5)):
            offset = chooser.randrange(SIZE)
            length = min(chooser.choice([100, CLUSTER, 40_000, SIZE]), SIZE - offset)
            kind = chooser.randrange(10)
            if kind == 0:
                disk.discard(offset, length)
            elif kind == 1:
                disk.put_back(chooser.choice(captures))
            else:
                disk.write(offset, chooser.randbytes(1) * length)
        captures.append(disk.capture())
        recorder.log.append(("flush", "begin"))
        states.append(disk.read(0, SIZE))
        if chooser.random() < 0.15:
            disk.commit()
            captures = [disk.capture()]
        else:
            disk.flush()
        recorder.log.append(("flush", "end"))
    return states


def live_and_die(recorder, chooser, path, image, base, *, steps, deaths):
    """Use an overlay for a while; what several losses of power in this time may leave.

    Yields the overlay's file, the base, and the contents that are allowed.
    """
    recorder.log = []
    if image:
        path.write_bytes(image)
    disk = Overlay(RecordedDisk(recorder, base), path)
    begin = 0 if image else len(recorder.log)
    states = run(recorder, disk, chooser, steps)
    disk.close()
    log = recorder.log
    syncs = [n for n in range(begin, len(log)) if log[n] == ("overlay", "sync")]
    for death in range(deaths):
        # Mostly just before a synchronization, when the most is on its way.
        moment = max(chooser.choice(syncs) - chooser.choice([0, 0, 0, 1, 2]), begin)
        if death % 4 == 3:
            moment = chooser.randrange(begin, len(log) + 1)
        done = log[:moment].count(("flush", "end"))
        begun = log[:moment].count(("flush", "begin"))
        recorder.log = log
        yield (
            recorder.after_power_loss("overlay", moment, chooser, image),
            recorder.after_power_loss("base", moment, chooser, base),
            states[done : begun + 1],
        )


@given(st.integers(0, 2**32), st.sampled_from([(1, 8), (1, 10**6), (16, 10**6)]))
@settings(max_examples=20, deadline=None)
def test_an_overlay_is_exactly_as_at_a_flush_after_a_power_loss(seed, sizes):
    chooser = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        # Small ones, so that the journal goes on in new segments and is written anew.
        for module in (cluster_file, overlay_format):
            patch.setattr(module, "SEGMENT", sizes[0])
        patch.setattr(cluster_file, "COMPACT_FROM", sizes[1])
        recorder = Recorder(patch)
        path = Path(folder) / "work.overlay"
        lives = list(live_and_die(recorder, chooser, path, b"", BASE, steps=8, deaths=10))
        for image, base, _ in lives[:3]:  # and again, in the life after
            lives += live_and_die(recorder, chooser, path, image, base, steps=2, deaths=4)
        for image, base, allowed in lives:
            path.write_bytes(image)
            check_and_go_on(path, base, allowed)


def check_and_go_on(path, base, allowed):
    """The overlay is as in one of the states allowed, and works."""
    with Overlay(MemoryDisk(base), path) as disk:
        found = disk.read(0, SIZE)
        assert found in allowed
        disk.write(5 * CLUSTER, b"after the power loss")
    with Overlay(MemoryDisk(base), path, read_only=True) as disk:
        expected = bytearray(found)
        expected[5 * CLUSTER : 5 * CLUSTER + 20] = b"after the power loss"
        assert disk.read(0, SIZE) == expected
