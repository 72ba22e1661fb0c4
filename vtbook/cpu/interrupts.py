"""Interrupts: what is pending, which one a hart takes, and when a timer will ask (3.1.9, Sstc).

Written so that the same functions run in plain Python, under numba and traced.
"""

from vtbook.isa.operations import select, ult

STCE = -(1 << 63)  # menvcfg: S mode has stimecmp
MTIP, STIP = 1 << 7, 1 << 5
FAR = 1 << 40  # ticks: further than any run
NEVER = 1 << 62


def time_now(h):
    """Ticks of the platform's clock: a fixed number of instructions each, so runs repeat.

    Time in which the hart waits, or another hart runs, counts as instructions too.
    """
    return (h.instret + h.idle) // h.tick + h.time_offset


def pending(h):
    """mip as it reads: what software wrote, the lines of devices, and the timers."""
    now = time_now(h)
    machine = select(ult(now, h.mtimecmp), 0, MTIP)
    reached = select(ult(now, h.stimecmp), 0, STIP)
    has_timer = h.menvcfg & STCE != 0
    written = select(has_timer, h.mip & ~STIP | reached, h.mip)
    return written | h.lines | machine


def next_interrupt(h):
    """Number of the interrupt that the hart takes now, or -1 (privileged spec 3.1.9)."""
    ready = pending(h) & h.mie
    if ready == 0:
        return -1
    mode = h.mode
    machine = ready & ~h.mideleg
    supervisor = ready & h.mideleg
    if mode == 3 and h.mstatus & 8 == 0:
        machine = 0
    if mode == 3 or (mode == 1 and h.mstatus & 2 == 0):
        supervisor = 0
    ready = machine
    if ready == 0:
        ready = supervisor
    if ready & 0x800:
        return 11
    if ready & 0x8:
        return 3
    if ready & 0x80:
        return 7
    if ready & 0x200:
        return 9
    if ready & 0x2:
        return 1
    if ready & 0x20:
        return 5
    return -1


def due(h, compare):
    """Value of instret at which the clock reaches ``compare``; NEVER if that is far away."""
    now = time_now(h)
    if not ult(now, compare):
        return NEVER  # it has: nothing will change by waiting
    ticks = compare - now
    if ticks < 0 or ticks > FAR:
        return NEVER
    return ((h.instret + h.idle) // h.tick + ticks) * h.tick - h.idle


def next_timer(h):
    """Value of instret at which a timer interrupt that is enabled becomes pending, or NEVER."""
    first = NEVER
    if h.mie & MTIP:
        first = due(h, h.mtimecmp)
    if h.mie & STIP and h.menvcfg & STCE:
        second = due(h, h.stimecmp)
        if second < first:
            first = second
    return first
