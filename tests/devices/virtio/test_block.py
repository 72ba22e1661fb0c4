"""The block device against chapter 5.2 of the specification, through a driver of our own."""

import struct

import pytest

from tests.devices.virtio import driver as d
from vtbook.devices.storage import MemoryDisk, StorageError
from vtbook.devices.virtio import VirtioBlock, block
from vtbook.errors import VtbookError

SECTORS = 64


class Bytes(MemoryDisk):
    """A disk whose sectors are full of their numbers; it notes what is asked, and can fail."""

    def __init__(self, sectors=SECTORS, *, read_only=False):
        super().__init__(b"".join(bytes([n & 0xFF]) * 512 for n in range(sectors)))
        self.read_only = read_only
        self.flushes = 0
        self.asked = []
        self.failing = False

    @property
    def data(self):
        return self._clusters(0, self._count)[: self.size]

    def discard(self, offset, size):
        self.asked.append(("discard", offset, size))
        super().discard(offset, size)

    def write_zeroes(self, offset, size):
        self.asked.append(("write_zeroes", offset, size))
        super().write_zeroes(offset, size)

    def _flush(self):
        self.flushes += 1

    def _check(self, what, *arguments, **options):
        if self.failing:
            raise StorageError("the disk is broken")
        super()._check(what, *arguments, **options)


def disk(storage=None, **options):
    device_options = {k: options.pop(k) for k in ("serial", "block_size") if k in options}
    board = d.Board(
        VirtioBlock(storage or Bytes(), **device_options), legacy=options.get("legacy", False)
    )
    options.setdefault("features", ~0)
    return d.Driver(board, **options)


def header(kind, sector=0):
    return struct.pack("<IIQ", kind, 0, sector)


def ask(driver, kind, sector=0, data=b"", room=0, **options):
    """One request; the used length, what was read, and the status."""
    readable = [header(kind, sector), *([data] if data else [])]
    length, written = driver.rings[0].request(readable, [*([room] if room else []), 1], **options)
    return length, written[:-1], written[-1]


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("indirect", [False, True])
def test_reads_give_the_sectors(legacy, indirect):
    driver = disk(legacy=legacy)
    length, data, status = ask(driver, block.T_IN, 5, room=1024, indirect=indirect)
    assert (length, status) == (1025, block.S_OK)
    assert data == b"\5" * 512 + b"\6" * 512


def test_writes_are_read_back():
    driver = disk()
    data = bytes(range(256)) * 4
    assert ask(driver, block.T_OUT, 7, data) == (1, b"", block.S_OK)
    assert ask(driver, block.T_IN, 6, room=2048)[1] == b"\6" * 512 + data + b"\t" * 512


def test_where_the_driver_cuts_the_buffer_does_not_matter():
    """2.7.4.1: no assumption about the arrangement of descriptors."""
    driver = disk()
    request = header(block.T_OUT, 2) + bytes(1000) + b"x" * 24
    cut = [request[:3], request[3:17], request[17:600], request[600:]]
    assert driver.rings[0].request(cut, [1]) == (1, b"\0")
    length, data = driver.rings[0].request([header(block.T_IN, 2)], [1, 600, 422, 2])
    assert length == 1025
    assert data == bytes(1000) + b"x" * 24 + b"\0"


@pytest.mark.parametrize(
    ("sector", "size"),
    [(SECTORS, 512), (SECTORS - 1, 1024), (0, 100), (2**64 - 1, 512), (2**55, 512)],
)
def test_requests_outside_the_disk_or_of_part_of_a_sector_fail(sector, size):
    driver = disk()
    storage = driver.board.device.storage
    before = bytes(storage.data)
    length, data, status = ask(driver, block.T_IN, sector, room=size)
    assert (length, data, status) == (size + 1, bytes(size), block.S_IOERR)
    assert ask(driver, block.T_OUT, sector, b"y" * size) == (1, b"", block.S_IOERR)
    assert storage.data == before
    assert driver.read(d.STATUS) & d.NEEDS_RESET == 0


