"""The record that ``CodeColumns`` shows: code in columns, with what belongs to what.

Schema ``vtbook-columns``, version 1, plain data ready for JSON::

    {"format": "vtbook-columns", "version": 1, "title": text,
     "frames": [{"title": text, "text": text,
                 "columns": [{"title": text, "language": text,
                              "lines": [[text, mark, [link, ...]], ...],
                              "counts": [[what, number], ...]}, ...]}, ...]}

A frame is one state of the code, as after one pass; all have the same number of columns, 1 to 3.
Lines of all columns with a common ``link``, a whole number, belong together. ``mark`` is ``"+"``
(added), ``"-"`` (removed), ``"~"`` (changed) or ``""``.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

from vtbook.widgets.checks import (
    DataError,
    check_count,
    check_fields,
    check_items,
    check_list,
    check_number,
    check_text,
    one_of,
)

FORMAT, VERSION = "vtbook-columns", 1
MARKS = {"": "as it was", "+": "added", "-": "removed", "~": "changed"}
MOST_COLUMNS = 3

Line = str | tuple[str, str, Sequence[int]]


def validate_columns(code: Any) -> None:
    """Check a record.

    Raises:
        DataError: the first thing found wrong, with its path.
    """
    check_fields(code, "code", ("format", "version", "title", "frames"))
    if (code["format"], code["version"]) != (FORMAT, VERSION):
        raise DataError("format", f"is not '{FORMAT}' version {VERSION}")
    check_text(code["title"], "title")
    frames = check_list(code["frames"], "frames")
    if not frames:
        raise DataError("frames", "is empty; give at least one frame")
    for n, frame in enumerate(frames):
        path = f"frames[{n}]"
        check_fields(frame, path, ("title", "text", "columns"))
        check_text(frame["title"], f"{path}.title")
        check_text(frame["text"], f"{path}.text")
        columns = check_list(frame["columns"], f"{path}.columns")
        if not 1 <= len(columns) <= MOST_COLUMNS:
            raise DataError(f"{path}.columns", f"has {len(columns)}; give 1 to {MOST_COLUMNS}")
        if len(columns) != len(frames[0]["columns"]):
            raise DataError(f"{path}.columns", "has not as many columns as the first frame")
        for k, one in enumerate(columns):
            _check_column(one, f"{path}.columns[{k}]")


def _check_column(one: Any, path: str) -> None:
    check_fields(one, path, ("title", "language", "lines", "counts"))
    check_text(one["title"], f"{path}.title")
    check_text(one["language"], f"{path}.language")
    mark = one_of(tuple(MARKS), "mark")
    for n, line in enumerate(check_list(one["lines"], f"{path}.lines")):
        items = (("text", check_text), ("mark", mark), ("links", _check_links))
        check_items(line, f"{path}.lines[{n}]", *items)
    for n, pair in enumerate(check_list(one["counts"], f"{path}.counts")):
        check_items(pair, f"{path}.counts[{n}]", ("what", check_text), ("number", check_number))


def _check_links(value: Any, path: str) -> None:
    for n, link in enumerate(check_list(value, path)):
        check_count(link, f"{path}[{n}]")


def column(
    title: str,
    language: str,
    lines: Sequence[Line],
    *,
    counts: Sequence[tuple[str, float]] = (),
) -> dict[str, Any]:
    """Return one column.

    Args:
        title: Its heading.
        language: What the code is written in, such as ``"Python"`` or ``"RISC-V assembly"``.
        lines: Text, or ``(text, mark, links)``.
        counts: More counts than lines, such as ``("bytes", 24)``.
    """
    plain = [
        [line, "", []] if isinstance(line, str) else [line[0], line[1], list(line[2])]
        for line in lines
    ]
    return {
        "title": title,
        "language": language,
        "lines": plain,
        "counts": [list(pair) for pair in counts],
    }


def frame(columns: Sequence[dict[str, Any]], title: str = "", text: str = "") -> dict[str, Any]:
    """Return one frame: its columns, its name (that of the pass), and what to say of it."""
    return {"title": title, "text": text, "columns": list(columns)}


def columns(title: str, *frames: dict[str, Any]) -> dict[str, Any]:
    """Return a checked record for ``CodeColumns``."""
    code = {"format": FORMAT, "version": VERSION, "title": title, "frames": list(frames)}
    validate_columns(code)
    return code


def compare(
    before: str | Sequence[str],
    after: str | Sequence[str],
    *,
    titles: tuple[str, str] = ("before", "after"),
    languages: tuple[str, str] = ("", ""),
) -> list[dict[str, Any]]:
    """Return two columns with what differs marked, and equal or replaced lines linked.

    Args:
        before: Text, or its lines.
        after: The same of the later version.
        titles: Headings of the two columns.
        languages: What each is written in.
    """
    old = before.splitlines() if isinstance(before, str) else list(before)
    new = after.splitlines() if isinstance(after, str) else list(after)
    left: list[Line] = []
    right: list[Line] = []
    link = 0
    for kind, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            for one in old[i:j]:
                left.append((one, "", [link]))
                right.append((one, "", [link]))
                link += 1
            continue
        marks = ("~", "~") if kind == "replace" else ("-", "+")
        left += [(one, marks[0], [link]) for one in old[i:j]]
        right += [(one, marks[1], [link]) for one in new[k:m]]
        link += 1
    return [
        column(titles[0], languages[0], left),
        column(titles[1], languages[1], right),
    ]
