"""The results as a table: CSV that a spreadsheet opens without running anything, and JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings that make a spreadsheet take a cell for a formula (OWASP, CSV injection)."""
NUMBER = re.compile(r"-?\d+(\.\d+)?")
FIRST = ("student", "assignment", "score", "max")
LAST = ("status", "seconds", "notes", "file", "sha256")


def safe(value: Any) -> str:
    """A cell of the table: on one line, and never a formula."""
    if value is None:
        return ""
    if isinstance(value, float | int):
        return f"{value:g}"
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value))
    if text.lstrip().startswith(DANGEROUS) and not NUMBER.fullmatch(text):
        text = "'" + text
    return text


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """One line a student and assignment; a column for each exercise, by number."""
    names = sorted({n for row in rows for n in row["exercises"]}, key=lambda n: (len(n), n))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*FIRST, *names, *LAST])
    for row in rows:
        points = [row["exercises"].get(name) for name in names]
        notes = "; ".join(row["notes"])
        last = [row["status"], round(row["seconds"], 2), notes, row["file"], row["sha256"]]
        writer.writerow([safe(x) for x in (*(row[k] for k in FIRST), *points, *last)])
    return out.getvalue()


def as_json(rows: Iterable[dict[str, Any]], about: dict[str, Any]) -> str:
    """The same as data, with what the grading as a whole was like."""
    return (
        json.dumps({"grading": about, "results": list(rows)}, indent=1, ensure_ascii=False) + "\n"
    )
