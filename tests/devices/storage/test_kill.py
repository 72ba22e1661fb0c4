"""A process that writes a disk is killed at any moment: what was flushed is there afterwards."""

import os
import random
import signal
import time

import numpy as np
import pytest

from vtbook.devices.storage import MemoryDisk, Overlay, RawFile

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork, so Linux or macOS")

SIZE = 1 << 20
ROUNDS = 60


def transaction(chooser):
    """What is written before a flush: offsets, lengths and a byte to fill with."""
    return [
        (offset := chooser.randrange(SIZE), min(chooser.randrange(1, 20_000), SIZE - offset), fill)
        for fill in chooser.sample(range(256), chooser.randrange(1, 9))
    ]


def write_until_killed(disk, seed, acknowledge):
    chooser = random.Random(seed)
    while True:
        for offset, length, fill in transaction(chooser):
            disk.write(offset, bytes((fill,)) * length)
        disk.flush()
        os.write(acknowledge, b".")


def flushes_before_it_is_killed(open_disk, seed, seconds):
    """Let a process write, kill it, and return how many flushes it said were done."""
    answers, acknowledge = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(answers)
            write_until_killed(open_disk(), seed, acknowledge)
        finally:
            os._exit(1)
    os.close(acknowledge)
    os.read(answers, 1)  # the first flush is done; an end of file would mean that the child failed
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the child ended by itself"
    done = 1
    while more := os.read(answers, 1 << 16):
        done += len(more)
    os.close(answers)
    return done


def apply(contents, writes):
    for offset, length, fill in writes:
        contents[offset : offset + length] = fill


def survive(open_disk, is_right):
    """Kill a writer many times over; `is_right` compares what is there with what was flushed."""
    chooser = random.Random(4)
    expected = np.zeros(SIZE, np.uint8)
    total = 0
    for seed in range(ROUNDS):
        done = flushes_before_it_is_killed(open_disk, seed, chooser.uniform(0, 0.06))
        total += done
        writes = random.Random(seed)
        for _ in range(done):
            apply(expected, transaction(writes))
        with open_disk() as disk:
            found = np.frombuffer(disk.read(0, SIZE), np.uint8)
        assert is_right(found, expected, transaction(writes)), f"round {seed}, {done} flushes"
        expected = found.copy()
    assert total > 2 * ROUNDS


def test_an_image_has_every_flushed_write_after_a_kill(tmp_path):
    path = tmp_path / "disk.img"
    RawFile.create(path, SIZE).close()

    def is_right(found, flushed, under_way):
        """Only bytes of the writes under way may differ, and then they are one of these."""
        fine = found == flushed
        for offset, length, fill in under_way:
            place = slice(offset, offset + length)
            fine[place] |= found[place] == fill
        return fine.all()

    survive(lambda: RawFile(path), is_right)


def test_an_overlay_is_exactly_as_at_a_flush_after_a_kill(tmp_path):
    path = tmp_path / "work.overlay"

    def is_right(found, flushed, under_way):
        """Either the last flush, or the one under way as a whole."""
        one_more = flushed.copy()
        apply(one_more, under_way)
        return np.array_equal(found, flushed) or np.array_equal(found, one_more)

    survive(lambda: Overlay(MemoryDisk(SIZE), path), is_right)


def test_a_killed_writer_leaves_no_lock(tmp_path):
    path = tmp_path / "disk.img"
    RawFile.create(path, SIZE).close()
    flushes_before_it_is_killed(lambda: RawFile(path), 1, 0)
    RawFile(path).close()
