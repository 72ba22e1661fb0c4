"""The decode cache: records of the instructions of each page, filled when they are first reached.

Compiled by numba only. ``decode_tables`` says how a record and a page of records are laid out.
"""

from vtbook.cpu.decode_tables import (
    ACROSS,
    BAD,
    COUNT,
    END_SLOTS,
    FAR,
    FIRST,
    HEADER,
    KINDS,
    ODD,
    OPERANDS,
    PAGE_BYTES,
    PAGE_END,
    PROFILE,
    SHORT,
    SLOT,
    SLOTS,
    STOP,
    UNDECODED,
)
from vtbook.cpu.layout import CROSSINGS, EXECUTABLE, NEXT, PYTHON, TLB_ENTRIES, TRAP
from vtbook.cpu.lowering import peek8, peek16, peek32, peek64, poke8, poke16, poke32, poke64
from vtbook.cpu.protection import allows
from vtbook.cpu.slow_memory import find_region, host_of, trap
from vtbook.cpu.translation import access_fault, translate
from vtbook.isa.operations import sext16, sext32

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


def writes_x0(slot, operands):
    """True if one of these operand bytes, a bit each, is 0."""
    for n in range(6):  # noqa: SIM110 - numba
        if (operands >> n) & 1 and peek8(slot + OPERANDS + n) == 0:
            return True
    return False


def decode_slot(h, slots, slot):
    """Decode one instruction into its record; returns its size, negative if it ends the chain.

    Sets the kind of the slot, not yet its handler; size 0: nothing to execute stands here.
    """
    index = (slot - slots) >> 4
    host = peek64(slots + HEADER) + 2 * index
    word = peek16(host)
    if word & 3 == 3:
        if index == SLOTS - 1:
            poke16(slots + KINDS + 2 * index, ACROSS)
            return 0
        word |= peek16(host + 2) << 16
    return decode_word(h, slots, slot, word, False)


def decode_word(h, slots, slot, word, alone):
    """Decode a word into a record; ``alone``: no other record of this page can be jumped to."""
    kind = slots + KINDS + 2 * ((slot - slots) >> 4)
    spelling = find_spelling(h, word)
    if spelling < 0:
        poke16(kind, BAD)
        return 0
    row = peek64(h.decoder + T_SPELLINGS) + ROW * spelling
    write_operands(h, slot, row, word)
    number = peek64(row + 16)
    size = peek64(row + 24)
    operation = peek64(h.decoder + T_OPERATIONS) + 32 * number
    if writes_x0(slot, peek64(operation + 24)):
        poke16(kind, ODD)  # compiled code would read back what it wrote to x0
        return 0
    variant = SHORT if size == 2 else 0
    distance_at = peek64(operation + 8)
    if distance_at:
        distance = sext32(peek32(slot + distance_at))
        if peek64(operation + 16) == 2:
            distance = sext16(distance)
        if alone or not is_near(slots, slot, distance, h.ialign):
            variant |= FAR
    poke16(kind, FIRST + 4 * number + variant)
    return -size if peek64(operation) else size


def kind_of(slots, slot):
    """The number of a decoded slot's own handler."""
    return peek16(slots + KINDS + ((slot - slots) >> 3))


def is_breakpoint(h, slots, slot):
    """True if execution must stop before this slot."""
    place = (slot - slots) >> 3  # in any page: another may show the same memory
    for n in range(h.breakpoint_count):  # noqa: SIM110 - numba
        if h.breakpoints[n] & 4095 == place:
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
    poke64(h.regions[row, 4] + 8 * (page >> 12), slots)
    return slots


def find_slots(h, pc):
    """The records of the page at ``pc``; 0 if there is no room, else a status, negative.

    TRAP: it cannot be executed. PYTHON: only part of it can (physical memory protection).
    """
    index = (pc >> 12) & (TLB_ENTRIES - 1)
    page = pc & -4096
    if h.tlb_fetch[index, 0] == page | h.context_fetch:
        return h.tlb_fetch[index, 1]
    cause = translate(h, pc, EXECUTABLE)
    if cause:
        return -trap(h, cause, pc)
    physical = h.walk_physical
    row = find_region(h, physical, 2, EXECUTABLE)
    if row < 0 or not allows(h, physical, 2, EXECUTABLE, h.mode):
        return -trap(h, access_fault(EXECUTABLE), pc)
    if not allows(h, physical & -4096, 4096, EXECUTABLE, h.mode):
        return -PYTHON
    offset = (physical & -4096) - h.regions[row, 0]
    slots = peek64(h.regions[row, 4] + 8 * (offset >> 12))
    if slots == 0:
        slots = new_page(h, row, physical)
    if slots:
        h.tlb_fetch[index, 0] = page | h.context_fetch
        h.tlb_fetch[index, 1] = slots
        if h.walk_level:
            h.superpages |= 1 << ((pc >> 30) & 63)
    return slots


def decode_across(h, pc):
    """Decode the instruction at ``pc`` that continues in the next page, in a page of its own.

    NEXT with ``h.slot``, ``h.page_slots`` and ``h.page_pc`` set, or TRAP.
    """
    number = (pc >> 12) & (CROSSINGS - 1)
    slots = h.cross_slots + number * PAGE_BYTES
    slot = slots + (pc & 4095) * 8
    second = pc + 2
    word = peek16(peek64(h.page_slots + HEADER) + (pc & 4095))
    if word & 3 == 3:  # else a store changed it since: a short one stands here now
        following = find_slots(h, second)  # a walk only if the TLB has not the page
        if following == -TRAP:
            return TRAP
        if following > 0:
            word |= peek16(peek64(following + HEADER)) << 16
        else:  # protected in parts, or no room for its records
            row = find_region(h, h.walk_physical, 2, EXECUTABLE)
            word |= peek16(host_of(h, row, h.walk_physical)) << 16
    h.page_slots = slots
    h.page_pc = pc & -4096
    h.slot = slot
    if word == h.cross_words[number]:
        return NEXT
    h.cross_words[number] = word
    decode_word(h, slots, slot, word, True)
    poke16(slot + COUNT, 1)
    chosen = peek16(slots + KINDS + 2 * ((slot - slots) >> 4))
    if h.profile and chosen >= FIRST:
        chosen = PROFILE
    poke64(slot, peek64(h.handlers + 8 * chosen))
    return NEXT
