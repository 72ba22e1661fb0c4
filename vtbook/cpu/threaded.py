"""Threaded code: the LLVM text around compiled definitions, and the loop that runs it.

Each instruction's handler calls its definition (inlined), then jumps to the handler of the next
record: no central loop, so the processor predicts each jump by itself. Handlers pass three values
in registers: the hart, the decoded record, and the budget left less the instructions to the end of
the current chain.
"""

from __future__ import annotations

from dataclasses import dataclass

from vtbook.cpu.decode_tables import COUNT, FAR, KINDS, SHORT, SLOT, Operand
from vtbook.cpu.layout import (
    BRANCH,
    BREAK,
    BUDGET,
    COMPILE,
    CROSS,
    DECODE,
    FENCE_I,
    ILLEGAL,
    JUMP,
    LOOKUP,
    MISS,
    PYTHON,
    SYNC,
    TLB_ENTRIES,
    TRAP,
    WFI,
    offset,
)
from vtbook.cpu.traits import Traits

# A convention that keeps every register free for the handler; LLVM has it for these processors.
CONVENTION = "preserve_nonecc"
PROCESSORS = frozenset({"x86_64", "amd64", "arm64", "aarch64"})
ARGUMENTS = "ptr %h, ptr %d, i64 %r"


def handler_name(name: str, variant: int, slow: bool = False) -> str:
    """Symbol of an instruction's handler, quoted."""
    return f'"vt_{name}_{"slow" if slow else ""}{variant}"'


def handler_declaration(name: str, variant: int) -> str:
    """Declare a handler that stands in another module."""
    return f"declare {CONVENTION} void @{handler_name(name, variant)}({ARGUMENTS})\n"


def _field(pointer: str, name: str) -> str:
    return f"  {pointer} = getelementptr i8, ptr %h, i64 {offset(name)}\n"


def _count(result: str, slot: str) -> str:
    """Load the chain count of a record."""
    return (
        f"  {result}.p = getelementptr i8, ptr {slot}, i64 {COUNT}\n"
        f"  {result}.n = load i16, ptr {result}.p\n"
        f"  {result} = sext i16 {result}.n to i64\n"
    )


def _pc(mark: str, d: str) -> str:
    """The address of record ``d``'s instruction, as ``%{mark}pc``."""
    return (
        _field(f"%{mark}page.p", "page_slots")
        + f"  %{mark}page = load i64, ptr %{mark}page.p\n"
        + _field(f"%{mark}base.p", "page_pc")
        + f"  %{mark}base = load i64, ptr %{mark}base.p\n"
        + f"  %{mark}d.i = ptrtoint ptr {d} to i64\n"
        + f"  %{mark}d.o = sub i64 %{mark}d.i, %{mark}page\n"
        + f"  %{mark}d.b = ashr i64 %{mark}d.o, 3\n"
        + f"  %{mark}pc = add i64 %{mark}base, %{mark}d.b\n"
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
        goto_text()
        + "declare void @llvm.assume(i1)\n"
        + "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)\n"
        + f"declare {CONVENTION} void @vt_budget({ARGUMENTS})\n"
        + f"declare {CONVENTION} void @vt_lookup({ARGUMENTS})\n"
        + "".join(f"declare {CONVENTION} void @vt_leave_{n}({ARGUMENTS})\n" for n in REASONS)
    )


def runtime_symbols() -> list[str]:
    """Functions of the runtime that handlers in other modules call."""
    return [f"vt_leave_{n}" for n in REASONS] + [
        "vt_budget",
        "vt_lookup",
        "vt_load",
        "vt_store",
        "vt_amo",
    ]


REASONS = (TRAP, DECODE, BREAK, COMPILE, ILLEGAL, PYTHON, BUDGET, FENCE_I, WFI, CROSS, SYNC)


@dataclass(frozen=True)
class Body:
    """A compiled definition, as the text around it needs to know it.

    ``symbol`` is numba's function. If it is ``restartable``, it returns MISS where memory is not
    in the TLB, before it has changed anything; ``slow`` is then the handler that can go on.
    """

    name: str
    symbol: str
    traits: Traits
    distance: Operand | None
    inline: bool
    restartable: bool


