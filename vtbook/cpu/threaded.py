"""Threaded code: the LLVM text around compiled definitions, and the loop that runs it.

Each instruction's handler calls its definition (inlined), then jumps to the handler of the next
record: no central loop, so the processor predicts each jump by itself. Handlers pass three values
in registers: the hart, the decoded record, and the budget left less the instructions to the end of
the current chain.
"""

from __future__ import annotations

import platform

from vtbook.cpu.decode_tables import COUNT, KINDS, SLOT, Operand
from vtbook.cpu.layout import (
    BRANCH,
    BREAK,
    BUDGET,
    COMPILE,
    DECODE,
    FENCE_I,
    ILLEGAL,
    JUMP,
    LOOKUP,
    PYTHON,
    WFI,
    offset,
)
from vtbook.cpu.traits import Traits

# A convention that keeps every register free for the handler, where the back end has it.
CONVENTION = (
    "preserve_nonecc"
    if platform.machine().lower() in ("x86_64", "amd64", "arm64", "aarch64")
    else "tailcc"
)
ARGUMENTS = "ptr %h, ptr %d, i64 %r"


def handler_name(name: str, variant: int) -> str:
    """Symbol of an instruction's handler."""
    return f'"vt_{name}_{variant}"'


def _field(pointer: str, name: str) -> str:
    return f"  {pointer} = getelementptr i8, ptr %h, i64 {offset(name)}\n"


def _count(result: str, slot: str) -> str:
    """Load the chain count of a record."""
    return (
        f"  {result}.p = getelementptr i8, ptr {slot}, i64 {COUNT}\n"
        f"  {result}.n = load i16, ptr {result}.p\n"
        f"  {result} = sext i16 {result}.n to i64\n"
    )


_PC = (
    _field("%page.p", "page_slots")
    + "  %page = load i64, ptr %page.p\n"
    + _field("%base.p", "page_pc")
    + "  %base = load i64, ptr %base.p\n"
    + "  %d.i = ptrtoint ptr %d to i64\n"
    + "  %d.o = sub i64 %d.i, %page\n"
    + "  %d.b = ashr i64 %d.o, 3\n"
    + "  %pc = add i64 %base, %d.b\n"
)


def _tail(target: str, slot: str = "%d", left: str = "%r") -> str:
    return (
        f"  musttail call {CONVENTION} void {target}(ptr %h, ptr {slot}, i64 {left})\n  ret void\n"
    )


def _dispatch(slot: str, left: str) -> str:
    """Go on with the record at ``slot``."""
    return f"  {slot}.f = load ptr, ptr {slot}\n" + _tail(f"{slot}.f", slot, left)


def declarations() -> str:
    """What every module that holds handlers needs to know of the runtime."""
    return (
        f"declare {CONVENTION} void @vt_goto({ARGUMENTS})\n"
        f"declare {CONVENTION} void @vt_budget({ARGUMENTS})\n"
        + "".join(f"declare {CONVENTION} void @vt_leave_{n}({ARGUMENTS})\n" for n in REASONS)
    )


def runtime_symbols() -> list[str]:
    """Functions of the runtime that handlers in other modules call."""
    return [f"vt_leave_{n}" for n in REASONS] + [
        "vt_goto",
        "vt_budget",
        "vt_load",
        "vt_store",
        "vt_amo",
    ]


REASONS = (1, DECODE, BREAK, COMPILE, ILLEGAL, PYTHON, BUDGET, FENCE_I, WFI)


