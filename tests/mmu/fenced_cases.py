"""Programs that edit page tables and fence as they must, so that one result only is right.

A case runs in M mode, whose loads and stores are those of S or U by MPRV while it accesses, or in S
mode at its own address. It keeps a sum of all that it loads. Edits of page tables, changes of satp,
SUM and MXR, and fences of all kinds stand between the accesses (privileged specification 12.2.1).
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.cpu.privileged import paging_cases
from tests.cpu.privileged.paging_cases import ALLOW, USER, A, D, G, R, V, W, X, entry
from tests.cpu.privileged.rig import CODE, DATA, LOGGED, RAM, S_VECTORS, Case, Rig
from tests.cpu.privileged.words import ECALL, csr_op, pack, word

M, S, U = 3, 1, 0
SUM, MXR, MPRV = 1 << 18, 1 << 19, 1 << 17
MSTATUS, SSTATUS, SATP = 0x300, 0x100, 0x180
CSRS = ("pmpcfg0", "pmpaddr0", "medeleg", "stvec", "scause", "sepc", "stval", "satp")

TABLES = RAM + 0x4_0000
TRAPS = 40
SPACES = 3  # address spaces: two of Sv39, one of Sv48; each has 6 tables
FRAMES = [DATA + 0x1000 * n for n in range(8)]
FUNCTIONS = [RAM + 0x5_8000 + 0x1000 * n for n in range(4)]
POOLS, POOLS_END = RAM + 0x6_A000, RAM + 0x8_0000  # constants of the cases
BIG = (RAM + 0x40_0000, RAM)  # superpages of 2 MiB; in the second one the data is at its place
#: Pages of each address space by index of the root, of the middle table, and of the last one. The
#: second half has the same places in the TLB as the first.
WINDOW = [(root, middle, 96 + n) for root in (1, 5) for middle in (0, 3) for n in range(6)]


@dataclass
class Space:
    """An address space: where its tables are, and what satp selects it."""

    number: int
    asid: int

    @property
    def levels(self) -> int:
        return 4 if self.number == 2 else 3

    def table(self, n: int) -> int:
        return TABLES + 0x8000 * self.number + 0x1000 * n

    @property
    def satp(self) -> int:
        mode = 9 if self.levels == 4 else 8
        root = self.table(5 if self.levels == 4 else 0)
        return mode << 60 | self.asid << 44 | root >> 12

    def middle(self, page: tuple[int, int, int]) -> int:
        """Address of the entry for 2 MiB."""
        return self.table(1 + (page[0] == 5)) + 8 * page[1]

    def leaf(self, page: tuple[int, int, int]) -> int:
        """Address of the entry for 4 KiB."""
        return self.table(3 + (page[0] == 5)) + 8 * (page[2] + (256 if page[1] else 0))

    def virtual(self, page: tuple[int, int, int]) -> int:
        root, middle, last = page
        return root << 30 | middle << 21 | (last + (256 if middle else 0)) << 12


def flags(choose: random.Random, code: bool) -> int:
    """Rights of a page: often all, sometimes not. Nothing is stored to code; some of it can only
    be loaded with MXR."""
    found = (
        V
        | (X | choose.choice((0, R)) if code else R | W)
        | choose.choice((0, A, A | D))
        | choose.choice((0, 0, USER))
    )
    if choose.random() < 0.15:
        found ^= choose.choice((V, X if code else R | W, USER, A | D, *((W, X) * (not code))))
    return found


@dataclass
class Writer:
    """Writes one case's code."""

    choose: random.Random
    mode: int
    spaces: list[Space]
    space: Space
    entries: dict[int, int]  # what the tables hold at this place of the program
    words: list[int] = field(default_factory=list)
    pool: list[int] = field(default_factory=list)

    def number(self, rd: int, value: int) -> None:
        """Load a constant from the pool that x9 points to."""
        self.words.append(word("ld", rd=rd, rs1=9, imm=8 * len(self.pool) - 2048))
        self.pool.append(value & (1 << 64) - 1)

    def page(self) -> tuple[int, int, int]:
        return self.choose.choice(WINDOW)

    def access(self, pages: Sequence[tuple[int, int, int]] = (), status: int | None = None) -> None:
        """A few loads and stores, some across a page's end, in these pages or in any."""
        if not pages:
            pages = [self.page() for _ in range(self.choose.randrange(1, 4))]
        registers = range(20, 20 + len(pages))
        for n, page in zip(registers, pages, strict=True):
            place = self.choose.choice((0, 8, 0xFF8, 0xFFD, 0xFFE, self.choose.randrange(0x1000)))
            self.number(n, self.space.virtual(page) + place)
        if self.mode == M:
            if status is None:
                status = self.choose.choice((0, SUM, SUM)) | self.choose.choice((0, MXR))
                status |= self.choose.choice((S, U)) << 11
            self.number(11, MPRV | status)
            self.words.append(csr_op(MSTATUS, 1, 0, 11))
        elif status is not None:
            self.number(11, SUM | MXR)
            self.words.append(csr_op(SSTATUS, 3, 0, 11))
            self.number(11, status & (SUM | MXR))
            self.words.append(csr_op(SSTATUS, 2, 0, 11))
        for n in registers:
            size = self.choose.choice("bhwd")
            if self.choose.random() < 0.6:
                self.words.append(word(f"l{size}", rd=12, rs1=n, imm=0))
                self.words.append(word("mul", rd=15, rs1=15, rs2=16))
                self.words.append(word("add", rd=15, rs1=15, rs2=12))
            else:
                self.words.append(word(f"s{size}", rs1=n, rs2=15, imm=0))
        if self.mode == M:
            self.words.append(csr_op(MSTATUS, 1, 0, 0))

    def call(self) -> None:
        """Call a function in a page that has one now: a fault would run on behind it."""
        space = self.space
        good = [
            page
            for page in WINDOW
            if self.entries[space.middle(page)] & 0xF == V
            and self.entries[space.leaf(page)] & (V | X | USER) == V | X
            and self.entries[space.leaf(page)] >> 10 << 12 in FUNCTIONS
        ]
        if not good:
            return
        self.number(10, space.virtual(self.choose.choice(good)))
        self.words.append(word("addi", rd=12, rs1=0, imm=0))
        self.words.append(word("jalr", rd=1, rs1=10, imm=0))
        self.words.append(word("add", rd=15, rs1=15, rs2=12))

    def rights(self) -> None:
        """The same pages with and without SUM and MXR, which need no fence."""
        of_code = [
            page
            for page in WINDOW
            if self.entries[self.space.middle(page)] & 0xF == V
            and self.entries[self.space.leaf(page)] & (V | R | X) == V | X
        ]
        pages = [self.choose.choice(of_code or WINDOW), self.page()]
        bit, other = self.choose.choice(((SUM, 0), (SUM, MXR), (MXR, 0), (MXR, SUM)))
        mode = self.choose.choice((S, S, U)) << 11
        for status in (other | bit, other, other | bit):
            self.access(pages, status | mode)

    def store(self, address: int, value: int) -> None:
        self.number(10, address)
        self.number(11, value)
        self.words.append(word("sd", rs1=10, rs2=11, imm=0))
        self.entries[address] = value

    def fence(self, virtual: int | None, space: Space, always: bool = False) -> None:
        """One of the fences that are enough; of the address ``always``, or mostly."""
        rs1 = rs2 = 0
        if virtual is not None and (always or self.choose.random() < 0.7):
            self.number(10, virtual)
            rs1 = 10
        if self.choose.random() < 0.5:
            self.number(11, space.asid)
            rs2 = 11
        self.words.append(word("sfence.vma", rs1=rs1, rs2=rs2))

    def edit(self) -> None:
        """Change a page, of this address space or of another one."""
        space = self.choose.choice(self.spaces)
        page = self.page()
        if self.choose.random() < 0.25:
            old = self.entries[space.middle(page)]
            if self.choose.random() < 0.3:
                value = entry(self.choose.choice(BIG), flags(self.choose, False) | R)
            else:
                value = entry(space.table(3 + (page[0] == 5)), V)
            self.store(space.middle(page), value)
            both = bool(old & R and value & R)
            virtual = space.virtual(page) + self.choose.randrange(0x1000) if both else None
            self.fence(virtual, space)
            return
        code = self.choose.random() < 0.3
        frame = self.choose.choice(FUNCTIONS if code else FRAMES)
        self.store(space.leaf(page), entry(frame, flags(self.choose, code)))
        self.fence(space.virtual(page) + self.choose.randrange(0x1000), space)

    def remap(self) -> None:
        """Show another 2 MiB in a superpage: a fence of one address in it is enough for all."""
        space, page = self.space, self.page()
        before = self.entries[space.middle(page)]
        frames = self.choose.sample(BIG, 2)
        others = [p for p in WINDOW if p[:2] == page[:2]]
        for frame in frames:
            self.store(space.middle(page), entry(frame, V | R | W | A | D))
            everything = frame == frames[0]
            where = None if everything else space.virtual(self.choose.choice(others))
            self.fence(where, space, always=True)
            self.access(self.choose.sample(others, 3))
        self.store(space.middle(page), before)
        self.fence(None, space)

    def recall(self) -> None:
        """The same with code: functions stand at the same places of both superpages."""
        space, root = self.space, self.choose.choice((1, 5))
        pages = [(root, 0, at >> 12 & 511) for at in FUNCTIONS]
        middle = space.middle(pages[0])
        before = self.entries[middle]
        for n, frame in enumerate(self.choose.sample(BIG, 2)):
            self.store(middle, entry(frame, V | R | X | A))
            self.fence(space.virtual(self.choose.choice(pages)) if n else None, space, always=True)
            for page in self.choose.sample(pages, 3):
                self.number(10, space.virtual(page))
                self.words.append(word("jalr", rd=1, rs1=10, imm=0))
                self.words.append(word("mul", rd=15, rs1=15, rs2=16))
                self.words.append(word("add", rd=15, rs1=15, rs2=12))
        self.store(middle, before)
        self.fence(None, space)

    def switch(self) -> None:
        """Another address space. Its ASID is its own, so no fence is needed."""
        self.space = self.choose.choice(self.spaces)
        self.number(10, self.space.satp)
        self.words.append(csr_op(SATP, 1, 0, 10))

    def reuse(self) -> None:
        """Give an ASID to another address space: now a fence is needed, of this ASID or of all."""
        first, second = self.choose.sample(self.spaces, 2)
        first.asid, second.asid = second.asid, first.asid
        self.number(10, self.space.satp)
        self.words.append(csr_op(SATP, 1, 0, 10))
        self.words.append(word("sfence.vma", rs1=0, rs2=0))


