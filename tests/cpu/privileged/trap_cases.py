"""Cases about traps: runs of privileged instructions in M, S and U, and interrupts.

A case goes forward only: ``mret`` and ``sret`` go to the instruction behind them.
"""

from __future__ import annotations

import random

from tests.cpu.privileged.csr_cases import legal, values
from tests.cpu.privileged.paging_cases import GIGA, MEDELEG, ROOT, ROOT48, comparable, tables
from tests.cpu.privileged.rig import (
    CLINT,
    CODE,
    DATA,
    LOGGED,
    S_VECTORS,
    TABLES,
    VECTORS,
    Case,
    Rig,
)
from tests.cpu.privileged.words import EBREAK, ECALL, MRET, SRET, WFI, csr_op, pack, word
from vtbook.cpu.csr import BY_NAME

__all__ = ["comparable", "interrupts", "sequences", "timers"]

M, S, U = 3, 1, 0
CSRS = (
    "pmpcfg0 pmpaddr0 mideleg medeleg mie menvcfg stimecmp mip mcounteren scounteren senvcfg stvec "
    "sscratch sepc scause stval mscratch mcause mtval satp"
).split()
MORE = (*LOGGED, "mcounteren", "scounteren", "sscratch")
ALLOW = {"pmpaddr0": (1 << 54) - 1, "pmpcfg0": 0x1F}
STATUS = 0x0070_61A2  # bits of mstatus that a case begins with, besides MPP; not MIE
STCE = 1 << 63
MTIMECMP = CLINT + 0x4000
SATPS = (0, 8 << 60 | ROOT >> 12, 9 << 60 | ROOT48 >> 12)
TOUCHED = (
    "mstatus mstatus sstatus sstatus mie sie mip sip mideleg medeleg stvec mtvec sscratch mscratch "
    "satp mcounteren scounteren senvcfg mcause time cycle instret fcsr frm fflags mhartid"
).split()
FLOATING = ("fcsr", "frm", "fflags")
SAFE = {
    "mtvec": (VECTORS, VECTORS | 1),
    "stvec": (S_VECTORS, S_VECTORS | 1),
    "satp": SATPS,
}
KEPT = {
    "medeleg": MEDELEG,
    "mideleg": 0x222,
    "mcounteren": 7,
    "scounteren": 7,
    "senvcfg": 1,
} | dict.fromkeys(("mip", "sip", "mie", "sie"), 0xAAA)
ADDRESSES = {4: DATA + 0xFFD, 5: 0x1234_5000, 6: GIGA + DATA + 8, 9: DATA + 0x18}
ILLEGAL = (0, 0xFFFF_FFFF, 0x1020_0173, 0x3020_1073)  # and two with a bit too much


def value_for(choose: random.Random, name: str, operation: int) -> int:
    """A value that leaves the case under control."""
    if name in SAFE:
        return choose.choice(SAFE[name])
    value = legal(BY_NAME[name].number, values(choose))
    if name in KEPT:
        return choose.getrandbits(16) & KEPT[name]
    if name in FLOATING:
        return value | 1  # QEMU 7.2 does not see csrrs and csrrc of 0 as a write
    if name == "mstatus" and operation != 1:
        value &= (1 << 32) - 1 & ~(1 << 11) | choose.choice((0, 3)) << 11
        return value & ~(1 << 12) | (value >> 11 & 1) << 12
    if name == "sstatus" and operation != 1:
        return value & (1 << 32) - 1
    return value


def status(choose: random.Random, mode: int) -> int:
    return choose.getrandbits(32) & STATUS | mode << 11


