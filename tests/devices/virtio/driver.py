"""The driver's side of virtio, written from the specification: registers and rings, in Python.

`Driver` works on anything with ``read_register``, ``write_register`` and a ``memory``: our devices
(`Board`) and QEMU's over qtest (`vtbook` is not involved there).
"""

from __future__ import annotations

import struct

from vtbook.devices.memory import PlainMemory
from vtbook.devices.virtio import VirtioMmio

RAM = 0x8000_0000
RAM_SIZE = 1 << 20

INDIRECT_DESC, EVENT_IDX, ANY_LAYOUT = 1 << 28, 1 << 29, 1 << 27
VERSION_1, RING_RESET = 1 << 32, 1 << 40
ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET, FAILED = 1, 2, 4, 8, 64, 128
NEXT, WRITE, INDIRECT = 1, 2, 4

# Offsets, once more from table 4.1 of the specification
MAGIC, VERSION, DEVICE_ID, VENDOR_ID = 0x00, 0x04, 0x08, 0x0C
DEVICE_FEATURES, DEVICE_FEATURES_SEL, DRIVER_FEATURES, DRIVER_FEATURES_SEL = 0x10, 0x14, 0x20, 0x24
PAGE_SIZE, QUEUE_SEL, QUEUE_NUM_MAX, QUEUE_NUM, QUEUE_ALIGN = 0x28, 0x30, 0x34, 0x38, 0x3C
QUEUE_PFN, QUEUE_READY, QUEUE_NOTIFY = 0x40, 0x44, 0x50
INTERRUPT_STATUS, INTERRUPT_ACK, STATUS = 0x60, 0x64, 0x70
QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE = 0x80, 0x90, 0xA0
SHM_SEL, SHM_LEN, SHM_BASE, QUEUE_RESET, GENERATION, CONFIG = 0xAC, 0xB0, 0xB8, 0xC0, 0xFC, 0x100


class Board:
    """One of our devices in a slot, with RAM and a wire for the interrupt."""

    def __init__(self, device, *, legacy=False, memory=None):
        self.memory = memory or PlainMemory(RAM, RAM_SIZE)
        self.levels = []
        self.device = device
        self.slot = VirtioMmio(device, self.memory, self.levels.append, legacy=legacy)

    def read_register(self, offset, size=4):
        return self.slot.read(offset, size)

    def write_register(self, offset, value, size=4):
        self.slot.write(offset, size, value)

    def wait(self, done):
        assert done()


class Ring:
    """A split virtqueue as the driver sees it (2.7)."""

    def __init__(self, driver, number, size, place):
        self.driver, self.number, self.size = driver, number, size
        self.memory = driver.board.memory
        self.desc = place
        self.avail = place + 16 * size
        end = self.avail + 6 + 2 * size
        self.used = end + -end % 4096  # the layout of version 1, which is also legal for 2
        self.end = self.used + 6 + 8 * size
        self.memory.write(place, bytes(self.end - place))
        self.free = list(range(size))
        self.added = 0
        self.seen = 0
        self.chains = {}

    def describe(self, at, address, length, flags=0, following=0):
        """Write a descriptor."""
        self.memory.write(
            self.desc + 16 * at, struct.pack("<QIHH", address, length, flags, following)
        )

    def add(self, readable=(), writable=(), *, indirect=False):
        """Make a buffer of these bytes and these lengths available; return its head."""
        parts = [(self.driver.place(data), len(data), 0) for data in readable]
        parts += [(self.driver.allocate(length), length, WRITE) for length in writable]
        return self.add_parts(parts, indirect=indirect)

    def add_parts(self, parts, *, indirect=False):
        """The same from addresses: ``(address, length, flags)``."""
        count = 1 if indirect else len(parts)
        heads = [self.free.pop(0) for _ in range(count)]
        table = b""
        for i, (address, length, flags) in enumerate(parts):
            last = i == len(parts) - 1
            following = 0 if last else i + 1 if indirect else heads[i + 1]
            table += struct.pack("<QIHH", address, length, flags | (0 if last else NEXT), following)
        if indirect:
            self.describe(heads[0], self.driver.place(table, 16), len(table), INDIRECT)
        else:
            for i, at in enumerate(heads):
                self.memory.write(self.desc + 16 * at, table[16 * i : 16 * i + 16])
        self.chains[heads[0]] = (heads, [part for part in parts if part[2] & WRITE])
        self.offer(heads[0])
        return heads[0]

    def offer(self, head):
        """Put a head into the available ring."""
        self.memory.write(self.avail + 4 + 2 * (self.added % self.size), struct.pack("<H", head))
        self.added = self.added + 1 & 0xFFFF
        self.memory.write(self.avail + 2, struct.pack("<H", self.added))

    def kick(self):
        """Notify the device."""
        self.driver.write(QUEUE_NOTIFY, self.number)

    @property
    def used_idx(self):
        return struct.unpack("<H", self.memory.read(self.used + 2, 2))[0]

    @property
    def avail_event(self):
        return struct.unpack("<H", self.memory.read(self.used + 4 + 8 * self.size, 2))[0]

    def set_used_event(self, index):
        self.memory.write(self.avail + 4 + 2 * self.size, struct.pack("<H", index))

    def set_avail_flags(self, flags):
        self.memory.write(self.avail, struct.pack("<H", flags))

    def collect(self):
        """The used buffers that are new: ``(head, length, bytes written)``."""
        found = []
        while self.seen != self.used_idx:
            place = self.used + 4 + 8 * (self.seen % self.size)
            head, length = struct.unpack("<II", self.memory.read(place, 8))
            self.seen = self.seen + 1 & 0xFFFF
            heads, writable = self.chains.pop(head)
            self.free += heads
            written = b"".join(self.memory.read(address, size) for address, size, _ in writable)
            found.append((head, length, written[:length]))
        return found

    def request(self, readable=(), writable=(), **options):
        """Add a buffer, notify, wait; return the used length and the bytes written."""
        self.driver.rewind()
        head = self.add(readable, writable, **options)
        self.kick()
        self.driver.board.wait(lambda: self.seen != self.used_idx)
        ((used, length, written),) = self.collect()
        assert used == head
        return length, written


