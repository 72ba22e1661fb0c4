"""Machine-mode instructions of the privileged specification (chapter 3.3)."""

from vtbook.isa.definition import Extension, instruction
from vtbook.isa.operations import illegal, jump, resync, select, wait_for_interrupt

# mstatus
#   bit 3 MIE, 7 MPIE: interrupts enabled now, and before the trap
#   bits 12:11 MPP:    mode before the trap
#   bit 17 MPRV:       loads and stores use MPP's privilege
#   bit 21 TW:         wfi traps below M mode
MIE, MPIE, MPP, MPRV, TW = 1 << 3, 1 << 7, 3 << 11, 1 << 17, 1 << 21


@instruction("mret", "0011000 00010 00000 000 00000 1110011")
def mret(h, d):
    """Return from a trap taken into M mode (privileged spec 3.3.2, 3.1.6.1)."""
    if h.mode != 3:
        illegal(h)
    status = h.mstatus
    mode = (status >> 11) & 3
    enabled = select((status & MPIE) != 0, MIE, 0)
    keep = select(mode == 3, -1, ~MPRV)
    h.mstatus = (status & ~(MIE | MPP) & keep) | enabled | MPIE
    h.mode = mode
    resync(h)
    jump(h, h.mepc)


@instruction("wfi", "0001000 00101 00000 000 00000 1110011")
def wfi(h, d):
    """Wait for an interrupt; below M mode it may be forbidden (privileged spec 3.3.3)."""
    if h.mode == 0 or (h.mode == 1 and h.mstatus & TW != 0):
        illegal(h)
    wait_for_interrupt(h)


PRIVILEGED = Extension.of("Zm", "Machine-mode instructions", globals())
