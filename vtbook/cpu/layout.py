"""The hart's state as one numpy record, and the codes that compiled code returns.

The record is what compiled code gets a pointer to: first what the architecture defines, then what
the machines keep for themselves (the memory map, the TLBs, why the loop stopped). Only the first
part is the guest's state; ``ARCHITECTURAL`` names it.
"""

import numpy as np

PAGE = 4096
TLB_ENTRIES = 1024
REGIONS = 4
WATCHES = 16
DEVICES = 32
BREAKPOINTS = 64
CONTEXTS = 1024
CROSSINGS = 16

_ARCHITECTURE = [
    ("x", "i8", (33,)),  # x[32] takes what is written to x0
    ("f", "i8", (32,)),
    ("pc", "i8"),
    ("mode", "i8"),  # 0 U, 1 S, 3 M
    ("mstatus", "i8"),
    ("misa", "i8"),
    ("medeleg", "i8"),
    ("mideleg", "i8"),
    ("mie", "i8"),
    ("mip", "i8"),
    ("mtvec", "i8"),
    ("mcounteren", "i8"),
    ("mcountinhibit", "i8"),
    ("mscratch", "i8"),
    ("mepc", "i8"),
    ("mcause", "i8"),
    ("mtval", "i8"),
    ("menvcfg", "i8"),
    ("mhartid", "i8"),
    ("stvec", "i8"),
    ("sscratch", "i8"),
    ("sepc", "i8"),
    ("scause", "i8"),
    ("stval", "i8"),
    ("satp", "i8"),
    ("scounteren", "i8"),
    ("senvcfg", "i8"),
    ("stimecmp", "i8"),  # unsigned, as mtimecmp
    ("mtimecmp", "i8"),  # of the CLINT; here, so that compiled code sees the timer
    ("lines", "i8"),  # interrupt lines that devices hold up, as bits of mip
    ("pmpcfg", "i8", (2,)),  # eight entries each, a byte an entry
    ("pmpaddr", "i8", (16,)),
    ("fflags", "i8"),
    ("frm", "i8"),
    ("reservation", "i8"),  # address of the last load-reserved, or -1
    ("instret", "i8"),  # instructions retired since reset; guests cannot write it
    ("mcycle_offset", "i8"),  # mcycle = instret + this
    ("minstret_offset", "i8"),
    ("time_offset", "i8"),
    ("tick", "i8"),  # instructions per tick of the time CSR
    ("idle", "i8"),  # time that passed while this hart ran nothing, in instructions
    ("waiting", "i8"),  # 1 after wfi, until an interrupt is pending
]
_ENGINE = [
    ("zero", "i8"),
    ("ialign", "i8"),  # bits that must be clear in a pc: 1, or 3 without the C extension
    ("next_pc", "i8"),  # where a jump goes
    ("loaded", "i8"),  # value of a load that missed the TLB
    ("trap_cause", "i8"),
    ("trap_value", "i8"),
    ("pmp_entries", "i8"),  # how many the hart has: 0 or 16
    ("superpages", "i8"),  # gigabytes of virtual addresses, modulo 64, with superpages in a TLB
    ("sync", "i8"),  # 1: before the next instruction look at contexts and interrupts
    ("goal", "i8"),  # instret at which the run ends; ``target`` may be a timer before it
    ("dirty", "i8"),  # address of a byte for each page of the first region, set by a store; or 0
    ("svade", "i8"),  # 1: a page fault asks software to set the A and D bits
    ("context_data", "i8"),  # tags of loads and stores in the TLBs: see ``translation``
    ("context_fetch", "i8"),
    ("contexts", "i8", (CONTEXTS, 2)),  # satp and rights that each context stands for
    ("context_count", "i8"),
    ("walk_physical", "i8"),  # what the last translation found: the physical address,
    ("walk_level", "i8"),  # and the level of its leaf, 0 for a 4 KiB page
    ("device_ready", "i8"),  # the access that Python has done: the instruction may use it
    ("device_address", "i8"),
    ("device_size", "i8"),
    ("device_value", "i8"),
    ("device_wanted", "i8"),  # the access that Python is asked for: READABLE, WRITABLE, or 0
    ("cross_words", "i8", (CROSSINGS,)),  # instructions across two pages, each in a page of its own
    ("cross_slots", "i8"),  # the first of these pages of records
    ("trap_exits", "i8"),  # 1: a trap leaves the loop instead of going to mtvec
    ("reason", "i8"),  # why compiled code left the loop
    ("target", "i8"),  # instret at which the budget ends
    ("before", "i8", (160,)),  # the architecture's fields before an instruction, see ``threaded``
    ("left", "i8"),  # budget left, less the instructions to the end of the current chain
    ("slot", "i8"),  # address of the decoded record where the loop stopped
    ("page_pc", "i8"),  # virtual address of the page being executed
    ("page_slots", "i8"),  # address of its first decoded record
    ("stop_slot", "i8"),  # record in which the end of the budget stands for the moment, or 0
    ("stop_saved", "i8"),  # the handler that belongs there
    ("stop_before", "i8"),  # the record before it, whose handler may cover both, or 0
    ("stop_before_saved", "i8"),
    ("regions", "i8", (REGIONS, 5)),  # base, size, host address, flags, directory of decoded pages
    ("devices", "i8", (DEVICES, 2)),  # first address, end
    ("device_count", "i8"),
    ("watches", "i8", (WATCHES, 3)),  # first, end, READABLE | WRITABLE | WATCH_PHYSICAL
    ("watch_count", "i8"),
    ("breakpoints", "i8", (BREAKPOINTS,)),
    ("breakpoint_count", "i8"),
    ("arena_next", "i8"),  # where the next page of decoded records goes
    ("arena_end", "i8"),
    ("decoder", "i8"),  # address of the decoder's tables
    ("handlers", "i8"),  # address of the table of handlers
    ("profile", "i8"),  # address of one counter a handler, or 0
    ("scratch", "i8"),  # address of room for one chain of slot numbers
    ("tlb_read", "i8", (TLB_ENTRIES, 2)),  # page | context, or -1; host address minus guest address
    ("tlb_write", "i8", (TLB_ENTRIES, 2)),
    ("tlb_fetch", "i8", (TLB_ENTRIES, 2)),  # page | context, or -1; address of its decoded records
]

