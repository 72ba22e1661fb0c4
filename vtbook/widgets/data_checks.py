"""Checks for the data of grids, queues and charts, on top of `vtbook.widgets.checks`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from vtbook.widgets.checks import DataError, check_fields, check_text


def check_format(value: Any, name: str, version: int, names: tuple[str, ...]) -> None:
    """Check that a dict says it is of this format and version, and has these keys besides."""
    check_fields(value, name, ("format", "version", *names))
    if value["format"] != name:
        raise DataError("format", f"is {value['format']!r}; this reads '{name}'")
    if value["version"] != version:
        raise DataError("version", f"is {value['version']!r}; this reads version {version}")


def check_filled(value: Any, path: str) -> None:
    """Check that a value is text with something in it."""
    check_text(value, path)
    if not value.strip():
        raise DataError(path, "is empty; give some text")


def check_amount(value: Any, path: str) -> None:
    """Check that a value is a finite number of at least 0."""
    right = isinstance(value, int | float) and not isinstance(value, bool)
    if not right or not math.isfinite(value) or value < 0:
        raise DataError(path, f"{value!r} is not a finite number of at least 0")


def check_distinct(names: Sequence[Any], path: str) -> None:
    """Check that no name is there twice."""
    for i, name in enumerate(names):
        if name in names[:i]:
            raise DataError(f"{path}[{i}]", f"{name!r} is there twice; each needs its own name")
