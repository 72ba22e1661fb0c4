"""Control and status registers, declared in a table (privileged specification, chapter 2).

Code, documentation and widgets are made from ``TABLE``. ``read_csr`` and ``write_csr`` are written
so that the same functions run in plain Python, under numba and traced.
"""

from dataclasses import dataclass

import numpy as np

from vtbook.cpu.interrupts import pending, time_now
from vtbook.cpu.layout import HART, offset
from vtbook.isa.floating import FS
from vtbook.isa.operations import flush_translations, illegal, resync, select, set_word, word

# Kinds: what a read or a write does besides taking bits from the hart's record.
(
    ABSENT,
    FIELD,
    CONSTANT,
    STATUS,  # mstatus: MPP holds only modes that exist
    SUPERVISOR_STATUS,  # sstatus: a part of mstatus
    FLOAT,
    FCSR,
    CYCLE,
    TIME,
    INSTRET,
    PENDING,  # mip: what software wrote, and the lines and timers
    SUPERVISOR_PENDING,  # sip and sie: the delegated part of mip and mie
    SUPERVISOR_ENABLE,
    TIMER,  # stimecmp
    TRANSLATION,  # satp: a mode that does not exist leaves it as it was
    PROTECTION,  # pmpcfg0, pmpcfg2: eight entries
    PROTECTED,  # pmpaddr
) = range(17)


@dataclass(frozen=True)
class Csr:
    """One control and status register.

    ``writable`` is the mask of bits that a write changes (the legal values, WARL);
    ``constant`` are bits that always read as one; ``index`` counts in a field that is an array.
    """

    number: int
    name: str
    kind: int
    field: str = ""
    writable: int = 0
    constant: int = 0
    doc: str = ""
    index: int = 0


ALL = (1 << 64) - 1
# mstatus: SIE 1, MIE 3, SPIE 5, MPIE 7, SPP 8, MPP 12:11, FS 14:13, MPRV 17, SUM 18, MXR 19,
# TVM 20, TW 21, TSR 22
SIE, MIE, SPIE, MPIE, SPP, MPP = 1 << 1, 1 << 3, 1 << 5, 1 << 7, 1 << 8, 3 << 11
MPRV, SUM, MXR, TVM, TW, TSR = (1 << n for n in range(17, 23))
STATUS_BITS = MIE | MPIE | MPP | FS | MPRV | TW
SUPERVISOR_BITS = SIE | SPIE | SPP | FS | SUM | MXR
STATUS_OF_S = SIE | SPIE | SPP | SUM | MXR | TVM | TSR
"""Bits of mstatus that exist where there is an S mode."""
STATUS_UXL = 2 << 32  # U mode is 64 bits wide
STATUS_SXL = 2 << 34  # and so is S mode
SD = -(1 << 63)
DELEGABLE = 0xB3FF  # every exception but the call from M mode, and what no hart has
STCE = -(1 << 63)  # menvcfg: S mode has stimecmp

