"""The rules of intermediate code, checked: types, single assignment, definitions before uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vtbook.cpu.layout import HART
from vtbook.translator.ir import (
    I1,
    I64,
    Block,
    Branch,
    Call,
    CheckAtomic,
    CheckTarget,
    Compute,
    Const,
    Event,
    Get,
    Helper,
    If,
    IrError,
    Jump,
    Leaves,
    Load,
    Mark,
    Op,
    Place,
    Put,
    Store,
    Temp,
    Trap,
    Type,
    Value,
)
from vtbook.translator.values import FUNCTIONS, SHIFTS, result_count, takes

FILES = {"x": range(1, 32), "f": range(32), "pmpcfg": range(2), "pmpaddr": range(16)}
SCALARS = frozenset(name for name in HART.names or () if HART[name].shape == ())
SIZES = (1, 2, 4, 8)
EVENTS = ("fence.i", "wfi")
#: Fields that only a ``Branch``, a ``Jump`` or the block itself moves.
CONTROL = ("pc", "next_pc")


def validate(block: Block) -> Block:
    """Return the block if it keeps the rules; IrError names the operation that does not."""
    _Validator().block(block)
    return block


class _Validator:
    def __init__(self) -> None:
        self.assigned: set[int] = set()

    def block(self, block: Block) -> None:
        end = 0
        for mark in block.marks:
            if mark.offset != end or mark.size not in (2, 4):
                raise IrError(f"{mark}: this instruction should begin at pc+{end}")
            end += mark.size
        if not block.ops or not isinstance(block.ops[0], Mark) or end != block.size:
            raise IrError(f"a block of {block.size} bytes begins with a mark and has marks for all")
        self.ops(block.ops, {}, top=True)

    def ops(self, ops: tuple[Op, ...], known: dict[int, Type], top: bool = False) -> None:
        known = dict(known)
        left: Op | None = None
        for op in ops:
            if left is not None:
                raise IrError(f"{op}: nothing comes here, '{left}' always leaves")
            if isinstance(op, Mark) and not top:
                raise IrError(f"{op}: an instruction cannot begin inside an if")
            for value in op.operands:
                self.operand(op, value, known)
            self.check(op)
            if isinstance(op, If):
                self.ops(op.then, known)
                self.ops(op.otherwise, known)
            for temp in op.results:
                if temp.number in self.assigned:
                    raise IrError(f"{op}: {temp} is assigned twice")
                self.assigned.add(temp.number)
                known[temp.number] = temp.type
            if op.leaves is Leaves.ALWAYS:
                left = op

    def operand(self, op: Op, value: Value, known: dict[int, Type]) -> None:
        if isinstance(value, Const):
            low, high = (0, 1) if value.type is I1 else (-(1 << 63), (1 << 63) - 1)
            if not low <= value.value <= high:
                raise IrError(f"{op}: the constant {value.value} is no {value.type}")
        elif value.number not in known:
            raise IrError(f"{op}: {value} is not defined before this")
        elif known[value.number] is not value.type:
            raise IrError(f"{op}: {value} is {known[value.number]}, not {value.type}")

    def check(self, op: Op) -> None:
        rule = _RULES.get(type(op))
        if rule is None:
            raise IrError(f"{op!r} is no operation of the intermediate code")
        rule(op)


def _types(op: Op, *wanted: Type) -> None:
    given = tuple(value.type for value in op.operands)
    if given != wanted:
        raise IrError(f"{op}: takes {_names(wanted)}, not {_names(given)}")


def _names(types: tuple[Type, ...]) -> str:
    return ", ".join(str(t) for t in types) or "nothing"


def _result(op: Op, temp: Temp, wanted: Type) -> None:
    if temp.type is not wanted:
        raise IrError(f"{op}: the result is {wanted}, not {temp.type}")


def _place(op: Op, place: Place) -> None:
    if place.name in FILES:
        good = place.index in FILES[place.name]
    else:
        good = place.name in SCALARS and place.index == -1
    if not good:
        raise IrError(f"{op}: the guest's state has no {place} to read or write")


def _get(op: Get) -> None:
    _place(op, op.place)
    _result(op, op.result, I64)


def _put(op: Put) -> None:
    _place(op, op.place)
    if op.place.name in CONTROL:
        raise IrError(f"{op}: only a branch or a jump moves the pc")
    _types(op, I64)


def _compute(op: Compute) -> None:
    types, result = takes(op.name, op.arguments[0].type if op.arguments else I64)
    _types(op, *types)
    _result(op, op.result, result)
    if op.name in SHIFTS:
        count = op.arguments[1]
        if isinstance(count, Const) and not 0 <= count.value < 64:
            raise IrError(f"{op}: a shift count is 0 to 63")


def _call(op: Call) -> None:
    if op.name not in FUNCTIONS:
        raise IrError(f"{op}: there is no function {op.name} to call")
    if len(op.targets) != result_count(op.name):
        raise IrError(f"{op}: {op.name} returns {result_count(op.name)} values")
    for value in (*op.arguments, *op.targets):
        if value.type is not I64:
            raise IrError(f"{op}: {value} is {value.type}, not i64")


def _size(op: Load | Store | CheckAtomic) -> None:
    if op.size not in SIZES:
        raise IrError(f"{op}: accesses have 1, 2, 4 or 8 bytes, not {op.size}")


def _load(op: Load) -> None:
    _size(op)
    _types(op, I64)
    _result(op, op.result, I64)


def _store(op: Store) -> None:
    _size(op)
    _types(op, I64, I64)


def _atomic(op: CheckAtomic) -> None:
    _size(op)
    _types(op, I64)


def _event(op: Event) -> None:
    if op.kind not in EVENTS:
        raise IrError(f"{op}: the events are {', '.join(EVENTS)}")


_RULES: dict[type, Callable[[Any], None]] = {
    Mark: lambda op: None,
    Get: _get,
    Put: _put,
    Compute: _compute,
    Call: _call,
    Load: _load,
    Store: _store,
    CheckAtomic: _atomic,
    CheckTarget: lambda op: _types(op, I64),
    Branch: lambda op: _types(op, I1, I64),
    Jump: lambda op: _types(op, I64),
    Trap: lambda op: _types(op, I64, I64),
    Event: _event,
    Helper: lambda op: None,
    If: lambda op: _types(op, I1),
}
