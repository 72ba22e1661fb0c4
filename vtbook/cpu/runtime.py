"""The compiled loop's own routines: memory off the fast path, decoding, traps, page changes.

Compiled by numba only. They get the hart's record and return a status (see ``layout``); addresses
of host memory are plain integers, used only after a bounds check against the hart's memory regions.
"""

from vtbook.cpu.decode_tables import (
    BAD,
    COUNT,
    END_SLOTS,
    FAR,
    FIRST,
    HEADER,
    KINDS,
    ODD,
    PAGE_BYTES,
    PAGE_END,
    PROFILE,
    SHORT,
    SLOT,
    SLOTS,
    STOP,
    UNDECODED,
)
from vtbook.cpu.layout import (
    BRANCH,
    BREAK,
    BUDGET,
    DECODE,
    EXECUTABLE,
    FLUSH,
    ILLEGAL,
    LOOKUP,
    NEXT,
    PYTHON,
    READABLE,
    TLB_ENTRIES,
    TRAP,
    UNHANDLED,
    WRITABLE,
)
from vtbook.cpu.lowering import (
    peek8,
    peek16,
    peek32,
    peek64,
    poke8,
    poke16,
    poke32,
    poke64,
)
from vtbook.cpu.traps import take_trap
from vtbook.isa.operations import sext16, sext32, ult

# --- memory --------------------------------------------------------------------------------------


def find_region(h, address, size, need):
    """The row of the region that holds all of the bytes and allows the access, or -1."""
    for row in range(len(h.regions)):
        start = address - h.regions[row, 0]
        length = h.regions[row, 1]
        if ult(start, length) and size <= length - start and h.regions[row, 3] & need == need:
            return row
    return -1


def is_watched(h, first, end, kind):
    """True if a watched range of this kind meets ``first <= address < end``."""
    for n in range(h.watch_count):
        if h.watches[n, 2] & kind and ult(first, h.watches[n, 1]) and ult(h.watches[n, 0], end):
            return True
    return False


def outside(h, address, cause):
    """An address in no memory region: Python's if a device is there, else a trap."""
    for n in range(h.device_count):
        if ult(address - h.devices[n, 0], h.devices[n, 1] - h.devices[n, 0]):
            return PYTHON
    h.trap_cause = cause
    h.trap_value = address
    return TRAP


def fill_tlb(h, tlb, row, address, kind):
    """Let later accesses to this page be fast, unless something in it is watched."""
    page = address & -4096
    if not is_watched(h, page, page + 4096, kind):
        index = (address >> 12) & (TLB_ENTRIES - 1)
        tlb[index, 0] = page
        tlb[index, 1] = h.regions[row, 2] - h.regions[row, 0]


def load(h, address, size):
    """A load that missed the TLB; the value goes to ``h.loaded``."""
    row = find_region(h, address, size, READABLE)
    if row < 0:
        return outside(h, address, 5)
    if is_watched(h, address, address + size, 1):
        return PYTHON
    host = h.regions[row, 2] + (address - h.regions[row, 0])
    if size == 1:
        h.loaded = peek8(host)
    elif size == 2:
        h.loaded = peek16(host)
    elif size == 4:
        h.loaded = peek32(host)
    else:
        h.loaded = peek64(host)
    fill_tlb(h, h.tlb_read, row, address, 1)
    return NEXT


def store(h, address, size, value):
    """A store that missed the TLB."""
    row = find_region(h, address, size, WRITABLE)
    if row < 0:
        return outside(h, address, 7)
    if is_watched(h, address, address + size, 2):
        return PYTHON
    host = h.regions[row, 2] + (address - h.regions[row, 0])
    if size == 1:
        poke8(host, value)
    elif size == 2:
        poke16(host, value)
    elif size == 4:
        poke32(host, value)
    else:
        poke64(host, value)
    fill_tlb(h, h.tlb_write, row, address, 2)
    return NEXT