def _call(body: Body, mark: str, d: str, needs_pc: bool) -> str:
    """Run a definition on record ``d``; its status is ``%{mark}status``."""
    text = ""
    if needs_pc:
        text += _pc(mark, d)
    if body.traits.uses_pc:
        text += _field(f"%{mark}pc.p", "pc") + f"  store i64 %{mark}pc, ptr %{mark}pc.p\n"
    if body.traits.uses_counter:
        text += (
            _count(f"%{mark}own", d)
            + _field(f"%{mark}target.p", "target")
            + f"  %{mark}target = load i64, ptr %{mark}target.p\n"
            + f"  %{mark}remaining = add i64 %r, %{mark}own\n"
            + f"  %{mark}retired = sub i64 %{mark}target, %{mark}remaining\n"
            + _field(f"%{mark}retired.p", "instret")
            + f"  store i64 %{mark}retired, ptr %{mark}retired.p\n"
        )
    how = "alwaysinline" if body.inline else "noinline"
    arguments = f"ptr %value, ptr %info, ptr %h, ptr {d}"
    text += f'  %{mark}status = call i32 @"{body.symbol}"({arguments}) {how}\n'
    if not body.traits.rd_only_written:
        text += "  store i64 0, ptr %h\n"
    return text


def _jump(d: str, resyncs: bool = False) -> str:
    """The blocks ``jump``: go to next_pc, one instruction done."""
    return (
        "jump:\n" + _count("%jc", d) + "  %j1 = add i64 %r, %jc\n  %j2 = sub i64 %j1, 1\n"
    ) + _tail("@vt_lookup" if resyncs else "@vt_goto", d, "%j2")


def _resync(mark: str, slot: str) -> str:
    """Leave before the record at ``slot`` if the instruction asked the machine to look."""
    return (
        _field(f"%{mark}sync.p", "sync")
        + f"  %{mark}sync = load i64, ptr %{mark}sync.p\n"
        + f"  %{mark}calm = icmp eq i64 %{mark}sync, 0\n"
        + f"  br i1 %{mark}calm, label %{mark}on, label %{mark}look\n{mark}look:\n"
        + _tail(f"@vt_leave_{SYNC}", slot)
        + f"{mark}on:\n"
    )


def _taken(body: Body, mark: str, d: str, far: bool) -> str:
    """The blocks ``taken``: a branch by the distance in the record, one instruction done."""
    if body.distance is None:
        return "taken:\n  unreachable\n"
    kind = f"i{8 * body.distance.size}"
    text = (
        f"taken:\n  %o.p = getelementptr i8, ptr {d}, i64 {body.distance.byte}\n"
        f"  %o.n = load {kind}, ptr %o.p, align 1\n"
        f"  %o = sext {kind} %o.n to i64\n" + _count("%bc", d)
    )
    text += "  %b1 = add i64 %r, %bc\n  %b2 = sub i64 %b1, 1\n"
    if far:
        return (
            text
            + f"  %to = add i64 %{mark}pc, %o\n"
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
            + _tail(f"@vt_leave_{TRAP}", d)
            + "straight:\n"
            + _tail("@vt_goto", d, "%b2")
        )
    return (
        text
        + f"  %o8 = shl i64 %o, 3\n  %t = getelementptr i8, ptr {d}, i64 %o8\n"
        + _count("%tc", "%t")
        + "  %b3 = sub i64 %b2, %tc\n  %over = icmp slt i64 %b3, 0\n"
        + "  br i1 %over, label %budget, label %go\ngo:\n"
        + _dispatch("%t", "%b3")
        + "budget:\n"
        + _tail("@vt_budget", "%t", "%b3")
    )


def _keep(back: bool) -> str:
    """Copy the architecture's fields to the record's ``before``, or back from there.

    For definitions that change something before they load or store: if memory then turns out to be
    Python's (a device, a watched address), Python runs the instruction from its start.
    """
    mark = "%restore" if back else "%keep"
    ends = f"ptr %h, ptr {mark}" if back else f"ptr {mark}, ptr %h"
    size = offset("zero")
    return _field(mark, "before") + (
        f"  call void @llvm.memcpy.p0.p0.i64({ends}, i64 {size}, i1 false)\n"
    )


def _step(variant: int) -> int:
    """Bytes from a record to that of the next instruction."""
    return SLOT if variant & SHORT else 2 * SLOT


def _begin(symbol: str) -> str:
    return (
        f"define {CONVENTION} void @{symbol}(ptr noalias %h, ptr noalias %d, i64 %r) {{\n"
        "  %value = alloca i64\n  %info = alloca i64\n"
    )


