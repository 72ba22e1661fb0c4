"""The rules of the ``vtbook-trace`` schema, version 1, and the check of a trace against them.

`vtbook.widgets.trace` describes the schema and builds traces; this module says what is wrong with
one, by path: ``steps[3][1][1]: there is no register x40; use 0 to 31``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from vtbook.errors import VtbookError

FORMAT = "vtbook-trace"
VERSION = 1

MODES = ("M", "HS", "S", "U", "VS", "VU")
"""Privilege modes a trace may name."""

EVENT_KINDS = {
    "trap": "the hart took an exception or an interrupt",
    "exit": "the run loop returned to its caller",
    "note": "a remark of the recorder",
}
"""Kinds of event, and what each means."""

_HEX64 = re.compile(r"0|[1-9a-f][0-9a-f]{0,15}")
_BYTES = re.compile(r"(?:[0-9a-f]{2})*")
_ENCODING = re.compile(r"(?:[0-9a-f]{4}){1,4}")


class TraceError(VtbookError):
    """A trace, or a value given to build one, does not fit the schema.

    Attributes:
        path: Where in the trace, as in ``steps[3][1]``.
        problem: What is wrong there and what would be right.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def validate_trace(trace: Any) -> None:
    """Check a whole trace against the schema.

    Raises:
        TraceError: the first thing found wrong, with its path.
    """
    if not isinstance(trace, dict):
        raise TraceError("trace", f"is a {type(trace).__name__}; a trace is a dict")
    _fields(trace, "trace", ("format", "version", "title", "listing", "initial", "steps"))
    if trace["format"] != FORMAT:
        raise TraceError("format", f"is {trace['format']!r}; this reads '{FORMAT}'")
    if trace["version"] != VERSION:
        raise TraceError("version", f"is {trace['version']!r}; this reads version {VERSION}")
    _text(trace["title"], "title")
    _check_listing(trace["listing"])
    _check_initial(trace["initial"])
    steps = _list(trace["steps"], "steps")
    initial = trace["initial"]
    sizes = {"x": 32, "f": len(initial["f"]), "csr": len(initial["csrs"])}
    for n, step in enumerate(steps):
        where = f"steps[{n}]"
        if not _list(step, where):
            raise TraceError(where, "is empty; a step starts with the pc after it")
        _hex(step[0], f"{where}[0]")
        for k, change in enumerate(step[1:], 1):
            _check_change(change, f"{where}[{k}]", sizes)


def _check_listing(listing: Any) -> None:
    before = -1
    for n, line in enumerate(_list(listing, "listing")):
        where = f"listing[{n}]"
        if len(_list(line, where)) != 4:
            raise TraceError(where, "has not the four items address, encoding, assembly, label")
        _hex(line[0], f"{where}[0]")
        _encoding(line[1], f"{where}[1]")
        _text(line[2], f"{where}[2]")
        _text(line[3], f"{where}[3]")
        address = int(line[0], 16)
        if address <= before:
            raise TraceError(where, f"address {address:#x} does not come after {before:#x}")
        before = address


def _check_initial(initial: Any) -> None:
    if not isinstance(initial, dict):
        raise TraceError("initial", f"is a {type(initial).__name__}; it must be a dict")
    names = ("pc", "mode", "instructions", "x", "f", "csrs", "memory", "console")
    _fields(initial, "initial", names)
    _hex(initial["pc"], "initial.pc")
    _mode(initial["mode"], "initial.mode")
    _hex(initial["instructions"], "initial.instructions")
    _bytes(initial["console"], "initial.console")
    for bank, lengths in (("x", (32,)), ("f", (0, 32))):
        values = _list(initial[bank], f"initial.{bank}")
        if len(values) not in lengths:
            wanted = " or ".join(map(str, lengths))
            raise TraceError(f"initial.{bank}", f"has {len(values)} registers; give {wanted}")
        for i, value in enumerate(values):
            _hex(value, f"initial.{bank}[{i}]")
    for i, csr in enumerate(_list(initial["csrs"], "initial.csrs")):
        where = f"initial.csrs[{i}]"
        if len(_list(csr, where)) != 2:
            raise TraceError(where, "has not the two items name and value")
        _text(csr[0], f"{where}[0]")
        _hex(csr[1], f"{where}[1]")
    for i, region in enumerate(_list(initial["memory"], "initial.memory")):
        where = f"initial.memory[{i}]"
        if len(_list(region, where)) != 4:
            raise TraceError(where, "has not the four items base, size, bytes, name")
        _hex(region[0], f"{where}[0]")
        _count(region[1], f"{where}[1]", 1)
        _bytes(region[2], f"{where}[2]")
        _text(region[3], f"{where}[3]")
        if len(region[2]) > 2 * region[1]:
            raise TraceError(where, f"has {len(region[2]) // 2} bytes in a size of {region[1]}")


