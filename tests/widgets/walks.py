"""Walks for the widget tests, made by the real walker over a few tables."""

from __future__ import annotations

from vtbook.mmu import pte, walk

ROOT, MIDDLE, LOW = 0x8001_0000, 0x8001_1000, 0x8001_2000
CODE = 0x0000_0040_0000
DATA = 0x0000_0040_1234
SUPER = 0x0000_8020_1000

MEMORY = {
    ROOT + 8 * 0: pte(MIDDLE, "V"),
    ROOT + 8 * 2: pte(0x8000_0000, "VRWXAD"),
    MIDDLE + 8 * 2: pte(LOW, "V"),
    LOW + 8 * 0: pte(0x8700_0000, "VRXUA"),
    LOW + 8 * 1: pte(0x8700_3000, "VRWUAD"),
    LOW + 8 * 2: pte(0x8700_4000, "VRUA"),
}


def _read(address: int) -> int:
    return MEMORY.get(address, 0)


def tables() -> dict[int, dict[int, int]]:
    """All entries by table and index, to show beside the ones read."""
    found: dict[int, dict[int, int]] = {}
    for address, entry in MEMORY.items():
        found.setdefault(address & ~0xFFF, {})[(address & 0xFFF) // 8] = entry
    return found


def sample_walks() -> list[dict]:
    """A load that works, the same from the TLB, a superpage, a refused store."""
    load = walk(_read, ROOT, DATA, mode="U")
    walks = [
        ("Load", load),
        ("Again, from the TLB", load.as_hit()),
        ("Superpage", walk(_read, ROOT, SUPER)),
        ("Store to code", walk(_read, ROOT, CODE, access="store", mode="U")),
    ]
    return [one.record(title, tables=tables()) for title, one in walks]