def handler(
    name: str,
    symbol: str,
    traits: Traits,
    variant: int,
    distance: Operand | None,
    inline: bool,
) -> str:
    """LLVM text of one instruction's handler.

    ``symbol`` is numba's function; ``variant`` 0 to 3 (SHORT | FAR); ``distance`` the operand of a
    pc-relative branch.
    """
    short, far = variant & 1, variant & 2
    step = (1 if short else 2) * SLOT
    text = f"define {CONVENTION} void @{handler_name(name, variant)}(ptr noalias %h, ptr %d, i64 %r) {{\n"
    text += "  %value = alloca i64\n  %info = alloca i64\n"
    if traits.uses_pc or far:
        text += _PC
    if traits.uses_pc:
        text += _field("%pc.p", "pc") + "  store i64 %pc, ptr %pc.p\n"
    if traits.uses_counter:
        text += (
            _count("%own", "%d")
            + _field("%target.p", "target")
            + "  %target = load i64, ptr %target.p\n"
            + "  %remaining = add i64 %r, %own\n"
            + "  %retired = sub i64 %target, %remaining\n"
            + _field("%retired.p", "instret")
            + "  store i64 %retired, ptr %retired.p\n"
        )
    text += (
        f'  %status = call i32 @"{symbol}"(ptr %value, ptr %info, ptr %h, ptr %d)'
        f"{' alwaysinline' if inline else ' noinline'}\n"
    )
    if not traits.rd_only_written:
        text += "  store i64 0, ptr %h\n"
    text += (
        "  switch i32 %status, label %fault [\n    i32 0, label %next\n"
        f"    i32 {JUMP}, label %jump\n    i32 {BRANCH}, label %taken\n"
        f"    i32 {FENCE_I}, label %done\n    i32 {WFI}, label %done\n  ]\n"
    )
    text += f"next:\n  %n = getelementptr i8, ptr %d, i64 {step}\n" + _dispatch("%n", "%r")
    text += (
        "jump:\n" + _count("%jc", "%d") + "  %j1 = add i64 %r, %jc\n  %j2 = sub i64 %j1, 1\n"
    ) + _tail("@vt_goto", "%d", "%j2")
    text += "taken:\n"
    if distance is None:
        text += "  unreachable\n"
    else:
        kind = f"i{8 * distance.size}"
        text += (
            f"  %o.p = getelementptr i8, ptr %d, i64 {distance.byte}\n"
            f"  %o.n = load {kind}, ptr %o.p, align 1\n"
            f"  %o = sext {kind} %o.n to i64\n" + _count("%bc", "%d")
        )
        text += "  %b1 = add i64 %r, %bc\n  %b2 = sub i64 %b1, 1\n"
        if far:
            text += (
                "  %to = add i64 %pc, %o\n"
                + _field("%next.p", "next_pc")
                + "  store i64 %to, ptr %next.p\n"
                + _field("%align.p", "ialign")
                + "  %align = load i64, ptr %align.p\n  %wrong = and i64 %to, %align\n"
                + "  %bad = icmp ne i64 %wrong, 0\n  br i1 %bad, label %crooked, label %straight\n"
                + "crooked:\n"
                + _field("%cause.p", "trap_cause")
                + "  store i64 0, ptr %cause.p\n"
                + _field("%tval.p", "trap_value")
                + "  store i64 %to, ptr %tval.p\n"
                + _tail("@vt_leave_1")
                + "straight:\n"
                + _tail("@vt_goto", "%d", "%b2")
            )
        else:
            text += (
                "  %o8 = shl i64 %o, 3\n  %t = getelementptr i8, ptr %d, i64 %o8\n"
                + _count("%tc", "%t")
                + "  %b3 = sub i64 %b2, %tc\n  %over = icmp slt i64 %b3, 0\n"
                + "  br i1 %over, label %budget, label %go\ngo:\n"
                + _dispatch("%t", "%b3")
                + "budget:\n"
                + _tail("@vt_budget", "%t", "%b3")
            )
    text += (
        f"done:\n  %after = getelementptr i8, ptr %d, i64 {step}\n"
        + f"  %is.wfi = icmp eq i32 %status, {WFI}\n  br i1 %is.wfi, label %wfi, label %fence\n"
        + "wfi:\n"
        + _tail(f"@vt_leave_{WFI}", "%after")
        + "fence:\n"
        + _tail(f"@vt_leave_{FENCE_I}", "%after")
    )
    text += (
        "fault:\n  %is.trap = icmp eq i32 %status, 1\n"
        "  br i1 %is.trap, label %trap, label %python\n"
        "trap:\n" + _tail("@vt_leave_1") + "python:\n" + _tail(f"@vt_leave_{PYTHON}") + "}\n"
    )
    return text


