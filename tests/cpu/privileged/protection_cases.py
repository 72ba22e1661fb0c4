"""Cases about physical memory protection: accesses at the borders of entries."""

from __future__ import annotations

import random

from tests.cpu.privileged.paging_cases import (
    ATOMIC,
    CODE_FRAMES,
    FRAMES,
    GIGA,
    MPRV,
    ROOT,
    SIZES,
    USER,
    A,
    D,
    R,
    V,
    W,
    access_word,
    comparable,
    entry,
    pages,
    tables,
)
from tests.cpu.privileged.rig import CODE, DATA, LOGGED, S_VECTORS, TABLES, Case, Rig
from tests.cpu.privileged.words import ECALL, csr_op, pack, word

__all__ = ["comparable", "locks", "protection", "protection_misaligned"]

M, S, U = 3, 1, 0
CSRS = (*(f"pmpaddr{n}" for n in range(16)), "pmpcfg0", "pmpcfg2", "stvec")
CSRS += ("medeleg", "scause", "sepc", "stval", "satp")
PMP = ("pmpcfg0", "pmpcfg2", *(f"pmpaddr{n}" for n in range(9)))
EVERYTHING = (1 << 54) - 1
LOCK = 0x80
TOR, NA4, NAPOT = 8, 16, 24


def address_of(choose: random.Random, kind: int, base: int) -> int:
    """The value of a pmpaddr for an entry near an address."""
    if kind == NAPOT:
        size = 1 << choose.choice((3, 3, 4, 5, 8, 12, 13, 16))
        start = base & -size
        return start >> 2 | (size >> 3) - 1
    return (base + choose.randrange(-16, 17, 4)) >> 2


def entries(choose: random.Random, base: int, lock: float = 0) -> tuple[dict[str, int], list[int]]:
    """Seven entries near an address, and one for all the rest; and where their borders are."""
    csrs: dict[str, int] = {}
    config = 0
    borders = [base]
    for n in range(7):
        kind = choose.choice((0, 0, TOR, NA4, NAPOT))
        if lock and n == 0 and kind == TOR:
            kind = 0  # it would cover the driver
        rights = choose.choice((0, 1, 3, 4, 5, 7, 7))
        locked = LOCK if choose.random() < lock else 0
        config |= (kind | rights | locked) << (8 * n)
        where = choose.choice((base, base + 16, base + 64, base + 0x1000))
        value = address_of(choose, kind, where)
        if kind == TOR and n and choose.random() < 0.3:
            value = csrs[f"pmpaddr{n - 1}"]  # a range without bytes
        csrs[f"pmpaddr{n}"] = value
        borders.append((value & ~(value ^ value + 1) if kind == NAPOT else value) << 2)
    for n in range(7, 16):
        csrs[f"pmpaddr{n}"] = EVERYTHING
    csrs["pmpcfg0"] = config | (NAPOT | choose.choice((7, 7, 7, 5, 1))) << 56
    return csrs, borders


def access(choose: random.Random, kind: str, borders: list[int], pc: int, aligned: bool):
    """An access near a border: its words, where it begins, and what it accesses."""
    if kind == "fetch":
        at = (choose.choice(borders) & ~3) + 4 * choose.randrange(-2, 3)
        return [], at, at
    size = SIZES.get(kind) or ATOMIC[kind]
    at = choose.choice(borders) + choose.randrange(-9, 10)
    if aligned or choose.random() < 0.6:
        at &= -size
    return [access_word(kind), ECALL], pc, at


def protection_misaligned(seed: int, count: int):
    """The same with accesses at any address; they may be checked in parts or as a whole."""
    return protection(seed, count, aligned=False)


def protection(seed: int, count: int, aligned: bool = True):
    """Accesses of every kind in every mode, with entries that are not locked.

    What is fetched is an ``ecall``: QEMU 7.2 checks only the first instruction of a block.
    """
    choose = random.Random(seed)
    rig = Rig(CSRS, LOGGED)
    cases, code = [], b""
    for _ in range(count):
        mode = choose.choice((M, S, U, S, U))
        kind = choose.choice(("fetch", *SIZES, *ATOMIC))
        base = (CODE_FRAMES if kind == "fetch" else FRAMES)[1] + choose.randrange(0x800, 0x900, 8)
        csrs, borders = entries(choose, base)
        words, pc, at = access(choose, kind, borders, CODE + len(code), aligned)
        physical = at
        if mode == M and words:
            words = [csr_op(0x300, 1, 0, 13), *words]
        elif mode != M and choose.random() < 0.3:
            csrs["satp"] = 8 << 60 | ROOT >> 12
            if mode == U:
                pc, at = pc + GIGA, at + 2 * GIGA
        csrs |= {"mepc": pc, "mstatus": mode << 11, "stvec": S_VECTORS}
        x = {10: at, 11: choose.getrandbits(64), 13: choose.choice((S, U)) << 11 | MPRV}
        peeks = [(physical & ~7) + 8 * n for n in (-1, 0, 1)]
        cases.append(Case(csrs, x, (), peeks, note=f"{kind} {mode} {at:#x}"))
        code += pack(words)
    writable = entry(0x8000_0000, V | R | W | USER | A | D).to_bytes(8, "little")
    memory = {
        CODE: code,
        CODE_FRAMES[0]: pack([ECALL] * 4096),
        TABLES: tables(),
        ROOT + 8 * 4: writable,
    }
    return rig, cases, memory


def locks(seed: int):
    """Locked entries: they bind M mode, and nothing but a reset changes them. One case."""
    choose = random.Random(seed)
    rig = Rig(CSRS, (*LOGGED, *PMP))
    csrs, borders = entries(choose, DATA + 0x2800, lock=0.8)
    csrs |= {"mepc": CODE, "mstatus": M << 11, "stvec": S_VECTORS}
    x = {11: choose.getrandbits(64)}
    words = []
    for n in range(20, 28):
        kind = choose.choice(list(SIZES))
        x[n] = choose.choice(borders) + choose.randrange(-9, 10) & -SIZES[kind]
        words.append(word(kind, rs1=n, **({"rs2": 11} if kind[0] == "s" else {"rd": 12})))
    for n, number in enumerate(choose.sample(range(7), 4)):
        x[14 + n] = choose.getrandbits(40)
        words.append(csr_op(0x3B0 + number, 1, 0, 14 + n))
    x[18] = int.from_bytes(bytes(choose.choice((0, 9, 0x1F, 0x1B)) for _ in range(8)), "little")
    words += [csr_op(0x3A0, 1, 0, 18), *([ECALL] * 10)]
    return rig, [Case(csrs, x, traps=10)], {CODE: pack(words), DATA: pages()}
