"""Physical memory as a device sees it: direct memory access (DMA) by address and length."""

from __future__ import annotations

from typing import Protocol

from vtbook.devices.bus import BusFault


class Memory(Protocol):
    """What a device that does DMA needs of RAM; a machine's RAM fits it.

    Addresses are physical and may be any number a guest can write, so also past the end of the
    64-bit address space. Both methods raise `BusFault` unless every byte is RAM, and then nothing
    has been written.
    """

    def read(self, addr: int, size: int, /) -> bytes: ...

    def write(self, addr: int, data: bytes, /) -> None: ...


class PlainMemory:
    """`size` zeroed bytes at the address `base`, in a bytearray: RAM for tests and for drawings.

    Attributes:
        data: the bytes.
    """

    def __init__(self, base: int, size: int) -> None:
        self.base, self.size = base, size
        self.data = bytearray(size)
        self._view = memoryview(self.data)

    @property
    def end(self) -> int:
        """The first address after the memory."""
        return self.base + self.size

    def read(self, addr: int, size: int, /) -> bytes:
        """Copy `size` bytes at `addr`.

        Raises:
            BusFault: part of them is outside the memory.
        """
        start = addr - self.base
        if start < 0 or size < 0 or start + size > self.size:
            raise BusFault(addr, size, "read", f"RAM is {self.base:#x}-{self.end - 1:#x}")
        return self._view[start : start + size].tobytes()

    def write(self, addr: int, data: bytes, /) -> None:
        """Write `data` at `addr`.

        Raises:
            BusFault: part of it would be outside the memory; nothing is written.
        """
        start = addr - self.base
        if start < 0 or start + len(data) > self.size:
            raise BusFault(addr, len(data), "write", f"RAM is {self.base:#x}-{self.end - 1:#x}")
        self._view[start : start + len(data)] = data
