"""Memory off the fast path: what a load or a store does when the TLB has not its page.

Compiled by numba only. Each gets the hart's record and returns a status (see ``layout``). Addresses
of host memory are plain integers, used only after a bounds check against the hart's memory regions.
"""

from vtbook.cpu.layout import NEXT, PYTHON, READABLE, TLB_ENTRIES, TRAP, WRITABLE
from vtbook.cpu.lowering import peek8, peek16, peek32, peek64, poke8, poke16, poke32, poke64
from vtbook.isa.operations import ult


def find_region(h, address, size, need):
    """The row of the region that holds all of the bytes and allows the access, or -1."""
    for row in range(len(h.regions)):
        start = address - h.regions[row, 0]
        length = h.regions[row, 1]
        if ult(start, length) and size <= length - start and h.regions[row, 3] & need == need:
            return row
    return -1


def is_watched(h, first, end, kind):
    """True if a watched range of this kind meets ``first <= address < end``."""
    for n in range(h.watch_count):
        if h.watches[n, 2] & kind and ult(first, h.watches[n, 1]) and ult(h.watches[n, 0], end):
            return True
    return False


def outside(h, address, cause):
    """An address in no memory region: Python's if a device is there, else a trap."""
    for n in range(h.device_count):
        if ult(address - h.devices[n, 0], h.devices[n, 1] - h.devices[n, 0]):
            return PYTHON
    h.trap_cause = cause
    h.trap_value = address
    return TRAP


def fill_tlb(h, tlb, row, address, kind):
    """Let later accesses to this page be fast, unless something in it is watched."""
    page = address & -4096
    if not is_watched(h, page, page + 4096, kind):
        index = (address >> 12) & (TLB_ENTRIES - 1)
        tlb[index, 0] = page
        tlb[index, 1] = h.regions[row, 2] - h.regions[row, 0]


def load(h, address, size):
    """A load that missed the TLB; the value goes to ``h.loaded``."""
    row = find_region(h, address, size, READABLE)
    if row < 0:
        return outside(h, address, 5)
    if is_watched(h, address, address + size, 1):
        return PYTHON
    host = h.regions[row, 2] + (address - h.regions[row, 0])
    if size == 1:
        h.loaded = peek8(host)
    elif size == 2:
        h.loaded = peek16(host)
    elif size == 4:
        h.loaded = peek32(host)
    else:
        h.loaded = peek64(host)
    fill_tlb(h, h.tlb_read, row, address, 1)
    return NEXT


def store(h, address, size, value):
    """A store that missed the TLB."""
    row = find_region(h, address, size, WRITABLE)
    if row < 0:
        return outside(h, address, 7)
    if is_watched(h, address, address + size, 2):
        return PYTHON
    host = h.regions[row, 2] + (address - h.regions[row, 0])
    if size == 1:
        poke8(host, value)
    elif size == 2:
        poke16(host, value)
    elif size == 4:
        poke32(host, value)
    else:
        poke64(host, value)
    fill_tlb(h, h.tlb_write, row, address, 2)
    return NEXT


def amo(h, address, size):
    """Check that an atomic may read and write there: aligned, and in main memory."""
    if address & (size - 1):
        h.trap_cause = 6
        h.trap_value = address
        return TRAP
    if find_region(h, address, size, READABLE | WRITABLE) < 0:
        h.trap_cause = 7
        h.trap_value = address
        return TRAP
    if is_watched(h, address, address + size, 3):
        return PYTHON
    return NEXT
