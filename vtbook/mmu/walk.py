"""The page-table walk, after "Virtual Address Translation Process" (privileged spec, 4.3.2).

A page-table entry (PTE) of Sv39 and Sv48 has 64 bits::

    63   62..61  60..54     53..10  9..8  7 6 5 4 3 2 1 0
    N    PBMT    reserved   PPN     RSW   D A G U X W R V

Sv39 has three levels of tables with 512 entries each, Sv48 four. A leaf above level 0 is a
superpage: its lowest PPN fields must be 0. N and PBMT belong to Svnapot and Svpbmt; this hart has
neither, so they must be 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from vtbook.errors import VtbookError

PAGE, PTE_SIZE, INDEX_BITS = 4096, 8, 9
V, R, W, X, U, G, A, D = (1 << i for i in range(8))
PPN_SHIFT, PPN_MASK = 10, (1 << 44) - 1
RESERVED = ((1 << 10) - 1) << 54
"""Bits 63 to 54: reserved without Svnapot and Svpbmt."""

MASK64 = (1 << 64) - 1

ACCESSES = {"fetch": (X, 12, 1), "load": (R, 13, 5), "store": (W, 15, 7)}
"""Kind of access: the permission it needs, and the causes of its page fault and access fault."""

FAULTS = {
    "canonical": "the bits above the virtual address are not copies of its highest bit",
    "access": "there is no memory where the entry should be",
    "invalid": "V is 0",
    "write_only": "W is 1 while R is 0, which is reserved",
    "reserved": "a reserved bit is 1",
    "no_leaf": "the entry of the last level points to another table",
    "misaligned": "the superpage is not aligned to its size",
    "not_readable": "R is 0",
    "not_writable": "W is 0",
    "not_executable": "X is 0",
    "not_user": "U is 0, and the access is from U-mode",
    "user_page": "U is 1, and the access is from S-mode while SUM is 0",
    "user_code": "U is 1, and S-mode never executes user pages",
    "accessed": "A is 0, and this hart lets software set it",
    "dirty": "D is 0 at a store, and this hart lets software set it",
}
"""Why a walk may end in a fault."""


class WalkError(VtbookError):
    """An argument of a walk is not possible; the message says what to use."""


@dataclass(frozen=True)
class Scheme:
    """A format of virtual addresses."""

    name: str
    levels: int

    @property
    def bits(self) -> int:
        """Bits of a virtual address."""
        return 12 + INDEX_BITS * self.levels


SCHEMES = {"sv39": Scheme("sv39", 3), "sv48": Scheme("sv48", 4)}
"""Formats by name."""


@dataclass(frozen=True)
class Reference:
    """One read of a page-table entry.

    Attributes:
        stage: ``"S"``; in a two-stage walk ``"VS"`` or ``"G"``.
        level: Level of the table, counted down to 0.
        table: Physical address of the table.
        index: Which entry of it.
        address: Physical address of the entry.
        pte: The entry as read (0 where there is no memory).
        outcome: ``"pointer"``, ``"leaf"`` or ``"fault"``.
        translates: The address that this stage translates.
    """

    stage: str
    level: int
    table: int
    index: int
    address: int
    pte: int
    outcome: str
    translates: int


@dataclass(frozen=True)
class Walk:
    """What a walk did and where it came out.

    Attributes:
        physical: The physical address, or None at a fault.
        fault: A key of `FAULTS`, or None.
        cause: The exception's cause number (5, 7, 1: access; 13, 15, 12: page fault), or None.
        page: Bytes of the page found: 4 KiB, or those of a superpage; 0 at a fault.
        updated: The leaf with the A and D bits that the walk set; None if it wrote nothing.
        tlb: The translation came from a TLB, with no reference.
    """

    scheme: str
    root: int
    address: int
    access: str
    mode: str
    sum: bool
    mxr: bool
    references: tuple[Reference, ...]
    physical: int | None = None
    fault: str | None = None
    cause: int | None = None
    page: int = 0
    updated: int | None = None
    tlb: bool = False

    def as_hit(self) -> Walk:
        """Return the same translation as a TLB that holds it answers it: with no reference."""
        if self.physical is None:
            raise WalkError(f"{self.address:#x}: a fault is not kept in a TLB")
        return replace(self, references=(), updated=None, tlb=True)

    def record(self, title: str = "", *, tables: dict[int, dict[int, int]] | None = None) -> dict:
        """Return the walk as plain data, as the ``PageWalk`` widget takes it.

        Args:
            title: What the reader is told about this walk.
            tables: More entries of the tables to show: ``{table: {index: pte}}``.
        """
        read: dict[int, dict[int, int]] = {}
        for one in self.references:
            known = read.setdefault(one.table, dict((tables or {}).get(one.table, {})))
            known[one.index] = one.pte
        return {
            "title": title,
            "scheme": self.scheme,
            "root": f"{self.root:x}",
            "address": f"{self.address:x}",
            "access": self.access,
            "mode": self.mode,
            "sum": self.sum,
            "mxr": self.mxr,
            "references": [_plain(reference) for reference in self.references],
            "tables": [
                [f"{table:x}", [[i, f"{value:x}"] for i, value in sorted(entries.items())]]
                for table, entries in sorted(read.items())
            ],
            "physical": "" if self.physical is None else f"{self.physical:x}",
            "fault": self.fault or "",
            "cause": self.cause or 0,
            "page": self.page,
            "updated": "" if self.updated is None else f"{self.updated:x}",
            "tlb": self.tlb,
        }


def _plain(r: Reference) -> list[str | int]:
    read: list[str | int] = [f"{r.table:x}", r.index, f"{r.address:x}", f"{r.pte:x}"]
    return [r.stage, r.level, *read, r.outcome, f"{r.translates:x}"]


def pte(physical: int, flags: str = "") -> int:
    """Return an entry that points to a physical address, with the flags named.

    ``pte(0x8020_0000, "VRW")`` is a leaf; ``pte(table, "V")`` a pointer.
    """
    bits = {"V": V, "R": R, "W": W, "X": X, "U": U, "G": G, "A": A, "D": D}
    if physical % PAGE or not 0 <= physical < 1 << 56 or any(flag not in bits for flag in flags):
        raise WalkError(
            f"pte({physical:#x}, {flags!r}): give the address of a page, flags of VRWXUGAD"
        )
    return (physical >> 12 << PPN_SHIFT) | sum({bits[flag] for flag in flags})


def walk(
    read64: Callable[[int], int | None],
    root: int,
    address: int,
    *,
    scheme: str = "sv39",
    access: str = "load",
    mode: str = "S",
    sum: bool = False,
    mxr: bool = False,
    write64: Callable[[int, int], object] | None = None,
) -> Walk:
    """Translate a virtual address and record each memory reference.

    Args:
        read64: Reads eight bytes of physical memory; None where there is no memory.
        root: Physical address of the root table (``satp.PPN`` times 4096).
        address: The virtual address, as an unsigned 64-bit number.
        scheme: One of `SCHEMES`.
        access: ``"load"``, ``"store"`` or ``"fetch"``.
        mode: ``"U"`` or ``"S"``.
        sum: ``sstatus.SUM``: loads and stores of S-mode may reach user pages.
        mxr: ``sstatus.MXR``: loads may read executable pages.
        write64: Writes an entry back. Given, the hart sets A and D itself (Svadu); if not, an
            entry that needs them is a page fault (Svade).

    Raises:
        WalkError: an argument is not possible.
    """
    _check(root, address, scheme, access, mode)
    levels = SCHEMES[scheme].levels
    needs, page_fault, access_fault = ACCESSES[access]
    references: list[Reference] = []
    begun = Walk(scheme, root, address, access, mode, sum, mxr, ())

    def fault(why: str) -> Walk:
        cause = access_fault if why == "access" else page_fault
        return replace(begun, references=tuple(references), fault=why, cause=cause)

    if not _is_canonical(address, SCHEMES[scheme].bits):
        return fault("canonical")
    table = root
    for level in reversed(range(levels)):
        index = (address >> (12 + INDEX_BITS * level)) & 511
        at = table + index * PTE_SIZE
        found = read64(at)
        entry = 0 if found is None else found & MASK64
        why = "access" if found is None else _malformed(entry)
        is_leaf = bool(entry & (R | X))
        if why is None:
            if is_leaf:
                why = _misaligned(entry, level) or _refused(entry, needs, mode, sum, mxr)
                why = why or (_stale(entry, needs) if write64 is None else None)
            else:
                why = _bad_pointer(entry, level)
        outcome = "fault" if why else "leaf" if is_leaf else "pointer"
        references.append(Reference("S", level, table, index, at, entry, outcome, address))
        if why:
            return fault(why)
        if is_leaf:
            break
        table = ((entry >> PPN_SHIFT) & PPN_MASK) * PAGE
    updated = entry | A | (D if needs == W else 0)
    if updated != entry and write64 is not None:
        write64(at, updated)
    page = PAGE << (INDEX_BITS * level)
    base = ((entry >> PPN_SHIFT) & PPN_MASK) * PAGE
    return replace(
        begun,
        references=tuple(references),
        physical=base | (address & (page - 1)),
        page=page,
        updated=updated if updated != entry else None,
    )


def _check(root: int, address: int, scheme: str, access: str, mode: str) -> None:
    if scheme not in SCHEMES:
        raise WalkError(f"there is no scheme {scheme!r}; use {', '.join(SCHEMES)}")
    if access not in ACCESSES:
        raise WalkError(f"there is no access {access!r}; use {', '.join(ACCESSES)}")
    if mode not in ("U", "S"):
        raise WalkError(f"addresses are not translated in mode {mode!r}; use 'U' or 'S'")
    if root % PAGE or not 0 <= root < 1 << 56:
        raise WalkError(f"the root table at {root:#x} is not at a page; use satp.PPN * 4096")
    if not 0 <= address <= MASK64:
        raise WalkError(f"the address {address:#x} has not 64 bits; mask it")


def _is_canonical(address: int, bits: int) -> bool:
    """The bits from the highest of the virtual address up are all equal."""
    top = address >> (bits - 1)
    return top in (0, (1 << (65 - bits)) - 1)


def _malformed(entry: int) -> str | None:
    """Step 3: entries that no level may hold."""
    if not entry & V:
        return "invalid"
    if entry & W and not entry & R:
        return "write_only"
    return "reserved" if entry & RESERVED else None


def _bad_pointer(entry: int, level: int) -> str | None:
    """Step 4: a pointer keeps D, A and U at 0, and there is a level below."""
    if level == 0:
        return "no_leaf"
    return "reserved" if entry & (D | A | U) else None


def _misaligned(entry: int, level: int) -> str | None:
    """Step 5: a superpage's lower PPN fields are 0."""
    low = (1 << (INDEX_BITS * level)) - 1
    return "misaligned" if (entry >> PPN_SHIFT) & low else None


def _refused(entry: int, needs: int, mode: str, sum: bool, mxr: bool) -> str | None:
    """Step 6: may this mode do this access?"""
    if mode == "U" and not entry & U:
        return "not_user"
    if mode == "S" and entry & U:
        if needs == X:
            return "user_code"
        if not sum:
            return "user_page"
    allowed = entry | (R if mxr and entry & X else 0)
    if allowed & needs:
        return None
    return {R: "not_readable", W: "not_writable", X: "not_executable"}[needs]


def _stale(entry: int, needs: int) -> str | None:
    """Step 7 where software sets A and D."""
    if not entry & A:
        return "accessed"
    return "dirty" if needs == W and not entry & D else None
