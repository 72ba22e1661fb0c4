"""The compiled loop's manager: why it stopped, and how it goes on.

Compiled by numba only. It takes traps and interrupts, finds the decoded records of a new page, and
ends a budget at the exact instruction; what needs Python goes to the caller.
"""

from vtbook.cpu.decode_cache import (
    decode_across,
    decode_chain,
    find_slots,
    is_breakpoint,
    kind_of,
)
from vtbook.cpu.decode_tables import COUNT, FIRST, SHORT, STOP
from vtbook.cpu.interrupts import next_interrupt, next_timer, pending
from vtbook.cpu.layout import (
    BREAK,
    BUDGET,
    CROSS,
    DECODE,
    EXECUTABLE,
    FLUSH,
    ILLEGAL,
    LOOKUP,
    NEXT,
    PYTHON,
    SYNC,
    TRAP,
    UNHANDLED,
    WFI,
)
from vtbook.cpu.lowering import peek16, peek64, poke64
from vtbook.cpu.protection import allows
from vtbook.cpu.slow_memory import choose_contexts, find_region, host_of
from vtbook.cpu.translation import translate
from vtbook.cpu.traps import take_interrupt, take_trap
from vtbook.isa.operations import sext16


def fetch_half(h, pc):
    """The two bytes at ``pc`` as the hart would fetch them, or -1."""
    if translate(h, pc, EXECUTABLE):
        return -1
    row = find_region(h, h.walk_physical, 2, EXECUTABLE)
    if row < 0 or not allows(h, h.walk_physical, 2, EXECUTABLE, h.mode):
        return -1
    return peek16(host_of(h, row, h.walk_physical))


def instruction_word(h, pc):
    """The word at ``pc`` for an illegal-instruction trap's tval; 0 where it cannot be read."""
    word = fetch_half(h, pc)
    if word < 0:
        return 0
    if word & 3 == 3:
        high = fetch_half(h, pc + 2)
        if high >= 0:
            word |= high << 16
    return word


def deliver(h):
    """Take the trap in ``trap_cause`` and ``trap_value`` at ``h.pc``; False if nobody can."""
    if h.trap_cause == 2:
        h.trap_value = instruction_word(h, h.pc)
    if h.trap_exits:
        return False
    if not take_trap(h, h.trap_cause, h.trap_value):
        return False
    choose_contexts(h)
    h.sync = 1
    return True


def settle(h):
    """Look at what may have changed: contexts, interrupts, the next timer.

    0, or UNHANDLED. An interrupt that is taken changes ``h.pc``.
    """
    while h.sync:
        h.sync = 0
        choose_contexts(h)
        taken = take_interrupt(h)
        if taken < 0:
            h.trap_cause = next_interrupt(h) - (1 << 63)
            h.trap_value = 0
            return UNHANDLED
        if taken:
            h.sync = 1
    timer = next_timer(h)
    h.target = timer if timer < h.goal else h.goal
    return NEXT


def enter(h):
    """Find the record for ``h.pc``: 0 and ``h.slot``, or why there is none."""
    while True:
        slots = -TRAP
        if h.pc & h.ialign:
            h.trap_cause = 0
            h.trap_value = h.pc
        else:
            slots = find_slots(h, h.pc)
        if slots > 0:
            h.page_pc = h.pc & -4096
            h.page_slots = slots
            h.slot = slots + (h.pc & 4095) * 8
            return NEXT
        if slots == 0:
            return FLUSH
        if slots == -PYTHON:
            return PYTHON
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


def pass_stop(h):
    """Take the stop out of the record at ``h.slot``, until the loop stops the next time.

    To come to the address that the stop is for, it must stop first: that is in another page.
    """
    stop = peek64(h.slot)
    h.stop_slot = h.slot
    h.stop_saved = stop
    h.stop_before = h.slot
    h.stop_before_saved = stop
    poke64(h.slot, peek64(h.handlers + 8 * kind_of(h.page_slots, h.slot)))


def uncount(h):
    """Take back the count of the instruction at ``h.slot``: it trapped, so it did not retire."""
    counter = h.profile + 8 * kind_of(h.page_slots, h.slot)
    poke64(counter, peek64(counter) - 1)


def is_chosen(h):
    """True if a breakpoint is at ``h.pc``: a record may have a stop for another address."""
    for n in range(h.breakpoint_count):  # noqa: SIM110 - numba
        if h.breakpoints[n] == h.pc:
            return True
    return False


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
    passing = False
    moved = reason in (LOOKUP, SYNC)
    if reason == DECODE:
        decode_chain(h, h.page_slots, h.slot)
    elif reason in (TRAP, ILLEGAL):
        if reason == ILLEGAL:
            h.trap_cause = 2
        elif h.profile:
            uncount(h)
        if not deliver(h):
            return UNHANDLED
        moved = True
    elif reason == BREAK:
        if remaining > 0 and peek64(h.slot) == peek64(h.handlers + 8 * STOP):
            if is_chosen(h):
                return BREAK
            passing = True  # the stop is for the same place of another page
    elif reason == WFI and pending(h) & h.mie:
        moved = True  # nothing to wait for
    elif reason != LOOKUP and reason != BUDGET and reason != SYNC and reason != CROSS:
        return reason
    if h.instret >= h.goal:
        return BUDGET
    while True:
        if h.sync or h.instret >= h.target:
            pc = h.pc
            h.sync = 1
            if settle(h):
                return UNHANDLED
            moved = moved or h.pc != pc
        status = NEXT
        if moved:
            status = enter(h)
        elif reason == CROSS and decode_across(h, h.pc) and not deliver(h):
            status = UNHANDLED
        if status:
            return status
        if h.sync == 0:
            break
        moved = True  # a trap was taken on the way
    remaining = h.target - h.instret
    count = sext16(peek16(h.slot + COUNT))
    h.left = remaining - count
    passing = passing and not moved
    if passing and (h.left < 0 or h.profile):
        return PYTHON
    if passing:
        pass_stop(h)
    elif h.left < 0:
        place_stop(h, remaining)
    return NEXT
