"""Exercises of chapter 02 on page tables: small tables to walk, and one to be mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vtbook.isa.assembler import assemble
from vtbook.mmu import pte

if TYPE_CHECKING:
    from vtbook.machine import Machine

ROOT, MIDDLE, LEAVES = 0x8008_0000, 0x8008_1000, 0x8008_2000
DATA = 0x8009_0000
VIRTUAL = 0x4000_0000
PAGES = 8
KINDS = ("invalid", "read-only", "wrong page", "user page")

GUEST = f"""
        .equ    VIRTUAL, {VIRTUAL:#x}
        .equ    ROOT, {ROOT:#x}
_start: la      t0, trapped             # M mode: from here, nothing is translated
        csrw    mtvec, t0
        li      t0, 8 << 60 | ROOT >> 12
        csrw    satp, t0                # Sv39, with this root table
        sfence.vma
        li      t0, 1 << 11             # the mode to go to: S
        csrs    mstatus, t0
        la      t0, work
        csrw    mepc, t0
        mret
work:   li      s0, VIRTUAL             # S mode: add 1 to a number in each page
        li      s1, {PAGES}
next:   ld      t0, 0(s0)
        addi    t0, t0, 1
        sd      t0, 0(s0)
        li      t1, 4096
        add     s0, s0, t1
        addi    s1, s1, -1
        bnez    s1, next
        ecall                           # done
        .balign 4
trapped: csrr   a0, mcause
        csrr    a1, mtval
        csrr    a2, mepc
stop:   j       stop
"""
"""Adds 1 to the first number of each page from `VIRTUAL` on, and stops at `stop`: with 9, the cause
of its ``ecall``, in a0; or with the cause and the address of a trap in a0 and a1."""


def table_machine(*, kind: str = "", page: int = 0) -> Machine:
    """A machine with `GUEST`, its page table, and 100 * n in page n.

    Args:
        kind: what is wrong with one entry, of `KINDS`; "" for a table in which nothing is.
        page: whose entry.
    """
    from vtbook.machine import Board, Machine

    machine = Machine(Board(ram="1 MiB", pmp=0), reverse=False)
    machine.load(assemble(GUEST))

    def put(address: int, entry: int) -> None:
        machine.write(address, entry.to_bytes(8, "little"))

    put(ROOT + 8 * 1, pte(MIDDLE, "V"))
    put(ROOT + 8 * 2, pte(0x8000_0000, "VRWXAD"))  # the guest's code: 1 GiB as it is
    put(MIDDLE, pte(LEAVES, "V"))
    for n in range(PAGES):
        put(LEAVES + 8 * n, pte(page_of(n), "VRWAD"))
        machine.write(page_of(n), (100 * n).to_bytes(8, "little"))
    place = LEAVES + 8 * page
    if kind:
        put(
            place,
            {
                "invalid": pte(page_of(page), "RWAD"),
                "read-only": pte(page_of(page), "VRAD"),
                "wrong page": pte(page_of((page + 3) % PAGES), "VRWAD"),
                "user page": pte(page_of(page), "VRWUAD"),
            }[kind],
        )
    machine.add_breakpoint("stop")
    return machine


def page_of(n: int) -> int:
    """Physical address of the guest's page n; not in the order of n."""
    return DATA + 4096 * (5 * n % 8)


def numbers(machine: Machine) -> list[int]:
    """What is in the pages now."""
    return [int.from_bytes(machine.read(page_of(n), 8), "little") for n in range(PAGES)]


def sample_tables() -> tuple[Callable[[int], int], int, dict[str, int]]:
    """Tables to walk: a function that reads 8 bytes, the root, and addresses by what they try."""
    root, middle, leaves = 0x8100_0000, 0x8100_1000, 0x8100_2000
    memory = {
        root + 8 * 0: pte(middle, "V"),
        root + 8 * 3: pte(0xC000_0000, "VRWXAD"),
        root + 8 * 4: pte(0x8000_1000, "VRAD"),
        root + 8 * 5: pte(middle, "VW"),
        root + 8 * 511: pte(middle, "V"),
        middle + 8 * 0: pte(leaves, "V"),
        middle + 8 * 1: pte(0x8060_0000, "VRXAD"),
        middle + 8 * 2: pte(0x8060_1000, "VRXAD"),
        middle + 8 * 511: pte(leaves, "V"),
        leaves + 8 * 5: pte(0x8765_4000, "VRAD"),
        leaves + 8 * 6: pte(0x8765_5000, "V"),
        leaves + 8 * 7: pte(0x8765_6000, "RWAD"),
        leaves + 8 * 511: pte(0x8123_4000, "VXAD"),
    }
    addresses = {
        "a page": 5 << 12 | 0x123,
        "a page at the top": (1 << 64) - 0x1000 + 0xFF8,
        "a page of 2 MiB": 1 << 21 | 0x12345,
        "a page of 1 GiB": 3 << 30 | 0x1234567,
        "V is 0": 7 << 12,
        "nothing there": 9 << 12,
        "the last level points on": 6 << 12,
        "a page of 2 MiB that is not aligned": 2 << 21 | 0x10,
        "a page of 1 GiB that is not aligned": 4 << 30 | 0x10,
        "W without R": 5 << 30 | 5 << 12,
        "bits 63 to 39 are no copies of bit 38": 1 << 40 | 5 << 12,
    }
    return lambda address: memory.get(address, 0), root, addresses
