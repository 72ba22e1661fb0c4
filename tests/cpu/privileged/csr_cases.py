"""Cases about CSRs: what a write leaves, and who may access what."""

from __future__ import annotations

import random

from tests.cpu.privileged.rig import CODE, LOGGED, S_VECTORS, VECTORS, Case, Rig
from tests.cpu.privileged.words import ECALL, csr_op, pack
from vtbook.cpu.csr import BY_NAME, TABLE

M, S, U = 3, 1, 0
A0, A1, A2, A3 = 10, 11, 12, 13
MTVEC = 0x305
#: Values differ for reasons that 3.1.10 and 2.1 allow: counters run, and the counters and events of
#: performance monitoring may be zero and read-only; what identifies a hart is its own.
COUNTING = {0xB00, 0xB02, 0xC00, 0xC01, 0xC02}
MONITORING = {
    *(n + k for n in range(3, 32) for k in (0xB00, 0xC00, 0x320)),
    0x320,  # mcountinhibit
}
IDENTITY = {0xF11, 0xF12, 0xF13, 0xF15, 0x301}
NUMBERS = [c.number for c in TABLE if c.number not in MONITORING]

CSRS = (
    "pmpcfg0 pmpcfg2 pmpaddr0 pmpaddr1 mideleg medeleg mie menvcfg stimecmp mip mcounteren "
    "scounteren senvcfg stvec sscratch sepc scause stval satp mscratch mcause mtval"
).split()
ALLOW = {"pmpaddr0": (1 << 54) - 1, "pmpcfg0": 0x1F, "stvec": S_VECTORS, "stimecmp": -1}


def values(choose: random.Random) -> int:
    """Numbers that tell masks apart."""
    kind = choose.randrange(6)
    if kind == 0:
        return choose.choice((0, -1))
    if kind == 1:
        return 1 << choose.randrange(64)
    if kind == 2:
        return ~(1 << choose.randrange(64))
    if kind == 3:
        return choose.getrandbits(12)
    return choose.getrandbits(64)


def legal(number: int, value: int) -> int:
    """Leave out what a case must not write, or what may come out in two ways.

    * A lock of the PMP lasts to the reset: other tests have it.
    * mstatus.MPP is WARL and 2 names no mode: this hart keeps the old one, QEMU 7.2 writes it.
    * UXL may not be writable (3.1.6.3): QEMU 7.2 writes even its reserved value 3. It also writes
      the fields of extensions that it was told not to have: VS, MPV and GVA.
    * QEMU has Sv57.
    * Vector modes 2 and 3 are reserved: this hart clears the bit, QEMU ignores the write (3.1.7).
    * PMP entries that are writable and not readable are reserved (3.7.1).
    """
    if 0x3A0 <= number < 0x3B0:
        for n in range(8):
            if value >> (8 * n) & 3 == 2:
                value |= 1 << (8 * n)
        return value & 0x7F7F_7F7F_7F7F_7F7F
    if number in (0x300, 0x100):
        if value >> 11 & 3 == 2:
            value ^= 1 << 11
        return value & ~(0xFF << 32 | 3 << 9) | 0xA << 32
    if number in (0x105, 0x305):
        return value & ~2
    if number == 0x180 and value >> 60 & 15 == 10:
        return value ^ 8 << 60
    return value


def csr_values(seed: int, count: int):
    """A CSR gets a value, then another by any of the six instructions, and is read back."""
    choose = random.Random(seed)
    rig = Rig(CSRS, (*LOGGED, "mscratch", "mcounteren", "scounteren", "menvcfg", "senvcfg"))
    cases, code = [], b""
    for n in range(count):
        number = NUMBERS[n % len(NUMBERS)]
        mode = choose.choice((M, M, S, U))
        operation = choose.choice((1, 2, 3, 5, 6, 7))
        first, second = (legal(number, values(choose)) for _ in range(2))
        if 0x3A0 <= number < 0x3B0 or number in (0x300, 0x100, 0x180):
            operation = 1
        if number >> 10 == 3:
            second |= 1  # QEMU 7.2 does not see csrrs of a register that is 0 as a write (6.1)
        source = A0 if operation < 4 else second & 31
        words = [
            csr_op(number, 1, 0, A1),
            csr_op(number, operation, A2, source),
            csr_op(number, 2, A3, 0),
            csr_op(MTVEC, 1, 0, 14) if number == MTVEC else 0x13,
            *(5 * [ECALL]),
        ]
        csrs = {
            **ALLOW,
            "mepc": CODE + len(code),
            "mstatus": mode << 11 | choose.getrandbits(32) & 0x0072_6000,
            "mideleg": choose.getrandbits(12) & 0x222,
            "mcounteren": choose.getrandbits(3),
            "scounteren": choose.getrandbits(3),
            "menvcfg": choose.getrandbits(1) << 63,
            "mip": choose.choice((0, choose.getrandbits(12) & 0x222)),
        }
        note = f"CSR {number:#x} mode {mode} operation {operation} {first:#x} {second:#x}"
        x = {A0: second, A1: first, 14: VECTORS}
        cases.append(Case(csrs, x, traps=4 if mode != M else 2, note=note))
        code += pack(words)
    return rig, cases, {CODE: code}


