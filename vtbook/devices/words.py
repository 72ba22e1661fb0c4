"""Devices whose registers are 32 bits wide: which accesses of a guest reach which register."""

from __future__ import annotations


class WordRegisters:
    """`read` and `write` for a device that has `read_word` and `write_word`.

    As on QEMU's ``virt``: an aligned access of 4 bytes reaches the register at its offset. One of
    8 bytes is two of them, the lower address first. Everything else reads zero and writes nothing:
    the chip has no byte enables.
    """

    SIZE: int

    def read_word(self, offset: int) -> int:
        """The register at `offset`, a multiple of 4 within SIZE; with the effects of reading it."""
        raise NotImplementedError

    def write_word(self, offset: int, value: int) -> None:
        """Write the 32 bits of `value` to the register at `offset`, a multiple of 4."""
        raise NotImplementedError

    def read(self, offset: int, size: int) -> int:
        """Read one register, or two with 8 bytes."""
        if size == 4 and not offset & 3 and 0 <= offset < self.SIZE:
            return self.read_word(offset)
        if size == 8 and not offset & 3:
            return self.read(offset, 4) | self.read(offset + 4, 4) << 32
        return 0

    def write(self, offset: int, size: int, value: int) -> None:
        """Write one register, or two with 8 bytes."""
        if size == 4 and not offset & 3 and 0 <= offset < self.SIZE:
            self.write_word(offset, value & 0xFFFF_FFFF)
        elif size == 8 and not offset & 3:
            self.write(offset, 4, value)
            self.write(offset + 4, 4, value >> 32)
