"""Checks that the schemas of the widgets' data share; what is wrong is named by its path.

A check takes a value and its path and raises `DataError`: ``spans[3][1]: 'x' is not a whole
number of at least 0``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from vtbook.errors import VtbookError

Check = Callable[[Any, str], None]
"""A check of one value; the second argument is where the value stands."""


class DataError(VtbookError):
    """Data given to a widget does not fit its schema.

    Attributes:
        path: Where in the data, as in ``steps[3][1]``.
        problem: What is wrong there and what would be right.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def check_fields(value: Any, path: str, names: tuple[str, ...]) -> None:
    """Check that a dict has exactly these keys."""
    if not isinstance(value, dict):
        raise DataError(path, f"is a {type(value).__name__}; it must be a dict")
    for name in names:
        if name not in value:
            raise DataError(path, f"has no '{name}'")
    for name in value:
        if name not in names:
            raise DataError(path, f"has an unknown key '{name}'; known are {', '.join(names)}")


def check_list(value: Any, path: str) -> list[Any]:
    """Check that a value is a list, and return it as one."""
    if not isinstance(value, list | tuple):
        raise DataError(path, f"is a {type(value).__name__}; it must be a list")
    return list(value)


def check_items(value: Any, path: str, *items: tuple[str, Check]) -> None:
    """Check that a list has one value for each item ``(name, check)``."""
    values = check_list(value, path)
    if len(values) != len(items):
        names = ", ".join(name for name, _ in items)
        raise DataError(path, f"has {len(values)} items; it must have {len(items)}: {names}")
    for k, (one, (_, check)) in enumerate(zip(values, items, strict=True)):
        check(one, f"{path}[{k}]")


def check_text(value: Any, path: str) -> None:
    """Check that a value is text."""
    if not isinstance(value, str):
        raise DataError(path, f"is a {type(value).__name__}; it must be text")


def check_count(value: Any, path: str, least: int = 0) -> None:
    """Check that a value is a whole number, of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise DataError(path, f"{value!r} is not a whole number of at least {least}")


def check_number(value: Any, path: str) -> None:
    """Check that a value is a finite number of at least 0."""
    right = isinstance(value, int | float) and not isinstance(value, bool)
    if not right or not math.isfinite(value) or value < 0:
        raise DataError(path, f"{value!r} is not a finite number of at least 0")


def check_flag(value: Any, path: str) -> None:
    """Check that a value is True or False."""
    if not isinstance(value, bool):
        raise DataError(path, f"{value!r} is not True or False")


def check_format(
    value: Any, name: str, version: int, names: tuple[str, ...], *, path: str = ""
) -> None:
    """Check that a dict says it is of this format and version, and has these keys besides.

    Messages about the dict itself call it ``path``; by the format's name if that is empty.
    """
    check_fields(value, path or name, ("format", "version", *names))
    if value["format"] != name:
        raise DataError("format", f"is {value['format']!r}; this reads '{name}'")
    if value["version"] != version:
        raise DataError("version", f"is {value['version']!r}; this reads version {version}")


def check_filled(value: Any, path: str) -> None:
    """Check that a value is text with something in it."""
    check_text(value, path)
    if not value.strip():
        raise DataError(path, "is empty; give some text")


def check_distinct(names: Sequence[Any], path: str) -> None:
    """Check that no name is there twice."""
    for i, name in enumerate(names):
        if name in names[:i]:
            raise DataError(f"{path}[{i}]", f"{name!r} is there twice; each needs its own name")


def one_of(names: Any, what: str) -> Check:
    """Return a check that a value is one of these names."""

    def check(value: Any, path: str) -> None:
        if value not in names:
            raise DataError(path, f"{value!r} is no {what}; use one of {', '.join(names)}")

    return check


def index_into(count: int, what: str) -> Check:
    """Return a check that a value is an index of a list of ``count`` things."""

    def check(value: Any, path: str) -> None:
        check_count(value, path)
        if value >= count:
            use = f"use 0 to {count - 1}" if count else "there are none"
            raise DataError(path, f"there is no {what} {value}; {use}")

    return check


def matching(pattern: str, wanted: str) -> Check:
    """Return a check that a value is text that the pattern matches whole."""
    compiled = re.compile(pattern)

    def check(value: Any, path: str) -> None:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise DataError(path, f"{value!r} is not {wanted}")

    return check


check_hex = matching(
    "0|[1-9a-f][0-9a-f]{0,15}",
    "a 64-bit number in hexadecimal (lower case, no 0x, no leading zeros)",
)
check_bytes = matching("(?:[0-9a-f]{2})*", "bytes in hexadecimal (two lower-case digits each)")
