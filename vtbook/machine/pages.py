"""Pages of RAM over time: which a running guest writes in each interval, and what they hold.

Found by comparing RAM before and after, so a page counts as written when its contents changed. A
store of the value that was there already is not seen; a dirty log, which looks at stores, would
see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vtbook.machine.debugging import MachineError
from vtbook.machine.exits import Exit
from vtbook.machine.ram import PAGE

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine

UNTOUCHED, WRITTEN_NOW, WRITTEN_BEFORE = range(3)
"""States of a page in `write_frames`."""
EMPTY, CODE, DATA, OTHER = range(4)
"""Kinds of page in `page_kinds`."""


@dataclass(frozen=True)
class Interval:
    """What one interval of a run changed.

    Attributes:
        pages: Numbers of the changed pages, ascending; page 0 is the first of RAM.
        instructions: Instructions retired in the interval.
        exit: Why the run came back: ``budget``, or what ended it early.
    """

    pages: np.ndarray
    instructions: int
    exit: Exit


def pages_written(machine: Machine, interval: int, rounds: int) -> list[Interval]:
    """Run a machine for `rounds` intervals, and tell which pages each of them changed.

    Args:
        machine: A loaded machine. It runs on from where it is, and stays where it stopped.
        interval: Instructions in an interval, at least 1.
        rounds: How many intervals; fewer come back if the machine stops for another reason.

    Raises:
        MachineError: the interval or the number of rounds is not at least 1.
    """
    for name, value in (("interval", interval), ("rounds", rounds)):
        if value < 1:
            raise MachineError(f"{name}={value}; give at least 1")
    found: list[Interval] = []
    before = machine.board.ram.capture()
    for _ in range(rounds):
        exit = machine.run(interval)
        now = machine.board.ram.capture(before)
        changed = [n for n, data in now.items() if before.get(n) is not data]
        changed += [n for n in before if n not in now]
        pages = np.array(sorted(changed), np.int64)
        found.append(Interval(pages, exit.instructions, exit))
        before = now
        if exit.reason != "budget":
            break
    return found


def write_frames(intervals: Sequence[Interval], first: int, count: int) -> list[np.ndarray]:
    """Return the states of `count` pages from page `first`: before, and after each interval.

    Each is a uint8 array of `UNTOUCHED`, `WRITTEN_NOW` (in this interval) and `WRITTEN_BEFORE`.
    """
    frame = np.full(count, UNTOUCHED, np.uint8)
    frames = [frame]
    for interval in intervals:
        frame = np.where(frame == UNTOUCHED, UNTOUCHED, WRITTEN_BEFORE).astype(np.uint8)
        pages = interval.pages[(interval.pages >= first) & (interval.pages < first + count)]
        frame[pages - first] = WRITTEN_NOW
        frames.append(frame)
    return frames


def page_kinds(machine: Machine, first: int, count: int) -> np.ndarray:
    """Return what `count` pages from page `first` hold: a uint8 array.

    `CODE` and `DATA` are pages of the loaded program's executable and other segments; `OTHER` is a
    page outside them with a byte that is not zero, such as stack and heap; `EMPTY` is the rest.

    Raises:
        MachineError: the pages are not all in RAM.
    """
    ram = machine.board.ram
    if first < 0 or count < 0 or (first + count) * PAGE > ram.size:
        raise MachineError(f"pages {first} to {first + count - 1}; RAM has {ram.size // PAGE}")
    used = ram.array[first * PAGE : (first + count) * PAGE].reshape(-1, PAGE).any(axis=1)
    kinds = np.where(used, OTHER, EMPTY).astype(np.uint8)
    segments = machine.image.segments if machine.image else ()
    for kind in (DATA, CODE):  # a page with both is shown as code
        for segment in segments:
            if ("x" in segment.permissions) == (kind == CODE) and segment.size:
                start = (segment.address - ram.base) // PAGE - first
                end = (segment.address + segment.size - 1 - ram.base) // PAGE - first + 1
                kinds[max(start, 0) : max(end, 0)] = kind
    return kinds
