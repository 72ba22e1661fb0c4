"""The virtio block device (virtio 1.2, 5.2): a disk of 512-byte sectors.

A request is one buffer. Its readable part is a header, then the data to write; its writable part is
the data that was read, then one byte of status::

    type 32 | reserved 32 | sector 64 | data ...        data ... | status 8
"""

from __future__ import annotations

from struct import Struct
from typing import Any, ClassVar

from vtbook.devices import state
from vtbook.devices.storage import Storage, StorageError
from vtbook.devices.virtio.device import VirtioDevice
from vtbook.devices.virtio.queue import Buffer, QueueError, Virtqueue
from vtbook.errors import VtbookError

SECTOR = 512
ID_BYTES = 20

# Features (5.2.3)
F_SIZE_MAX, F_SEG_MAX, F_RO, F_BLK_SIZE = 1 << 1, 1 << 2, 1 << 5, 1 << 6
F_FLUSH, F_TOPOLOGY, F_CONFIG_WCE = 1 << 9, 1 << 10, 1 << 11
F_DISCARD, F_WRITE_ZEROES = 1 << 13, 1 << 14

# Types and results of requests (5.2.6)
T_IN, T_OUT, T_FLUSH, T_GET_ID, T_DISCARD, T_WRITE_ZEROES = 0, 1, 4, 8, 11, 13
S_OK, S_IOERR, S_UNSUPP = 0, 1, 2

HEADER = Struct("<IIQ")
SEGMENT = Struct("<QII")
"""A range to discard or to zero: sector, number of sectors, flags."""
UNMAP = 1

CONFIG = Struct("<QIIHBBIBBHIBBHIIIIIB3x")
"""capacity, size_max, seg_max, geometry, blk_size, topology, writeback, ... (5.2.4)."""
WRITEBACK_OFFSET = 32

SIZE_MAX = 1 << 20
"""The most bytes in one part of a request that the driver is asked to keep to."""
RANGE_SECTORS_MAX = 1 << 22
RANGES_MAX = 16
TRANSFER = 1 << 20
"""Bytes moved at a time, so that a request of any size takes little memory of the host."""
ZEROES = bytes(TRANSFER)