TABLE: list[Csr] = [
    Csr(0x001, "fflags", FLOAT, "fflags", 0x1F, doc="Floating-point exceptions, accrued"),
    Csr(0x002, "frm", FLOAT, "frm", 0x7, doc="Rounding mode"),
    Csr(0x003, "fcsr", FCSR, doc="frm and fflags together"),
    Csr(0xC00, "cycle", CYCLE, "mcycle_offset", doc="Cycles; one for each instruction"),
    Csr(0xC01, "time", TIME, "time_offset", doc="Ticks of the platform's clock"),
    Csr(0xC02, "instret", INSTRET, "minstret_offset", doc="Instructions retired"),
    *(Csr(0xC00 + n, f"hpmcounter{n}", CONSTANT, doc="Not implemented") for n in range(3, 32)),
    # --- S mode ---
    Csr(0x100, "sstatus", SUPERVISOR_STATUS, "mstatus", SUPERVISOR_BITS, doc="Status, for S mode"),
    Csr(0x104, "sie", SUPERVISOR_ENABLE, "mie", doc="Interrupts enabled, those of S mode"),
    Csr(0x105, "stvec", FIELD, "stvec", ALL & ~2, doc="Trap vector: base, and mode in bit 0"),
    Csr(0x106, "scounteren", FIELD, "scounteren", 0x7, doc="Counters that U mode may read"),
    Csr(0x10A, "senvcfg", FIELD, "senvcfg", 0x1, doc="Environment of U mode: FIOM"),
    Csr(0x140, "sscratch", FIELD, "sscratch", ALL, doc="Scratch for the trap handler"),
    Csr(0x141, "sepc", FIELD, "sepc", ALL & ~1, doc="pc of the trapped instruction"),
    Csr(0x142, "scause", FIELD, "scause", ALL, doc="Cause of the last trap"),
    Csr(0x143, "stval", FIELD, "stval", ALL, doc="Address or instruction of the last trap"),
    Csr(0x144, "sip", SUPERVISOR_PENDING, "mip", 0x2, doc="Interrupts pending, those of S mode"),
    Csr(0x14D, "stimecmp", TIMER, "stimecmp", ALL, doc="Time of the next timer interrupt (Sstc)"),
    Csr(0x180, "satp", TRANSLATION, "satp", ALL, doc="Address translation: mode, ASID, root"),
    # --- M mode ---
    Csr(0xF11, "mvendorid", CONSTANT, doc="Vendor; 0, none"),
    Csr(0xF12, "marchid", CONSTANT, doc="Architecture; 0, none"),
    Csr(0xF13, "mimpid", CONSTANT, doc="Implementation; 0, none"),
    Csr(0xF14, "mhartid", FIELD, "mhartid", doc="Number of this hart"),
    Csr(0xF15, "mconfigptr", CONSTANT, doc="Configuration structure; none"),
    Csr(0x300, "mstatus", STATUS, "mstatus", STATUS_BITS, STATUS_UXL, doc="Status"),
    Csr(0x301, "misa", FIELD, "misa", doc="Extensions"),
    Csr(0x302, "medeleg", FIELD, "medeleg", DELEGABLE, doc="Exceptions that S mode takes"),
    Csr(0x303, "mideleg", FIELD, "mideleg", 0x222, doc="Interrupts that S mode takes"),
    Csr(0x304, "mie", FIELD, "mie", 0xAAA, doc="Interrupts enabled, a bit a cause"),
    Csr(0x305, "mtvec", FIELD, "mtvec", ALL & ~2, doc="Trap vector: base, and mode in bit 0"),
    Csr(0x306, "mcounteren", FIELD, "mcounteren", 0x7, doc="Counters that lower modes may read"),
    Csr(0x30A, "menvcfg", FIELD, "menvcfg", 1 << 63 | 1, doc="Lower modes: FIOM, STCE"),
    Csr(0x320, "mcountinhibit", CONSTANT, doc="Counters never stop"),
    *(Csr(0x320 + n, f"mhpmevent{n}", CONSTANT, doc="Not implemented") for n in range(3, 32)),
    Csr(0x340, "mscratch", FIELD, "mscratch", ALL, doc="Scratch for the trap handler"),
    Csr(0x341, "mepc", FIELD, "mepc", ALL & ~1, doc="pc of the trapped instruction"),
    Csr(0x342, "mcause", FIELD, "mcause", ALL, doc="Cause of the last trap"),
    Csr(0x343, "mtval", FIELD, "mtval", ALL, doc="Address or instruction of the last trap"),
    Csr(0x344, "mip", PENDING, "mip", 0x222, doc="Interrupts pending, a bit a cause"),
    *(
        Csr(0x3A0 + n, f"pmpcfg{n}", PROTECTION, "pmpcfg", ALL, 0, "Protection of regions", n // 2)
        for n in (0, 2)
    ),
    *(
        Csr(0x3B0 + n, f"pmpaddr{n}", PROTECTED, "pmpaddr", (1 << 54) - 1, 0, "Their addresses", n)
        for n in range(16)
    ),
    Csr(0xB00, "mcycle", CYCLE, "mcycle_offset", ALL, doc="Cycles; one for each instruction"),
    Csr(0xB02, "minstret", INSTRET, "minstret_offset", ALL, doc="Instructions retired"),
    *(Csr(0xB00 + n, f"mhpmcounter{n}", CONSTANT, doc="Not implemented") for n in range(3, 32)),
]

BY_NAME = {csr.name: csr for csr in TABLE}
BY_NUMBER = {csr.number: csr for csr in TABLE}


def _signed(bits: int) -> int:
    return bits - (1 << 64) if bits >> 63 else bits


# The table in the form that compiled code reads: one row a CSR, and the row of each number.
ROW = np.zeros(4096, np.int16)
KIND = np.zeros(len(TABLE) + 1, np.int64)
WHERE = np.zeros(len(TABLE) + 1, np.int64)
MASK = np.zeros(len(TABLE) + 1, np.int64)
ONES = np.zeros(len(TABLE) + 1, np.int64)
for _row, _csr in enumerate(TABLE, 1):
    ROW[_csr.number] = _row
    KIND[_row] = _csr.kind
    WHERE[_row] = offset(_csr.field or "zero") + 8 * _csr.index
    MASK[_row] = _signed(_csr.writable)
    ONES[_row] = _signed(_csr.constant)
KIND[0] = ABSENT
SATP, STIMECMP, MIE_CSR = (BY_NAME[name].number for name in ("satp", "stimecmp", "mie"))
MENVCFG = BY_NAME["menvcfg"].number
MEPC, SEPC = BY_NAME["mepc"].number, BY_NAME["sepc"].number
MEDELEG, MIDELEG = BY_NAME["medeleg"].number, BY_NAME["mideleg"].number
PMPCFG = offset("pmpcfg")
assert all(c.field in (HART.names or ()) for c in TABLE if c.field)


def has_supervisor(h):
    """True if the hart has an S mode: misa says so."""
    return (h.misa >> 18) & 1 == 1


def check_access(h, number):
    """Trap as illegal if the CSR is absent, or not for this mode (privileged spec 2.1, 3.1.11)."""
    if KIND[ROW[number]] == ABSENT or h.mode < ((number >> 8) & 3):
        illegal(h)
    if number >> 8 & 3 == 1 or number in (MEDELEG, MIDELEG):
        if not has_supervisor(h):
            illegal(h)
        if number == SATP and (h.mode == 1) & (h.mstatus & TVM != 0):
            illegal(h)
        if number == STIMECMP and (h.mode == 1) & (
            (h.menvcfg & STCE == 0) | (h.mcounteren & 2 == 0)
        ):
            illegal(h)
    if 0xC00 <= number < 0xC20:
        counter = 1 << (number & 31)
        if (h.mode < 3) & (h.mcounteren & counter == 0):
            illegal(h)
        if (h.mode == 0) & has_supervisor(h) & (h.scounteren & counter == 0):
            illegal(h)
    if number <= 3 and h.mstatus & FS == 0:
        illegal(h)
    if 0x3A0 <= number < 0x3C0 and h.pmp_entries == 0:
        illegal(h)


def status_of(h):
    """mstatus as software reads it."""
    status = h.mstatus
    wide = select(has_supervisor(h), STATUS_UXL | STATUS_SXL, STATUS_UXL)
    return status | wide | select(status & FS == FS, SD, 0)


def read_csr(h, number):
    """The value of a CSR, or an illegal-instruction trap."""
    check_access(h, number)
    row = ROW[number]
    kind = KIND[row]
    value = word(h, WHERE[row])
    if kind == CONSTANT:
        return ONES[row] + 0
    if kind == STATUS:
        return status_of(h)
    if kind == SUPERVISOR_STATUS:
        return status_of(h) & (SUPERVISOR_BITS | STATUS_UXL | SD)
    if kind == FCSR:
        return h.frm << 5 | h.fflags
    if kind == TIME:
        return time_now(h)
    if kind in (CYCLE, INSTRET):
        return h.instret + value
    if kind == PENDING:
        return pending(h)
    if kind == SUPERVISOR_PENDING:
        return pending(h) & h.mideleg
    if kind == SUPERVISOR_ENABLE:
        return value & h.mideleg
    return value | ONES[row]


def write_csr(h, number, new):
    """Write a CSR's writable bits, or trap as illegal."""
    check_access(h, number)
    if number >> 10 == 3:
        illegal(h)
    row = ROW[number]
    kind = KIND[row]
    mask = MASK[row]
    where = WHERE[row]
    if kind == FCSR:
        h.fflags = new & 0x1F
        h.frm = (new >> 5) & 7
    elif kind in (CYCLE, INSTRET):
        set_word(h, where, new - (h.instret + 1))
    elif kind == TRANSLATION:
        mode = (new >> 60) & 15
        if (mode == 0) | (mode == 8) | (mode == 9):  # Bare, Sv39, Sv48
            h.satp = new
            resync(h)
    elif kind == PROTECTION:
        write_protection(h, where, new)
    elif kind == PROTECTED:
        write_protected(h, number & 15, where, new & mask)
    elif kind != CONSTANT:
        old = word(h, where)
        if number in (MEPC, SEPC):  # no instruction begins between (3.1.14)
            mask = mask & ~h.ialign
        if kind == STATUS:
            mask = mask | select(has_supervisor(h), STATUS_OF_S, 0)
            mode = (new >> 11) & 3
            illegal_mode = (mode == 2) | ((mode == 1) & (not has_supervisor(h)))
            mask = mask & select(illegal_mode, ~MPP, -1)  # MPP holds only modes that exist
        if kind == PENDING:
            mask = mask_of_pending(h, mask, new)
        if kind == SUPERVISOR_PENDING:
            mask = mask & h.mideleg
        if kind == SUPERVISOR_ENABLE:
            mask = h.mideleg
        if number == MIE_CSR and not has_supervisor(h):
            mask = mask & 0x888
        set_word(h, where, (old & ~mask) | (new & mask))
        if kind != FIELD or number in (MIE_CSR, MIDELEG, MENVCFG):
            resync(h)
    if kind in (FLOAT, FCSR):
        h.mstatus = h.mstatus | FS


def mask_of_pending(h, mask, new):
    """The bits of mip that software may write now (privileged spec 3.1.9).

    STIP belongs to stimecmp where S mode has it. SEIP reads as what was written or the line of the
    interrupt controller; a one that came from the line is not written back.
    """
    mask = select(has_supervisor(h), mask, 0)
    mask = mask & select(h.menvcfg & STCE != 0, ~(1 << 5), -1)
    from_line = h.lines & new & (1 << 9)
    return mask & ~from_line


def write_protection(h, where, new):
    """Write eight entries of PMP configuration; locked ones stay (privileged spec 3.7.1)."""
    old = word(h, where)
    mask = 0
    for n in range(8):
        shift = 8 * n
        keep = (old >> shift) & 0x80 != 0
        mask = mask | select(keep, 0, 0x9F << shift)
        bits = (new >> shift) & 3  # writable and not readable is reserved
        new = new & ~select(bits == 2, 2 << shift, 0)
    set_word(h, where, (old & ~mask) | (new & mask))
    flush_translations(h, 0, 1)
    resync(h)


def write_protected(h, entry, where, new):
    """Write an address of the PMP, unless its entry, or a locked range above it, forbids it."""
    own = (word(h, PMPCFG + (entry & 8)) >> (8 * (entry & 7))) & 0xFF
    above = 0
    if entry < 15:
        following = entry + 1
        above = (word(h, PMPCFG + (following & 8)) >> (8 * (following & 7))) & 0xFF
    locked = (own & 0x80 != 0) | (above & 0x98 == 0x88)
    set_word(h, where, select(locked, word(h, where), new))
    flush_translations(h, 0, 1)
    resync(h)
