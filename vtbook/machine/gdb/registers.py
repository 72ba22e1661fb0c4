"""A hart's registers as gdb numbers them, and the description that tells gdb of them.

The numbers are gdb's own for RISC-V (gdb/riscv-tdep.h), and QEMU's for the first 65: x0 to x31,
pc, f0 to f31, then the CSR n as 65 + n, and at last `priv`, the mode, which no instruction can
read. The features are those of gdb's manual (G.5, "RISC-V Features"), and QEMU's `virtual`. CSRs
come from the table of `vtbook.cpu.csr`.
"""

from __future__ import annotations

from typing import NamedTuple
from xml.sax.saxutils import quoteattr

from vtbook.cpu import csr
from vtbook.cpu.hart import Hart
from vtbook.cpu.traps import MODES, Trap
from vtbook.isa.floating import FS
from vtbook.isa.instruction_set import InstructionSet
from vtbook.isa.operations import MASK64, wrap
from vtbook.isa.registers import F_NAMES, X_NAMES

PC, FIRST_F, FIRST_CSR, PRIV = 32, 33, 65, 65 + 4096
CORE = range(33)
"""What the packets ``g`` and ``G`` hold: x0 to x31 and pc. gdb asks for the others one by one."""
EXPEDITED = (2, 8, PC)
"""What each stop tells unasked, since gdb needs it for each: sp, fp, pc."""

CPU, FPU = "org.gnu.gdb.riscv.cpu", "org.gnu.gdb.riscv.fpu"
CSRS, VIRTUAL = "org.gnu.gdb.riscv.csr", "org.gnu.gdb.riscv.virtual"
_TYPES = {1: "code_ptr", 2: "data_ptr", 3: "data_ptr", 4: "data_ptr", 8: "data_ptr"}


class Register(NamedTuple):
    """One register: gdb's number and name of it, where it belongs, its bits and gdb's type."""

    number: int
    name: str
    feature: str
    bits: int = 64
    type: str = "int"


def registers_of(isa: InstructionSet) -> dict[int, Register]:
    """The registers of a hart with these instructions, by number."""
    names = ["fp" if name == "s0" else name for name in X_NAMES]
    found = [Register(n, name, CPU, type=_TYPES.get(n, "int")) for n, name in enumerate(names)]
    found.append(Register(PC, "pc", CPU, type="code_ptr"))
    floating = "riscv_double" if "D" in isa.letters else "ieee_single"
    has_floats = bool({"F", "D"} & set(isa.letters))
    if has_floats:
        bits = 64 if "D" in isa.letters else 32
        found += [
            Register(FIRST_F + n, name, FPU, bits, floating) for n, name in enumerate(F_NAMES)
        ]
    for one in csr.TABLE:
        is_floating = one.number <= csr.BY_NAME["fcsr"].number
        if is_floating and not has_floats:
            continue
        feature, bits = (FPU, 32) if is_floating else (CSRS, 64)
        found.append(Register(FIRST_CSR + one.number, one.name, feature, bits))
    found.append(Register(PRIV, "priv", VIRTUAL))
    return {register.number: register for register in found}


def description(registers: dict[int, Register]) -> str:
    """The target description of these registers (gdb manual, appendix G), in XML."""
    lines = [
        '<?xml version="1.0"?>',
        '<!DOCTYPE target SYSTEM "gdb-target.dtd">',
        '<target version="1.0">',
        "<architecture>riscv:rv64</architecture>",
    ]
    for feature in (CPU, FPU, CSRS, VIRTUAL):
        members = [register for register in registers.values() if register.feature == feature]
        if not members:
            continue
        lines.append(f"<feature name={quoteattr(feature)}>")
        if any(register.type == "riscv_double" for register in members):
            lines += [
                '<union id="riscv_double">',
                '<field name="float" type="ieee_single"/>',
                '<field name="double" type="ieee_double"/>',
                "</union>",
            ]
        lines += [
            f'<reg name="{r.name}" bitsize="{r.bits}" type="{r.type}" regnum="{r.number}"/>'
            for r in members
        ]
        lines.append("</feature>")
    return "\n".join([*lines, "</target>", ""])


def read_register(hart: Hart, register: Register) -> bytes | None:
    """The value, little-endian, without side effects; None if the hart has none of it now."""
    n = register.number
    if n < PC:
        value: int | None = hart.x[n]
    elif n == PC:
        value = hart.pc
    elif n < FIRST_CSR:
        value = hart.f[n - FIRST_F]
    elif n == PRIV:
        value = hart.mode
    else:
        value = read_csr(hart, n - FIRST_CSR)
    if value is None:
        return None
    size = register.bits // 8
    return (value & ((1 << register.bits) - 1)).to_bytes(size, "little")


def write_register(hart: Hart, register: Register, data: bytes) -> bool:
    """Set a register to little-endian bytes of its size; False if that cannot be.

    A CSR takes of the value what an instruction of M mode could write.
    """
    if len(data) != register.bits // 8:
        return False
    n, value = register.number, wrap(int.from_bytes(data, "little"))
    if n < PC:
        hart.x[n] = value
    elif n == PC:
        if value & hart.ialign:
            return False
        hart.pc, hart.waiting = value, 0  # who is sent elsewhere does not wait here
    elif n < FIRST_CSR:
        write_float(hart, n - FIRST_F, value, register.bits)
    elif n == PRIV:
        if value not in MODES:
            return False
        hart.mode = value
    else:
        return write_csr(hart, n - FIRST_CSR, value)
    hart.flush_tlbs()
    return True


def write_float(hart: Hart, n: int, value: int, bits: int) -> None:
    """Set a floating-point register; a system that saves only changed ones learns of the change."""
    if bits == 32:
        value |= -1 << 32  # NaN-boxed (unprivileged spec, "NaN Boxing of Narrower Values")
    if hart.f[n] != wrap(value):
        hart.f[n] = value
        if hart.mstatus & FS:
            hart.mstatus |= FS


def read_csr(hart: Hart, number: int) -> int | None:
    """A CSR as M mode would read it; None if there is none."""
    if number == csr.BY_NAME["fflags"].number:
        return hart.fflags
    if number == csr.BY_NAME["frm"].number:
        return hart.frm
    if number == csr.BY_NAME["fcsr"].number:
        return hart.frm << 5 | hart.fflags
    mode = hart.mode
    hart.mode = 3
    try:
        return int(csr.read_csr(hart, number)) & MASK64
    except Trap:
        return None
    finally:
        hart.mode = mode


def write_csr(hart: Hart, number: int, value: int) -> bool:
    """Write a CSR as M mode would; False if it cannot be written."""
    status = hart.mstatus
    mode = hart.mode
    hart.mode = 3
    is_floating = number <= csr.BY_NAME["fcsr"].number
    if is_floating:
        hart.mstatus = status | FS
    row = csr.BY_NUMBER.get(number)
    if row is not None and row.kind in (csr.CYCLE, csr.INSTRET):
        value = wrap(value + 1)  # an instruction's write counts the instruction itself
    try:
        csr.write_csr(hart, number, value)
    except Trap:
        return False
    finally:
        hart.mode = mode
        if is_floating and not status & FS:
            hart.mstatus = status
    hart.flush_tlbs()
    return True
