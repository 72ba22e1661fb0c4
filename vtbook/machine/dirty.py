"""The dirty log: which pages of RAM were written since it was last asked, as KVM keeps it
(``KVM_GET_DIRTY_LOG``).

A store finds its page in the TLB and costs what it costs without a log. Only the first store to a
page after `DirtyLog.take` is not found there; on its slow way it sets the page's byte. So the price
is a TLB miss a page and round. What devices write into RAM is logged too, and the A and D bits that
the harts set in page tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vtbook.errors import VtbookError
from vtbook.machine.ram import PAGE

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine


class DirtyLogError(VtbookError):
    """The log cannot be had."""


class DirtyLog:
    """The log of one machine, from now until `stop`, or the end of a ``with`` block.

    Args:
        machine: it must not run while `take` is called.

    Raises:
        DirtyLogError: the machine has one already.
    """

    def __init__(self, machine: Machine) -> None:
        ram = machine.board.ram
        if ram.dirty is not None:
            raise DirtyLogError("the machine logs its stores already; stop that log first")
        self.machine = machine
        self._bytes = ram.dirty = np.zeros(ram.size // PAGE, np.uint8)
        for hart in machine.harts:
            hart.dirty = self._bytes.ctypes.data
        self._protect()

    def __enter__(self) -> DirtyLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pages(self) -> np.ndarray:
        """Numbers of the 4 KiB pages written since the last `take`, counted from the start of RAM:
        int64, of shape (count,), rising."""
        return np.flatnonzero(self._bytes)

    def take(self) -> np.ndarray:
        """`pages`, and begin a new round."""
        found = self.pages
        self._bytes[:] = 0
        self._protect()
        return found

    def stop(self) -> None:
        """Log no more; a second call does nothing."""
        ram = self.machine.board.ram
        if ram.dirty is self._bytes:
            ram.dirty = None
            for hart in self.machine.harts:
                hart.dirty = 0

    def _protect(self) -> None:
        for hart in self.machine.harts:
            hart.state["tlb_write"] = -1
