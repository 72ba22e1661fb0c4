"""What every floating-point definition needs: the FS field, the rounding mode, the flags.

``h.f`` holds raw bits as signed 64-bit integers; a single is boxed in ones (spec 21.2).
"""

from vtbook.isa.operations import illegal

FS = 3 << 13  # mstatus.FS: 0 off, 1 initial, 2 clean, 3 dirty (privileged spec 3.1.6.6)


def need_float(h):
    """Trap as illegal if the floating-point unit is switched off."""
    if h.mstatus & FS == 0:
        illegal(h)


def rounding(h, rm):
    """The rounding mode in force: the instruction's, or frm where it says 7 (spec 20.2)."""
    need_float(h)
    mode = rm
    if rm == 7:
        mode = h.frm
    if mode > 4:
        illegal(h)
    return mode


def accrue(h, flags):
    """Add exception flags to fflags and mark the floating-point state dirty."""
    h.fflags = h.fflags | flags
    h.mstatus = h.mstatus | FS
