"""Congestion control (RFC 5681, RFC 6582): how much may be on its way, and what loss teaches."""

from __future__ import annotations

from vtbook.devices.network.tcp_segment import after

DUPLICATES = 3
"""So many acknowledgements of the same byte mean that the segment after it was lost."""


class Congestion:
    """The congestion window of one sender, in bytes.

    Attributes:
        window: bytes that may be on their way.
        threshold: below it the window doubles in a round trip, above it grows by one segment.
        recover: while a loss is being repaired, the sequence number after the last one sent.
    """

    def __init__(self, mss: int, limit: int) -> None:
        self.mss, self.limit = mss, limit
        self.window, self.threshold = 10 * mss, limit
        self.recover: int | None = None
        self._duplicates = 0

    def acknowledged(self, count: int, una: int) -> bool:
        """`count` bytes arrived, all before `una`. True if the next segment was lost as well."""
        self._duplicates = 0
        if self.recover is not None:
            if after(self.recover, una) > 0:
                return True
            self.recover = None
            self.window = self.threshold
            return False
        slow_start = self.window < self.threshold
        growth = count if slow_start else max(self.mss * self.mss // self.window, 1)
        self.window = min(self.window + growth, self.limit)
        return False

    def duplicate(self, flight: int, end: int) -> bool:
        """One more acknowledgement of the same byte. True if its segment must be lost.

        `flight` bytes are on their way, up to sequence number `end`.
        """
        self._duplicates += 1
        if self._duplicates != DUPLICATES or self.recover is not None:
            return False
        self.threshold = max(flight // 2, 2 * self.mss)
        self.window = self.threshold + DUPLICATES * self.mss
        self.recover = end
        return True

    def timed_out(self, flight: int) -> None:
        """Nothing was acknowledged for too long: begin again with one segment."""
        self.threshold = max(flight // 2, 2 * self.mss)
        self.window, self.recover, self._duplicates = self.mss, None, 0
