"""Marked regions in cells, cleared as nbgrader clears them.

A region goes from a line with ``BEGIN X`` to a line with ``END X``. The rules are those of
nbgrader's ClearSolutions and ClearHiddenTests, so its release step gives the same cells as ours.
What it lets pass in silence, such as an END without a BEGIN, is an error here.
"""

from __future__ import annotations

SOLUTION = "SOLUTION"
HIDDEN_TESTS = "HIDDEN TESTS"
CODE_STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
TEXT_STUB = "YOUR ANSWER HERE"


class RegionError(ValueError):
    """Markers that do not match; the message says what and at which line of the cell."""


def replace_regions(source: str, kind: str, stub: str | None = None) -> tuple[str, int]:
    """Replace each region by the stub, indented as its BEGIN line, or by nothing.

    Returns:
        The new source, and how many regions there were.

    Raises:
        RegionError: regions are nested, not ended or not begun.
    """
    begin, end = f"BEGIN {kind}", f"END {kind}"
    kept: list[str] = []
    opened, count = 0, 0
    for number, line in enumerate(source.split("\n"), start=1):
        if begin in line:
            if opened:
                raise RegionError(f"line {number}: {begin} inside the region of line {opened}")
            opened, count = number, count + 1
            if stub is not None:
                indent = line[: len(line) - len(line.lstrip())]
                kept += [indent + text for text in stub.split("\n")]
        elif end in line:
            if not opened:
                raise RegionError(f"line {number}: {end} without {begin} above it")
            opened = 0
        elif not opened:
            kept.append(line)
    if opened:
        raise RegionError(f"line {opened}: {begin} without {end} below it")
    return "\n".join(kept), count
