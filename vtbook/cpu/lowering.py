"""The operations of ``vtbook.isa.operations`` in compiled code: how numba lowers each to LLVM.

A definition compiled by numba is a function that returns a status. An operation that abandons the
instruction (a trap, a jump, a device access) returns from the whole definition with one of the
codes of ``layout``: numba's own way of raising, which costs nothing where nothing is raised.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import lower_builtin, type_callable

from vtbook.cpu.layout import (
    BRANCH,
    FENCE_I,
    JUMP,
    MISS,
    TLB_ENTRIES,
    TRAP,
    WFI,
    offset,
)
from vtbook.isa import operations as ops

I8, I32, I64, I128 = (ir.IntType(n) for n in (8, 32, 64, 128))


class Mode:
    """How some operations are lowered at the moment.

    ``relative``: the code around the definition knows the distance of ``branch``, which is an
    operand; otherwise the target is computed like a jump's.
    ``restartable``: memory that is not in the TLB makes the definition return MISS; otherwise it
    calls the runtime.
    """

    relative = False
    restartable = False


def const(value: int) -> ir.Constant:
    """A 64-bit constant."""
    return ir.Constant(I64, value)


def field_pointer(builder: Any, h: Any, byte: Any) -> Any:
    """Pointer to the 64-bit field at a byte offset of the hart's record."""
    base = builder.bitcast(h, I8.as_pointer())
    where = byte if isinstance(byte, ir.Value) else const(byte)
    return builder.bitcast(builder.gep(base, [where]), I64.as_pointer())


def get_field(builder: Any, h: Any, name: str) -> Any:
    """Load a field of the hart's record."""
    return builder.load(field_pointer(builder, h, offset(name)))


def set_field(builder: Any, h: Any, name: str, value: Any) -> None:
    """Store a field of the hart's record."""
    builder.store(value, field_pointer(builder, h, offset(name)))


def leave(builder: Any, status: int) -> None:
    """Return from the definition with a status."""
    builder.ret(ir.Constant(I32, status))


def leave_if(
    builder: Any, condition: Any, status: int, before: Callable[[], None] | None = None
) -> None:
    """Return with a status if the condition holds; ``before`` emits code on that path."""
    out = builder.append_basic_block("leave")
    on = builder.append_basic_block("on")
    builder.cbranch(condition, out, on)
    builder.position_at_end(out)
    if before:
        before()
    leave(builder, status)
    builder.position_at_end(on)


# --- registration --------------------------------------------------------------------------------

Generate = Callable[..., Any]


def _register(
    operation: Any, takes: tuple[Any, ...], gives: Any, generate: Generate, hart: bool
) -> None:
    """Tell numba the type of an operation and the code to emit for it."""
    names = [f"a{n}" for n in range(len(takes))]
    arguments = (["h"] if hart else []) + names

    def typer_factory(context: Any) -> Any:
        scope = {"gives": gives}
        exec(f"def typer({', '.join(arguments)}):\n    return gives", scope)
        return scope["typer"]

    type_callable(operation)(typer_factory)

    @lower_builtin(operation, *[types.Any] * len(arguments))
    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        own = signature.args[1:] if hart else signature.args
        given = values[1:] if hart else values
        cast = [
            context.cast(builder, value, have, want)
            for value, have, want in zip(given, own, takes, strict=True)
        ]
        result = generate(context, builder, *([values[0], *cast] if hart else cast))
        return context.get_dummy_value() if gives is types.none else result


def lowers(operation: Any, *takes: Any, gives: Any = types.int64) -> Callable[[Generate], Generate]:
    """Decorator: the code generator of an operation, in (context, builder, [h,] *values)."""

    def register(generate: Generate) -> Generate:
        first = next(iter(inspect.signature(operation).parameters), "")
        _register(operation, takes, gives, generate, hart=first == "h")
        return generate

    return register


LONG, BOOL = types.int64, types.boolean

