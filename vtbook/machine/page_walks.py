"""Recording a page-table walk over a machine's RAM, for the ``PageWalk`` widget to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vtbook.isa.operations import MASK64
from vtbook.mmu.walk import PAGE, PTE_SIZE, WalkError, walk

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine

NEIGHBOURS = 2
SATP_SCHEMES = {8: "sv39", 9: "sv48"}
"""Mode of satp -> format of addresses (privileged spec 10.1.11)."""
PPN = (1 << 44) - 1


def current_table(machine: Machine) -> tuple[int, str]:
    """Physical address of the root page table that the hart uses now, and its scheme.

    Raises:
        WalkError: it uses none.
    """
    satp = machine.hart.satp & MASK64
    scheme = SATP_SCHEMES.get(satp >> 60)
    if scheme is None:
        raise WalkError("satp is 0: this hart uses no page table yet; run on, or give a root")
    return (satp & PPN) * PAGE, scheme


def record_walk(
    machine: Machine,
    root: int | None,
    address: int,
    *,
    title: str = "",
    tlb: bool = False,
    **how: Any,
) -> dict[str, Any]:
    """Walk page tables in a machine's RAM; nothing in the machine changes.

    Args:
        machine: Its RAM holds the tables.
        root: Physical address of the root table. None: the one that the hart uses now, in its
            format of addresses (satp).
        address: The virtual address to translate.
        title: What the reader is told about this walk.
        tlb: Record how a TLB that holds the translation answers: with no reference.
        how: ``scheme``, ``access``, ``mode``, ``sum``, ``mxr`` as for `vtbook.mmu.walk`.

    Returns:
        A record for ``PageWalk``; each table comes with the entries around the one read.

    Raises:
        WalkError: an argument is not possible, a fault was asked of the TLB, or the hart uses no
            page table.
    """
    if root is None:
        root, how["scheme"] = current_table(machine)
    ram = machine.board.ram

    def read64(at: int) -> int | None:
        if not ram.holds(at, PTE_SIZE):
            return None
        return int.from_bytes(machine.read(at, PTE_SIZE), "little")

    found = walk(read64, root, address & MASK64, **how)
    tables: dict[int, dict[int, int]] = {}
    for one in found.references:
        near = range(
            max(0, one.index - NEIGHBOURS), min(PAGE // PTE_SIZE, one.index + NEIGHBOURS + 1)
        )
        around = {i: read64(one.table + PTE_SIZE * i) for i in near}
        tables[one.table] = {i: entry for i, entry in around.items() if entry is not None}
    return (found.as_hit() if tlb else found).record(title, tables=tables)
