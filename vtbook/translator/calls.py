"""Functions that intermediate code calls instead of tracing through them.

A floating-point routine is long and full of decisions, but all it does is to make numbers out of
numbers. So its call is written down as one operation.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from vtbook.translator.symbols import Symbol
from vtbook.translator.values import FUNCTIONS


def with_calls_recorded(function: FunctionType, seen: frozenset[int] = frozenset()) -> FunctionType:
    """The same function, but it has calls of ``FUNCTIONS`` on symbols written down.

    That goes for the plain functions that it calls, too. The definition's own module is not
    changed: the copy has globals of its own.
    """
    changed: dict[str, Any] = {}
    for name in _global_names(function.__code__):
        value = function.__globals__.get(name)
        if not isinstance(value, FunctionType) or hasattr(value, "__wrapped__"):
            continue
        if FUNCTIONS.get(value.__name__) is value:
            changed[name] = _recorder(value)
        elif id(value) not in seen:
            copy = with_calls_recorded(value, seen | {id(function)})
            if copy is not value:
                changed[name] = copy
    if not changed:
        return function
    copy = FunctionType(
        function.__code__,
        {**function.__globals__, **changed},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _global_names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _global_names(constant)
    return names


def _recorder(function: FunctionType) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        for argument in arguments:
            if isinstance(argument, Symbol):
                return argument.path.call(function.__name__, arguments)
        return function(*arguments)

    return call
