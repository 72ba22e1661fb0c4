"""Control and status registers, declared in a table (privileged specification, chapter 2).

Code, documentation and widgets are made from ``TABLE``. ``read_csr`` and ``write_csr`` are written
so that the same functions run in plain Python and under numba.
"""

from dataclasses import dataclass

import numpy as np

from vtbook.cpu.layout import HART, offset
from vtbook.isa.floating import FS
from vtbook.isa.operations import illegal, select, set_word, word

# Kinds: what a read or a write does besides taking bits from the hart's record.
ABSENT, FIELD, CONSTANT, STATUS, FLOAT, FCSR, CYCLE, TIME, INSTRET = range(9)


@dataclass(frozen=True)
class Csr:
    """One control and status register.

    ``writable`` is the mask of bits that a write changes (the legal values, WARL);
    ``constant`` are bits that always read as one.
    """

    number: int
    name: str
    kind: int
    field: str = ""
    writable: int = 0
    constant: int = 0
    doc: str = ""


ALL = (1 << 64) - 1
# mstatus: MIE 3, MPIE 7, MPP 12:11, FS 14:13, MPRV 17, TW 21
STATUS_BITS = 1 << 3 | 1 << 7 | 3 << 11 | 3 << 13 | 1 << 17 | 1 << 21
STATUS_UXL = 2 << 32  # U mode is 64 bits wide
SD = -(1 << 63)

TABLE: list[Csr] = [
    Csr(0x001, "fflags", FLOAT, "fflags", 0x1F, doc="Floating-point exceptions, accrued"),
    Csr(0x002, "frm", FLOAT, "frm", 0x7, doc="Rounding mode"),
    Csr(0x003, "fcsr", FCSR, doc="frm and fflags together"),
    Csr(0xC00, "cycle", CYCLE, "mcycle_offset", doc="Cycles; one for each instruction"),
    Csr(0xC01, "time", TIME, "time_offset", doc="Ticks of the platform's clock"),
    Csr(0xC02, "instret", INSTRET, "minstret_offset", doc="Instructions retired"),
    *(Csr(0xC00 + n, f"hpmcounter{n}", CONSTANT, doc="Not implemented") for n in range(3, 32)),
    Csr(0xF11, "mvendorid", CONSTANT, doc="Vendor; 0, none"),
    Csr(0xF12, "marchid", CONSTANT, doc="Architecture; 0, none"),
    Csr(0xF13, "mimpid", CONSTANT, doc="Implementation; 0, none"),
    Csr(0xF14, "mhartid", FIELD, "mhartid", doc="Number of this hart"),
    Csr(0xF15, "mconfigptr", CONSTANT, doc="Configuration structure; none"),
    Csr(0x300, "mstatus", STATUS, "mstatus", STATUS_BITS, STATUS_UXL, doc="Status"),
    Csr(0x301, "misa", FIELD, "misa", doc="Extensions"),
    Csr(0x304, "mie", FIELD, "mie", 0x888, doc="Interrupts enabled: MSIE, MTIE, MEIE"),
    Csr(0x305, "mtvec", FIELD, "mtvec", ALL & ~2, doc="Trap vector: base, and mode in bit 0"),
    Csr(0x306, "mcounteren", FIELD, "mcounteren", 0x7, doc="Counters that U mode may read"),
    Csr(0x30A, "menvcfg", FIELD, "menvcfg", 0x1, doc="Environment of U mode: FIOM"),
    Csr(0x320, "mcountinhibit", CONSTANT, doc="Counters never stop"),
    *(Csr(0x320 + n, f"mhpmevent{n}", CONSTANT, doc="Not implemented") for n in range(3, 32)),
    Csr(0x340, "mscratch", FIELD, "mscratch", ALL, doc="Scratch for the trap handler"),
    Csr(0x341, "mepc", FIELD, "mepc", ALL & ~1, doc="pc of the trapped instruction"),
    Csr(0x342, "mcause", FIELD, "mcause", ALL, doc="Cause of the last trap"),
    Csr(0x343, "mtval", FIELD, "mtval", ALL, doc="Address or instruction of the last trap"),
    Csr(0x344, "mip", FIELD, "mip", 0, doc="Interrupts pending"),
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
    WHERE[_row] = offset(_csr.field or "zero")
    MASK[_row] = _signed(_csr.writable)
    ONES[_row] = _signed(_csr.constant)
KIND[0] = ABSENT
MEPC = BY_NAME["mepc"].number
assert all(c.field in (HART.names or ()) for c in TABLE if c.field)


def check_access(h, number):
    """Trap as illegal if the CSR is absent, or not for this mode (privileged spec 2.1, 3.1.11)."""
    if KIND[ROW[number]] == ABSENT or h.mode < ((number >> 8) & 3):
        illegal(h)
    if 0xC00 <= number < 0xC20 and h.mode < 3 and (h.mcounteren >> (number & 31)) & 1 == 0:
        illegal(h)
    if number <= 3 and h.mstatus & FS == 0:
        illegal(h)


def read_csr(h, number):
    """The value of a CSR, or an illegal-instruction trap."""
    check_access(h, number)
    row = ROW[number]
    kind = KIND[row]
    value = word(h, WHERE[row])
    if kind == CONSTANT:
        return ONES[row] + 0
    if kind == STATUS:
        return value | ONES[row] | select(value & FS == FS, SD, 0)
    if kind == FCSR:
        return h.frm << 5 | h.fflags
    if kind == TIME:
        return h.instret // h.tick + value
    if kind in (CYCLE, INSTRET):
        return h.instret + value
    return value | ONES[row]


def write_csr(h, number, new):
    """Write a CSR's writable bits, or trap as illegal."""
    check_access(h, number)
    if number >> 10 == 3:
        illegal(h)
    row = ROW[number]
    kind = KIND[row]
    mask = MASK[row]
    if kind == FCSR:
        h.fflags = new & 0x1F
        h.frm = (new >> 5) & 7
    elif kind in (CYCLE, INSTRET):
        set_word(h, WHERE[row], new - (h.instret + 1))
    elif kind != CONSTANT:
        old = word(h, WHERE[row])
        if number == MEPC:  # no instruction begins between (privileged spec 3.1.14)
            mask = mask & ~h.ialign
        if kind == STATUS:
            mode = (new >> 11) & 3
            if mode == 1 or mode == 2:  # MPP holds only modes that exist
                mask = mask & ~(3 << 11)
        set_word(h, WHERE[row], (old & ~mask) | (new & mask))
    if kind in (FLOAT, FCSR):
        h.mstatus = h.mstatus | FS
