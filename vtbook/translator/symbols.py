"""Symbols: values that are written down instead of being computed.

Arithmetic on a ``Symbol``, and every operation of ``vtbook.isa.operations`` that gets one, adds an
operation to a ``Path``. Where the definition asks whether a symbol is true, the path answers as it
was told beforehand; at the first question that it has no answer for it stops with ``Fork``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from vtbook.isa.operations import wrap
from vtbook.translator.ir import (
    I1,
    I64,
    Call,
    Compute,
    Const,
    Op,
    Temp,
    Type,
    Value,
)
from vtbook.translator.values import COMPARISONS, SHIFTS, result_count, takes

MAX_DECISIONS = 16
MAX_OPERATIONS = 4096


class Untraceable(Exception):
    """A definition does something that cannot be written down; the message says what."""


class Fork(BaseException):
    """The path goes on in two ways: the condition is true, or false."""

    def __init__(self, condition: Temp):
        self.condition = condition


class Finished(BaseException):
    """The instruction is abandoned here: it trapped."""


class Path:
    """The operations that a definition performs under given answers to its questions.

    ``ops`` are all of them; those from ``start`` on came after the last answer.
    """

    def __init__(self, answers: tuple[bool, ...]):
        self.answers = answers
        self.ops: list[Op] = []
        self.start = 0
        self._next = 0
        self._asked: dict[Temp, bool] = {}
        self._last: Op | None = None

    def temp(self, type: Type = I64) -> Temp:
        """A new temporary."""
        self._next += 1
        return Temp(self._next - 1, type)

    def emit(self, op: Op) -> None:
        """Write an operation down."""
        if self._last is not None:
            raise Untraceable(f"something stands after '{self._last}', which must come last")
        if len(self.ops) == MAX_OPERATIONS:
            raise Untraceable(f"more than {MAX_OPERATIONS} operations")
        self.ops.append(op)

    def emit_last(self, op: Op) -> None:
        """Write an operation down after which nothing may follow."""
        self.emit(op)
        self._last = op

    def value(self, x: Any, type: Type = I64) -> Value:
        """A symbol or a Python number as an operand of this type."""
        if isinstance(x, Symbol):
            if x.temp.type is type:
                return x.temp
            if type is I64:
                return self.compute("zext", x.temp)
            return self.compute("ne", x.temp, Const(0))
        if isinstance(x, bool | np.bool_):
            return Const(int(x), type)
        try:
            number = operator.index(x)
        except TypeError:
            raise Untraceable(f"it computes with {x!r}, which is no integer") from None
        return Const(wrap(number)) if type is I64 else Const(int(number != 0), I1)

    def compute(self, name: str, *arguments: Value) -> Temp:
        """Write an operation on values down; returns its result."""
        result = self.temp(takes(name, arguments[0].type)[1])
        if (
            name in SHIFTS
            and isinstance(count := arguments[1], Const)
            and not 0 <= count.value < 64
        ):
            raise Untraceable(f"it shifts by {count.value}; a count is 0 to 63")
        self.emit(Compute(result, name, arguments))
        return result

    def operation(self, name: str, arguments: tuple[Any, ...], first: Type = I64) -> Symbol:
        """Write down an operation on symbols and numbers."""
        types, _ = takes(name, first)
        if len(types) != len(arguments):
            raise Untraceable(f"{name} takes {len(types)} values, not {len(arguments)}")
        values = [self.value(a, t) for a, t in zip(arguments, types, strict=True)]
        return Symbol(self, self.compute(name, *values))

    def call(self, name: str, arguments: tuple[Any, ...]) -> Symbol | tuple[Symbol, ...]:
        """Write down the call of a function of ``FUNCTIONS``."""
        values = tuple(self.value(a) for a in arguments)
        targets = tuple(self.temp() for _ in range(result_count(name)))
        self.emit(Call(targets, name, values))
        symbols = tuple(Symbol(self, t) for t in targets)
        return symbols if len(symbols) > 1 else symbols[0]

    def decide(self, condition: Temp) -> bool:
        """The answer to "is this true?"; ``Fork`` if there is none yet."""
        known = self._asked.get(condition)
        if known is not None:
            return known
        number = len(self._asked)
        if number == len(self.answers):
            if number == MAX_DECISIONS:
                raise Untraceable(f"more than {MAX_DECISIONS} decisions, as in a loop on data")
            raise Fork(condition)
        self._asked[condition] = self.answers[number]
        self.start = len(self.ops)
        return self.answers[number]


class Symbol:
    """A value known only when the guest runs."""

    __slots__ = ("path", "temp")
    __array_ufunc__ = None  # numpy numbers leave their operators to this class
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, path: Path, temp: Temp):
        self.path = path
        self.temp = temp

    def emit_operation(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Called by an operation of ``vtbook.isa.operations`` that got a symbol."""
        if name == "wrap":
            return self
        return self.path.operation(name, arguments)

    def __bool__(self) -> bool:
        condition = self.path.value(self, I1)
        assert isinstance(condition, Temp)
        return self.path.decide(condition)

    def __invert__(self) -> Symbol:
        return self.path.operation("not", (self,))

    def __neg__(self) -> Symbol:
        return self.path.operation("neg", (self,))

    def __pos__(self) -> Symbol:
        return self.path.operation("add", (self, 0))

    def __abs__(self) -> Symbol:
        return self.path.operation("select", (self.path.operation("lt", (self, 0)), -self, self))

    def _refuse(self, *_: Any) -> Any:
        raise Untraceable("it needs a value of the guest as a Python number: a range, an index")

    __index__ = __int__ = __float__ = __iter__ = __len__ = __format__ = _refuse

    def __repr__(self) -> str:
        return f"<symbol {self.temp}: {self.temp.type}>"


def _is_boolean(x: Any) -> bool:
    if isinstance(x, Symbol):
        return x.temp.type is I1
    return isinstance(x, bool | np.bool_)


def _binary(name: str, swapped: bool = False) -> Callable[[Symbol, Any], Symbol]:
    def method(self: Symbol, other: Any) -> Symbol:
        pair = (other, self) if swapped else (self, other)
        bits = name in ("and", "or", "xor") and _is_boolean(self) and _is_boolean(other)
        return self.path.operation(name, pair, I1 if bits else I64)

    return method


def _equality(name: str) -> Callable[[Symbol, Any], Symbol]:
    general = _binary(name)

    def method(self: Symbol, other: Any) -> Symbol:
        if not (_is_boolean(self) and _is_boolean(other)):
            return general(self, other)
        if isinstance(other, Symbol):
            different = self.path.operation("xor", (self, other), I1)
            return different if name == "ne" else self.path.operation("not", (different,), I1)
        same = bool(other) == (name == "eq")
        return self if same else self.path.operation("not", (self,), I1)

    return method


for _name, _method in (
    ("add", "add"),
    ("sub", "sub"),
    ("mul", "mul"),
    ("floordiv", "floordiv"),
    ("floormod", "mod"),
    ("and", "and"),
    ("or", "or"),
    ("xor", "xor"),
    ("shl", "lshift"),
    ("sar", "rshift"),
):
    setattr(Symbol, f"__{_method}__", _binary(_name))
    setattr(Symbol, f"__r{_method}__", _binary(_name, swapped=True))
for _name in COMPARISONS:
    make = _equality if _name in ("eq", "ne") else _binary
    setattr(Symbol, f"__{_name}__", make(_name))
