"""The split virtqueue: three tables in the guest's memory, seen from the device (virtio 1.2, 2.7).

```
descriptor table, at `desc`:  addr 64 | len 32 | flags 16 | next 16        `size` times
                              flags: NEXT 1, WRITE 2, INDIRECT 4
available ring, at `driver`:  flags 16 | idx 16 | ring | used_event 16     heads of 16 bits
used ring, at `device`:       flags 16 | idx 16 | ring | avail_event 16    id 32 | len 32
```

The driver chains descriptors, puts the number of the first one (the head) into the available ring
and counts `idx` up. The device pops the chain as a `Buffer`, reads its readable parts, writes its
writable parts, and pushes the head with the number of bytes written into the used ring.

A guest may write anything into its rings. Whatever breaks a rule of the specification raises
`QueueError` here, and memory that is not there raises `BusFault`; the transport turns both into
DEVICE_NEEDS_RESET, so neither leaves the device.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Any, ClassVar

from vtbook.devices import state
from vtbook.devices.memory import Memory
from vtbook.errors import VtbookError

# Reserved feature bits (virtio 1.2, chapter 6) that change what a queue does
F_INDIRECT_DESC, F_EVENT_IDX = 1 << 28, 1 << 29

# Flags of a descriptor (2.7.5), of the available ring (2.7.6) and of the used ring (2.7.8)
DESC_F_NEXT, DESC_F_WRITE, DESC_F_INDIRECT = 1, 2, 4
AVAIL_F_NO_INTERRUPT = 1
USED_F_NO_NOTIFY = 1

DESCRIPTOR = Struct("<QIHH")
USED_ELEMENT = Struct("<II")
_U16 = Struct("<H")
_PAIR = Struct("<HH")

SIZE_LIMIT = 32768
"""The largest queue (2.7)."""
CHAIN_LIMIT = 1024
"""The most descriptors in one chain through an indirect table; QEMU has the same limit."""
CHAIN_BYTES = 1 << 32
"""The most bytes in one chain (2.7.5.2)."""

Part = tuple[int, int]
"""Address and length of a piece of guest memory."""


class QueueError(VtbookError):
    """The driver broke a rule of the queue; the device needs a reset."""


class Buffer:
    """A chain of descriptors: what the device may read, then what it may write.

    Where the driver cut the buffer into parts does not matter to the device (2.7.4): reading and
    writing go on over the borders.

    Attributes:
        head: number of the first descriptor, which goes into the used ring.
        readable, writable: the parts, each an address and a length in bytes.
        readable_left, writable_left: bytes not yet read or written.
        written: bytes written so far.
    """

    __slots__ = (
        "_memory",
        "_read_part",
        "_read_skip",
        "_write_part",
        "_write_skip",
        "head",
        "readable",
        "readable_left",
        "writable",
        "writable_left",
        "written",
    )

    def __init__(
        self, memory: Memory, head: int, readable: list[Part], writable: list[Part]
    ) -> None:
        self._memory = memory
        self.head = head
        self.readable, self.writable = readable, writable
        self.readable_left = sum([length for _, length in readable])
        self.writable_left = sum([length for _, length in writable])
        self.written = 0
        self._read_part = self._read_skip = self._write_part = self._write_skip = 0

    def __repr__(self) -> str:
        return f"<buffer {self.head}: reads {self.readable}, writes {self.writable}>"

    def read(self, size: int | None = None) -> bytes:
        """The next `size` readable bytes, or all; fewer if the buffer ends before.

        Raises:
            BusFault: a part is not in RAM.
        """
        wanted = self.readable_left if size is None else min(size, self.readable_left)
        pieces = []
        left = wanted
        while left:
            address, length = self.readable[self._read_part]
            skip = self._read_skip
            count = min(left, length - skip)
            pieces.append(self._memory.read(address + skip, count))
            left -= count
            if skip + count == length:
                self._read_part += 1
                self._read_skip = 0
            else:
                self._read_skip = skip + count
        self.readable_left -= wanted
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def write(self, data: bytes) -> int:
        """Write `data` to the next writable bytes; return how many of them there was room for.

        Raises:
            BusFault: a part is not in RAM.
        """
        wanted = min(len(data), self.writable_left)
        done = 0
        while done < wanted:
            address, length = self.writable[self._write_part]
            skip = self._write_skip
            count = min(wanted - done, length - skip)
            whole = count == len(data)
            self._memory.write(address + skip, data if whole else data[done : done + count])
            done += count
            if skip + count == length:
                self._write_part += 1
                self._write_skip = 0
            else:
                self._write_skip = skip + count
        self.writable_left -= wanted
        self.written += wanted
        return wanted


class Virtqueue(state.Stateful):
    """One split virtqueue of a device.

    Args:
        memory: the guest's RAM.
        index: its number in the device.
        size_max: the most entries that the driver may ask for, a power of 2.

    Attributes:
        size: entries in use, as the driver set it.
        ready: the driver has set it up and not taken it back.
        desc, driver, device: physical addresses of descriptor table, available and used ring.
        last_avail: free-running index of the next available entry to take.
        used_idx: free-running index of the next used entry to write.
        signalled: `used_idx` when it was last decided whether to notify the driver.
        features: the negotiated features.
    """

    STATE: ClassVar[dict[str, state.Check]] = {
        "size": state.uint(32),
        "ready": state.flag,
        "desc": state.uint(64),
        "driver": state.uint(64),
        "device": state.uint(64),
        "last_avail": state.uint(16),
        "used_idx": state.uint(16),
        "signalled": state.uint(16),
    }

    def __init__(self, memory: Memory, index: int = 0, size_max: int = 256) -> None:
        self.memory, self.index, self.size_max = memory, index, size_max
        self.features = 0
        self.reset()

    def reset(self) -> None:
        """As after a reset of the device, or of this queue (2.6.1)."""
        self.size = self.size_max
        self.ready = False
        self.desc = self.driver = self.device = 0
        self.last_avail = self.used_idx = self.signalled = 0

    def __repr__(self) -> str:
        what = f"{self.size} entries" if self.ready else "not ready"
        return f"<virtqueue {self.index}: {what}>"

    def parts(self) -> tuple[tuple[str, int, int, int], ...]:
        """Descriptor table, available ring and used ring: name, address, bytes, alignment (2.7)."""
        size = self.size
        return (
            ("descriptor table", self.desc, 16 * size, 16),
            ("available ring", self.driver, 6 + 2 * size, 2),
            ("used ring", self.device, 6 + 8 * size, 4),
        )

    def check(self) -> None:
        """Check size, alignment and place of the three parts (2.7).

        Raises:
            BusFault: one of them is not wholly in RAM.
            QueueError: the driver did not keep the rules.
        """
        size = self.size
        if not 0 < size <= min(self.size_max, SIZE_LIMIT) or size & (size - 1):
            raise QueueError(
                f"queue {self.index}: {size} entries; a power of 2 up to {self.size_max} is legal"
            )
        for name, address, length, alignment in self.parts():
            if address % alignment:
                raise QueueError(
                    f"queue {self.index}: {name} at {address:#x}; align it to {alignment} bytes"
                )
            self.memory.read(address, length)

    # -- taking buffers ---------------------------------------------------------------------

    def waiting(self) -> int:
        """How many buffers the driver has made available and the device has not taken.

        Raises:
            BusFault: the available ring is not in RAM.
            QueueError: more than the queue can hold.
        """
        (idx,) = _U16.unpack(self.memory.read(self.driver + 2, 2))
        count = idx - self.last_avail & 0xFFFF
        if count > self.size:
            raise QueueError(
                f"queue {self.index}: {count} buffers available in a queue of {self.size}"
            )
        return count

    def pop(self) -> Buffer | None:
        """Take the next available buffer; None if there is none.

        Raises:
            BusFault: a ring or table is not in RAM.
            QueueError: the chain breaks a rule.
        """
        return self._take() if self.waiting() else None

    def buffers(self) -> Iterator[Buffer]:
        """Take the buffers that are available now, one after the other.

        The number is read once. A guest could otherwise let the device write new entries into its
        own available ring for ever, within one of the guest's instructions.

        Raises:
            BusFault, QueueError: as `pop`.
        """
        for _ in range(self.waiting()):
            yield self._take()

    def _take(self) -> Buffer:
        place = self.driver + 4 + 2 * (self.last_avail & self.size - 1)
        (head,) = _U16.unpack(self.memory.read(place, 2))
        buffer = self.chain(head)
        self.last_avail = self.last_avail + 1 & 0xFFFF
        return buffer

    def chain(self, head: int) -> Buffer:
        """The buffer whose first descriptor is number `head`.

        Raises:
            BusFault: a table is not in RAM.
            QueueError: the chain has a loop, leaves its table, is longer than `CHAIN_BYTES`, has a
                descriptor of no length, a readable part after a writable one, or an indirect table
                where none is allowed.
        """
        if head >= self.size:
            raise self._error(head, f"its head is past the table of {self.size}")
        readable: list[Part] = []
        writable: list[Part] = []
        table, at, entries, limit = b"", head, self.size, self.size
        base = self.desc
        indirect = False
        total = count = 0
        while True:
            if table:
                addr, length, flags, following = DESCRIPTOR.unpack_from(table, 16 * at)
            else:
                addr, length, flags, following = DESCRIPTOR.unpack(
                    self.memory.read(base + 16 * at, 16)
                )
                if flags & DESC_F_NEXT:
                    table = self.memory.read(base, 16 * entries)
            if not length:
                raise self._error(head, f"descriptor {at} has no length")
            if flags & DESC_F_INDIRECT:
                if indirect or flags & DESC_F_NEXT or not self.features & F_INDIRECT_DESC:
                    raise self._error(head, f"descriptor {at} may not be indirect")
                if length % 16:
                    raise self._error(head, f"an indirect table of {length} bytes")
                indirect = True
                base, at, entries = addr, 0, min(length // 16, CHAIN_LIMIT)
                limit, count = entries, 0
                table = self.memory.read(addr, 16 * entries)
                continue
            if flags & DESC_F_WRITE:
                writable.append((addr, length))
            elif writable:
                raise self._error(head, f"descriptor {at} is readable after a writable one")
            else:
                readable.append((addr, length))
            total += length
            count += 1
            if total > CHAIN_BYTES:
                raise self._error(head, "it is longer than 4 GiB")
            if not flags & DESC_F_NEXT:
                return Buffer(self.memory, head, readable, writable)
            if count >= limit:
                raise self._error(head, "it has a loop")
            if following >= entries:
                raise self._error(head, f"descriptor {at} leads to {following} of {entries}")
            at = following

    def _error(self, head: int, what: str) -> QueueError:
        return QueueError(f"queue {self.index}, chain {head}: {what}")

    # -- giving them back -------------------------------------------------------------------

    def push(self, buffer: Buffer) -> None:
        """Give a buffer back to the driver, with the number of bytes written (2.7.8).

        Raises:
            BusFault: the used ring is not in RAM.
        """
        self.push_head(buffer.head, buffer.written)

    def push_head(self, head: int, written: int) -> None:
        """The same, for a buffer of which only the head was kept."""
        place = self.device + 4 + 8 * (self.used_idx & self.size - 1)
        self.memory.write(place, USED_ELEMENT.pack(head, written & 0xFFFF_FFFF))
        self.used_idx = self.used_idx + 1 & 0xFFFF
        self.memory.write(self.device + 2, _U16.pack(self.used_idx))

    # -- notifications ----------------------------------------------------------------------

    def wants_interrupt(self) -> bool:
        """Whether the driver wants to hear of what was pushed since the last call (2.7.7).

        Raises:
            BusFault: the available ring is not in RAM.
        """
        old, new = self.signalled, self.used_idx
        if old == new:
            return False
        self.signalled = new
        if self.features & F_EVENT_IDX:
            (event,) = _U16.unpack(self.memory.read(self.driver + 4 + 2 * self.size, 2))
            return (new - event - 1 & 0xFFFF) < (new - old & 0xFFFF)
        (flags,) = _U16.unpack(self.memory.read(self.driver, 2))
        return not flags & AVAIL_F_NO_INTERRUPT

    def ask_for_notification(self) -> None:
        """Ask the driver to notify as soon as it makes a further buffer available (2.7.10).

        With EVENT_IDX `avail_event` says at which index. Without, the flags of the used ring say
        so; the driver cleared them, and this device never sets them.

        Raises:
            BusFault: the used ring is not in RAM.
        """
        if self.features & F_EVENT_IDX:
            self.memory.write(self.device + 4 + 8 * self.size, _U16.pack(self.last_avail))

    # -- looking in from outside ------------------------------------------------------------

    def layouts(self) -> list[dict[str, Any]]:
        """How the three parts lie in memory, in the words of `vtbook.machine.queues`.

        Each is the arguments of a `Layout`; ``fields`` are those of `Field`, ``pointers`` those of
        `Pointer`. In the available ring, the slots between the two pointers hold buffers that the
        device has not given back.
        """
        size, driver, device = self.size, self.driver, self.device
        used_idx = ("used.idx", device + 2, "device", 2)
        descriptors = {
            "name": "descriptors",
            "title": "Descriptor table",
            "place": self.desc,
            "entries": size,
            "stride": 16,
            "fields": [("addr", 0, 8), ("len", 8, 4), ("flags", 12, 2), ("next", 14, 2)],
            "pointers": [],
            "window": None,
            "names": None,
        }
        available = {
            "name": "available",
            "title": "Available ring",
            "place": driver + 4,
            "entries": size,
            "stride": 2,
            "fields": [("head", 0, 2)],
            "pointers": [used_idx, ("avail.idx", driver + 2, "driver", 2)],
            "window": ("used.idx", "avail.idx"),
            "names": ("head", "descriptors"),
        }
        used = {
            "name": "used",
            "title": "Used ring",
            "place": device + 4,
            "entries": size,
            "stride": 8,
            "fields": [("id", 0, 4), ("len", 4, 4)],
            "pointers": [used_idx],
            "window": None,
            "names": None,
        }
        return [descriptors, available, used]

    # -- state ------------------------------------------------------------------------------
