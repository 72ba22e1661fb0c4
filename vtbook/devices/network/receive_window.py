"""The receiving half of a TCP connection: its window, and putting segments in order.

```
   nxt                     edge
 ---|-----------------------|---
    |  the window: what the |
    |  guest may send       |
```
"""

from __future__ import annotations

from vtbook.devices.network.tcp_segment import FIN, MASK, Segment, after

EARLY_SEGMENTS = 512
"""Segments beyond a gap that are kept."""


class ReceiveWindow:
    """What has come in, in order, and what may come.

    Attributes:
        limit: bytes of buffer.
        scale: windows are told in units of ``1 << scale`` bytes (RFC 7323).
        buffer: bytes in order that were not consumed yet.
        nxt: the next sequence number expected.
        edge: the first one that the guest may not send yet. It never moves back.
        finished: FIN has come, and everything before it.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.scale = 0
        self.buffer = bytearray()
        self.nxt = self.edge = 0
        self.finished = False
        self._early: dict[int, tuple[bytes, bool]] = {}  # beyond a gap: data, and whether FIN
        self._early_bytes = 0

    def start(self, seq: int) -> int:
        """The guest's SYN had number `seq`; returns the window to tell, which is not scaled yet."""
        self.nxt = (seq + 1) & MASK
        window = min(self.limit, 0xFFFF)
        self.edge = (self.nxt + window) & MASK
        return window

    def accepts(self, segment: Segment) -> bool:
        """Whether any of it lies in the window (RFC 9293 3.4, table 6)."""
        start = after(segment.seq, self.nxt)
        window = after(self.edge, self.nxt)
        if segment.length == 0:
            return 0 <= start < window or start == 0
        end = start + segment.length - 1
        return window > 0 and (0 <= start < window or 0 <= end < window or start < 0 <= end)

    def take(self, segment: Segment) -> bool:
        """Take the data and the FIN of a segment that `accepts` lets in.

        Returns:
            False if it came too early; it is kept, as long as there is room.
        """
        start = after(segment.seq, self.nxt)
        data, last = segment.payload, bool(segment.flags & FIN)
        if start < 0:
            data, start = data[-start:], 0
        room = after(self.edge, self.nxt) - start
        if len(data) > room:
            data, last = data[:room], False
        if start > 0:
            room = self._early_bytes < self.limit and len(self._early) < EARLY_SEGMENTS
            if room and segment.seq not in self._early:
                self._early[segment.seq] = data, last
                self._early_bytes += len(data)
            return False
        self._append(data, last)
        if self._early:
            self._join()
        return True

    def _append(self, data: bytes, last: bool) -> None:
        self.buffer += data
        self.nxt = (self.nxt + len(data) + last) & MASK
        if last:
            self.finished = True
            self.forget()

    def _join(self) -> None:
        """Take what came before its turn and now follows."""
        for seq in sorted(self._early, key=lambda seq: after(seq, self.nxt)):
            known = after(self.nxt, seq)
            if known < 0 or self.finished:
                break
            data, last = self._early.pop(seq)
            self._early_bytes -= len(data)
            if known <= len(data):
                self._append(data[known:], last)

    def forget(self) -> None:
        """Drop what came too early."""
        self._early.clear()
        self._early_bytes = 0

    def consume(self, count: int, step: int) -> bool:
        """Take `count` bytes off the buffer. True if the window is now worth telling.

        That is when it can open by `step` bytes, or by half: no silly windows (RFC 9293 3.8.6.2.2).
        """
        del self.buffer[:count]
        opens = after(self.nxt + self._free() & MASK, self.edge)
        return opens >= min(self.limit // 2, step)

    def _free(self) -> int:
        """The window that the buffer has room for, and the header a number."""
        units = max(self.limit - len(self.buffer), 0) >> self.scale
        return min(units, 0xFFFF) << self.scale

    def tell(self) -> int:
        """Open the window as far as there is room; returns the number for the header."""
        edge = (self.nxt + self._free()) & MASK
        if after(edge, self.edge) > 0:
            self.edge = edge
        return min(max(after(self.edge, self.nxt), 0) >> self.scale, 0xFFFF)
