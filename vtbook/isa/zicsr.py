"""Zicsr, the instructions on control and status registers (unprivileged specification, chapter 6).

A read is skipped where rd is x0 in csrrw,
a write where the source is x0 or zero in the others (6.1).
"""

from vtbook.isa.definition import Extension, instruction
from vtbook.isa.operations import csr_read, csr_write


@instruction("csrrw rd, csr, rs1", "csr rs1 001 rd 1110011")
def csrrw(h, d):
    """Write a CSR, read its old value (6.1)."""
    new = h.x[d.rs1]
    old = 0
    if d.rd != 0:
        old = csr_read(h, d.csr)
    csr_write(h, d.csr, new)
    h.x[d.rd] = old


@instruction("csrrs rd, csr, rs1", "csr rs1 010 rd 1110011")
def csrrs(h, d):
    """Read a CSR and set the bits of rs1 (6.1)."""
    mask = h.x[d.rs1]
    old = csr_read(h, d.csr)
    if d.rs1 != 0:
        csr_write(h, d.csr, old | mask)
    h.x[d.rd] = old


@instruction("csrrc rd, csr, rs1", "csr rs1 011 rd 1110011")
def csrrc(h, d):
    """Read a CSR and clear the bits of rs1 (6.1)."""
    mask = h.x[d.rs1]
    old = csr_read(h, d.csr)
    if d.rs1 != 0:
        csr_write(h, d.csr, old & ~mask)
    h.x[d.rd] = old


@instruction("csrrwi rd, csr, zimm", "csr zimm 101 rd 1110011")
def csrrwi(h, d):
    """Write a five-bit constant to a CSR, read its old value (6.1)."""
    old = 0
    if d.rd != 0:
        old = csr_read(h, d.csr)
    csr_write(h, d.csr, d.zimm)
    h.x[d.rd] = old


@instruction("csrrsi rd, csr, zimm", "csr zimm 110 rd 1110011")
def csrrsi(h, d):
    """Read a CSR and set the bits of a five-bit constant (6.1)."""
    old = csr_read(h, d.csr)
    if d.zimm != 0:
        csr_write(h, d.csr, old | d.zimm)
    h.x[d.rd] = old


@instruction("csrrci rd, csr, zimm", "csr zimm 111 rd 1110011")
def csrrci(h, d):
    """Read a CSR and clear the bits of a five-bit constant (6.1)."""
    old = csr_read(h, d.csr)
    if d.zimm != 0:
        csr_write(h, d.csr, old & ~d.zimm)
    h.x[d.rd] = old


ZICSR = Extension.of("Zicsr", "Control and status registers", globals())