def amo(h, address, size):
    """Check that an atomic may read and write there: aligned, and in main memory."""
    if address & (size - 1):
        h.trap_cause = 6
        h.trap_value = address
        return TRAP
    if find_region(h, address, size, READABLE | WRITABLE) < 0:
        h.trap_cause = 7
        h.trap_value = address
        return TRAP
    if is_watched(h, address, address + size, 3):
        return PYTHON
    return NEXT


# --- decoding ------------------------------------------------------------------------------------
# The tables of ``DecodeTables``, in the order of its header.
(
    T_SHORT,
    T_BUCKETS,
    T_CANDIDATES,
    T_SPELLINGS,
    T_FIELDS,
    T_PIECES,
    T_OPERATIONS,
    T_PAIR_STARTS,
    T_PAIRS,
) = range(0, 72, 8)
ROW = 64  # bytes in a row of spellings or fields


def find_spelling(h, word):
    """Number of the encoding that a word has, or -1."""
    if word & 3 != 3:
        return peek16(peek64(h.decoder + T_SHORT) + 2 * word) - 1
    key = (word >> 2) & 31 | ((word >> 12) & 7) << 5
    buckets = peek64(h.decoder + T_BUCKETS) + 8 * key
    candidates = peek64(h.decoder + T_CANDIDATES)
    for n in range(peek64(buckets), peek64(buckets + 8)):
        spelling = peek64(candidates + 8 * n)
        row = peek64(h.decoder + T_SPELLINGS) + ROW * spelling
        excluded = peek64(row + 48)
        if word & peek64(row) == peek64(row + 8) and (
            excluded == 0 or word & excluded != peek64(row + 56)
        ):
            return spelling
    return -1


def write_operands(h, slot, row, word):
    """Fill the operand bytes of a record from an instruction word."""
    at = peek64(h.decoder + T_FIELDS) + ROW * peek64(row + 32)
    for _ in range(peek64(row + 40)):
        value = 0
        piece = peek64(h.decoder + T_PIECES) + 24 * peek64(at + 16)
        for _ in range(peek64(at + 24)):
            bits = (word >> peek64(piece)) & ((1 << peek64(piece + 8)) - 1)
            value |= bits << peek64(piece + 16)
            piece += 24
        sign = peek64(at + 32)
        value = (value ^ sign) - sign + peek64(at + 40)
        if value == 0 and peek64(at + 48):
            value = 32
        place = slot + peek64(at)
        size = peek64(at + 8)
        if size == 1:
            poke8(place, value)
        elif size == 2:
            poke16(place, value)
        else:
            poke32(place, value)
        at += ROW


def is_near(slots, slot, offset, ialign):
    """True if a branch by ``offset`` bytes stays in the page and is aligned."""
    target = ((slot - slots) >> 3) + offset
    return target >= 0 and target < 4096 and offset & ialign == 0


def decode_slot(h, slots, slot):
    """Decode one instruction into its record; returns its size, negative if it ends the chain.

    Sets the kind of the slot, not yet its handler; size 0: nothing to execute stands here.
    """
    index = (slot - slots) >> 4
    host = peek64(slots + HEADER) + 2 * index
    kind = slots + KINDS + 2 * index
    word = peek16(host)
    if word & 3 == 3:
        if host + 2 >= peek64(slots + HEADER + 8):
            poke16(kind, ODD)
            return 0
        word |= peek16(host + 2) << 16
    spelling = find_spelling(h, word)
    if spelling < 0:
        poke16(kind, BAD)
        return 0
    row = peek64(h.decoder + T_SPELLINGS) + ROW * spelling
    write_operands(h, slot, row, word)
    number = peek64(row + 16)
    size = peek64(row + 24)
    operation = peek64(h.decoder + T_OPERATIONS) + 32 * number
    variant = SHORT if size == 2 else 0
    distance_at = peek64(operation + 8)
    if distance_at:
        distance = sext32(peek32(slot + distance_at))
        if peek64(operation + 16) == 2:
            distance = sext16(distance)
        if not is_near(slots, slot, distance, h.ialign):
            variant |= FAR
    poke16(kind, FIRST + 4 * number + variant)
    return -size if peek64(operation) else size


