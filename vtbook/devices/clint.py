"""The CLINT: software and timer interrupts of each hart, as SiFive's cores and QEMU's ``virt``.

```
offset          bytes  register
0x0000 + 4 n    4      msip of hart n: bit 0 is its software interrupt
0x4000 + 8 n    8      mtimecmp of hart n: its timer interrupt is pending while mtime >= mtimecmp
0xbff8          8      mtime
```

mtime and mtimecmp are read and written whole, or either half with 4 bytes (SiFive FU540 manual,
chapter 9; privileged spec 3.2.1). The rest of the window reads zero and ignores writes.

The CLINT does not compare. Time passes inside the hart, which counts instructions, so the hart
compares, and the CLINT tells it the new mtimecmp.

On reset mtimecmp is all ones: no interrupt until a guest asks for one. The manual leaves it open;
on QEMU it reads zero, yet the interrupt comes only after a first write.
"""

from __future__ import annotations

from collections.abc import Callable

from vtbook.devices import state
from vtbook.devices.words import WordRegisters

MSIP, MTIMECMP, MTIME = 0x0000, 0x4000, 0xBFF8
NEVER = (1 << 64) - 1
"""mtimecmp after a reset."""
MOST_HARTS = (MTIME - MTIMECMP) // 8


class Clint(WordRegisters, state.Stateful):
    """The CLINT of a board with `harts` harts.

    Args:
        harts: how many, 1 to 4095.
        read_time: gives mtime, in its own ticks.
        on_software: called with hart and level when a software interrupt changes.
        on_timer: called with hart and mtimecmp at every write of mtimecmp, and on reset.
        write_time: sets mtime; without it mtime can only be read.

    Attributes:
        msip: level of each hart's software interrupt.
        mtimecmp: of each hart, unsigned 64 bits.
    """

    SIZE = 0x10000

    def __init__(
        self,
        harts: int,
        read_time: Callable[[], int],
        on_software: Callable[[int, bool], None] | None = None,
        on_timer: Callable[[int, int], None] | None = None,
        write_time: Callable[[int], None] | None = None,
    ) -> None:
        if not 1 <= harts <= MOST_HARTS:
            raise ValueError(f"a CLINT for {harts} harts: give 1 to {MOST_HARTS}")
        self.harts = harts
        self.read_time, self.write_time = read_time, write_time
        self.on_software, self.on_timer = on_software, on_timer
        self.msip = [False] * harts
        self.mtimecmp = [NEVER] * harts
        self.STATE: dict[str, state.Check] = {
            "msip": state.listing(state.flag, harts, harts),
            "mtimecmp": state.listing(state.uint(64), harts, harts),
        }

    def reset(self) -> None:
        """No software interrupts, no deadlines. mtime is the machine's and goes on."""
        for hart in range(self.harts):
            self._set_software(hart, False)
            self._set_mtimecmp(hart, NEVER)

    def registers(self) -> dict[str, int]:
        """Every register by name, such as ``mtimecmp0``."""
        shown = {f"msip{hart}": int(level) for hart, level in enumerate(self.msip)}
        shown |= {f"mtimecmp{hart}": value for hart, value in enumerate(self.mtimecmp)}
        return shown | {"mtime": self._mtime()}

    # -- the bus side -----------------------------------------------------------------------

    def read(self, offset: int, size: int) -> int:
        """Read a register, or half of a long one; see the module's table."""
        if size == 8 and not offset & 7 and (long := self._long(offset)) is not None:
            return long
        return super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        """Write a register, or half of a long one; see the module's table."""
        if size == 8 and not offset & 7 and self._long(offset) is not None:
            self._set_long(offset, value & NEVER)
        else:
            super().write(offset, size, value)

    def read_word(self, offset: int) -> int:
        """The 32 bits at `offset`."""
        if offset < MSIP + 4 * self.harts:
            return int(self.msip[offset // 4])
        long = self._long(offset & ~7)
        return 0 if long is None else long >> 8 * (offset & 4) & 0xFFFF_FFFF

    def write_word(self, offset: int, value: int) -> None:
        """Write the 32 bits at `offset`; of mtime and mtimecmp the other half stays."""
        if offset < MSIP + 4 * self.harts:
            self._set_software(offset // 4, bool(value & 1))
        elif (long := self._long(offset & ~7)) is not None:
            shift = 8 * (offset & 4)
            self._set_long(offset & ~7, long & ~(0xFFFF_FFFF << shift) | value << shift)

    # -- registers --------------------------------------------------------------------------

    def _long(self, offset: int) -> int | None:
        """The 64-bit register at `offset`, a multiple of 8; None if there is none."""
        if MTIMECMP <= offset < MTIMECMP + 8 * self.harts:
            return self.mtimecmp[(offset - MTIMECMP) // 8]
        return self._mtime() if offset == MTIME else None

    def _set_long(self, offset: int, value: int) -> None:
        if offset != MTIME:
            self._set_mtimecmp((offset - MTIMECMP) // 8, value)
        elif self.write_time is not None:
            self.write_time(value)

    def _mtime(self) -> int:
        return self.read_time() & NEVER

    def _set_software(self, hart: int, level: bool) -> None:
        if level != self.msip[hart]:
            self.msip[hart] = level
            if self.on_software is not None:
                self.on_software(hart, level)

    def _set_mtimecmp(self, hart: int, value: int) -> None:
        self.mtimecmp[hart] = value
        if self.on_timer is not None:
            self.on_timer(hart, value)
