"""Disks as a guest sees them: requests of a virtio driver, down to the file and back."""

import errno
import os
import random
import struct

import pytest

from tests.devices.virtio import driver as d
from vtbook.devices.storage import MemoryDisk, Overlay, RawFile
from vtbook.devices.virtio import VirtioBlock, block

SECTORS = 100
SIZE = SECTORS * 512


class Guest:
    """A driver of the disk."""

    def __init__(self, storage):
        self.storage = storage
        self.driver = d.Driver(d.Board(VirtioBlock(storage)), features=~0)

    def ask(self, kind, sector=0, data=b"", room=0):
        """What was read, and the status."""
        header = struct.pack("<IIQ", kind, 0, sector)
        readable = [header, *([data] if data else [])]
        _, written = self.driver.rings[0].request(readable, [*([room] if room else []), 1])
        return written[:-1], written[-1]


def kinds(folder):
    image = folder / "disk.img"
    image.write_bytes(bytes(SIZE))
    base = folder / "base.img"
    base.write_bytes(bytes(SIZE))
    yield MemoryDisk(SIZE)
    yield RawFile(image)
    yield Overlay(RawFile(base, read_only=True))
    yield Overlay(RawFile(base, read_only=True), folder / "work.overlay")


@pytest.fixture(params=range(4), ids=["memory", "image", "overlay", "overlay file"])
def guest(request, tmp_path):
    for number, storage in enumerate(kinds(tmp_path)):
        if number == request.param:
            yield Guest(storage)
        storage.close()


def test_sectors_are_read_as_they_were_written(guest):
    chooser = random.Random(3)
    expected = bytearray(SIZE)
    for _ in range(150):
        sector = chooser.randrange(SECTORS)
        count = min(chooser.choice([1, 2, 8, 40]), SECTORS - sector)
        place = slice(sector * 512, (sector + count) * 512)
        kind = chooser.choice([block.T_IN, block.T_OUT, block.T_OUT, block.T_DISCARD])
        if kind == block.T_IN:
            assert guest.ask(kind, sector, room=count * 512) == (expected[place], block.S_OK)
        elif kind == block.T_OUT:
            data = chooser.randbytes(count * 512)
            assert guest.ask(kind, sector, data)[1] == block.S_OK
            expected[place] = data
        else:
            ranges = struct.pack("<QII", sector, count, 0)
            assert guest.ask(kind, 0, ranges)[1] == block.S_OK
            expected[place] = bytes(count * 512)
    assert guest.ask(block.T_FLUSH)[1] == block.S_OK
    assert guest.storage.read(0, SIZE) == expected


@pytest.mark.parametrize("guest", [1, 3], indirect=True, ids=["image", "overlay file"])
def test_an_error_of_the_host_is_an_error_of_the_disk(guest, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert guest.ask(block.T_OUT, 0, b"a" * 512)[1] == block.S_OK
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", fail)
        assert guest.ask(block.T_OUT, 0, b"b" * 512)[1] == block.S_IOERR
    assert guest.ask(block.T_IN, 0, room=512) == (b"a" * 512, block.S_OK)
    assert guest.ask(block.T_OUT, 1, b"c" * 512)[1] == block.S_OK


def test_a_flush_that_the_guest_was_promised_is_in_the_file(tmp_path):
    path = tmp_path / "work.overlay"
    guest = Guest(Overlay(MemoryDisk(SIZE), path))
    guest.ask(block.T_OUT, 3, b"x" * 512)
    assert guest.ask(block.T_FLUSH)[1] == block.S_OK
    guest.ask(block.T_OUT, 3, b"y" * 512)
    guest.storage._file.file.close()  # as the end of the process does
    with Overlay(MemoryDisk(SIZE), path) as again:
        assert again.read(3 * 512, 512) == b"x" * 512


def test_a_disk_goes_back_under_its_guest():
    guest = Guest(Overlay(MemoryDisk(SIZE)))
    guest.ask(block.T_OUT, 3, b"x" * 512)
    past = guest.storage.capture()
    guest.ask(block.T_OUT, 3, b"y" * 512)
    guest.storage.put_back(past)
    assert guest.ask(block.T_IN, 3, room=512)[0] == b"x" * 512


def test_a_disk_that_is_only_read_says_so_to_the_guest(tmp_path):
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(SIZE))
    guest = Guest(RawFile(image, read_only=True))
    assert guest.driver.board.device.device_features() & block.F_RO
    assert guest.ask(block.T_OUT, 0, b"x" * 512)[1] == block.S_IOERR