# --- values --------------------------------------------------------------------------------------


@lowers(ops.wrap, LONG)
def _wrap(context, builder, a):
    return a


def _sign_extend(bits: int) -> Generate:
    def generate(context, builder, a):
        return builder.sext(builder.trunc(a, ir.IntType(bits)), I64)

    return generate


for _operation, _bits in ((ops.sext8, 8), (ops.sext16, 16), (ops.sext32, 32)):
    lowers(_operation, LONG)(_sign_extend(_bits))


@lowers(ops.srl, LONG, LONG)
def _srl(context, builder, a, n):
    return builder.lshr(a, builder.and_(n, const(63)))


@lowers(ops.ult, LONG, LONG, gives=BOOL)
def _ult(context, builder, a, b):
    return builder.icmp_unsigned("<", a, b)


@lowers(ops.select, BOOL, LONG, LONG)
def _select(context, builder, condition, a, b):
    return builder.select(condition, a, b)


def _multiply_high(first: str, second: str) -> Generate:
    def generate(context, builder, a, b):
        wide = builder.mul(getattr(builder, first)(a, I128), getattr(builder, second)(b, I128))
        return builder.trunc(builder.lshr(wide, ir.Constant(I128, 64)), I64)

    return generate


lowers(ops.mulh, LONG, LONG)(_multiply_high("sext", "sext"))
lowers(ops.mulhu, LONG, LONG)(_multiply_high("zext", "zext"))
lowers(ops.mulhsu, LONG, LONG)(_multiply_high("sext", "zext"))


def _division(instruction: str, signed: bool, by_zero: Callable[[Any], Any]) -> Generate:
    """Divide by 1 instead where LLVM's division is undefined, then choose RISC-V's result."""

    def generate(context, builder, a, b):
        zero = builder.icmp_signed("==", b, const(0))
        bad = zero
        if signed:
            least = builder.icmp_signed("==", a, const(-(1 << 63)))
            minus = builder.icmp_signed("==", b, const(-1))
            bad = builder.or_(zero, builder.and_(least, minus))
        safe = builder.select(bad, const(1), b)
        result = getattr(builder, instruction)(a, safe)
        return builder.select(zero, by_zero(a), result)

    return generate


lowers(ops.div, LONG, LONG)(_division("sdiv", True, lambda a: const(-1)))
lowers(ops.divu, LONG, LONG)(_division("udiv", False, lambda a: const(-1)))
lowers(ops.rem, LONG, LONG)(_division("srem", True, lambda a: a))
lowers(ops.remu, LONG, LONG)(_division("urem", False, lambda a: a))

# --- memory --------------------------------------------------------------------------------------


def _call_slow(builder: Any, name: str, arguments: list[Any]) -> Any:
    """Call a function of the runtime module; it returns a status, nonzero to leave."""
    kind = ir.FunctionType(I64, [a.type for a in arguments])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    function.attributes.add("cold")
    function.attributes.add("noinline")
    return builder.call(function, arguments)


def _leave_with(builder: Any, status: Any) -> None:
    """Return from the definition if the 64-bit status is not zero."""
    out = builder.append_basic_block("leave")
    on = builder.append_basic_block("on")
    builder.cbranch(builder.icmp_signed("!=", status, const(0)), out, on)
    builder.position_at_end(out)
    builder.ret(builder.trunc(status, I32))
    builder.position_at_end(on)


def _translate(builder: Any, h: Any, address: Any, size: int, tlb: str) -> tuple[Any, Any]:
    """Look the page up in a TLB: (is it there, host address)."""
    index = builder.and_(builder.lshr(address, const(8)), const((TLB_ENTRIES - 1) << 4))
    entry = builder.add(index, const(offset(tlb)))
    tag = builder.load(field_pointer(builder, h, entry))
    addend = builder.load(field_pointer(builder, h, builder.add(entry, const(8))))
    last = builder.add(address, const(size - 1)) if size > 1 else address
    page = builder.or_(builder.and_(last, const(-4096)), get_field(builder, h, "context_data"))
    hit = builder.icmp_signed("==", page, tag)
    return hit, builder.add(address, addend)


