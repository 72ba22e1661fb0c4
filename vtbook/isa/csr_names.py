"""Names and numbers of the control and status registers (privileged specification, chapter 2.2).

The number says who may use the register: bits 11:10 are 11 where it is read-only, bits 9:8 are the
lowest mode that may access it (0 user, 1 supervisor, 2 hypervisor, 3 machine).
"""

from __future__ import annotations

_USER = {
    "fflags": 0x001, "frm": 0x002, "fcsr": 0x003,
    "cycle": 0xC00, "time": 0xC01, "instret": 0xC02,
    **{f"hpmcounter{n}": 0xC00 + n for n in range(3, 32)},
}  # fmt: skip

_SUPERVISOR = {
    "sstatus": 0x100, "sie": 0x104, "stvec": 0x105, "scounteren": 0x106,
    "senvcfg": 0x10A,
    "sscratch": 0x140, "sepc": 0x141, "scause": 0x142, "stval": 0x143, "sip": 0x144,
    "stimecmp": 0x14D,
    "satp": 0x180,
    "scontext": 0x5A8,
    "sstateen0": 0x10C, "sstateen1": 0x10D, "sstateen2": 0x10E, "sstateen3": 0x10F,
    "scountovf": 0xDA0,
}  # fmt: skip

_HYPERVISOR = {
    "vsstatus": 0x200, "vsie": 0x204, "vstvec": 0x205,
    "vsscratch": 0x240, "vsepc": 0x241, "vscause": 0x242, "vstval": 0x243, "vsip": 0x244,
    "vstimecmp": 0x24D,
    "vsatp": 0x280,
    "hstatus": 0x600, "hedeleg": 0x602, "hideleg": 0x603, "hie": 0x604, "htimedelta": 0x605,
    "hcounteren": 0x606, "hgeie": 0x607, "henvcfg": 0x60A,
    "hstateen0": 0x60C, "hstateen1": 0x60D, "hstateen2": 0x60E, "hstateen3": 0x60F,
    "htval": 0x643, "hip": 0x644, "hvip": 0x645, "htinst": 0x64A,
    "hgatp": 0x680,
    "hcontext": 0x6A8,
    "hgeip": 0xE12,
}  # fmt: skip

_MACHINE = {
    "mstatus": 0x300, "misa": 0x301, "medeleg": 0x302, "mideleg": 0x303, "mie": 0x304,
    "mtvec": 0x305, "mcounteren": 0x306,
    "menvcfg": 0x30A,
    "mstateen0": 0x30C, "mstateen1": 0x30D, "mstateen2": 0x30E, "mstateen3": 0x30F,
    "mcountinhibit": 0x320,
    **{f"mhpmevent{n}": 0x320 + n for n in range(3, 32)},
    "mscratch": 0x340, "mepc": 0x341, "mcause": 0x342, "mtval": 0x343, "mip": 0x344,
    "mtinst": 0x34A, "mtval2": 0x34B,
    **{f"pmpcfg{n}": 0x3A0 + n for n in range(0, 16, 2)},  # the odd ones exist in RV32 only
    **{f"pmpaddr{n}": 0x3B0 + n for n in range(64)},
    "mseccfg": 0x747,
    "tselect": 0x7A0, "tdata1": 0x7A1, "tdata2": 0x7A2, "tdata3": 0x7A3, "tinfo": 0x7A4,
    "tcontrol": 0x7A5, "mcontext": 0x7A8, "mscontext": 0x7AA,
    "dcsr": 0x7B0, "dpc": 0x7B1, "dscratch0": 0x7B2, "dscratch1": 0x7B3,
    "mcycle": 0xB00, "minstret": 0xB02,
    **{f"mhpmcounter{n}": 0xB00 + n for n in range(3, 32)},
    "mvendorid": 0xF11, "marchid": 0xF12, "mimpid": 0xF13, "mhartid": 0xF14, "mconfigptr": 0xF15,
}  # fmt: skip

#: The number of each CSR by name.
CSR_NUMBERS: dict[str, int] = _USER | _SUPERVISOR | _HYPERVISOR | _MACHINE
#: The name of each CSR by number.
CSR_NAMES: dict[int, str] = {number: name for name, number in CSR_NUMBERS.items()}
