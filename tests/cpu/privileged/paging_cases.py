"""Cases about page tables: every kind of access, of entry, and of right.

The code of a case is at its physical address (M, S; S by a gigapage of root entry 2) or a gigabyte
higher (U). Its tables hold random entries on the way of two neighbouring pages.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.cpu.privileged.rig import CODE, DATA, LOGGED, S_VECTORS, TABLES, Case, Rig
from tests.cpu.privileged.words import ECALL, pack, word
from vtbook.isa.sets import RV64GC

M, S, U = 3, 1, 0
V, R, W, X, USER, G, A, D = (1 << n for n in range(8))
SUM, MXR, MPRV = 1 << 18, 1 << 19, 1 << 17
GIGA = 1 << 30
ROOT, ROOT48, ALIASES = TABLES, TABLES + 0x1000, TABLES + 0x2000
FREE = [TABLES + 0x1000 * n for n in range(3, 9)]
FRAMES = [DATA + 0x1000 * n for n in range(4)]
CODE_FRAMES = [DATA + 0x1_0000 + 0x1000 * n for n in range(4)]  # nothing is stored there
NOWHERE = (0x0900_0000, 0xA000_0000, 1 << 50, (1 << 56) - 4096)

CSRS = ("pmpcfg0", "pmpaddr0", "medeleg", "stvec", "scause", "sepc", "stval", "satp")
ALLOW = {"pmpaddr0": (1 << 54) - 1, "pmpcfg0": 0x1F, "stvec": S_VECTORS}
SIZES = {n: 1 << "bhwd".index(n[1]) for n in "lb lh lw ld lbu lhu lwu sb sh sw sd".split()}
ATOMIC = {f"{n}.{s}": size for s, size in (("w", 4), ("d", 8)) for n in ("lr", "amoadd", "amoor")}
MEDELEG = 0xB1FF & ~(1 << 1 | 1 << 12)  # whom S cannot fetch from it cannot serve


def entry(physical: int, flags: int) -> int:
    return physical >> 12 << 10 | flags


#: Root tables with S's view of memory at its own address, and U's a gigabyte above.
ALIAS = {2: entry(0x8000_0000, V | R | W | X | A | D), 3: entry(0x8000_0000, V | R | X | USER | A)}


def pages() -> bytes:
    """Four frames: ``li a0, n; ecall`` over and over, and an ecall across each two frames."""
    found = b""
    for n in range(4):
        pair = pack([word("addi", rd=10, rs1=0, imm=n + 1), ECALL])
        found += b"\x00\x00\x01\x00" + pair * 511 + b"\x01\x00" + b"\x73\x00"
    return found


def tables() -> bytes:
    """The first three tables."""
    root = [ALIAS.get(n, 0) for n in range(512)]
    root48 = [entry(ALIASES, V)] + [0] * 511
    return b"".join(w.to_bytes(8, "little") for w in (*root, *root48, *root))


@dataclass
class Draw:
    """A random source of page tables and accesses."""

    choose: random.Random
    frames: list[int]

    def flags(self, user: bool) -> int:
        """A leaf's low ten bits: often good, often not."""
        if self.choose.random() < 0.2:
            return self.choose.getrandbits(10)
        found = V | R | W | X | A | D | (USER if user else 0)
        for n in range(10):
            if self.choose.random() < 0.08:
                found ^= 1 << n
        return found

    def reserved(self) -> int:
        if self.choose.random() < 0.95:
            return 0
        return 1 << self.choose.randrange(54, 64)

    def frame(self, level: int) -> int:
        """A physical page for a leaf, seldom one that a superpage may not have."""
        if self.choose.random() < 0.08:
            return self.choose.choice(NOWHERE)
        if level == 0:
            return self.choose.choice(self.frames)
        if self.choose.random() < 0.1:
            return self.choose.choice(self.frames)
        return 0x8000_0000 if level > 1 else self.choose.choice((0x8000_0000, 0x8040_0000))

    def address(self, levels: int) -> int:
        """A virtual address in a root entry that is free, most often canonical."""
        root = self.choose.choice([1, 4, 255, 256, 511, self.choose.randrange(4, 512)])
        first = self.frames[0] >> 12 & 511
        index = [first + self.choose.randrange(3), self.choose.choice((0, 0, 5))]
        index += [0 if self.choose.random() < 0.5 else 7] * (levels - 3)
        virtual = root
        for part in reversed(index):
            virtual = virtual << 9 | part
        bits = 9 * levels + 12
        virtual <<= 12
        if virtual >> (bits - 1):
            virtual |= -(1 << bits)
        if self.choose.random() < 0.06:
            virtual ^= 1 << self.choose.randrange(bits, 64)
        return virtual & (1 << 64) - 1

    def walk(self, root: int, levels: int, virtual: int, user: bool) -> dict[int, int]:
        """Entries for the page of an address and the next one; they share tables."""
        found: dict[int, int] = {}
        table = root
        stop = self.choose.choices(range(levels), (6, 2, 1, 1)[:levels])[0]
        for level in reversed(range(levels)):
            at = table + (virtual >> (12 + 9 * level) & 511) * 8
            if level == stop:
                found[at] = entry(self.frame(level), self.flags(user)) | self.reserved()
                if level == 0:
                    found[at + 8] = entry(self.frame(0), self.flags(user)) | self.reserved()
                break
            table = self.choose.choice([t for t in FREE if t != table])
            value = entry(table, V) | self.choose.choice((0, 0, 0, G)) | self.reserved()
            if self.choose.random() < 0.06:
                value ^= 1 << self.choose.randrange(8)
            if self.choose.random() < 0.03:
                value = entry(self.choose.choice(NOWHERE), V)
            found[at] = value
        return found