@pytest.mark.parametrize("kind", [block.T_IN, block.T_OUT, block.T_FLUSH, block.T_DISCARD])
def test_a_storage_that_fails_gives_io_errors(kind):
    driver = disk()
    driver.board.device.storage.failing = True
    data = {block.T_OUT: bytes(512), block.T_DISCARD: struct.pack("<QII", 0, 1, 0)}.get(kind, b"")
    room = 512 if kind == block.T_IN else 0
    assert ask(driver, kind, 0, data, room)[2] == block.S_IOERR
    driver.board.device.storage.failing = False
    assert ask(driver, kind, 0, data, room)[2] == block.S_OK


@pytest.mark.parametrize("kind", [2, 5, 10, 14, 15, 26, 0xFFFF_FFFF])
def test_unknown_requests_are_unsupported(kind):
    assert ask(disk(), kind, room=512) == (513, bytes(512), block.S_UNSUPP)


def test_a_flush_reaches_the_storage():
    driver = disk()
    assert ask(driver, block.T_FLUSH)[2] == block.S_OK
    assert driver.board.device.storage.flushes == 1


@pytest.mark.parametrize("serial", ["", "vd-1", "exactly-20-characters-and-more"])
def test_get_id_gives_the_serial_number(serial):
    driver = disk(serial=serial)
    expected = serial.encode()[:20].ljust(20, b"\0")
    assert ask(driver, block.T_GET_ID, room=20) == (21, expected, block.S_OK)
    assert ask(driver, block.T_GET_ID, room=5)[1] == expected[:5]


def test_a_read_only_disk_refuses_to_change():
    driver = disk(Bytes(read_only=True))
    features = driver.offered()
    assert features & block.F_RO
    assert not features & (block.F_DISCARD | block.F_WRITE_ZEROES | block.F_CONFIG_WCE)
    assert ask(driver, block.T_OUT, 0, bytes(512))[2] == block.S_IOERR
    assert ask(driver, block.T_IN, 1, room=512)[1] == b"\1" * 512


def test_ranges_are_zeroed():
    driver = disk()
    ranges = struct.pack("<QIIQII", 1, 2, 0, 60, 4, block.UNMAP)
    assert ask(driver, block.T_WRITE_ZEROES, 0, ranges)[2] == block.S_OK
    storage = driver.board.device.storage
    assert storage.data[512 : 3 * 512] == bytes(1024)
    assert storage.data[60 * 512 :] == bytes(4 * 512)
    assert storage.data[3 * 512] == 3


def test_discarding_and_zeroing_are_told_to_the_storage():
    driver = disk()
    asked = driver.board.device.storage.asked
    assert ask(driver, block.T_DISCARD, 0, struct.pack("<QII", 8, 8, 0))[2] == block.S_OK
    both = struct.pack("<QIIQII", 1, 2, block.UNMAP, 9, 1, 0)
    assert ask(driver, block.T_WRITE_ZEROES, 0, both)[2] == block.S_OK
    assert asked == [
        ("discard", 4096, 4096),
        ("discard", 512, 1024),
        ("write_zeroes", 9 * 512, 512),
    ]


@pytest.mark.parametrize(
    ("kind", "ranges", "status"),
    [
        (block.T_DISCARD, struct.pack("<QII", SECTORS, 1, 0), block.S_IOERR),
        (block.T_DISCARD, struct.pack("<QII", 2**64 - 1, 2, 0), block.S_IOERR),
        (block.T_DISCARD, struct.pack("<QII", 0, 2**32 - 1, 0), block.S_IOERR),
        (block.T_DISCARD, struct.pack("<QII", 0, 1, block.UNMAP), block.S_UNSUPP),
        (block.T_WRITE_ZEROES, struct.pack("<QII", 0, 1, 2), block.S_UNSUPP),
        (block.T_WRITE_ZEROES, b"", block.S_IOERR),
        (block.T_WRITE_ZEROES, bytes(17), block.S_IOERR),
        (block.T_WRITE_ZEROES, struct.pack("<QII", 0, 1, 0) * 17, block.S_IOERR),
    ],
)
def test_ranges_that_make_no_sense_are_refused(kind, ranges, status):
    driver = disk()
    before = bytes(driver.board.device.storage.data)
    assert ask(driver, kind, 0, ranges)[2] == status
    assert driver.board.device.storage.data == before