def _check_change(change: Any, where: str, sizes: dict[str, int]) -> None:
    if not _list(change, where) or change[0] not in CHANGE_KINDS:
        kinds = ", ".join(CHANGE_KINDS)
        raise TraceError(where, f"is no change; it must start with one of {kinds}")
    checks = CHANGE_KINDS[change[0]]
    if len(change) != 1 + len(checks):
        raise TraceError(where, f"'{change[0]}' takes {len(checks)} values, not {len(change) - 1}")
    for k, (check, value) in enumerate(zip(checks, change[1:], strict=True), 1):
        check(value, f"{where}[{k}]")
    size = sizes.get(change[0])
    if size is not None and change[1] >= size:
        use = f"use 0 to {size - 1}" if size else "the initial state has none"
        raise TraceError(f"{where}[1]", f"there is no {change[0]} register {change[1]}; {use}")


def _fields(value: dict[str, Any], path: str, names: tuple[str, ...]) -> None:
    for name in names:
        if name not in value:
            raise TraceError(path, f"has no '{name}'")
    for name in value:
        if name not in names:
            raise TraceError(path, f"has an unknown key '{name}'; known are {', '.join(names)}")


def _list(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise TraceError(path, f"is a {type(value).__name__}; it must be a list")
    return list(value)


def _text(value: Any, path: str) -> None:
    if not isinstance(value, str):
        raise TraceError(path, f"is a {type(value).__name__}; it must be text")


def _matches(pattern: re.Pattern[str], wanted: str) -> Callable[[Any, str], None]:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise TraceError(path, f"{value!r} is not {wanted}")

    return check


_hex = _matches(_HEX64, "a 64-bit number in hexadecimal (lower case, no 0x, no leading zeros)")
_bytes = _matches(_BYTES, "bytes in hexadecimal (two lower-case digits each)")
_encoding = _matches(_ENCODING, "an encoding in hexadecimal (4 digits for each 2 bytes)")


def _count(value: Any, path: str, least: int = 0) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise TraceError(path, f"{value!r} is not a whole number of at least {least}")


def _mode(value: Any, path: str) -> None:
    if value not in MODES:
        raise TraceError(path, f"{value!r} is no privilege mode; use one of {', '.join(MODES)}")


def _kind(value: Any, path: str) -> None:
    if value not in EVENT_KINDS:
        raise TraceError(path, f"{value!r} is no kind of event; use {', '.join(EVENT_KINDS)}")


def _details(value: Any, path: str) -> None:
    for i, pair in enumerate(_list(value, path)):
        where = f"{path}[{i}]"
        if len(_list(pair, where)) != 2 or pair[0] not in ("cause", "epc", "tval", "reason"):
            raise TraceError(where, "is not a pair of cause, epc, tval or reason and its value")
        (_text if pair[0] == "reason" else _hex)(pair[1], f"{where}[1]")


CHANGE_KINDS: dict[str, tuple[Callable[[Any, str], None], ...]] = {
    "x": (_count, _hex),
    "f": (_count, _hex),
    "csr": (_count, _hex),
    "mode": (_mode,),
    "r": (_hex, _count),
    "w": (_hex, _bytes),
    "out": (_bytes,),
    "retired": (_count,),
    "code": (_hex, _encoding, _text),
    "event": (_kind, _text, _details),
}
"""Kinds of change a step may hold, and the checks of the values that follow the kind."""
