"""A disk in memory."""

from __future__ import annotations

from collections.abc import Mapping

from vtbook.devices.storage.base import CLUSTER, ZEROES, Clusters, ClusterStorage, shared


class MemoryDisk(ClusterStorage):
    """A disk in memory, gone with the machine unless a snapshot keeps it.

    Only clusters that are not zero take memory. A guest can fill all of them.

    Args:
        contents: the size in bytes, or all bytes of the disk.
        read_only: refuse writes.
    """

    KIND = "memory"

    def __init__(
        self, contents: int | bytes | bytearray | memoryview, *, read_only: bool = False
    ) -> None:
        size = contents if isinstance(contents, int) else memoryview(contents).nbytes
        if size < 0:
            raise ValueError(f"a disk of {size} bytes; give its size or its contents")
        super().__init__("in memory", size, read_only=read_only)
        self._kept: Clusters = {}
        if not isinstance(contents, int):
            view = memoryview(contents).cast("B")
            for number in range(self._count):
                piece = view[number * CLUSTER : (number + 1) * CLUSTER]
                self._put(number, bytes(piece).ljust(CLUSTER, b"\0"))

    def capture(self, like: Mapping[int, bytes] | None = None) -> Clusters:
        """The clusters that are not zero."""
        return shared(self._kept, like)

    def put_back(self, clusters: Mapping[int, bytes]) -> None:
        """Make the contents what they were when `capture` gave `clusters`."""
        self._check_clusters(clusters)
        self._kept = {number: data for number, data in clusters.items() if data != ZEROES}

    def _clusters(self, first: int, end: int) -> bytes:
        if end - first == 1:
            return self._kept.get(first, ZEROES)
        get = self._kept.get
        return b"".join([get(number, ZEROES) for number in range(first, end)])

    def _put(self, number: int, data: bytes) -> None:
        if data == ZEROES:
            self._kept.pop(number, None)
        else:
            self._kept[number] = data

    def _put_zeroes(self, first: int, end: int) -> None:
        if end - first < len(self._kept):
            for number in range(first, end):
                self._kept.pop(number, None)
        else:
            for number in [n for n in self._kept if first <= n < end]:
                del self._kept[number]
