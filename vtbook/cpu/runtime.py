"""The compiled loop's manager: why it stopped, and how it goes on.

Compiled by numba only. It takes traps, finds the decoded records of a new page, and ends a budget
at the exact instruction; what needs Python goes to the caller.
"""

from vtbook.cpu.decode_cache import decode_chain, find_slots, is_breakpoint, kind_of
from vtbook.cpu.decode_tables import COUNT, FIRST, SHORT, STOP
from vtbook.cpu.layout import (
    BREAK,
    BUDGET,
    DECODE,
    EXECUTABLE,
    FLUSH,
    ILLEGAL,
    LOOKUP,
    NEXT,
    TRAP,
    UNHANDLED,
)
from vtbook.cpu.lowering import peek16, peek32, peek64, poke64
from vtbook.cpu.slow_memory import find_region
from vtbook.cpu.traps import take_trap
from vtbook.isa.operations import sext16


def instruction_word(h, pc):
    """The word at ``pc`` for an illegal-instruction trap's tval; 0 where it cannot be read."""
    row = find_region(h, pc, 2, EXECUTABLE)
    if row < 0:
        return 0
    host = h.regions[row, 2] + (pc - h.regions[row, 0])
    word = peek16(host)
    if word & 3 == 3 and find_region(h, pc, 4, EXECUTABLE) >= 0:
        word = peek32(host)
    return word


def deliver(h):
    """Take the trap in ``trap_cause`` and ``trap_value`` at ``h.pc``; False if nobody can."""
    if h.trap_cause == 2:
        h.trap_value = instruction_word(h, h.pc)
    if h.trap_exits:
        return False
    return take_trap(h, h.trap_cause, h.trap_value)


def enter(h):
    """Find the record for ``h.pc``: 0 and ``h.slot``, or why there is none."""
    while True:
        slots = -1
        if h.pc & h.ialign:
            h.trap_cause = 0
        else:
            h.trap_cause = 1
            slots = find_slots(h, h.pc)
        if slots > 0:
            h.page_pc = h.pc & -4096
            h.page_slots = slots
            h.slot = slots + (h.pc & 4095) * 8
            return NEXT
        if slots == 0:
            return FLUSH
        h.trap_value = h.pc
        if not deliver(h):
            return UNHANDLED


def place_stop(h, remaining):
    """Put a stop after ``remaining`` more instructions of the current chain."""
    slot = h.slot
    before = 0
    for _ in range(remaining):
        before = slot
        slot += 16 if (kind_of(h.page_slots, slot) - FIRST) & SHORT else 32
    kind = kind_of(h.page_slots, before)
    h.stop_before = before
    h.stop_before_saved = peek64(before)
    if h.profile == 0 and not is_breakpoint(h, h.page_slots, before):
        poke64(before, peek64(h.handlers + 8 * kind))
    h.stop_slot = slot
    h.stop_saved = peek64(slot)
    poke64(slot, peek64(h.handlers + 8 * STOP))


def uncount(h):
    """Take back the count of the instruction at ``h.slot``: it trapped, so it did not retire."""
    counter = h.profile + 8 * kind_of(h.page_slots, h.slot)
    poke64(counter, peek64(counter) - 1)


def service(h):
    """Called whenever the loop stops: 0 to go on at ``h.slot``, else the reason for the caller.

    ``h.pc`` and ``h.instret`` are exact when it returns a reason.
    """
    reason = h.reason
    if h.stop_slot:
        poke64(h.stop_slot, h.stop_saved)
        poke64(h.stop_before, h.stop_before_saved)
        h.stop_slot = 0
    if reason == LOOKUP:
        remaining = h.left
        h.pc = h.next_pc
    else:
        remaining = h.left + sext16(peek16(h.slot + COUNT))
        h.pc = h.page_pc + ((h.slot - h.page_slots) >> 3)
    h.instret = h.target - remaining
    if reason == DECODE:
        decode_chain(h, h.page_slots, h.slot)
    elif reason in (TRAP, ILLEGAL):
        if reason == ILLEGAL:
            h.trap_cause = 2
        elif h.profile:
            uncount(h)
        if not deliver(h):
            return UNHANDLED
    elif reason == BREAK:
        if remaining > 0 and peek64(h.slot) == peek64(h.handlers + 8 * STOP):
            return BREAK
    elif reason != LOOKUP and reason != BUDGET:
        return reason
    if remaining <= 0:
        return BUDGET
    if reason == LOOKUP or reason in (TRAP, ILLEGAL):
        status = enter(h)
        if status:
            return status
    count = sext16(peek16(h.slot + COUNT))
    h.left = remaining - count
    if h.left < 0:
        place_stop(h, remaining)
    return NEXT