def _load(bits: int) -> Generate:
    size = bits // 8

    def read(builder, host):
        kind = ir.IntType(bits)
        value = builder.load(builder.inttoptr(host, kind.as_pointer()))
        value.align = 1
        return value if bits == 64 else builder.zext(value, I64)

    def generate(context, builder, h, address):
        hit, host = _translate(builder, h, address, size, "tlb_read")
        fast = builder.append_basic_block("fast")
        slow = builder.append_basic_block("slow")
        builder.cbranch(hit, fast, slow)
        builder.position_at_end(slow)
        if Mode.restartable:
            leave(builder, MISS)
            builder.position_at_end(fast)
            return read(builder, host)
        base = builder.bitcast(h, I8.as_pointer())
        status = _call_slow(builder, "vt_load", [base, address, const(size)])
        _leave_with(builder, status)
        from_slow = get_field(builder, h, "loaded")
        done = builder.append_basic_block("done")
        slow_end = builder.block
        builder.branch(done)
        builder.position_at_end(fast)
        from_fast = read(builder, host)
        builder.branch(done)
        builder.position_at_end(done)
        result = builder.phi(I64)
        result.add_incoming(from_fast, fast)
        result.add_incoming(from_slow, slow_end)
        return result

    return generate


def _store(bits: int) -> Generate:
    size = bits // 8

    def write(builder, host, value):
        kind = ir.IntType(bits)
        narrow = value if bits == 64 else builder.trunc(value, kind)
        builder.store(narrow, builder.inttoptr(host, kind.as_pointer())).align = 1

    def generate(context, builder, h, address, value):
        hit, host = _translate(builder, h, address, size, "tlb_write")
        fast = builder.append_basic_block("fast")
        slow = builder.append_basic_block("slow")
        builder.cbranch(hit, fast, slow)
        builder.position_at_end(slow)
        if Mode.restartable:
            leave(builder, MISS)
            builder.position_at_end(fast)
            return write(builder, host, value)
        base = builder.bitcast(h, I8.as_pointer())
        status = _call_slow(builder, "vt_store", [base, address, const(size), value])
        _leave_with(builder, status)
        done = builder.append_basic_block("done")
        builder.branch(done)
        builder.position_at_end(fast)
        write(builder, host, value)
        builder.branch(done)
        builder.position_at_end(done)

    return generate


for _bits in (8, 16, 32, 64):
    lowers(getattr(ops, f"load{_bits}"), LONG)(_load(_bits))
    lowers(getattr(ops, f"store{_bits}"), LONG, LONG, gives=types.none)(_store(_bits))


def _trap(builder: Any, h: Any, cause: Any, value: Any) -> None:
    set_field(builder, h, "trap_cause", cause)
    set_field(builder, h, "trap_value", value)


@lowers(ops.lr_address, LONG, LONG)
def _lr_address(context, builder, h, address, size):
    off = builder.and_(address, builder.sub(size, const(1)))
    bad = builder.icmp_signed("!=", off, const(0))
    leave_if(builder, bad, TRAP, lambda: _trap(builder, h, const(4), address))
    return address


@lowers(ops.amo_address, LONG, LONG)
def _amo_address(context, builder, h, address, size):
    base = builder.bitcast(h, I8.as_pointer())
    _leave_with(builder, _call_slow(builder, "vt_amo", [base, address, size]))
    return address


# --- control -------------------------------------------------------------------------------------


def _emit_check_target(builder: Any, h: Any, target: Any) -> None:
    wrong = builder.and_(target, get_field(builder, h, "ialign"))
    bad = builder.icmp_signed("!=", wrong, const(0))
    leave_if(builder, bad, TRAP, lambda: _trap(builder, h, const(0), target))


