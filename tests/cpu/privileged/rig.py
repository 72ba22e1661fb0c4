"""Runs many small cases of privileged code on any machine, and reads what each of them did.

An image holds a driver in M mode, a table of cases, and what they share. For each case the driver
stores to memory, writes CSRs and registers, and goes to the case by ``mret``. Each trap that comes
to M mode is logged, with CSRs and registers, and the case goes on behind the instruction; after a
fixed number of traps it is over. A trap that is delegated comes to S mode's vectors, where each
place has an ``ecall``: its log shows S mode's CSRs as the trap left them, and then the case goes on
where the trap was. So the same bytes run on QEMU and on each engine, and the logs must be equal.

Registers x29 to x31 belong to the driver.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from vtbook.isa.assembler import assemble

RAM = 0x8000_0000
VECTORS = RAM + 0x1000  # of M mode
S_VECTORS = RAM + 0x2000  # a page of ecalls
CONTROL = RAM + 0x3000
TABLES = RAM + 0x4000  # up to 16 page tables
CODE = RAM + 0x1_4000  # of the cases
DATA = RAM + 0x6_0000
FAR = (RAM + 0x16_0000, RAM + 0x46_0000, RAM + 0x56_0000)  # superpages show these places
FAR_SIZE = 0x7000  # of each; cleared before a run
CASES = RAM + 0x8_0000
LOG = RAM + 0x20_0000
LOG_END = RAM + 0x40_0000
SIZE = 0x80_0000
CLINT = 0x0200_0000
MASK64 = (1 << 64) - 1
REGISTERS = range(1, 29)
ECALL = 0x73

LOGGED = (
    "mstatus mcause mepc mtval mip mie medeleg mideleg mtvec stvec satp scause sepc stval".split()
)
"""CSRs in the log of a trap. The first stands there as it was before the driver changed MPRV."""

CLEARED = (
    "mie mip mideleg medeleg mcounteren scounteren menvcfg senvcfg satp stvec sscratch sepc scause "
    "stval mscratch mcause mtval"
).split()
"""CSRs that are 0 at the first case, whatever the machine did before."""

DRIVER = """
.option norvc
start:
        csrr    t6, mhartid
        beqz    t6, alone
park:
        wfi
        j       park
