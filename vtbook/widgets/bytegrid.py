"""A grid of cells with states that change over time: pages, frames, bitmaps.

The data is a ``vtbook-grid``, version 1::

    {"format": "vtbook-grid", "version": 1,
     "title": text, "cell": what a cell is, such as "page",
     "base": hex, "size": bytes of a cell, "count": number of cells,
     "states":  [[label, fill], ...],                fill -1 is blank, 0 to 7 as in palette.js
     "regions": [[first cell, cells, label], ...],   ascending, not overlapping
     "initial": [length, state, length, state, ...],
     "steps":   [[note, [gap, length, state, gap, length, state, ...]], ...]}

``initial`` covers all cells. In a step, ``gap`` cells after the last run stay as they are, then
``length`` cells take the state. So a frame costs in proportion to what changed, not to the cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from traitlets import Dict, validate

from vtbook.widgets._assets import front_end
from vtbook.widgets.base import labels
from vtbook.widgets.checks import (
    DataError,
    check_count,
    check_filled,
    check_format,
    check_hex,
    check_items,
    check_list,
    check_text,
)
from vtbook.widgets.stepping import SteppingWidget

FORMAT, VERSION = "vtbook-grid", 1
MOST_CELLS = 1 << 17
MOST_STATES = 8
BLANK = -1
"""The fill of a state that is drawn as an empty cell."""


class ByteGrid(SteppingWidget):
    """Show the states of many cells, and let the reader step through their changes.

    Keys step as in every stepping widget. While the grid itself has the focus, the arrows move a
    cursor in it, and the line under it tells the cell and its history.

    Args:
        title: The heading.
        states: Label of each state, in the order of their numbers -> its fill: `BLANK` or 0 to 7.
            A list of labels makes the first state blank and gives fills to the others.
        frames: The state numbers of all cells, before the first step and after each step: arrays
            or lists of equal length, at most `MOST_CELLS`.
        notes: What each step was, in words: one for each frame after the first.
        cell: What a cell is, in the reader's language.
        base: Address of the first cell.
        size: Bytes of a cell.
        regions: ``(first cell, cells, label)`` of parts to draw apart, ascending.
        step: The step shown first.
        language: ``"en"`` or ``"pt"``.

    Raises:
        DataError: the data does not fit together.
    """

    _esm, _css = front_end("bytegrid")

    grid = Dict().tag(sync=True)

    def __init__(
        self,
        title: str,
        states: Mapping[str, int] | Sequence[str],
        frames: Sequence[Any],
        *,
        notes: Sequence[str] = (),
        cell: str = "page",
        base: int = 0,
        size: int = 4096,
        regions: Sequence[tuple[int, int, str]] = (),
        step: int = 0,
        **options: Any,
    ) -> None:
        if not isinstance(states, Mapping):
            states = {label: fill for fill, label in enumerate(states, BLANK)}
        if len(frames) == 0:
            raise DataError("frames", "is empty; give the states before the first step")
        arrays = [_states(frame, f"frames[{i}]", len(states)) for i, frame in enumerate(frames)]
        for i, array in enumerate(arrays):
            if len(array) != len(arrays[0]):
                raise DataError(
                    f"frames[{i}]", f"has {len(array)} cells; the first has {len(arrays[0])}"
                )
        if notes and len(notes) != len(arrays) - 1:
            raise DataError("notes", f"has {len(notes)}; give {len(arrays) - 1}, one for each step")
        grid = {
            "format": FORMAT,
            "version": VERSION,
            "title": title,
            "cell": cell,
            "base": format(base, "x"),
            "size": size,
            "count": len(arrays[0]),
            "states": [[label, fill] for label, fill in states.items()],
            "regions": [[int(first), int(cells), label] for first, cells, label in regions],
            "initial": _whole(arrays[0]),
            "steps": [
                [notes[i] if notes else "", differences(arrays[i], arrays[i + 1])]
                for i in range(len(arrays) - 1)
            ],
        }
        validate_grid(grid)
        super().__init__(grid=grid, **options)
        self.step = step

    @validate("grid")
    def _sound_grid(self, proposal: dict[str, Any]) -> dict[str, Any]:
        validate_grid(proposal["value"])
        return proposal["value"]

    def steps(self) -> int:
        """Return the number of steps."""
        return len(self.grid["steps"])

    def heading(self) -> str:
        """Return the title of the grid."""
        return self.grid["title"]

    def frame(self, step: int) -> np.ndarray:
        """Return the states of all cells after so many steps: a uint8 array.

        Raises:
            DataError: there is no such step.
        """
        if not 0 <= step <= self.steps():
            raise DataError("step", f"there is no step {step}; use 0 to {self.steps()}")
        runs = self.grid["initial"]
        cells = np.repeat(np.array(runs[1::2], np.uint8), runs[0::2])
        for _, changes in self.grid["steps"][:step]:
            at = 0
            for gap, length, state in zip(changes[::3], changes[1::3], changes[2::3], strict=True):
                cells[at + gap : at + gap + length] = state
                at += gap + length
        return cells

    def fallback_html(self) -> str:
        """Return the number of cells in each state, after each step, as a table."""
        say, grid = labels("bytegrid", self.language), self.grid
        names = [label for label, _ in grid["states"]]
        heads = [say["table_step"], say["table_note"], *names]
        rows = []
        for step in range(min(self.steps(), 100) + 1):
            counts = np.bincount(self.frame(step), minlength=len(names))
            note = grid["steps"][step - 1][0] if step else ""
            cells = "".join(f"<td>{n:,}</td>" for n in counts)
            rows.append(f"<tr><td>{step}</td><td>{escape(note)}</td>{cells}</tr>")
        head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
        caption = f"{grid['title']}: {grid['count']:,} × {grid['cell']}"
        return (
            f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>"
        )


def differences(before: np.ndarray, after: np.ndarray) -> list[int]:
    """Return what a step changes, as the runs ``gap, length, state, ...`` of the schema."""
    changed = np.flatnonzero(before != after)
    if not len(changed):
        return []
    states = after[changed].astype(np.int64)
    starts = np.flatnonzero(np.r_[True, (np.diff(changed) != 1) | (np.diff(states) != 0)])
    first = changed[starts]
    lengths = np.diff(np.r_[starts, len(changed)])
    gaps = first - np.r_[0, (first + lengths)[:-1]]
    return np.stack([gaps, lengths, states[starts]], axis=1).ravel().tolist()


def _whole(cells: np.ndarray) -> list[int]:
    starts = np.flatnonzero(np.r_[True, np.diff(cells.astype(np.int64)) != 0])
    lengths = np.diff(np.r_[starts, len(cells)])
    return np.stack([lengths, cells[starts]], axis=1).ravel().tolist()


def _states(frame: Any, path: str, states: int) -> np.ndarray:
    array = np.asarray(frame)
    if array.ndim != 1 or not len(array) or array.dtype.kind not in "iub":
        raise DataError(path, "is no list of whole numbers; give the state of each cell")
    if array.min() < 0 or array.max() >= states:
        raise DataError(path, f"has a state outside 0 to {states - 1}")
    return array.astype(np.uint8)


def validate_grid(grid: Any) -> None:
    """Check a ``vtbook-grid``.

    Raises:
        DataError: the first thing found wrong, with its path.
    """
    names = ("title", "cell", "base", "size", "count", "states", "regions", "initial", "steps")
    check_format(grid, FORMAT, VERSION, names)
    check_filled(grid["title"], "title")
    check_filled(grid["cell"], "cell")
    check_hex(grid["base"], "base")
    check_count(grid["size"], "size", 1)
    check_count(grid["count"], "count", 1)
    count = grid["count"]
    if count > MOST_CELLS:
        raise DataError("count", f"is {count}; a grid has at most {MOST_CELLS} cells")
    states = check_list(grid["states"], "states")
    if not 1 <= len(states) <= MOST_STATES:
        raise DataError("states", f"has {len(states)}; give 1 to {MOST_STATES}")
    for i, state in enumerate(states):
        check_items(state, f"states[{i}]", ("label", check_filled), ("fill", _check_fill))
    end = 0
    for i, region in enumerate(check_list(grid["regions"], "regions")):
        where = f"regions[{i}]"
        check_items(
            region, where, ("first", check_count), ("cells", check_count), ("label", check_text)
        )
        if region[0] < end or region[1] < 1 or region[0] + region[1] > count:
            raise DataError(where, f"overlaps, or passes cell {count - 1}; give them ascending")
        end = region[0] + region[1]
    if _run_length(grid["initial"], "initial", 2, len(states)) != count:
        raise DataError("initial", f"does not cover the {count} cells")
    for i, step in enumerate(check_list(grid["steps"], "steps")):
        check_items(step, f"steps[{i}]", ("note", check_text), ("runs", check_list_only))
        if _run_length(step[1], f"steps[{i}][1]", 3, len(states)) > count:
            raise DataError(f"steps[{i}][1]", f"passes the last cell, {count - 1}")


def check_list_only(value: Any, path: str) -> None:
    """Check that a value is a list."""
    check_list(value, path)


def _check_fill(value: Any, path: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not BLANK <= value < 8:
        raise DataError(path, f"{value!r} is no fill; give -1 for blank, or 0 to 7")


def _run_length(runs: Any, path: str, width: int, states: int) -> int:
    """Check runs of `width` numbers each, and return how many cells they go over."""
    numbers = check_list(runs, path)
    if len(numbers) % width:
        raise DataError(path, f"has {len(numbers)} numbers; they come in groups of {width}")
    for k, value in enumerate(numbers):
        # The groups are (length, state) or (gap, length, state).
        check_count(value, f"{path}[{k}]", 1 if k % width == width - 2 else 0)
        if k % width == width - 1 and value >= states:
            raise DataError(f"{path}[{k}]", f"there is no state {value}; use 0 to {states - 1}")
    return sum(value for k, value in enumerate(numbers) if k % width != width - 1)


__all__ = ["BLANK", "ByteGrid", "differences", "validate_grid"]
