"""Traps: their causes, and how a hart takes one (privileged specification, 3.1.6 to 3.1.16)."""

from vtbook.cpu.interrupts import next_interrupt
from vtbook.isa.operations import select

CAUSES = {
    0: "instruction address misaligned",
    1: "instruction access fault",
    2: "illegal instruction",
    3: "breakpoint",
    4: "load address misaligned",
    5: "load access fault",
    6: "store/AMO address misaligned",
    7: "store/AMO access fault",
    8: "environment call from U-mode",
    9: "environment call from S-mode",
    11: "environment call from M-mode",
    12: "instruction page fault",
    13: "load page fault",
    15: "store/AMO page fault",
}
INTERRUPTS = {
    1: "supervisor software interrupt",
    3: "machine software interrupt",
    5: "supervisor timer interrupt",
    7: "machine timer interrupt",
    9: "supervisor external interrupt",
    11: "machine external interrupt",
}
MODES = {0: "U", 1: "S", 3: "M"}


def cause_name(cause: int) -> str:
    """A cause in words; interrupts have the top bit set."""
    if cause < 0:
        number = cause & 0xFFF
        return INTERRUPTS.get(number, f"interrupt {number}")
    return CAUSES.get(cause, f"exception {cause}")


class Trap(Exception):
    """A trap on its way from a definition to the hart, in plain Python."""

    def __init__(self, cause: int, value: int = 0):
        super().__init__(cause_name(cause))
        self.cause = cause
        self.value = value
        self.unhandled = False  # no handler of the guest can take it


def handler(vector, cause):
    """Where a trap goes: the base, or with mode 1 an entry for each interrupt (3.1.7)."""
    return (vector & ~3) + select((vector & 1 == 1) & (cause < 0), 4 * (cause & 0xFFF), 0)


def take_trap(h, cause, value):
    """Go to the trap handler of M mode, or of S mode if M has delegated the cause (3.1.8).

    Runs in plain Python and under numba. Returns False, and leaves the hart as it was, if nobody
    can handle the trap: mtvec is still 0, as after reset, or the first instruction of the handler
    trapped, so that no instruction would ever retire again.
    """
    delegated = select(cause < 0, h.mideleg, h.medeleg)
    if h.mode <= 1 and (delegated >> (cause & 63)) & 1:
        return _take_in_supervisor(h, cause, value)
    target = handler(h.mtvec, cause)
    if h.mtvec == 0 or (h.pc == target and h.mode == 3 and cause >= 0):
        return False
    status = h.mstatus
    enabled = select(status & 8 != 0, 1 << 7, 0)
    h.mepc = h.pc
    h.mcause = cause
    h.mtval = value
    h.mstatus = (status & ~(1 << 3 | 1 << 7 | 3 << 11)) | enabled | (h.mode << 11)
    h.mode = 3
    h.pc = target
    return True


def _take_in_supervisor(h, cause, value):
    """The same for S mode: sepc, scause, stval, and SIE, SPIE, SPP of mstatus (12.1.1)."""
    target = handler(h.stvec, cause)
    if h.pc == target and h.mode == 1 and cause >= 0:
        return False
    status = h.mstatus
    enabled = select(status & 2 != 0, 1 << 5, 0)
    h.sepc = h.pc
    h.scause = cause
    h.stval = value
    h.mstatus = (status & ~(1 << 1 | 1 << 5 | 1 << 8)) | enabled | (h.mode << 8)
    h.mode = 1
    h.pc = target
    return True


def take_interrupt(h):
    """Take the interrupt that is pending and enabled: 1 if there was one, 0 if not, -1 if nobody
    can handle it."""
    number = next_interrupt(h)
    if number < 0:
        return 0
    if h.trap_exits:
        return -1
    return 1 if take_trap(h, number - (1 << 63), 0) else -1
