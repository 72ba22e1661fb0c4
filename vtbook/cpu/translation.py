"""Address translation by page tables (privileged specification 12.3 to 12.5).

A page-table entry:

    63:54  reserved, must be 0
    53:10  PPN: physical page number
    7 D    dirty: the page has been written
    6 A    accessed
    5 G    global: in every address space
    4 U    a page of U mode
    3 X    may be executed     }
    2 W    may be written      } none of them: the entry points to the next table
    1 R    may be read         }
    0 V    valid
"""

from vtbook.cpu.protection import allows
from vtbook.isa.operations import in_memory, physical64, set_physical64

READ, WRITE, EXECUTE = 1, 2, 4  # as the rights of a memory region and of the PMP
V, R, W, X, U, A, D = (1 << n for n in (0, 1, 2, 3, 4, 6, 7))
RESERVED = -(1 << 54)
PPN = (1 << 44) - 1
SV39, SV48 = 8, 9
MPRV, SUM, MXR = 1 << 17, 1 << 18, 1 << 19


def access_fault(access):
    """Cause of an access fault (12.1.8)."""
    if access == EXECUTE:
        return 1
    return 7 if access == WRITE else 5


def page_fault(access):
    """Cause of a page fault."""
    if access == EXECUTE:
        return 12
    return 15 if access == WRITE else 13


def effective_mode(h, access):
    """The mode whose rights an access has: MPRV lends loads and stores that of MPP (3.1.6.3)."""
    if access != EXECUTE and h.mstatus & MPRV:
        return (h.mstatus >> 11) & 3
    return h.mode


def is_translated(h, mode):
    """True if addresses of this mode are virtual."""
    return mode != 3 and (h.satp >> 60) & 15 != 0


def may_access(h, pte, access, mode):
    """True if a leaf entry grants the access (12.3.2, step 7)."""
    if pte & U:
        if mode == 1 and (access == EXECUTE or h.mstatus & SUM == 0):
            return False
    elif mode == 0:
        return False
    if access == EXECUTE:
        return pte & X != 0
    if access == WRITE:
        return pte & W != 0
    return pte & R != 0 or (h.mstatus & MXR != 0 and pte & X != 0)


def walk(h, virtual, access, mode):
    """Walk the page tables: 0 and ``h.walk_physical``, ``h.walk_level``, or the cause of a trap.

    The steps are those of 12.3.2. The hart sets the A and D bits, unless ``h.svade`` is set: then
    it asks software to, by a page fault.
    """
    levels = 3 if (h.satp >> 60) & 15 == SV39 else 4
    bits = 12 + 9 * levels
    sign = virtual >> (bits - 1)
    if sign != 0 and sign != -1:
        return page_fault(access)
    table = (h.satp & PPN) << 12
    level = levels - 1
    while True:
        address = table + ((virtual >> (12 + 9 * level)) & 511) * 8
        if not in_memory(h, address, READ):
            return access_fault(access)
        if not allows(h, address, 8, READ, 1):
            return access_fault(access)
        pte = physical64(h, address)
        if pte & V == 0 or pte & (R | W) == W or pte & RESERVED:
            return page_fault(access)
        if pte & (R | X):
            break
        if level == 0 or pte & (A | D | U):
            return page_fault(access)
        table = ((pte >> 10) & PPN) << 12
        level -= 1
    low = (1 << (9 * level)) - 1  # page numbers inside a superpage
    page = (pte >> 10) & PPN
    if not may_access(h, pte, access, mode) or page & low:
        return page_fault(access)
    wanted = pte | A
    if access == WRITE:
        wanted |= D
    if wanted != pte:
        if h.svade:
            return page_fault(access)
        writable = in_memory(h, address, WRITE)
        if not writable or not allows(h, address, 8, WRITE, 1):
            return access_fault(access)
        set_physical64(h, address, wanted)
    h.walk_physical = (page | ((virtual >> 12) & low)) << 12 | (virtual & 4095)
    h.walk_level = level
    return 0


def translate(h, virtual, access):
    """Translate an address for a load, store or fetch of the hart as it is now.

    0 and ``h.walk_physical``, ``h.walk_level``, or the cause of the trap that it ends in. Physical
    memory protection is the caller's to check: it depends on the size of the access.
    """
    mode = effective_mode(h, access)
    if is_translated(h, mode):
        return walk(h, virtual, access, mode)
    h.walk_physical = virtual
    h.walk_level = 0
    return 0
