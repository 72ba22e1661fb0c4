"""Memory off the fast path: what a load or a store does when the TLB has not its page.

Compiled by numba only. Each gets the hart's record and returns a status (see ``layout``). Addresses
of host memory are plain integers, used only after a bounds check against the hart's memory regions.
"""

from vtbook.cpu.layout import (
    CONTEXTS,
    NEXT,
    PYTHON,
    READABLE,
    TLB_ENTRIES,
    TRAP,
    WATCH_PHYSICAL,
    WRITABLE,
)
from vtbook.cpu.lowering import peek8, peek16, peek32, peek64, poke8, poke16, poke32, poke64
from vtbook.cpu.protection import allows
from vtbook.cpu.translation import (
    MPRV,
    MXR,
    SUM,
    access_fault,
    effective_mode,
    is_translated,
    translate,
)
from vtbook.isa.operations import ult


def find_region(h, address, size, need):
    """The row of the region that holds all of the bytes and allows the access, or -1."""
    for row in range(len(h.regions)):
        start = address - h.regions[row, 0]
        length = h.regions[row, 1]
        if ult(start, length) and size <= length - start and h.regions[row, 3] & need == need:
            return row
    return -1


def host_of(h, row, address):
    """Host address of a physical address in a region."""
    return h.regions[row, 2] + (address - h.regions[row, 0])


def mark_dirty(h, row, physical, size):
    """While stores are logged, note the pages of one that is to memory of the first region.

    Later stores to a page are found in the TLB and come here no more; who takes the log empties
    the TLB.
    """
    if h.dirty != 0 and row == 0:
        start = physical - h.regions[0, 0]
        poke8(h.dirty + (start >> 12), 1)
        poke8(h.dirty + ((start + size - 1) >> 12), 1)


# --- operations of translation ----------------------------------------------------------------


def in_memory(h, address, need):
    """See ``vtbook.isa.operations``."""
    return find_region(h, address, 8, need) >= 0


def physical64(h, address):
    """See ``vtbook.isa.operations``."""
    row = find_region(h, address, 8, READABLE)
    return peek64(host_of(h, row, address)) if row >= 0 else 0


def set_physical64(h, address, value):
    """See ``vtbook.isa.operations``."""
    row = find_region(h, address, 8, WRITABLE)
    if row >= 0:
        mark_dirty(h, row, address, 8)
        poke64(host_of(h, row, address), value)


def flush_translations(h, address, everywhere):
    """See ``vtbook.isa.operations``. A superpage has an entry for each of its 4 KiB pages that was
    used, so where superpages were met near the address, everything goes."""
    near = 1 << ((address >> 30) & 63)
    if everywhere or h.superpages & near:
        h.superpages = 0
        for n in range(TLB_ENTRIES):
            h.tlb_read[n, 0] = -1
            h.tlb_write[n, 0] = -1
            h.tlb_fetch[n, 0] = -1
        return
    n = (address >> 12) & (TLB_ENTRIES - 1)
    h.tlb_read[n, 0] = -1
    h.tlb_write[n, 0] = -1
    h.tlb_fetch[n, 0] = -1


# --- contexts ---------------------------------------------------------------------------------


def context(h, mode):
    """A small number for all that a translation depends on besides the address.

    It is part of the tags in the TLBs, so a change of mode or of address space empties nothing.
    0 stands for M mode with physical addresses.
    """
    rights = mode
    satp = 0
    if is_translated(h, mode):
        satp = h.satp
        rights |= (h.mstatus & (SUM | MXR)) >> 16
    elif mode == 3:
        return 0
    first = ((satp ^ (satp >> 29)) * 0x2545F4914F6CDD1D + rights * 0x9E3779B1) >> 40
    for probe in range(CONTEXTS):
        n = (first + probe) & (CONTEXTS - 1)
        if h.contexts[n, 1] == 0:
            if h.context_count > CONTEXTS // 2:
                break
            h.context_count += 1
            h.contexts[n, 0] = satp
            h.contexts[n, 1] = rights + 16
            return n + 1
        if h.contexts[n, 0] == satp and h.contexts[n, 1] == rights + 16:
            return n + 1
    for n in range(CONTEXTS):
        h.contexts[n, 1] = 0
    h.context_count = 1
    flush_translations(h, 0, True)
    n = first & (CONTEXTS - 1)
    h.contexts[n, 0] = satp
    h.contexts[n, 1] = rights + 16
    return n + 1


