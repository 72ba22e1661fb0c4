"""Where a debugger finds what a hart has at a virtual address: a walk that changes nothing.

Permissions do not count, and neither do the A and D bits: who debugs a user process also looks at
the kernel, and writes breakpoints into read-only code.
"""

from __future__ import annotations

from vtbook.cpu.hart import Hart
from vtbook.cpu.translation import READ, effective_mode
from vtbook.isa.operations import MASK64
from vtbook.machine.ram import Ram
from vtbook.mmu.walk import PAGE, Walk, walk

SCHEMES = {8: "sv39", 9: "sv48"}
"""satp.MODE: the format of virtual addresses (privileged spec 4.1.11)."""


def walk_of(hart: Hart, ram: Ram, address: int, *, lent: bool = False) -> Walk | None:
    """The walk to `address` with the tables of `hart`; None where it translates nothing now.

    `lent`: as a load or a store, for which mstatus.MPRV may lend another mode (privileged spec
    3.1.6.3).
    """
    satp = hart.satp & MASK64
    scheme = SCHEMES.get(satp >> 60)
    mode = effective_mode(hart, READ) if lent else hart.mode
    if mode == 3 or scheme is None:
        return None

    def read64(at: int) -> int | None:
        return int.from_bytes(ram.read(at, 8), "little") if ram.holds(at, 8) else None

    root = (satp & ((1 << 44) - 1)) * PAGE
    return walk(
        read64, root, address, scheme=scheme, sum=True, mxr=True, write64=lambda at, entry: None
    )


def to_physical(hart: Hart, ram: Ram, address: int) -> int | None:
    """The physical address of a virtual one; None if it is not mapped."""
    found = walk_of(hart, ram, address)
    return address if found is None else found.physical