def csr_access(seed: int, count: int):
    """Any number, from any mode, read or written."""
    choose = random.Random(seed)
    rig = Rig(CSRS)
    cases, code = [], b""
    for _ in range(count):
        number = choose.choice(NUMBERS)
        mode = choose.choice((M, S, S, U))
        words = [csr_op(number, choose.choice((2, 2, 1, 3)), 0, choose.choice((0, 0, A0)))]
        csrs = {
            **ALLOW,
            "mepc": CODE + len(code),
            "mstatus": mode << 11 | choose.getrandbits(32) & 0x0070_6000,
            "mcounteren": choose.getrandbits(3),
            "scounteren": choose.getrandbits(3),
            "menvcfg": choose.getrandbits(1) << 63,
        }
        if number == MTVEC or 0x3A0 <= number < 0x3C0:
            words[0] = csr_op(number, 2, 0, 0)
        cases.append(Case(csrs, {A0: 1}, note=f"CSR {number:#x} mode {mode} {words[0]:#x}"))
        code += pack([*words, ECALL])
    return rig, cases, {CODE: code}


EXCEPTIONS, INTERRUPTS, COUNTERS = 0xB3FF, 0xAAA, 7
#: Bits to compare. QEMU 7.2 lets the causes of the H extension be delegated without having it, has
#: counters and cache blocks that this hart has not, does not clear bit 0 of sepc (12.1.7), and
#: keeps bits of the PMP that are 0 (3.7.1).
BITS = {
    "medeleg": EXCEPTIONS,
    "mideleg": INTERRUPTS,
    "mip": INTERRUPTS,
    "mie": INTERRUPTS,
    "sip": INTERRUPTS,
    "sie": INTERRUPTS,
    "sepc": ~1,
    "mepc": ~1,
    "mcounteren": COUNTERS,
    "scounteren": COUNTERS,
    "menvcfg": 1 << 63 | 1,
    "senvcfg": 1,
    "pmpcfg0": 0x9F9F_9F9F_9F9F_9F9F,
    "pmpcfg2": 0x9F9F_9F9F_9F9F_9F9F,
} | {f"pmpaddr{n}": (1 << 54) - 1 for n in range(16)}
READ_BITS = {BY_NAME[name].number: bits for name, bits in BITS.items()}


def without_table_access_fault(trap):
    """QEMU 7.2 has a page fault where a page table is not in memory; 12.3.2, step 2 has an access
    fault."""
    for name in ("mcause", "scause"):
        trap[name] = {1: 12, 5: 13, 7: 15}.get(trap[name], trap[name])
    return trap


def comparable(case: Case, result):
    """A result without what the specification leaves open."""
    number = int(case.note.split()[1], 16) if case.note.startswith("CSR") else 0
    for trap in result.traps:
        for name in BITS.keys() & trap.keys():
            trap[name] &= BITS[name]
        if trap["mstatus"] >> 11 & 3 != M:
            trap["mstatus"] &= ~(1 << 17)  # QEMU 7.2 keeps MPRV over mret to U or S (3.1.6.3)
        if number in (0x14D, 0x30A):
            trap["mip"] &= ~0x20  # QEMU 7.2 writes STIP when it looks at stimecmp, with STCE or not
        if number == 0x180:
            trap = without_table_access_fault(trap)
        for n in ("x12", "x13"):
            trap[n] &= READ_BITS.get(number, -1)
            if number in COUNTING | IDENTITY:
                trap[n] = 0
    return result