class VirtioBlock(VirtioDevice):
    """A disk.

    Args:
        storage: what it is kept in; its size is rounded down to whole sectors.
        serial: the name that GET_ID gives, at most 20 ASCII characters.
        block_size: the block size that the driver is told, a power of 2 from 512 on. Requests are
            in sectors of 512 bytes all the same.

    Attributes:
        writeback: writes may wait for a flush; otherwise each is flushed before it is answered.
        requests: requests of known types, counted by type since power-on; no part of the state.
    """

    NAME = "disk"
    DEVICE_ID = 2
    STATE: ClassVar[dict[str, state.Check]] = {"writeback": state.flag}

    def __init__(
        self, storage: Storage, *, serial: str = "vtbook", block_size: int = SECTOR
    ) -> None:
        super().__init__()
        if block_size < SECTOR or block_size & (block_size - 1):
            raise VtbookError(f"block size {block_size}: give a power of 2 from 512 on")
        self.storage = storage
        self.serial = serial.encode("ascii", "replace")[:ID_BYTES]
        self.block_size = block_size
        self.writeback = True
        self.requests: dict[int, int] = {}

    @property
    def sectors(self) -> int:
        """Capacity in sectors of 512 bytes."""
        return self.storage.size // SECTOR

    def device_features(self) -> int:
        """Features by what the storage can do."""
        features = F_SIZE_MAX | F_SEG_MAX | F_BLK_SIZE | F_TOPOLOGY | F_FLUSH
        if self.storage.read_only:
            return features | F_RO
        return features | F_CONFIG_WCE | F_DISCARD | F_WRITE_ZEROES

    def negotiated(self) -> None:
        """The cache is as the features let the driver believe (5.2.5.2)."""
        if not self.features & F_FLUSH:
            self.writeback = False

    def config(self) -> bytes:
        """struct virtio_blk_config up to the fields of WRITE_ZEROES."""
        block = self.block_size // SECTOR
        return CONFIG.pack(
            self.sectors,
            SIZE_MAX,
            self.QUEUE_SIZE - 2,  # header and status take a descriptor each
            0,  # geometry: cylinders, heads, sectors
            0,
            0,
            self.block_size,
            0,  # topology: a physical block is a logical one, and aligned
            0,
            1,
            0,
            self.writeback,
            0,
            1,  # queues
            RANGE_SECTORS_MAX,
            RANGES_MAX,
            block,
            RANGE_SECTORS_MAX,
            RANGES_MAX,
            1,  # zeroing may unmap
        )

    def write_config(self, offset: int, data: bytes) -> None:
        """Only `writeback` can be written, if CONFIG_WCE was chosen."""
        if offset == WRITEBACK_OFFSET and len(data) == 1 and self.features & F_CONFIG_WCE:
            self.writeback = data[0] & 1 == 1

    def power_on(self) -> None:
        """Count the requests from 0."""
        self.requests.clear()

    def reset(self) -> None:
        """The cache is on until the features are settled."""
        self.writeback = True

    # -- requests ---------------------------------------------------------------------------

    def serve(self, queue: Virtqueue, buffer: Buffer) -> None:
        """Do one request.

        Raises:
            QueueError: it has no whole header or no place for the status.
            BusFault: a part is not in RAM.
        """
        header = buffer.read(HEADER.size)
        room = buffer.writable_left - 1
        if len(header) < HEADER.size or room < 0:
            raise QueueError(
                f"disk: request {buffer.head} without a header of 16 bytes or a status"
            )
        kind, _, sector = HEADER.unpack(header)
        method = self._METHODS.get(kind)
        if method is None:
            status = S_UNSUPP
        else:
            status = method(self, buffer, sector, room)
            self.requests[kind] = self.requests.get(kind, 0) + 1
        while buffer.writable_left > 1:  # the driver may believe all bytes up to the status
            buffer.write(ZEROES[: buffer.writable_left - 1])
        buffer.write(bytes((status,)))

    def _fits(self, sector: int, size: int) -> bool:
        return size % SECTOR == 0 and sector * SECTOR + size <= self.sectors * SECTOR

    def _in(self, buffer: Buffer, sector: int, room: int) -> int:
        if not self._fits(sector, room):
            return S_IOERR
        at = sector * SECTOR
        end = at + room
        while at < end:
            count = min(end - at, TRANSFER)
            try:
                data = self.storage.read(at, count)
            except StorageError:
                return S_IOERR
            buffer.write(data)
            at += count
        return S_OK

    def _out(self, buffer: Buffer, sector: int, room: int) -> int:
        if self.storage.read_only or not self._fits(sector, buffer.readable_left):
            return S_IOERR
        at = sector * SECTOR
        while data := buffer.read(TRANSFER):
            try:
                self.storage.write(at, data)
            except StorageError:
                return S_IOERR
            at += len(data)
        return S_OK if self.writeback else self._flush(buffer, sector, room)

    def _flush(self, buffer: Buffer, sector: int, room: int) -> int:
        try:
            self.storage.flush()
        except StorageError:
            return S_IOERR
        return S_OK

    def _get_id(self, buffer: Buffer, sector: int, room: int) -> int:
        buffer.write(self.serial.ljust(ID_BYTES, b"\0")[:room])
        return S_OK

    def _discard(self, buffer: Buffer, sector: int, room: int) -> int:
        return self._ranges(buffer, F_DISCARD, 0)

    def _write_zeroes(self, buffer: Buffer, sector: int, room: int) -> int:
        return self._ranges(buffer, F_WRITE_ZEROES, UNMAP)

    def _ranges(self, buffer: Buffer, feature: int, flags_allowed: int) -> int:
        """Discard ranges of sectors, or make them zero (5.2.6.2)."""
        if not self.features & feature:
            return S_UNSUPP
        if self.storage.read_only:
            return S_IOERR
        size = buffer.readable_left
        if not size or size % SEGMENT.size or size > RANGES_MAX * SEGMENT.size:
            return S_IOERR
        ranges = list(SEGMENT.iter_unpack(buffer.read()))
        if any(
            count > RANGE_SECTORS_MAX or not self._fits(sector, count * SECTOR)
            for sector, count, _ in ranges
        ):
            return S_IOERR
        if any(flags & ~flags_allowed for _, _, flags in ranges):
            return S_UNSUPP
        try:
            for sector, count, flags in ranges:
                gives_back = feature == F_DISCARD or flags & UNMAP
                clear = self.storage.discard if gives_back else self.storage.write_zeroes
                clear(sector * SECTOR, count * SECTOR)
            if not self.writeback:
                self.storage.flush()
        except StorageError:
            return S_IOERR
        return S_OK

    _METHODS: ClassVar[dict[int, Any]] = {
        T_IN: _in,
        T_OUT: _out,
        T_FLUSH: _flush,
        T_GET_ID: _get_id,
        T_DISCARD: _discard,
        T_WRITE_ZEROES: _write_zeroes,
    }