def test_ranges_need_their_feature():
    driver = disk(features=d.VERSION_1)
    assert ask(driver, block.T_DISCARD, 0, struct.pack("<QII", 0, 1, 0))[2] == block.S_UNSUPP


def test_the_configuration_space():
    driver = disk(block_size=4096)
    assert driver.config(0, 8) == SECTORS
    assert driver.config(8, 4) == block.SIZE_MAX
    assert driver.config(12, 4) == 254
    assert driver.config(20, 4) == 4096
    assert driver.config(34, 2) == 1
    assert driver.config(40, 4) == block.RANGES_MAX
    assert driver.config(44, 4) == 8  # alignment of discards, in sectors
    assert driver.config(60, 4) == 0  # past the end


@pytest.mark.parametrize(
    ("chosen", "writeback"),
    [
        (0, 0),
        (block.F_FLUSH, 1),
        (block.F_FLUSH | block.F_CONFIG_WCE, 1),
        (block.F_CONFIG_WCE, 0),
    ],
)
def test_the_cache_is_as_the_features_say(chosen, writeback):
    """5.2.5.2 and 5.2.6.2: without FLUSH a write is on the disk when it is answered."""
    driver = disk(features=d.VERSION_1 | chosen)
    assert driver.config(32, 1) == writeback
    ask(driver, block.T_OUT, 0, bytes(512))
    assert driver.board.device.storage.flushes == 1 - writeback


def test_the_driver_turns_the_cache_off():
    driver = disk()
    driver.write(d.CONFIG + 32, 0, 1)
    assert driver.config(32, 1) == 0
    ask(driver, block.T_OUT, 0, bytes(512))
    assert driver.board.device.storage.flushes == 1
    driver.start()
    assert driver.config(32, 1) == 1


def test_without_config_wce_the_cache_cannot_be_turned_off():
    driver = disk(features=d.VERSION_1 | block.F_FLUSH)
    driver.write(d.CONFIG + 32, 0, 1)
    driver.write(d.CONFIG, 0)
    assert driver.config(32, 1) == 1
    assert driver.config(0, 8) == SECTORS


@pytest.mark.parametrize(
    ("readable", "writable"),
    [([bytes(15)], [1]), ([], [513]), ([bytes(16)], []), ([bytes(16), bytes(512)], [])],
)
def test_a_request_without_header_or_status_breaks_the_device(readable, writable):
    driver = disk()
    driver.rings[0].add(readable, writable)
    driver.rings[0].kick()
    assert driver.read(d.STATUS) & d.NEEDS_RESET
    assert driver.acknowledge() == 2
    assert driver.rings[0].used_idx == 0
    driver.start()
    assert ask(driver, block.T_IN, 3, room=512)[1] == b"\3" * 512


def test_a_large_request_goes_in_pieces(monkeypatch):
    monkeypatch.setattr(block, "TRANSFER", 1000)
    driver = disk()
    data = bytes(range(1, 256)) * 80 + bytes(80)
    assert ask(driver, block.T_OUT, 10, data)[2] == block.S_OK
    assert ask(driver, block.T_IN, 10, room=len(data))[1] == data


def test_the_state_comes_back_with_requests_waiting():
    storage = Bytes()
    driver = disk(storage)
    driver.write(d.CONFIG + 32, 0, 1)
    ask(driver, block.T_IN, 1, room=512)
    driver.rings[0].add([header(block.T_OUT, 3), b"z" * 512], [1])
    saved = driver.board.slot.state()

    board = d.Board(VirtioBlock(storage), memory=driver.board.memory)
    board.slot.load_state(saved)
    assert board.slot.state() == saved
    driver.board = board
    driver.rings[0].kick()
    assert [(length, data) for _, length, data in driver.rings[0].collect()] == [(1, b"\0")]
    assert storage.data[3 * 512 : 4 * 512] == b"z" * 512
    assert storage.flushes == 1


def test_a_strange_block_size_is_refused():
    with pytest.raises(VtbookError, match="power of 2"):
        VirtioBlock(Bytes(), block_size=1000)