HART = np.dtype(_ARCHITECTURE + _ENGINE, align=True)
ARCHITECTURAL = tuple(name for name, *_ in _ARCHITECTURE)


assert HART.fields["zero"][1] <= 160 * 8  # type: ignore[index] # "before" has room


def offset(field: str) -> int:
    """Byte offset of a field in the record."""
    return HART.fields[field][1]  # type: ignore[index]


# Flags of a region; also kinds of accesses.
READABLE, WRITABLE, EXECUTABLE = 1, 2, 4
WATCH_PHYSICAL = 8  # flag of a watched range: its addresses are physical

# What a compiled definition returns (numba's status code): 0 is "go on with the next instruction".
NEXT = 0
TRAP = 1  # trap_cause and trap_value are set
JUMP = 2  # next_pc is set
BRANCH = 3  # taken: next_pc is set, and is pc plus the instruction's own offset
PYTHON = 4  # only plain Python can do this one: a device, a watched address
FENCE_I = 5  # done; the decode cache must be emptied
WFI = 6  # done; nothing to do until an interrupt
MISS = 7  # nothing done: the memory is not in the TLB

# Why the compiled loop came back.
BUDGET = 10  # the budget may end inside this chain
DECODE = 11  # this slot is not decoded yet
LOOKUP = 12  # next_pc is in a page that is not the current one
BREAK = 13  # a breakpoint, or the end of the budget, stands here
COMPILE = 14  # the instruction's group is not compiled yet
ILLEGAL = 15  # no instruction has this encoding
FLUSH = 16  # no room for another page of decoded records
UNHANDLED = 17  # a trap that the guest cannot handle
CROSS = 18  # the instruction continues in the next page
SYNC = 19  # ``sync`` is set
IDLE = 20  # all harts wait, and time has passed: of several harts, not of compiled code
