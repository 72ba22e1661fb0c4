"""Supervisor-mode instructions of the privileged specification (chapters 3.3.2 and 12.2)."""

from vtbook.isa.definition import Extension, instruction
from vtbook.isa.operations import flush_translations, illegal, jump, resync, select

# mstatus
#   bit 1 SIE, 5 SPIE: interrupts enabled now, and before the trap
#   bit 8 SPP:         mode before the trap
#   bit 17 MPRV:       loads and stores use MPP's privilege
#   bit 20 TVM:        sfence.vma and satp trap in S mode
#   bit 22 TSR:        sret does
SIE, SPIE, SPP, MPRV, TVM, TSR = 1 << 1, 1 << 5, 1 << 8, 1 << 17, 1 << 20, 1 << 22


@instruction("sret", "0001000 00010 00000 000 00000 1110011")
def sret(h, d):
    """Return from a trap taken into S mode (privileged spec 3.3.2, 12.1.1)."""
    if h.mode == 0 or (h.mode == 1 and h.mstatus & TSR != 0):
        illegal(h)
    status = h.mstatus
    mode = (status >> 8) & 1
    enabled = select((status & SPIE) != 0, SIE, 0)
    h.mstatus = (status & ~(SIE | SPP | MPRV)) | enabled | SPIE
    h.mode = mode
    resync(h)
    jump(h, h.sepc)


@instruction("sfence.vma rs1, rs2", "0001001 rs2 rs1 000 00000 1110011")
def sfence_vma(h, d):
    """Later translations see earlier stores to page tables (privileged spec 12.2.1)."""
    if h.mode == 0 or (h.mode == 1 and h.mstatus & TVM != 0):
        illegal(h)
    flush_translations(h, h.x[d.rs1], d.rs1 == 0)
    resync(h)


SUPERVISOR = Extension.of("S", "Supervisor-mode instructions", globals())