def kind_of(slots, slot):
    """The number of a decoded slot's own handler."""
    return peek16(slots + KINDS + ((slot - slots) >> 3))


def is_breakpoint(h, slots, slot):
    """True if execution must stop before this slot."""
    pc = h.page_pc + ((slot - slots) >> 3)
    for n in range(h.breakpoint_count):  # noqa: SIM110 - numba
        if h.breakpoints[n] == pc:
            return True
    return False


def find_pair(h, slot, kind, following):
    """The handler for this instruction and the next together, or its own."""
    row = peek64(h.decoder + T_PAIR_STARTS) + 8 * kind
    pairs = peek64(h.decoder + T_PAIRS)
    after = slot + (16 if (kind - FIRST) & SHORT else 32)
    for n in range(peek64(row), peek64(row + 8)):
        pair = pairs + 32 * n
        if peek64(pair) == following:
            first = peek64(pair + 8)
            if first == 0 or peek8(slot + first) == peek8(after + peek64(pair + 16)):
                return peek64(pair + 24)
    return kind


def decode_chain(h, slots, first):
    """Decode from a slot to the end of its chain, then number the slots backward."""
    length = 0
    slot = first
    end = slots + SLOTS * SLOT
    while True:
        size = decode_slot(h, slots, slot)
        poke64(h.scratch + 8 * length, slot)
        length += 1
        if size <= 0:
            break
        slot += 8 * size
        if slot >= end or sext16(peek16(slot + COUNT)) > 0:
            break
    count = 0
    following = 0  # kind of the next slot, if it may share a handler with this one
    if size > 0 and slot < end:
        count = peek16(slot + COUNT)
        following = kind_of(slots, slot)
        if is_breakpoint(h, slots, slot):
            following = 0
    while length > 0:
        length -= 1
        count += 1
        slot = peek64(h.scratch + 8 * length)
        poke16(slot + COUNT, count)
        kind = kind_of(slots, slot)
        chosen = kind
        if is_breakpoint(h, slots, slot):
            chosen = STOP
            kind = 0
        elif h.profile and kind >= FIRST:
            chosen = PROFILE
        elif kind >= FIRST and following >= FIRST:
            chosen = find_pair(h, slot, kind, following)
        poke64(slot, peek64(h.handlers + 8 * chosen))
        following = kind


def new_page(h, row, address):
    """A fresh page of records for the page at a physical address, or 0 if there is no room."""
    slots = h.arena_next
    if slots + PAGE_BYTES > h.arena_end:
        return 0
    h.arena_next = slots + PAGE_BYTES
    undecoded = peek64(h.handlers + 8 * UNDECODED)
    for n in range(SLOTS):
        poke64(slots + SLOT * n, undecoded)
        poke64(slots + SLOT * n + 8, 0)
    for n in range(SLOTS, SLOTS + END_SLOTS):
        poke64(slots + SLOT * n, peek64(h.handlers + 8 * PAGE_END))
        poke64(slots + SLOT * n + 8, 0)
    page = (address & -4096) - h.regions[row, 0]
    poke64(slots + HEADER, h.regions[row, 2] + page)
    poke64(slots + HEADER + 8, h.regions[row, 2] + h.regions[row, 1])
    poke64(h.regions[row, 4] + 8 * (page >> 12), slots)
    return slots


def find_slots(h, pc):
    """The records of the page at ``pc``; 0 if there is no room, -1 if it cannot be executed."""
    index = (pc >> 12) & (TLB_ENTRIES - 1)
    page = pc & -4096
    if h.tlb_fetch[index, 0] == page:
        return h.tlb_fetch[index, 1]
    row = find_region(h, pc, 2, EXECUTABLE)
    if row < 0:
        return -1
    slots = peek64(h.regions[row, 4] + 8 * ((page - h.regions[row, 0]) >> 12))
    if slots == 0:
        slots = new_page(h, row, pc)
    if slots:
        h.tlb_fetch[index, 0] = page
        h.tlb_fetch[index, 1] = slots
    return slots


# --- the loop's manager --------------------------------------------------------------------------


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


__all__ = ["BRANCH", "amo", "load", "service", "store"]