def runtime_glue() -> str:
    """LLVM text of the loop, of leaving it, and of the handlers that are not instructions."""
    text = ""
    for reason in REASONS:
        text += (
            f"define {CONVENTION} void @vt_leave_{reason}({ARGUMENTS}) {{\n"
            + _field("%slot.p", "slot")
            + "  store ptr %d, ptr %slot.p\n"
            + _field("%left.p", "left")
            + "  store i64 %r, ptr %left.p\n"
            + _field("%reason.p", "reason")
            + f"  store i64 {reason}, ptr %reason.p\n  ret void\n}}\n"
        )
    text += (
        f"define {CONVENTION} void @vt_budget({ARGUMENTS}) {{\n"
        + _tail(f"@vt_leave_{BUDGET}")
        + "}\n"
    )
    # Go to next_pc with %r instructions of budget left.
    tlb = offset("tlb_fetch")
    text += (
        f"define {CONVENTION} void @vt_goto({ARGUMENTS}) {{\n"
        + _field("%next.p", "next_pc")
        + "  %pc = load i64, ptr %next.p\n"
        + "  %i = lshr i64 %pc, 8\n  %i2 = and i64 %i, 4080\n"
        + f"  %i3 = add i64 %i2, {tlb}\n"
        + "  %tag.p = getelementptr i8, ptr %h, i64 %i3\n  %tag = load i64, ptr %tag.p\n"
        + "  %page = and i64 %pc, -4096\n  %hit = icmp eq i64 %tag, %page\n"
        + "  br i1 %hit, label %found, label %miss\nfound:\n"
        + "  %slots.p = getelementptr i8, ptr %tag.p, i64 8\n  %slots = load ptr, ptr %slots.p\n"
        + _field("%base.p", "page_pc")
        + "  store i64 %page, ptr %base.p\n"
        + _field("%first.p", "page_slots")
        + "  store ptr %slots, ptr %first.p\n"
        + "  %in = and i64 %pc, 4094\n  %in8 = shl i64 %in, 3\n"
        + "  %t = getelementptr i8, ptr %slots, i64 %in8\n"
        + _count("%c", "%t")
        + "  %left = sub i64 %r, %c\n  %over = icmp slt i64 %left, 0\n"
        + "  br i1 %over, label %budget, label %go\ngo:\n"
        + _dispatch("%t", "%left")
        + "budget:\n"
        + _tail("@vt_budget", "%t", "%left")
        + "miss:\n"
        + _field("%left.p", "left")
        + "  store i64 %r, ptr %left.p\n"
        + _field("%reason.p", "reason")
        + f"  store i64 {LOOKUP}, ptr %reason.p\n  ret void\n}}\n"
    )
    text += (
        f"define {CONVENTION} void @vt_page_end({ARGUMENTS}) {{\n"
        + _PC
        + _field("%next.p", "next_pc")
        + "  store i64 %pc, ptr %next.p\n"
        + _tail("@vt_goto")
        + "}\n"
    )
    text += (
        f"define {CONVENTION} void @vt_profile({ARGUMENTS}) {{\n"
        + _field("%page.p", "page_slots")
        + "  %page = load i64, ptr %page.p\n  %d.i = ptrtoint ptr %d to i64\n"
        + "  %o = sub i64 %d.i, %page\n  %o2 = ashr i64 %o, 3\n"
        + f"  %o3 = add i64 %o2, {KINDS}\n  %k.i = add i64 %page, %o3\n"
        + "  %k.p = inttoptr i64 %k.i to ptr\n  %k.n = load i16, ptr %k.p\n"
        + "  %k = zext i16 %k.n to i64\n"
        + _field("%profile.p", "profile")
        + "  %profile = load ptr, ptr %profile.p\n"
        + "  %counter = getelementptr i64, ptr %profile, i64 %k\n"
        + "  %n = load i64, ptr %counter\n  %n1 = add i64 %n, 1\n  store i64 %n1, ptr %counter\n"
        + _field("%handlers.p", "handlers")
        + "  %handlers = load ptr, ptr %handlers.p\n"
        + "  %f.p = getelementptr i64, ptr %handlers, i64 %k\n  %f = load ptr, ptr %f.p\n"
        + _tail("%f")
        + "}\n"
    )
    text += (
        "define i64 @vt_run(ptr %h) {\nstart:\n  br label %ask\nask:\n"
        "  %why = call i64 @vt_service(ptr %h)\n  %go = icmp eq i64 %why, 0\n"
        "  br i1 %go, label %run, label %out\nrun:\n"
        + _field("%slot.p", "slot")
        + "  %d = load ptr, ptr %slot.p\n"
        + _field("%left.p", "left")
        + "  %r = load i64, ptr %left.p\n  %f = load ptr, ptr %d\n"
        + f"  call {CONVENTION} void %f(ptr %h, ptr %d, i64 %r)\n  br label %ask\n"
        + "out:\n  ret i64 %why\n}\n"
    )
    return text
