"""Docstrings as they are written in vtbook, made into what napoleon reads.

Google style passes as it is. Two shorter forms become an ``Args:`` block: the lines ``name: text``
that follow a summary, with or without a heading ``Parameters`` underlined. The docstring of a
constant's class says nothing about the constant and is dropped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_PARAMETER = re.compile(r"\*{0,2}[a-z_]\w*(, \*{0,2}[a-z_]\w*)*: \S")
_HEADINGS = {"args", "returns", "raises", "yields", "attributes", "example", "examples", "note"}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx, before napoleon reads the lines."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    return {"parallel_read_safe": True}


def _process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    if what in ("data", "attribute") and not isinstance(obj, type):
        inherited = type(obj).__doc__
        inherited = inherited.strip() if isinstance(inherited, str) else ""
        if inherited and "\n".join(lines).strip()[:60] == inherited[:60]:
            lines[:] = []
            return
    lines[:] = with_args(lines)


def with_args(lines: list[str]) -> list[str]:
    """Return the lines with each block of ``name: text`` lines under ``Args:``."""
    result: list[str] = []
    at = 0
    while at < len(lines):
        if lines[at] == "Parameters" and at + 1 < len(lines) and set(lines[at + 1]) == {"-"}:
            at += 2
            continue
        starts = at == 0 or not lines[at - 1].strip() or set(lines[at - 1]) == {"-"}
        if not (starts and _is_parameter(lines[at])):
            result.append(lines[at])
            at += 1
            continue
        result.append("Args:")
        while at < len(lines) and (_is_parameter(lines[at]) or lines[at].startswith("    ")):
            result.append("    " + lines[at])
            at += 1
        result.append("")
    return result


def _is_parameter(line: str) -> bool:
    return bool(_PARAMETER.match(line)) and line.split(":")[0] not in _HEADINGS
