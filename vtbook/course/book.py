"""The list of chapters, read from the notebooks themselves.

A chapter is ``chapters/NN-name.ipynb``. Its metadata say what no cell does: ``title``, and in
``vtbook`` the ``minutes`` that it takes, the numbers of the chapters that it ``needs``, a
``summary`` of one sentence, and ``keywords``. Only what is there is listed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from vtbook.errors import VtbookError

PATTERN = "[0-9][0-9]-*.ipynb"
"""Names of the chapters' files, and of the notebooks of exercises and solutions."""

CHAPTERS, EXERCISES, SOLUTIONS = "chapters", "exercises", "solutions"
HOME = "home.ipynb"
"""The start page, in `CHAPTERS`."""


class BookError(VtbookError):
    """A chapter is not there, or its file is no notebook."""


@dataclass(frozen=True)
class Task:
    """An exercise of a chapter: the id of its check cell, and its points."""

    check: str
    points: float


@dataclass(frozen=True)
class Chapter:
    """A chapter: its notebook, what its metadata say, and its exercises.

    Attributes:
        number: Two digits, ``"05"``.
        title: With the number: ``"05 · Full emulation"``.
        path: Of the notebook.
        minutes: For reading and running it; None if the notebook does not say.
        needs: Numbers of the chapters to read before.
        summary: One sentence, or nothing.
        keywords: For search and the index.
        tasks: The exercises in ``exercises/NN-name.ipynb``; none if there is no such file.
    """

    number: str
    title: str
    path: Path
    minutes: int | None = None
    needs: tuple[str, ...] = ()
    summary: str = ""
    keywords: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = ()

    @property
    def name(self) -> str:
        """The file's name without its ending: ``"05-full-emulation"``."""
        return self.path.stem

    @property
    def short_title(self) -> str:
        """The title without the number."""
        return self.title.removeprefix(self.number).lstrip(" ·")

    @property
    def points(self) -> float:
        """Points of all its exercises."""
        return sum(task.points for task in self.tasks)

    @property
    def exercises(self) -> Path:
        """Where its notebook of exercises is, if it has one."""
        return self.path.parents[1] / EXERCISES / self.path.name


def chapters(folder: Path) -> list[Chapter]:
    """The chapters of a book, in order.

    Args:
        folder: The folder that holds ``chapters``.

    Raises:
        BookError: a notebook cannot be read, or two chapters have the same number.
    """
    found = [read_chapter(path) for path in sorted((folder / CHAPTERS).glob(PATTERN))]
    for one, other in pairwise(found):
        if one.number == other.number:
            raise BookError(
                f"{other.path}: {one.path.name} has the number {one.number} too; rename one"
            )
    return found


def find_chapter(wanted: str | Path, folder: Path) -> Chapter:
    """The chapter of a number, a name, the beginning of a name or words of it, or a path.

    ``5``, ``05``, ``full``, ``05-full-emulation`` and ``chapters/05-full-emulation.ipynb`` are the
    same.

    Raises:
        BookError: none is meant, or more than one; the message lists those that exist.
    """
    known = chapters(folder)
    return pick_chapter(wanted, known, folder)


def pick_chapter(wanted: str | Path, known: Sequence[Chapter], folder: Path) -> Chapter:
    """As `find_chapter`, among chapters that were read before."""
    text = str(wanted)
    if text.endswith(".ipynb"):
        path = Path(text)
        same = [c for c in known if c.path.name == path.name]
        if path.exists():
            same = [c for c in same if c.path.resolve() == path.resolve()]
        elif len(path.parts) > 1 and path.parent.name != CHAPTERS:
            same = []
    else:
        number = f"{int(text):02}" if re.fullmatch(r"[0-9]{1,2}", text) else ""
        word = text.lower().replace(" ", "-")
        same = [c for c in known if word and c.number == number] or [
            c for c in known if c.name == word or c.name[3:] == word
        ]
        same = same or [c for c in known if word and c.name[3:].startswith(word)]
        same = same or [c for c in known if word and f"-{word}" in c.name]
    if len(same) == 1:
        return same[0]
    here = ", ".join(c.name for c in known) or "none"
    what = "more than one chapter is meant" if same else "there is no such chapter"
    where = folder / CHAPTERS
    among = ", ".join(c.name for c in same) if same else f"{here} (in {where})"
    raise BookError(f"{text!r}: {what}; give one of: {among}")


def read_chapter(path: Path) -> Chapter:
    """A chapter by its file.

    Raises:
        BookError: it cannot be read, or its metadata have the wrong form.
    """
    notebook = load(path)
    about = notebook["metadata"].get("vtbook", {})
    title = notebook["metadata"].get("title") or _heading(notebook) or path.stem
    if not isinstance(about, dict):
        raise BookError(f"{path}: metadata.vtbook must be an object")
    for key, kind in (("minutes", int), ("needs", list), ("summary", str), ("keywords", list)):
        if key in about and not isinstance(about[key], kind):
            raise BookError(f"{path}: metadata.vtbook.{key} must be of the kind {kind.__name__}")
    exercises = path.parents[1] / EXERCISES / path.name
    return Chapter(
        number=path.name[:2],
        title=title,
        path=path,
        minutes=about.get("minutes"),
        needs=tuple(map(str, about.get("needs", ()))),
        summary=about.get("summary", ""),
        keywords=tuple(map(str, about.get("keywords", ()))),
        tasks=tasks_of(load(exercises)) if exercises.is_file() else (),
    )


def tasks_of(notebook: dict[str, Any]) -> tuple[Task, ...]:
    """The check cells of a notebook of exercises, in order, with their points."""
    found = []
    for cell in notebook["cells"]:
        data = cell["metadata"].get("nbgrader", {})
        if data.get("grade") and re.fullmatch(r"ex\d+-check", cell.get("id", "")):
            found.append(Task(cell["id"], float(data.get("points", 0))))
    return tuple(found)


def load(path: Path) -> dict[str, Any]:
    """A notebook as plain data.

    Raises:
        BookError: there is none, or it is damaged.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BookError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BookError(f"{path}: no notebook: {error}") from error
    if not isinstance(notebook, dict) or not {"cells", "metadata"} <= notebook.keys():
        raise BookError(f"{path}: no notebook: it has no cells, or no metadata")
    return notebook


def save(path: Path, notebook: dict[str, Any]) -> None:
    """Write a notebook in the form in which the book keeps them."""
    text = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
    path.write_text(text, encoding="utf-8")


def source_of(cell: dict[str, Any]) -> str:
    """The text of a cell."""
    return "".join(cell["source"])


def _heading(notebook: dict[str, Any]) -> str:
    for cell in notebook["cells"]:
        found = re.search(r"^# (.+)$", source_of(cell), re.MULTILINE)
        if cell["cell_type"] == "markdown" and found:
            return found[1].strip()
    return ""
