"""Physical memory protection: sixteen entries that M mode sets (privileged specification 3.7).

An entry is a byte of pmpcfg and an address:

    7 L   locked, and binding for M mode too
    4:3 A off, TOR (top of range), NA4 (four bytes), NAPOT (a power of two)
    2 X, 1 W, 0 R

The rights have the values of ``READABLE``, ``WRITABLE``, ``EXECUTABLE``.
"""

from vtbook.cpu.layout import offset
from vtbook.isa.operations import word

ENTRIES = 16
CONFIGURATION, ADDRESSES = offset("pmpcfg"), offset("pmpaddr")


def allows(h, first, size, access, mode):
    """True if ``mode`` may access all of ``size`` bytes at a physical address.

    The lowest entry that matches any byte decides, and must match all (3.7.1.3).
    """
    if h.pmp_entries == 0:
        return True
    below = 0
    for n in range(ENTRIES):
        entry = (word(h, CONFIGURATION + (n & 8)) >> (8 * (n & 7))) & 0xFF
        address = word(h, ADDRESSES + 8 * n)
        kind = (entry >> 3) & 3
        start = below << 2
        end = address << 2
        if kind == 2:
            start = address << 2
            end = start + 4
        elif kind == 3:
            ones = address ^ (address + 1)
            start = (address & ~ones) << 2
            end = start + ((ones + 1) << 2)
        below = address
        matches = kind != 0 and start < end  # a range that ends before it begins has no bytes
        if matches and first < end and first + size > start:
            if first < start or first + size > end:
                return False
            if mode == 3 and entry & 0x80 == 0:
                return True
            return entry & access == access
    return mode == 3
