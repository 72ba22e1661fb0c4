"""The rules of the ``vtbook-trace`` schema, version 1, and the check of a trace against them.

`vtbook.widgets.trace` describes the schema and builds traces; this module says what is wrong with
one, by path: ``steps[3][1][1]: there is no register x40; use 0 to 31``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vtbook.widgets.checks import DataError as TraceError
from vtbook.widgets.checks import check_bytes as _bytes
from vtbook.widgets.checks import check_count as _count
from vtbook.widgets.checks import check_fields as _fields
from vtbook.widgets.checks import check_format, matching, one_of
from vtbook.widgets.checks import check_hex as _hex
from vtbook.widgets.checks import check_list as _list
from vtbook.widgets.checks import check_text as _text

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

_encoding = matching(
    "(?:[0-9a-f]{4}){1,4}", "an encoding in hexadecimal (4 digits for each 2 bytes)"
)
_mode = one_of(MODES, "privilege mode")
_kind = one_of(EVENT_KINDS, "kind of event")


def validate_trace(trace: Any) -> None:
    """Check a whole trace against the schema.

    Raises:
        TraceError: the first thing found wrong, with its path.
    """
    if not isinstance(trace, dict):
        raise TraceError("trace", f"is a {type(trace).__name__}; a trace is a dict")
    names = ("title", "listing", "initial", "steps")
    check_format(trace, FORMAT, VERSION, names, path="trace")
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