def unit(choose: random.Random, x: dict[int, int]) -> list[int]:
    """A few words that belong together."""
    kind = choose.randrange(16)
    if kind < 7:
        name = choose.choice(TOUCHED)
        operation = 1 if name in SAFE else choose.choice((1, 2, 2, 3))
        source = choose.randrange(16, 24)
        if source in x:
            source = choose.choice((0, 31)) if operation == 1 and name not in SAFE else 0
            operation = 2 if source == 0 else operation
        if name in ("time", "cycle", "instret"):
            return [csr_op(BY_NAME[name].number, 2, 0, 0)]
        if source == 31 or name == "mhartid":
            source, operation = 0, 2
        if source:
            x[source] = value_for(choose, name, operation)
        if name in FLOATING:  # what they hold is left from the case before
            return [csr_op(BY_NAME[name].number, operation, 0, source)]
        return [csr_op(BY_NAME[name].number, operation, choose.randrange(12, 16), source)]
    if kind < 9:
        register, name = (0x341, MRET) if choose.random() < 0.5 else (0x141, SRET)
        forward = [word("auipc", rd=8, imm=0), word("addi", rd=8, rs1=8, imm=20)]
        return [*forward, word("add", rd=8, rs1=8, rs2=7), csr_op(register, 1, 0, 8), name]
    if kind == 9:
        return [ECALL]
    if kind == 10:
        return [EBREAK]
    if kind == 11:
        rs1, rs2 = (choose.choice((0, choose.randrange(1, 29))) for _ in range(2))
        return [word("sfence.vma", rs1=rs1, rs2=rs2)]
    if kind == 12:
        return [choose.choice(ILLEGAL)]
    address = choose.choice(list(ADDRESSES))
    if kind == 13:
        return [word(choose.choice(("lb", "lhu", "lw", "ld")), rd=13, rs1=address, imm=0)]
    if kind == 14:
        return [word(choose.choice(("sb", "sh", "sw", "sd")), rs2=12, rs1=address, imm=0)]
    address = choose.choice((4, 9))  # QEMU 7.2 has another cause where no memory is
    return [word("amoadd.d", rd=14, rs1=address, rs2=12), word("fence.i")]


def sequences(seed: int, count: int):
    """Runs of ten units, from any mode, with random delegation, vectors and translation."""
    choose = random.Random(seed)
    rig = Rig(CSRS, MORE)
    cases, code = [], b""
    for _ in range(count):
        mode = choose.choice((M, M, S, S, U))
        satp = choose.choice(SATPS)
        alias = GIGA if satp else 0
        x = {**ADDRESSES, 7: choose.choice((0, 0, alias)), 12: choose.getrandbits(64)}
        words = [w for _ in range(10) for w in unit(choose, x)]
        csrs = {
            **ALLOW,
            "mepc": CODE + len(code) + (alias if mode == U else 0),
            "mstatus": status(choose, mode),
            "satp": satp,
            "stvec": S_VECTORS | choose.getrandbits(1),
            "mideleg": choose.getrandbits(12) & 0x222,
            "medeleg": choose.getrandbits(16) & MEDELEG,
            "mie": choose.choice((0, choose.getrandbits(12) & 0xAAA)),
            "mip": choose.choice((0, 0, choose.getrandbits(12) & 0x222)),
            "menvcfg": choose.choice((0, STCE)),
            "stimecmp": -1,
            "mcounteren": choose.getrandbits(3),
            "scounteren": choose.getrandbits(3),
        }
        msip = int(choose.random() < 0.1)
        peeks = [DATA + 8 * n for n in range(4)] + [DATA + 0xFF8, DATA + 0x1000]
        note = " ".join(f"{w:08x}" for w in words)
        cases.append(Case(csrs, x, (), peeks, 8, msip, note=note))
        code += pack([*words, *(8 * [ECALL])])
    return rig, cases, {CODE: code, TABLES: tables()}


