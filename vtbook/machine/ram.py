"""Guest RAM: one host mapping, read and written by physical address."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Iterable, Mapping

import numpy as np

from vtbook.devices import BusFault
from vtbook.devices.bus import AccessKind
from vtbook.errors import VtbookError
from vtbook.machine.units import format_size

PAGE = 4096
CHUNK = 4096
"""Pages looked at together, so that a scan needs little memory of its own."""


class RamError(VtbookError):
    """RAM cannot be had as asked."""


class Ram:
    """`size` bytes of zeroed memory at the physical address `base`.

    Attributes:
        array: the bytes, a uint8 array that the harts map.
    """

    def __init__(self, base: int, size: int) -> None:
        if size <= 0 or size % PAGE:
            raise RamError(f"RAM of {size} bytes: give a multiple of 4 KiB, such as '128 MiB'")
        self.base, self.size = base, size
        self._mapping: mmap.mmap | None = None
        try:
            if sys.platform == "win32":
                self.array = np.zeros(size, np.uint8)
            else:
                flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
                self._mapping = mmap.mmap(-1, size, flags=flags)
                self.array = np.frombuffer(self._mapping, np.uint8)
        except (OSError, OverflowError, ValueError, MemoryError):
            what = format_size(size)
            raise RamError(f"the host does not give {what} of memory; ask for less RAM") from None
        self.dirty: np.ndarray | None = None
        """While stores are logged, a byte for each page, 1 where something was written."""
        self._pages = self.array.reshape(-1, PAGE)
        self._words = self.array.view(np.uint64).reshape(-1, PAGE // 8)

    @property
    def end(self) -> int:
        """The first address after RAM."""
        return self.base + self.size

    def __repr__(self) -> str:
        return f"<{format_size(self.size)} of RAM at {self.base:#x}>"

    def holds(self, addr: int, size: int) -> bool:
        """Whether all of ``addr .. addr + size - 1`` is RAM."""
        return self.base <= addr and size >= 0 and addr + size <= self.end

    def read(self, addr: int, size: int) -> bytes:
        """Copy `size` bytes at `addr`.

        Raises:
            BusFault: part of them is outside RAM.
        """
        return self._span(addr, size, "read").tobytes()

    def write(self, addr: int, data: bytes | memoryview) -> None:
        """Write `data` at `addr`.

        Raises:
            BusFault: part of it would be outside RAM; nothing is written.
        """
        self._span(addr, len(data), "write")[:] = np.frombuffer(data, np.uint8)
        if self.dirty is not None and len(data):
            start = addr - self.base
            self.dirty[start // PAGE : (start + len(data) - 1) // PAGE + 1] = 1

    def _span(self, addr: int, size: int, kind: AccessKind) -> np.ndarray:
        if not self.holds(addr, size):
            raise BusFault(addr, size, kind, f"RAM is {self.base:#x}-{self.end - 1:#x}")
        return self.array[addr - self.base : addr - self.base + size]

    def clear(self) -> None:
        """Make every byte zero."""
        self._all_dirty()
        if self._mapping is not None and sys.platform == "linux":
            self._mapping.madvise(mmap.MADV_DONTNEED)  # the kernel gives zeroed pages again
        else:
            self.array[:] = 0

    def discard(self, pages: Iterable[int]) -> None:
        """Make pages zero and give their memory back to the host.

        Args:
            pages: physical page numbers; those that are not RAM are passed over.
        """
        first, count = self.base // PAGE, self.size // PAGE
        for number in pages:
            if 0 <= number - first < count:
                at = (number - first) * PAGE
                if self.dirty is not None:
                    self.dirty[number - first] = 1
                if self._mapping is not None and sys.platform == "linux":
                    self._mapping.madvise(mmap.MADV_DONTNEED, at, PAGE)
                else:
                    self.array[at : at + PAGE] = 0

    def _all_dirty(self) -> None:
        if self.dirty is not None:
            self.dirty[:] = 1

    # -- pages ------------------------------------------------------------------------------

    def touched(self) -> np.ndarray:
        """Numbers of the pages that the host has given memory to; all others are zero.

        Linux tells (``/proc/self/pagemap``, bits 63 present and 62 swapped); elsewhere all pages.
        """
        count = self.size // PAGE
        if self._mapping is not None and mmap.PAGESIZE == PAGE:
            try:
                with open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
                    pagemap.seek(self.array.ctypes.data // PAGE * 8)
                    entries = np.frombuffer(pagemap.read(count * 8), np.uint64)
                if len(entries) == count:
                    return np.flatnonzero(entries >> np.uint64(62))
            except OSError:
                pass
        return np.arange(count)

    def capture(self, before: Mapping[int, bytes] | None = None) -> dict[int, bytes]:
        """The pages that are not all zero: number -> 4096 bytes.

        A page equal to the one in `before` is that same bytes object, so a series of captures
        takes memory only for what changed.
        """
        before = before or {}
        pages: dict[int, bytes] = {}
        touched = self.touched()
        for at in range(0, len(touched), CHUNK):
            numbers = touched[at : at + CHUNK]
            for number in numbers[self._words[numbers].any(axis=1)].tolist():
                data = self._pages[number].tobytes()
                old = before.get(number, b"")
                pages[number] = old if old == data else data
        return pages

    def put_back(self, pages: Mapping[int, bytes]) -> None:
        """Make RAM what it was when `capture` gave `pages`."""
        self._all_dirty()
        for number in self.touched().tolist():
            if number not in pages:
                self._pages[number] = 0
        for number, data in pages.items():
            self._pages[number] = np.frombuffer(data, np.uint8)