def _emit_jump(builder: Any, h: Any, target: Any, status: int) -> None:
    """Go to ``target``, or trap if it is misaligned; the block ends here."""
    _emit_check_target(builder, h, target)
    set_field(builder, h, "next_pc", target)
    leave(builder, status)
    builder.position_at_end(builder.append_basic_block("after"))


@lowers(ops.branch, BOOL, LONG, gives=types.none)
def _branch(context, builder, h, condition, distance):
    taken = builder.append_basic_block("taken")
    on = builder.append_basic_block("on")
    builder.cbranch(condition, taken, on)
    builder.position_at_end(taken)
    if Mode.relative:
        leave(builder, BRANCH)
    else:
        _emit_jump(builder, h, builder.add(get_field(builder, h, "pc"), distance), JUMP)
        builder.branch(on)
    builder.position_at_end(on)


@lowers(ops.check_target, LONG, gives=types.none)
def _check_target(context, builder, h, target):
    _emit_check_target(builder, h, target)


@lowers(ops.jump, LONG, gives=types.none)
def _jump(context, builder, h, target):
    _emit_jump(builder, h, target, JUMP)


@lowers(ops.raise_trap, LONG, LONG, gives=types.none)
def _raise_trap(context, builder, h, cause, value):
    _trap(builder, h, cause, value)
    leave(builder, TRAP)
    builder.position_at_end(builder.append_basic_block("after"))


@lowers(ops.illegal, gives=types.none)
def _illegal(context, builder, h):
    # The handler of traps fetches the word again for tval.
    _trap(builder, h, const(2), const(0))
    leave(builder, TRAP)
    builder.position_at_end(builder.append_basic_block("after"))


@lowers(ops.fence_instructions, gives=types.none)
def _fence_instructions(context, builder, h):
    leave(builder, FENCE_I)
    builder.position_at_end(builder.append_basic_block("after"))


@lowers(ops.wait_for_interrupt, gives=types.none)
def _wait_for_interrupt(context, builder, h):
    leave(builder, WFI)
    builder.position_at_end(builder.append_basic_block("after"))


@lowers(ops.resync, gives=types.none)
def _resync(context, builder, h):
    set_field(builder, h, "sync", const(1))


@lowers(ops.word, LONG)
def _word(context, builder, h, where):
    return builder.load(field_pointer(builder, h, where))


@lowers(ops.set_word, LONG, LONG, gives=types.none)
def _set_word(context, builder, h, where, value):
    builder.store(value, field_pointer(builder, h, where))


# --- host memory, for the runtime only -----------------------------------------------------------


def _host_operations() -> dict[str, Any]:
    """``peek8`` … ``poke64``: raw host memory, for the few functions of ``runtime``."""
    made: dict[str, Any] = {}
    for bits in (8, 16, 32, 64):
        kind = ir.IntType(bits)

        def peek_(address: Any) -> Any: ...

        def poke_(address: Any, value: Any) -> Any: ...

        def load(context, builder, address, kind=kind):
            value = builder.load(builder.inttoptr(address, kind.as_pointer()))
            value.align = 1
            return value if kind.width == 64 else builder.zext(value, I64)

        def store(context, builder, address, value, kind=kind):
            narrow = value if kind.width == 64 else builder.trunc(value, kind)
            builder.store(narrow, builder.inttoptr(address, kind.as_pointer())).align = 1

        lowers(peek_, LONG)(load)
        lowers(poke_, LONG, LONG, gives=types.none)(store)
        made[f"peek{bits}"], made[f"poke{bits}"] = peek_, poke_
    return made


_HOST = _host_operations()
peek8, peek16, peek32, peek64 = (_HOST[f"peek{b}"] for b in (8, 16, 32, 64))
poke8, poke16, poke32, poke64 = (_HOST[f"poke{b}"] for b in (8, 16, 32, 64))