def choose_contexts(h):
    """Set the contexts that fit the hart's state: after a change of mode, satp or mstatus."""
    h.context_fetch = context(h, h.mode)
    h.context_data = h.context_fetch
    if h.mstatus & MPRV:
        h.context_data = context(h, effective_mode(h, READABLE))
        h.context_fetch = context(h, h.mode)


# --- loads and stores -------------------------------------------------------------------------


def is_watched(h, virtual, physical, size, kind):
    """True if a watched range of this kind meets the bytes of an access."""
    for n in range(h.watch_count):
        if h.watches[n, 2] & kind:
            first = physical if h.watches[n, 2] & WATCH_PHYSICAL else virtual
            if ult(first, h.watches[n, 1]) and ult(h.watches[n, 0], first + size):
                return True
    return False


def trap(h, cause, value):
    """Note a trap."""
    h.trap_cause = cause
    h.trap_value = value
    return TRAP


def outside(h, virtual, physical, size, access, value):
    """An address in no memory region: a device's, or an access fault.

    Python does what a device does, and the instruction begins again: then the access is ready.
    """
    for n in range(h.device_count):
        if ult(physical - h.devices[n, 0], h.devices[n, 1] - h.devices[n, 0]):
            same = h.device_address == physical and h.device_size == size
            if h.device_ready == access and same:
                h.device_ready = 0
                h.loaded = h.device_value
                return NEXT
            h.device_wanted = access
            h.device_address = physical
            h.device_size = size
            h.device_value = value
            return PYTHON
    return trap(h, access_fault(access), virtual)


def fill_tlb(h, tlb, row, virtual, physical, access, tag):
    """Let later accesses to this page be fast, unless something in it is watched or protected."""
    page = virtual & -4096
    frame = physical & -4096
    if is_watched(h, page, frame, 4096, access):
        return
    if not allows(h, frame, 4096, access, effective_mode(h, access)):
        return
    index = (virtual >> 12) & (TLB_ENTRIES - 1)
    tlb[index, 0] = page | tag
    tlb[index, 1] = host_of(h, row, frame) - page
    if h.walk_level:
        h.superpages |= 1 << ((virtual >> 30) & 63)


def physical_of(h, address, size, access):
    """Translate and check an access inside one page: NEXT and ``walk_physical``, or TRAP."""
    cause = translate(h, address, access)
    if cause:
        return trap(h, cause, address)
    if not allows(h, h.walk_physical, size, access, effective_mode(h, access)):
        return trap(h, access_fault(access), address)
    return NEXT


def is_split(h, address, size, access):
    """True if the access crosses into a page that may be elsewhere, or protected otherwise."""
    if (address & 4095) + size <= 4096:
        return False
    return h.pmp_entries != 0 or is_translated(h, effective_mode(h, access))


def read_host(host, size):
    """Bytes of host memory as the operation that loads them returns them."""
    if size == 1:
        return peek8(host)
    if size == 2:
        return peek16(host)
    if size == 4:
        return peek32(host)
    return peek64(host)


def write_host(host, size, value):
    """Write the low bytes of a value to host memory."""
    if size == 1:
        poke8(host, value)
    elif size == 2:
        poke16(host, value)
    elif size == 4:
        poke32(host, value)
    else:
        poke64(host, value)


