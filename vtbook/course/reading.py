"""How far the reader is: the progress file, held against the book as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from vtbook.course.book import Chapter, load
from vtbook.course.progress import Data


@dataclass(frozen=True)
class Reading:
    """How far the reader is in one chapter.

    Attributes:
        name: The chapter's, ``"00-start"``.
        title: Its title.
        opened: When the first cell was run (UTC, ISO 8601), or None.
        run: Code cells that were run, of those that the chapter has now.
        cells: Code cells of the chapter.
        solved: Exercises whose check has passed.
        exercises: Exercises of the chapter.
        earned: Points of the solved exercises.
        points: Points of all its exercises.
    """

    name: str
    title: str
    opened: str | None
    run: int
    cells: int
    solved: int
    exercises: int
    earned: float
    points: float

    @property
    def share(self) -> float:
        """Share of the code cells that were run, 0 to 1."""
        return self.run / self.cells if self.cells else 0.0

    @property
    def state(self) -> str:
        """``"new"``, ``"begun"`` or ``"done"``: all cells run and all exercises solved."""
        if self.run == self.cells and self.solved == self.exercises and self.cells:
            return "done"
        return "begun" if self.run or self.solved else "new"


def reading_of(chapter: Chapter, progress: Data) -> Reading:
    """How far the reader is in a chapter."""
    entry = progress["chapters"].get(chapter.name, {"opened": None, "cells": [], "checks": {}})
    code = {c.get("id") for c in load(chapter.path)["cells"] if c["cell_type"] == "code"}
    solved = [task for task in chapter.tasks if task.check in entry["checks"]]
    return Reading(
        name=chapter.name,
        title=chapter.title,
        opened=entry["opened"],
        run=len(code & set(entry["cells"])),
        cells=len(code),
        solved=len(solved),
        exercises=len(chapter.tasks),
        earned=sum(task.points for task in solved),
        points=chapter.points,
    )


def last_place(progress: Data, book: Path) -> tuple[str, str] | None:
    """Path in the book, and cell, of what was run last; None if the notebook is not there."""
    last = progress["last"]
    if last is None or Path(last["path"]).is_absolute() or ".." in Path(last["path"]).parts:
        return None
    return (last["path"], last["cell"]) if (book / last["path"]).is_file() else None


def as_data(readings: Sequence[Reading], progress: Data) -> dict[str, object]:
    """What ``vtbook progress --json`` writes."""
    rows = [{**asdict(r), "share": round(r.share, 4), "state": r.state} for r in readings]
    return {"chapters": rows, "last": progress["last"]}