def interrupts(seed: int, count: int):
    """What is pending and enabled at an ``mret``: which interrupt is taken, where and by whom."""
    choose = random.Random(seed)
    rig = Rig(CSRS, MORE)
    cases = []
    code = pack([word("addi", rd=10, rs1=10, imm=1)] * 2 + [ECALL] * 4)
    waiting = CODE + len(code)
    code += pack([WFI, *([ECALL] * 4)])
    for _ in range(count):
        mode = choose.choice((M, S, U))
        msip, timer = choose.getrandbits(1), choose.getrandbits(1)
        timer_of_s = choose.choice((0, -1))
        csrs = {
            **ALLOW,
            "mstatus": status(choose, mode),
            "mie": choose.getrandbits(12) & 0xAAA,
            "mideleg": choose.getrandbits(12) & 0x222,
            "medeleg": choose.getrandbits(16) & MEDELEG,
            "menvcfg": choose.choice((0, STCE)),
            "stimecmp": timer_of_s,
            "mip": choose.getrandbits(12) & 0x222,
            "stvec": S_VECTORS | choose.getrandbits(1),
            "mepc": CODE,
        }
        if choose.random() < 0.2:
            _wait(csrs, mode, choose)
            msip = msip or mode != U
            csrs["mepc"] = waiting
        elif mode == S and choose.random() < 0.3:
            csrs["mepc"] = S_VECTORS  # at the first instruction of the handler itself
        note = f"mode {mode} msip {msip} timer {timer} {timer_of_s}"
        cases.append(Case(csrs, {}, traps=3, msip=msip, mtimecmp=0 if timer else -1, note=note))
    return rig, cases, {CODE: code}


def _wait(csrs: dict[str, int], mode: int, choose: random.Random) -> None:
    """Make sure that ``wfi`` traps, or that an interrupt is pending and enabled, but not taken."""
    if mode == M:
        csrs["mie"] |= 8  # msip
        csrs["mstatus"] &= ~0x80
    else:
        csrs["mie"] = 0
        if mode == S:
            csrs["mstatus"] |= 1 << 21  # TW


def timers(seed: int, count: int):
    """Interrupts that come during a loop: a register counts how far it came.

    The tick of the clock is a number of instructions, so this is for engines only.
    """
    choose = random.Random(seed)
    rig = Rig(CSRS, MORE)
    cases, code = [], b""
    rounds = [word("addi", rd=20, rs1=20, imm=1), word("mul", rd=21, rs1=21, rs2=20)]
    hurry = [word("add", rd=22, rs1=22, rs2=21), word("xor", rd=23, rs1=23, rs2=22)]
    sources = {
        "mtimecmp": [word("sd", rs1=11, rs2=10)],
        "stimecmp": [csr_op(BY_NAME["stimecmp"].number, 1, 0, 10)],
        "msip": [word("sw", rs1=12, rs2=24), word("fence.i")],
        "STCE": [csr_op(BY_NAME["menvcfg"].number, 1, 0, 13)],
    }
    for _ in range(count):
        source = choose.choice(list(sources))
        mode = S if source == "stimecmp" and choose.random() < 0.5 else M
        loop = rounds + hurry * choose.randrange(4)
        status, enable = ("sstatus", 2) if mode == S else ("mstatus", 8)
        ask = [csr_op(BY_NAME[status].number, 6, 0, enable), *sources[source]]
        words = [
            csr_op(BY_NAME["time"].number, 2, 10, 0),
            word("addi", rd=10, rs1=10, imm=choose.randrange(-2, 9)),
            *choose.choice((ask, ask[1:] + ask[:1])),
            *loop,
            word("bltu", rs1=20, rs2=24, imm=-4 * len(loop)),
            *(4 * [ECALL]),
        ]
        csrs = {
            **ALLOW,
            "mepc": CODE + len(code),
            "mstatus": mode << 11,
            "mideleg": choose.choice((0, 0x20)) if mode == S else 0,
            "mie": choose.choice((0xA8, 0xA8, 0)),
            "menvcfg": 0 if source == "STCE" else STCE,
            "stimecmp": 0 if source == "STCE" else -1,
            "mcounteren": 7,
            "stvec": S_VECTORS | choose.getrandbits(1),
        }
        x = {11: MTIMECMP, 12: CLINT, 13: STCE, 21: 1, 24: choose.choice((3, 41))}
        cases.append(Case(csrs, x, traps=3, note=f"mode {mode}, {source}"))
        code += pack(words)
    return rig, cases, {CODE: code}
