"""Looking into the running kernel from outside: its table of processes, read from guest memory.

The layouts are those of ``system/hart.h`` and ``system/process.h``, as compiled for rv64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

KERNEL_OFFSET = 0xFFFF_FFC0_0000_0000
"""What a kernel address is higher than the physical address."""
MASK64 = (1 << 64) - 1
MOST_PROCESSES, PROCESS_SIZE = 64, 384
HART_SIZE, CURRENT = 160, 24
STATES = ("free", "new", "ready", "running", "sleeping", "zombie")
STATE, PID, TICKS, NAME, NAME_SIZE, ROOT = 0, 24, 56, 64, 19, 216

Read = Callable[[int, int], bytes]
"""Reads so many bytes at a physical address."""


class Process(NamedTuple):
    """A process, as the kernel knows it."""

    pid: int
    name: str
    state: str
    ticks: int
    """Interrupts of the clock that came while it ran."""
    root: int
    """Physical address of its root page table."""

    def __str__(self) -> str:
        return f"{self.name} ({self.pid})"


def list_processes(read: Read, symbols: Mapping[str, int]) -> list[Process]:
    """All processes, in the order of the kernel's table.

    Args:
        read: reads guest memory, such as ``machine.read``.
        symbols: the kernel's, such as ``machine.symbols``.
    """
    start = symbols["processes"] - KERNEL_OFFSET & MASK64
    places = (start + PROCESS_SIZE * n for n in range(MOST_PROCESSES))
    return [one for one in (_process(read, at) for at in places) if one.state != "free"]


def running_process(read: Read, symbols: Mapping[str, int], hart: int = 0) -> Process | None:
    """The process that a hart runs, in user mode or in the kernel; None if the hart waits.

    Args:
        read, symbols: as for `list_processes`.
        hart: the kernel's number of the hart; 0 is the one that booted.
    """
    place = symbols["harts"] - KERNEL_OFFSET + HART_SIZE * hart + CURRENT & MASK64
    current = int.from_bytes(read(place, 8), "little")
    return _process(read, current - KERNEL_OFFSET & MASK64) if current else None


def _process(read: Read, place: int) -> Process:
    data = read(place, PROCESS_SIZE)

    def number(offset: int, size: int = 8) -> int:
        return int.from_bytes(data[offset : offset + size], "little")

    name = data[NAME : NAME + NAME_SIZE].partition(b"\0")[0].decode("ascii", "replace")
    state = number(STATE, 4)
    said = STATES[state] if state < len(STATES) else "?"
    root = number(ROOT)
    physical = root - KERNEL_OFFSET & MASK64 if root else 0
    return Process(number(PID, 4), name, said, number(TICKS), physical)