def tables(choose: random.Random) -> dict[int, int]:
    """The tables of all address spaces, with S's view of memory at its own address."""
    entries: dict[int, int] = {}
    for number in range(SPACES):
        space = Space(number, 0)
        entries[space.table(0) + 8 * 2] = entry(RAM, V | R | W | X | A | D | G)
        for root in (1, 5):
            entries[space.table(0) + 8 * root] = entry(space.table(1 + (root == 5)), V)
        if space.levels == 4:
            entries[space.table(5)] = entry(space.table(0), V)
        for page in WINDOW:
            entries[space.middle(page)] = entry(space.table(3 + (page[0] == 5)), V)
            code = choose.random() < 0.3
            frame = choose.choice(FUNCTIONS if code else FRAMES)
            entries[space.leaf(page)] = entry(frame, flags(choose, code))
    return entries


def functions(first: int) -> list[bytes]:
    """``li a2, n; ret`` for four n from the first on."""
    ret = word("jalr", rd=0, rs1=1, imm=0)
    return [pack([word("addi", rd=12, rs1=0, imm=first + n), ret]) for n in range(4)]


def fenced(seed: int, count: int, units: int = 30):
    """Cases of this many units each. The tables go on from case to case."""
    choose = random.Random(seed)
    rig = Rig(CSRS, LOGGED)
    cases, code, pools = [], b"", b""
    spaces = [Space(n, n + 1) for n in range(SPACES)]
    entries = tables(choose)
    memory = {address: value.to_bytes(8, "little") for address, value in entries.items()}
    for _ in range(count):
        mode = choose.choice((M, S))
        writer = Writer(choose, mode, spaces, choose.choice(spaces), entries)
        csrs = {
            **ALLOW,
            "satp": writer.space.satp,
            "stvec": S_VECTORS,
            "mstatus": mode << 11 | choose.choice((0, SUM, SUM)) | choose.choice((0, MXR)),
            "mepc": CODE + len(code),
        }
        kinds = [writer.access] * 5 + [writer.edit] * 4 + [writer.switch] * 2
        kinds += [writer.reuse, writer.remap, writer.rights]
        if mode == S:
            kinds += [writer.recall, writer.call, writer.call]
        for _ in range(units):
            choose.choice(kinds)()
        x = {9: POOLS + len(pools) + 2048, 15: choose.getrandbits(64), 16: 0x9E37_79B9_7F4A_7C15}
        code += pack([*writer.words, *([ECALL] * TRAPS)])
        pools += struct.pack(f"<{len(writer.pool)}Q", *writer.pool)
        peeks = [s.leaf(p) for s in spaces for p in WINDOW] + [f + 8 for f in FRAMES]
        cases.append(Case(csrs, x, peeks=peeks, traps=TRAPS, note=f"mode {mode}"))
    others = [BIG[0] + at - RAM for at in FUNCTIONS]
    cases[0].pokes = [
        (at, int.from_bytes(text, "little")) for at, text in zip(others, functions(11), strict=True)
    ]
    assert CODE + len(code) <= TABLES, hex(len(code))
    assert POOLS + len(pools) <= POOLS_END, hex(len(pools))
    data = random.Random(seed).randbytes(0x1000 * len(FRAMES))
    memory |= {
        CODE: code,
        POOLS: pools,
        DATA: data,
        **dict(zip(FUNCTIONS, functions(1), strict=True)),
    }
    return rig, cases, memory


def comparable(case: Case, result):
    """A result without what QEMU does differently."""
    return paging_cases.comparable(case, result)
