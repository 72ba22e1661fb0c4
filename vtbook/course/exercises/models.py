"""Small models that check cells compare an answer with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vtbook.errors import VtbookError


class StillRunning(VtbookError):
    """An emulator under test does not come to its end."""


class Registers(list[int]):
    """32 registers, all 0. It ends a run that does not end by itself.

    An emulator that sets register 0 after each instruction does so at most `budget` times; the next
    time raises StillRunning.
    """

    def __init__(self, budget: int) -> None:
        super().__init__([0] * 32)
        self.budget = self.left = budget

    def __setitem__(self, place: Any, value: Any) -> None:
        super().__setitem__(place, value)
        if place == 0:
            self.left -= 1
            if self.left < 0:
                raise StillRunning(
                    f"The guest is still running after {self.budget:,} instructions."
                )


def direct_mapped_hits(addresses: Iterable[int], entries: int, *, shift: int = 2) -> int:
    """How often a direct-mapped cache holds what is asked for.

    Args:
        addresses: in the order in which they are asked for.
        entries: slots; the address, shifted right by `shift`, modulo `entries` chooses one.
    """
    slots: dict[int, int] = {}
    hits = 0
    for address in addresses:
        slot = (address >> shift) % entries
        hits += slots.get(slot) == address
        slots[slot] = address
    return hits