def handler(body: Body, variant: int, slow: bool = False) -> str:
    """LLVM text of one instruction's handler; ``variant`` is 0 to 3 (SHORT | FAR).

    The ``slow`` handler of a restartable definition is where its MISS goes.
    """
    far = bool(variant & FAR)
    text = _begin(handler_name(body.name, variant, slow))
    text += _keep(back=False) if body.traits.changes_first else ""
    text += _call(body, "", "%d", far or body.traits.uses_pc)
    text += (
        "  switch i32 %status, label %fault [\n    i32 0, label %next\n"
        f"    i32 {JUMP}, label %jump\n    i32 {BRANCH}, label %taken\n"
        f"    i32 {FENCE_I}, label %fence\n    i32 {WFI}, label %wfi\n"
        f"    i32 {TRAP}, label %trap\n"
        + (f"    i32 {MISS}, label %miss\n" if body.restartable else "")
        + "  ]\n"
    )
    text += f"next:\n  %n = getelementptr i8, ptr %d, i64 {_step(variant)}\n"
    text += (_resync("n", "%n") if body.traits.resyncs else "") + _dispatch("%n", "%r")
    text += _jump("%d", body.traits.resyncs) + _taken(body, "", "%d", far)
    for label, reason in (("fence", FENCE_I), ("wfi", WFI)):
        text += (
            f"{label}:\n  %{label}.n = getelementptr i8, ptr %d, i64 {_step(variant)}\n"
            + _tail(f"@vt_leave_{reason}", f"%{label}.n")
        )
    if body.restartable:
        text += "miss:\n" + _tail("@" + handler_name(body.name, variant & SHORT, slow=True))
    text += "trap:\n" + _tail(f"@vt_leave_{TRAP}")
    text += "fault:\n" + (_keep(back=True) if body.traits.changes_first else "")
    text += _tail(f"@vt_leave_{PYTHON}") + "}\n"
    return text


def pair_handler(
    symbol: str, a: Body, b: Body, variants: tuple[int, int], equal: tuple[int, int] | None
) -> str:
    """LLVM text of one handler for two instructions that follow each other.

    ``equal`` gives two operand bytes, one of each record, that hold the same register number: LLVM
    then passes the value of the first instruction to the second without going through memory.
    Where either cannot finish, the instruction's own handler does it again from its start.
    """
    text = _begin(symbol)
    text += f"  %e = getelementptr i8, ptr %d, i64 {_step(variants[0])}\n"
    if equal:
        text += (
            f"  %ea.p = getelementptr i8, ptr %d, i64 {equal[0]}\n  %ea = load i8, ptr %ea.p\n"
            f"  %eb.p = getelementptr i8, ptr %e, i64 {equal[1]}\n  %eb = load i8, ptr %eb.p\n"
            "  %same = icmp eq i8 %ea, %eb\n  call void @llvm.assume(i1 %same)\n"
        )
    text += _call(a, "a", "%d", a.traits.uses_pc)
    text += (
        "  %a.ok = icmp eq i32 %astatus, 0\n  br i1 %a.ok, label %second, label %again\nagain:\n"
    )
    text += _tail("@" + handler_name(a.name, variants[0])) + "second:\n"
    text += _call(b, "b", "%e", b.traits.uses_pc)
    text += (
        "  switch i32 %bstatus, label %redo [\n    i32 0, label %next\n"
        f"    i32 {JUMP}, label %jump\n    i32 {BRANCH}, label %taken\n  ]\n"
    )
    text += f"next:\n  %n = getelementptr i8, ptr %e, i64 {_step(variants[1])}\n" + _dispatch(
        "%n", "%r"
    )
    text += _jump("%e") + _taken(b, "b", "%e", False)
    text += "redo:\n" + _tail("@" + handler_name(b.name, variants[1]), "%e") + "}\n"
    return text


def goto_text() -> str:
    """LLVM text of going on at next_pc, with %r instructions of budget left: part of each jump."""
    tlb = offset("tlb_fetch")
    return (
        f"define internal {CONVENTION} void @vt_goto({ARGUMENTS}) alwaysinline {{\n"
        + _field("%next.p", "next_pc")
        + "  %pc = load i64, ptr %next.p\n"
        + f"  %i = lshr i64 %pc, 8\n  %i2 = and i64 %i, {(TLB_ENTRIES - 1) << 4}\n"
        + f"  %i3 = add i64 %i2, {tlb}\n"
        + "  %tag.p = getelementptr i8, ptr %h, i64 %i3\n  %tag = load i64, ptr %tag.p\n"
        + "  %page = and i64 %pc, -4096\n"
        + _field("%context.p", "context_fetch")
        + "  %context = load i64, ptr %context.p\n  %wanted = or i64 %page, %context\n"
        + "  %hit = icmp eq i64 %tag, %wanted\n"
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
        + _tail("@vt_lookup")
        + "}\n"
    )


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
    text += (
        f"define {CONVENTION} void @vt_lookup({ARGUMENTS}) {{\n"
        + _field("%left.p", "left")
        + "  store i64 %r, ptr %left.p\n"
        + _field("%reason.p", "reason")
        + f"  store i64 {LOOKUP}, ptr %reason.p\n  ret void\n}}\n"
    )
    text += goto_text()
    text += (
        f"define {CONVENTION} void @vt_page_end({ARGUMENTS}) {{\n"
        + _pc("", "%d")
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
