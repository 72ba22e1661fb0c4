"""The virtio memory balloon (virtio 1.2, 5.5): a guest gives pages back while it runs.

The host sets a target. The driver takes that many pages from its own use, and reports their numbers
in the inflate queue; the host may then throw their contents away. Statistics come on request: the
driver leaves a buffer with the device, the device gives it back to ask for fresh ones.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct, iter_unpack
from typing import ClassVar

from vtbook.devices import state
from vtbook.devices.virtio.device import VirtioDevice
from vtbook.devices.virtio.queue import Part, Virtqueue

PAGE = 4096
"""Bytes in a page of the balloon, whatever the guest's own pages are (5.5.6)."""

# Features (5.5.3)
F_STATS_VQ, F_DEFLATE_ON_OOM, F_PAGE_REPORTING = 1 << 1, 1 << 2, 1 << 5

INFLATE, DEFLATE, STATS = 0, 1, 2
CONFIG = Struct("<II")
"""num_pages, actual (5.5.4)."""
ACTUAL = 4
PIECE = 1 << 16
"""Bytes of page numbers read at a time."""

STATISTIC = Struct("<HQ")
STATISTICS = (
    "swapped in",
    "swapped out",
    "major faults",
    "minor faults",
    "free",
    "total",
    "available",
    "disk caches",
    "huge pages allocated",
    "huge pages refused",
)
"""What the tags mean (5.5.6.4): bytes, or counts of faults and of huge pages."""


class VirtioBalloon(VirtioDevice):
    """A memory balloon.

    Args:
        on_inflate: called with numbers of 4096-byte pages that the guest has given up. They are
            what the driver wrote: any 32-bit numbers.
        on_deflate: the same for pages that it takes back.
        on_report: called with address and length of free ranges that the guest does not keep,
            though they stay its own (5.5.6.7). They too may be anything.

    Attributes:
        target: pages that the balloon shall have.
        actual: pages that it has, as the driver says.
        statistics: the newest, by the names of `STATISTICS`; empty before any came.
        on_feed: called with what `set_target` and `ask_for_statistics` pass to `feed`, before it
            takes effect.
    """

    NAME = "balloon"
    DEVICE_ID = 5
    QUEUES = ("inflate", "deflate", "stats", "free page", "reporting")
    STATE: ClassVar[dict[str, state.Check]] = {
        "target": state.uint(32),
        "actual": state.uint(32),
        "asked": state.flag,
        "stats_head": state.optional(state.uint(16)),
        "values": state.listing(state.optional(state.uint(64)), len(STATISTICS)),
    }

    def __init__(
        self,
        on_inflate: Callable[[list[int]], None] | None = None,
        on_deflate: Callable[[list[int]], None] | None = None,
        on_report: Callable[[list[Part]], None] | None = None,
    ) -> None:
        super().__init__()
        self.on_inflate, self.on_deflate, self.on_report = on_inflate, on_deflate, on_report
        self.on_feed: Callable[[bytes], None] | None = None
        self.target = 0
        self.reset()

    def power_on(self) -> None:
        """Nothing is asked of the guest."""
        self.target = 0

    def reset(self) -> None:
        """The balloon is empty; its target stays."""
        self.actual = 0
        self.asked = False
        self.stats_head: int | None = None
        self.values: list[int | None] = []

    def queue_restarted(self, queue: Virtqueue) -> None:
        """The buffer for statistics is gone with its queue."""
        if queue.index == STATS:
            self.stats_head = None

    @property
    def statistics(self) -> dict[str, int]:
        """See the class."""
        pairs = zip(STATISTICS, self.values, strict=False)
        return {name: value for name, value in pairs if value is not None}

    def device_features(self) -> int:
        """Statistics, reporting of free pages, and deflating when the guest runs out of memory."""
        return F_STATS_VQ | F_DEFLATE_ON_OOM | F_PAGE_REPORTING

    def config(self) -> bytes:
        """struct virtio_balloon_config, as far as its features are offered."""
        return CONFIG.pack(self.target, self.actual)

    def write_config(self, offset: int, data: bytes) -> None:
        """The driver says how many pages the balloon has. Drivers of version 1 do so by bytes."""
        at = offset - ACTUAL
        if 0 <= at <= 4 - len(data):
            octets = bytearray(self.actual.to_bytes(4, "little"))
            octets[at : at + len(data)] = data
            self.actual = int.from_bytes(octets, "little")

    def handle(self, queue: Virtqueue) -> None:
        """Take page numbers, statistics, or free ranges.

        Raises:
            QueueError, BusFault: the queue or a buffer is broken.
        """
        if queue.index == INFLATE:
            self._take_pages(queue, self.on_inflate)
        elif queue.index == DEFLATE:
            self._take_pages(queue, self.on_deflate)
        elif queue.index == STATS and self.features & F_STATS_VQ:
            self._take_statistics(queue)
        elif self.features & F_PAGE_REPORTING:
            # The specification numbers this queue 4. Linux and QEMU count only the queues whose
            # features are on, so that it is 3, or 2 without statistics.
            for buffer in queue.buffers():
                if self.on_report is not None:
                    self.on_report(buffer.writable)
                queue.push(buffer)

    def _take_pages(self, queue: Virtqueue, callback: Callable[[list[int]], None] | None) -> None:
        for buffer in queue.buffers():
            while data := buffer.read(PIECE):
                whole = data[: len(data) & ~3]
                if callback is not None and whole:
                    callback([number for (number,) in iter_unpack("<I", whole)])
            queue.push(buffer)

    def _take_statistics(self, queue: Virtqueue) -> None:
        for buffer in queue.buffers():
            if self.stats_head is not None:  # the driver may leave one at a time
                queue.push_head(self.stats_head, 0)
            self.stats_head = buffer.head
            data = buffer.read(STATISTIC.size * 64)
            values: list[int | None] = [None] * len(STATISTICS)
            for tag, value in STATISTIC.iter_unpack(data[: len(data) // 10 * 10]):
                if tag < len(values):
                    values[tag] = value
            self.values = values
        if self.asked and self.stats_head is not None:
            self.asked = False
            queue.push_head(self.stats_head, 0)
            self.stats_head = None

    # -- from outside -----------------------------------------------------------------------

    def set_target(self, pages: int) -> None:
        """Ask the driver to let the balloon grow or shrink to `pages` pages of 4096 bytes."""
        self.feed(b"T" + min(max(pages, 0), 0xFFFF_FFFF).to_bytes(4, "little"))

    def ask_for_statistics(self) -> None:
        """Ask the driver for fresh `statistics`; they are there when it has run."""
        self.feed(b"S")

    def feed(self, data: bytes) -> None:
        """The same, as they log it: ``T`` and a target of 32 bits little-endian, or ``S``."""
        if self.on_feed is not None:
            self.on_feed(data)
        if data[:1] == b"T":
            self.target = int.from_bytes(data[1:5], "little")
            self.config_changed()
        else:
            self.asked = True
            self.service(STATS)