def offset(choose: random.Random, size: int) -> int:
    """Where in a page: mostly aligned, sometimes across its end."""
    kind = choose.randrange(10)
    if kind == 0:
        return 0x1000 - choose.randrange(1, 9)
    if kind == 1:
        return choose.randrange(0xFF8)
    return choose.randrange(0, 0xFF0, 8) + choose.randrange(0, 8, size)


def access_word(kind: str) -> int:
    """A load, store or atomic at a0, from a1 or to a2."""
    names = {f.name for f in RV64GC[kind].encoding.fields}
    return word(kind, **{n: v for n, v in (("rs1", 10), ("rs2", 11), ("rd", 12)) if n in names})


def page_faults(seed: int, count: int):
    """One access each: loads, stores, atomics and fetches, in S, U, and M with MPRV."""
    choose = random.Random(seed)
    rig = Rig(CSRS, LOGGED)
    cases, code = [], b""
    for _ in range(count):
        kind = choose.choice(("fetch", *SIZES, *SIZES, *ATOMIC))
        case, words = _page_fault(choose, kind, CODE + len(code))
        cases.append(case)
        code += pack(words)
    memory = {CODE: code, DATA: pages(), CODE_FRAMES[0]: pages(), TABLES: tables()}
    return rig, cases, memory


def _page_fault(choose: random.Random, kind: str, pc: int) -> tuple[Case, list[int]]:
    draw = Draw(choose, CODE_FRAMES if kind == "fetch" else FRAMES)
    levels = choose.choice((3, 4))
    root = ROOT if levels == 3 else ROOT48
    user = choose.random() < 0.5
    page = draw.address(levels)
    entries = draw.walk(root, levels, page, user)
    status = choose.choice((0, 0, SUM)) | choose.choice((0, 0, MXR)) | (U if user else S) << 11
    satp = (8 if levels == 3 else 9) << 60 | choose.getrandbits(16) << 44 | root >> 12
    csrs = {**ALLOW, "satp": satp, "mstatus": status}
    nowhere = any(value >> 10 << 12 & ~(0xFF << 56) in NOWHERE for value in entries.values())
    if choose.random() < 0.4 and not nowhere:
        csrs["medeleg"] = choose.getrandbits(16) & MEDELEG
        if kind.startswith("amo"):  # QEMU has causes 5 and 7 where this hart has 7
            csrs["medeleg"] = csrs["medeleg"] & ~0x20 | csrs["medeleg"] >> 2 & 0x20
    size = 2 if kind == "fetch" else SIZES.get(kind) or ATOMIC[kind]
    place = offset(choose, size)
    if nowhere:
        place &= -size  # the part of a store that is in memory may be done or not
    peeks = list(entries)
    words: list[int] = []
    if kind == "fetch":
        # QEMU 7.2 ends where the second half of an instruction is in no memory.
        places = (4, 12, *(0xFFE, 0xFFC) * (not nowhere), choose.randrange(4, 0xFF0, 8))
        place = choose.choice(places)
        csrs["mepc"] = page + place
    else:
        words = [access_word(kind), ECALL]
        csrs["mepc"] = pc + (GIGA if user else 0)
        if choose.random() < 0.3:
            words = [word("csrrw", csr=0x300, rs1=13, rd=0), *words]
            csrs["mepc"] = pc
            csrs["mstatus"] = M << 11
        peeks += [frame + (place & ~7) for frame in FRAMES]
        peeks += [0x8040_0000 + (DATA & 0x1F_FFFF) + 0x1000 * n for n in range(3)]
    virtual = page + place & (1 << 64) - 1
    x = {10: virtual, 11: choose.getrandbits(64), 12: 0x1234, 13: status | MPRV}
    marks = ["nowhere"] * nowhere + ["misaligned"] * (virtual % size != 0)
    path = [f"{at:x}:{value:x}" for at, value in entries.items()]
    note = " ".join((kind, "U" if user else "S", hex(virtual), *marks, *path))
    traps = 2 if kind == "fetch" else 1
    return Case(csrs, x, list(entries.items()), peeks, traps, note=note), words


def comparable(case: Case, result):
    """A result without what QEMU 7.2 does differently.

    Where a page table is not in memory it has a page fault: an access fault is right (12.3.2, step
    2). Where an AMO's page is not in memory it has a load access fault: an AMO never has (3.7.1).
    Of a misaligned access to where nothing is it names another part, which 3.1.16 allows.
    """
    for trap in result.traps:
        if trap["mstatus"] >> 11 & 3 != M:
            trap["mstatus"] &= ~MPRV  # mret to U or S clears it (3.1.6.3)
        for cause, value in (("mcause", "mtval"), ("scause", "stval")):
            if trap[cause] == 3:
                trap[value] = 0  # of a breakpoint it may be 0 or the pc (3.1.16)
            if "nowhere" in case.note:
                trap[cause] = {1: 12, 5: 13, 7: 15}.get(trap[cause], trap[cause])
            if case.note.startswith("amo"):
                trap[cause] = {5: 7, 13: 15}.get(trap[cause], trap[cause])
            if "misaligned" in case.note and trap[cause] == 5:
                trap[value] = 0
    return result
