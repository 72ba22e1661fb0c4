"""What intermediate code can compute: the operations on values, their types and meanings.

The operations of ``vtbook.isa.operations`` are here under their own names and with their own
meanings; Python's operators have the names of ``OPERATORS``. The functions that ``Call`` may name
are the floating-point routines of ``vtbook.isa.softfloat``.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from types import FunctionType
from typing import Any

from vtbook.isa import softfloat
from vtbook.isa.operations import PURE, wrap
from vtbook.translator.ir import I1, I64, IrError, Type

#: Python's operators on 64-bit integers. ``shl`` and ``sar`` take counts from 0 to 63; a division
#: by zero is 0, as numba has it in the compiled interpreter.
OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "floordiv": lambda a, b: a // b if b else 0,
    "floormod": lambda a, b: a % b if b else 0,
    "neg": operator.neg,
    "shl": operator.lshift,
    "sar": operator.rshift,
}
#: Operations whose second operand is a count from 0 to 63.
SHIFTS = ("shl", "sar", "srl")
#: Operators on two of the same type, ``i64`` or ``i1``, that give that type.
BITWISE: dict[str, Callable[..., Any]] = {
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "not": operator.invert,
}
#: Comparisons of 64-bit integers; they give ``i1``.
COMPARISONS: dict[str, Callable[..., Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
#: Operations of ``vtbook.isa.operations`` whose types are not all ``i64``.
TYPES: dict[str, tuple[tuple[Type, ...], Type]] = {
    "zext": ((I1,), I64),
    "ult": ((I64, I64), I1),
    "select": ((I1, I64, I64), I64),
}

#: Functions that ``Call`` may name.
FUNCTIONS: dict[str, FunctionType] = {
    name: value
    for name in softfloat.__all__
    if isinstance(value := getattr(softfloat, name), FunctionType)
}


def takes(name: str, first: Type = I64) -> tuple[tuple[Type, ...], Type]:
    """Types of the operands and of the result of an operation, the first operand's type given.

    Raises IrError if there is no such operation.
    """
    if name in TYPES:
        return TYPES[name]
    if name in BITWISE:
        return ((first,) * (1 if name == "not" else 2), first)
    if name in COMPARISONS:
        return ((I64, I64), I1)
    if name in OPERATORS:
        return ((I64,) * (1 if name == "neg" else 2), I64)
    if name in PURE:
        return ((I64,) * len(inspect.signature(PURE[name]).parameters), I64)
    raise IrError(f"no operation is called {name!r}")


def result_count(name: str) -> int:
    """How many integers a function of ``FUNCTIONS`` returns."""
    given = inspect.signature(FUNCTIONS[name], eval_str=True).return_annotation
    return len(given.__args__) if hasattr(given, "__args__") else 1


def compute(name: str, arguments: tuple[int, ...], type: Type) -> int:
    """The value of an operation: a signed 64-bit integer, or 0 or 1 where the type is ``i1``."""
    function = _MEANINGS.get(name) or PURE[name]
    value = int(function(*arguments))
    return value & 1 if type is I1 else wrap(value)


_MEANINGS = {**OPERATORS, **BITWISE, **COMPARISONS, "zext": operator.pos}