class Driver:
    """A driver that brings the device up (3.1.1) and keeps memory for requests.

    Args:
        board: where the device is.
        size: entries of each queue.
        queues: how many to set up.
        features: the bits to choose of what is offered.
        legacy: speak version 1.
    """

    def __init__(self, board, *, size=8, queues=None, features=VERSION_1, legacy=False, start=True):
        self.board, self.legacy = board, legacy
        self.next = self.first = RAM + 0x1000
        self.wanted, self.size = features, size
        self.queue_count = len(board.device.QUEUES) if queues is None else queues
        self.rings = []
        if start:
            self.start()

    def read(self, offset, size=4):
        return self.board.read_register(offset, size)

    def write(self, offset, value, size=4):
        self.board.write_register(offset, value, size)

    def start(self):
        """Reset, negotiate, set the queues up, go (3.1.1, 4.2.3)."""
        self.write(STATUS, 0)
        assert self.read(STATUS) == 0
        self.write(STATUS, ACKNOWLEDGE)
        self.write(STATUS, ACKNOWLEDGE | DRIVER)
        self.features = self.offered() & self.wanted
        for word in range(1 if self.legacy else 2):
            self.write(DRIVER_FEATURES_SEL, word)
            self.write(DRIVER_FEATURES, self.features >> 32 * word & 0xFFFF_FFFF)
        status = ACKNOWLEDGE | DRIVER
        if self.legacy:
            self.write(PAGE_SIZE, 4096)
        else:
            status |= FEATURES_OK
            self.write(STATUS, status)
            assert self.read(STATUS) == status
        self.rings = [self.set_up(number) for number in range(self.queue_count)]
        self.write(STATUS, status | DRIVER_OK)

    def offered(self):
        bits = 0
        for word in range(1 if self.legacy else 2):
            self.write(DEVICE_FEATURES_SEL, word)
            bits |= self.read(DEVICE_FEATURES) << 32 * word
        return bits

    def set_up(self, number):
        """Tell the device where a queue is (4.2.3.2, or 4.2.4 for version 1)."""
        self.next += -self.next % 4096
        ring = Ring(self, number, self.size, self.next)
        self.next = ring.end
        self.write(QUEUE_SEL, number)
        assert self.read(QUEUE_NUM_MAX) >= self.size
        self.write(QUEUE_NUM, self.size)
        if self.legacy:
            self.write(QUEUE_ALIGN, 4096)
            self.write(QUEUE_PFN, ring.desc // 4096)
        else:
            assert self.read(QUEUE_READY) == 0
            for offset, place in (
                (QUEUE_DESC, ring.desc),
                (QUEUE_DRIVER, ring.avail),
                (QUEUE_DEVICE, ring.used),
            ):
                self.write(offset, place & 0xFFFF_FFFF)
                self.write(offset + 4, place >> 32)
            self.write(QUEUE_READY, 1)
        self.first = self.next
        return ring

    def rewind(self):
        """Use the memory of earlier requests again."""
        self.next = self.first

    def allocate(self, size, alignment=16):
        """Memory for a part of a request; its address."""
        address = self.next + -self.next % alignment
        self.next = address + size
        assert self.next <= RAM + RAM_SIZE, "the test asks for more than its RAM"
        return address

    def place(self, data, alignment=16):
        """The same, with these bytes in it."""
        address = self.allocate(len(data), alignment)
        if data:
            self.board.memory.write(address, data)
        return address

    def config(self, offset, size):
        """Read a field of the configuration space, as wide as it is."""
        if size == 8:
            return self.read(CONFIG + offset) | self.read(CONFIG + offset + 4) << 32
        return self.read(CONFIG + offset, size)

    def acknowledge(self):
        """What the interrupt was for; it is acknowledged."""
        reasons = self.read(INTERRUPT_STATUS)
        self.write(INTERRUPT_ACK, reasons)
        return reasons