alone:
        li      t5, -1
        csrw    stimecmp, t5
{clear}
next:
        li      t6, {vectors:#x}
        csrw    mtvec, t6
        li      t6, {control:#x}
        ld      t0, 0(t6)
        ld      t1, 0(t0)
        beqz    t1, done
        sd      t1, 16(t6)
        li      t2, {msip:#x}
        lw      t1, 8(t0)
        sw      t1, 0(t2)
        li      t2, {mtimecmp:#x}
        ld      t1, 16(t0)
        sd      t1, 0(t2)
        ld      t1, 24(t0)
        addi    t0, t0, 32
        beqz    t1, csrs
poke:
        ld      t2, 0(t0)
        ld      t3, 8(t0)
        sd      t3, 0(t2)
        addi    t0, t0, 16
        addi    t1, t1, -1
        bnez    t1, poke
csrs:
        sfence.vma
        mv      t6, t0
{csrs}
{registers}
        addi    t5, t6, {after}
        li      t4, {control:#x}
        sd      t5, 0(t4)
        ld      t5, {status}(t6)
        csrw    mstatus, t5
        li      t4, 0
        li      t5, 0
        li      t6, 0
        mret
common:
        csrr    t4, mstatus
        lui     t6, 0x20
        csrc    mstatus, t6
        li      t6, {control:#x}
        ld      t6, 8(t6)
        sd      t5, 0(t6)
{log}
        addi    t5, t6, {record}
        li      t6, {control:#x}
        sd      t5, 8(t6)
        sd      t4, 24(t6)
        ld      t5, 16(t6)
        addi    t5, t5, -1
        sd      t5, 16(t6)
        beqz    t5, over
        csrr    t4, mcause
        bltz    t4, interrupted
        csrr    t4, mepc
        srli    t5, t4, 12
        li      t6, {s_vectors:#x}
        srli    t6, t6, 12
        beq     t5, t6, delegated
        addi    t4, t4, 4
        csrw    mepc, t4
        j       back
interrupted:
        csrw    mie, zero
back:
        li      t6, {control:#x}
        ld      t4, 24(t6)
        lui     t6, 0x20
        and     t4, t4, t6
        csrs    mstatus, t4
        li      t4, 0
        li      t5, 0
        li      t6, 0
        mret
delegated:
        li      t4, 0x1800
        csrc    mstatus, t4
        csrr    t4, sstatus
        andi    t4, t4, 0x100
        slli    t4, t4, 3
        csrs    mstatus, t4
        csrr    t4, sepc
        csrr    t5, scause
        bltz    t5, by_interrupt
        addi    t4, t4, 4
        csrw    mepc, t4
        j       back
by_interrupt:
        csrw    mepc, t4
        j       interrupted
over:
{open}
        li      t6, {control:#x}
        ld      t0, 0(t6)
        ld      t2, 8(t6)
        ld      t1, 0(t0)
        addi    t0, t0, 8
        beqz    t1, peeked
peek:
        ld      t3, 0(t0)
        ld      t3, 0(t3)
        sd      t3, 0(t2)
        addi    t0, t0, 8
        addi    t2, t2, 8
        addi    t1, t1, -1
        bnez    t1, peek
peeked:
        sd      t0, 0(t6)
        sd      t2, 8(t6)
        j       next
done:
        j       done
"""


@dataclass
class Case:
    """One case: what the driver sets up, and what is read afterwards.

    ``pokes`` are (address, value) of eight bytes each, ``peeks`` addresses.
    """

    csrs: dict[str, int] = field(default_factory=dict)
    x: dict[int, int] = field(default_factory=dict)
    pokes: Sequence[tuple[int, int]] = ()
    peeks: Sequence[int] = ()
    traps: int = 1
    msip: int = 0
    mtimecmp: int = -1
    note: str = ""


@dataclass
class Result:
    """What a case did: its traps, as a dictionary each, and the words peeked at."""

    traps: list[dict[str, int]]
    peeked: list[int]


class Rig:
    """The driver for cases that set these CSRs (in this order, mstatus and mepc apart)."""

    def __init__(self, csrs: Iterable[str] = (), logged: Iterable[str] = LOGGED):
        self.csrs = (*csrs, "mepc")
        self.logged = tuple(logged)
        self.record = 8 * (1 + len(self.logged) + len(REGISTERS))

    @cached_property
    def code(self) -> tuple[bytes, int]:
        """The driver's bytes, and the address of its end."""
        count = len(self.csrs)
        sets = [f"ld t5, {8 * n}(t6)\ncsrw {name}, t5" for n, name in enumerate(self.csrs)]
        loads = [f"ld x{n}, {8 * (count + n)}(t6)" for n in REGISTERS]
        log = ["sd t4, 8(t6)"]
        log += [f"csrr t4, {n}\nsd t4, {16 + 8 * i}(t6)" for i, n in enumerate(self.logged[1:])]
        first = 8 + 8 * len(self.logged)
        log += [f"sd x{n}, {first + 8 * i}(t6)" for i, n in enumerate(REGISTERS)]
        log += ["ld t4, 8(t6)"]
        opened = [f"csrw {name}, zero" for name in self.csrs if name.startswith("pmpcfg")]
        text = DRIVER.format(
            clear="\n".join(f"csrw {name}, zero" for name in CLEARED),
            open="\n".join(opened),
            csrs="\n".join(sets),
            registers="\n".join(loads),
            status=8 * count,
            after=8 * (count + 1 + len(REGISTERS)),
            log="\n".join(log),
            record=self.record,
            vectors=VECTORS,
            s_vectors=S_VECTORS,
            control=CONTROL,
            msip=CLINT,
            mtimecmp=CLINT + 0x4000,
        )
        program = assemble(text, origin=RAM)
        code = bytes(program)
        assert len(code) < 0x1000, hex(len(code))
        return code, program.symbols

    def image(self, cases: Sequence[Case], memory: dict[int, bytes] | None = None) -> bytes:
        """Memory from RAM on."""
        image = bytearray(LOG - RAM)

        def put(address: int, data: bytes) -> None:
            assert address - RAM + len(data) <= len(image)
            image[address - RAM : address - RAM + len(data)] = data

        code, symbols = self.code
        put(RAM, code)
        for n in range(64):
            at = VECTORS + 4 * n
            put(at, struct.pack("<I", jal(30, symbols["common"] - at)))
        put(S_VECTORS, struct.pack("<I", ECALL) * 1024)
        put(CONTROL, struct.pack("<4Q", CASES, LOG, 0, 0))
        for address, data in (memory or {}).items():
            put(address, data)
        table = b"".join(map(self._case, cases)) + bytes(8)
        put(CASES, table)
        assert LOG + sum(self._logged(case) for case in cases) <= LOG_END
        return bytes(image[: CASES - RAM + len(table)])

    def _case(self, case: Case) -> bytes:
        unknown = set(case.csrs) - {*self.csrs, "mstatus"}
        assert not unknown, unknown
        words = [case.traps, case.msip, case.mtimecmp, len(case.pokes)]
        words += [word for pair in case.pokes for word in pair]
        words += [case.csrs.get(name, 0) for name in self.csrs]
        words += [case.csrs.get("mstatus", 0)]
        words += [case.x.get(n, 0) for n in REGISTERS]
        words += [len(case.peeks), *case.peeks]
        return struct.pack(f"<{len(words)}Q", *(word & MASK64 for word in words))

    def _logged(self, case: Case) -> int:
        return case.traps * self.record + 8 * len(case.peeks)

    def log_size(self, cases: Sequence[Case]) -> int:
        """Bytes of the log."""
        return sum(map(self._logged, cases))

    def results(self, cases: Sequence[Case], log: bytes) -> list[Result]:
        """The log taken apart."""
        words = iter(np.frombuffer(log, "<u8").tolist())
        names = ("slot", *self.logged, *(f"x{n}" for n in REGISTERS))
        found = []
        for case in cases:
            traps = [{name: next(words) for name in names} for _ in range(case.traps)]
            found.append(Result(traps, [next(words) for _ in case.peeks]))
        return found

    @property
    def end(self) -> int:
        """Address at which a run is over."""
        return self.code[1]["done"]


def jal(rd: int, offset: int) -> int:
    """The word of ``jal``."""
    bits = (offset >> 20 & 1) << 31 | (offset >> 1 & 0x3FF) << 21
    return bits | (offset >> 11 & 1) << 20 | (offset >> 12 & 0xFF) << 12 | rd << 7 | 0x6F