def load(h, address, size):
    """A load that missed the TLB; the value goes to ``h.loaded``."""
    if is_split(h, address, size, READABLE):
        return load_split(h, address, size)
    status = physical_of(h, address, size, READABLE)
    if status:
        return status
    physical = h.walk_physical
    row = find_region(h, physical, size, READABLE)
    if row < 0:
        return outside(h, address, physical, size, READABLE, 0)
    if is_watched(h, address, physical, size, READABLE):
        return PYTHON
    h.loaded = read_host(host_of(h, row, physical), size)
    fill_tlb(h, h.tlb_read, row, address, physical, READABLE, h.context_data)
    return NEXT


def both_parts(h, address, size, access):
    """Translate an access to two pages, before anything is read or written.

    Status, and for each page: size of the part in the first, row of the region and physical
    address. They are of use only if the status is NEXT.
    """
    second = (address + size) & -4096
    low = second - address
    status = physical_of(h, address, low, access)
    if status:
        return status, low, 0, 0, 0, 0
    low_physical = h.walk_physical
    status = physical_of(h, second, size - low, access)
    if status:
        return status, low, 0, 0, 0, 0
    high_physical = h.walk_physical
    low_row = find_region(h, low_physical, low, access)
    if low_row < 0:
        return trap(h, access_fault(access), address), low, 0, 0, 0, 0
    high_row = find_region(h, high_physical, size - low, access)
    if high_row < 0:
        return trap(h, access_fault(access), second), low, 0, 0, 0, 0
    if is_watched(h, address, low_physical, low, access) or is_watched(
        h, second, high_physical, size - low, access
    ):
        return PYTHON, low, 0, 0, 0, 0
    return NEXT, low, low_row, low_physical, high_row, high_physical


def load_split(h, address, size):
    """A load from two pages."""
    parts = both_parts(h, address, size, READABLE)
    status, low, low_row, low_physical, high_row, high_physical = parts
    if status:
        return status
    value = 0
    for n in range(size):
        if n < low:
            byte = peek8(host_of(h, low_row, low_physical) + n)
        else:
            byte = peek8(host_of(h, high_row, high_physical) + (n - low))
        value |= byte << (8 * n)
    h.loaded = value
    return NEXT


def store(h, address, size, value):
    """A store that missed the TLB."""
    if is_split(h, address, size, WRITABLE):
        return store_split(h, address, size, value)
    status = physical_of(h, address, size, WRITABLE)
    if status:
        return status
    physical = h.walk_physical
    row = find_region(h, physical, size, WRITABLE)
    if row < 0:
        return outside(h, address, physical, size, WRITABLE, value)
    if is_watched(h, address, physical, size, WRITABLE):
        return PYTHON
    mark_dirty(h, row, physical, size)
    write_host(host_of(h, row, physical), size, value)
    fill_tlb(h, h.tlb_write, row, address, physical, WRITABLE, h.context_data)
    return NEXT


def store_split(h, address, size, value):
    """A store to two pages."""
    parts = both_parts(h, address, size, WRITABLE)
    status, low, low_row, low_physical, high_row, high_physical = parts
    if status:
        return status
    mark_dirty(h, low_row, low_physical, low)
    mark_dirty(h, high_row, high_physical, size - low)
    for n in range(size):
        byte = value >> (8 * n)
        if n < low:
            poke8(host_of(h, low_row, low_physical) + n, byte)
        else:
            poke8(host_of(h, high_row, high_physical) + (n - low), byte)
    return NEXT


def amo(h, address, size):
    """Check that an atomic may read and write there: aligned, and in main memory."""
    if address & (size - 1):
        return trap(h, 6, address)
    status = physical_of(h, address, size, WRITABLE)
    if status:
        return status
    if find_region(h, h.walk_physical, size, READABLE | WRITABLE) < 0:
        return trap(h, 7, address)
    if is_watched(h, address, h.walk_physical, size, READABLE | WRITABLE):
        return PYTHON
    return NEXT
