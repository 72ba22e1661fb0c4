"""The form of a solution notebook, which nbgrader shares, and what is wrong with one.

An exercise is a run of cells, whose ids are also their ``grade_id``:

======================  ========  ==================================================================
``exN-task``            markdown  locked; ``## Exercise N: title (P points)``, and what to do
``exN-hints``           markdown  locked; up to three hints, each inside the one before
``exN-...``             any       locked, if there are any: given code and text
``exN``                 code      the answer, with ``### BEGIN SOLUTION`` and ``### END SOLUTION``
``exN-check``           code      graded, P points; ``### BEGIN HIDDEN TESTS`` and their END
======================  ========  ==================================================================

One code cell may have the tag ``variant``: the names that it defines fill the placeholders.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtbook.course.exercises.regions import HIDDEN_TESTS, SOLUTION, RegionError, replace_regions
from vtbook.errors import VtbookError

if TYPE_CHECKING:
    from nbformat import NotebookNode

SCHEMA_VERSION = 3
MOST_HINTS = 3
VARIANT = "variant"
HEADING = re.compile(r"## Exercise (\d+): (.+) \((\d+(?:\.\d+)?) points?\)")
ROLE = re.compile(r"ex([1-9]\d*)(?:-([\w-]+))?")


class ExerciseError(VtbookError):
    """A solution notebook is not as it must be; the message names notebook and cell."""


@dataclass(frozen=True)
class Exercise:
    """One exercise: its number, its title, its points, and its cells by their role."""

    number: int
    title: str
    points: float
    task: NotebookNode
    answer: NotebookNode
    check: NotebookNode

    @property
    def name(self) -> str:
        """``exN``: the id of the answer's cell."""
        return f"ex{self.number}"


def nbgrader_data(cell: NotebookNode) -> dict[str, Any]:
    """A cell's metadata for nbgrader; empty if it has none."""
    return cell.metadata.get("nbgrader", {})


def is_grade(cell: NotebookNode) -> bool:
    """Whether points are given for this cell."""
    return bool(nbgrader_data(cell).get("grade", False))


def is_solution(cell: NotebookNode) -> bool:
    """Whether the student writes in this cell."""
    return bool(nbgrader_data(cell).get("solution", False))


def is_locked(cell: NotebookNode) -> bool:
    """Whether a student's change of this cell is undone before grading."""
    if is_solution(cell):
        return False
    return is_grade(cell) or bool(nbgrader_data(cell).get("locked", False))


def is_variant(cell: NotebookNode) -> bool:
    """Whether this cell defines what fills the placeholders."""
    return VARIANT in cell.metadata.get("tags", [])


def name_of(nb: NotebookNode) -> str:
    """What a notebook is called in messages."""
    about = nb.metadata.get("vtbook")
    chapter = about.get("chapter") if isinstance(about, dict) else None
    return str(chapter or nb.metadata.get("title") or "?")


def wrong(nb: NotebookNode | str, cell: NotebookNode | None, what: str) -> ExerciseError:
    """The error that names notebook, cell and what is wrong."""
    name = nb if isinstance(nb, str) else name_of(nb)
    place = f", cell {cell.get('id', '?')}" if cell is not None else ""
    return ExerciseError(f"{name}{place}: {what}")


def load_solution(path: str | Path) -> NotebookNode:
    """Read a solution notebook and validate its form.

    Raises:
        ExerciseError: it cannot be read, or is not in the form of this module.
    """
    import nbformat

    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        twice = _ids_used_twice(json.loads(text))  # nbformat would replace them in silence
        nb = nbformat.reads(text, as_version=4)
        nbformat.validate(nb)
    except OSError as error:
        raise ExerciseError(f"{path}: cannot be read: {error.strerror}") from error
    except Exception as error:  # nbformat lets through whatever a malformed notebook causes
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ExerciseError(f"{path}: not a notebook of format 4: {reason}") from error
    try:
        if twice:
            raise ExerciseError(f"{name_of(nb)}, cell {twice[0]}: two cells have this id")
        validate(nb)
    except ExerciseError as error:
        raise ExerciseError(f"{path}: {error}") from error
    return nb


def _ids_used_twice(data: dict[str, Any]) -> list[str]:
    counts = Counter(str(cell.get("id")) for cell in data["cells"])
    return [name for name, count in counts.items() if count > 1]


def validate(nb: NotebookNode) -> None:
    """Check the form of a solution notebook.

    Raises:
        ExerciseError: at the first thing that is wrong.
    """
    about = nb.metadata.get("vtbook")
    if not nb.metadata.get("title") or not isinstance(about, dict) or "chapter" not in about:
        raise wrong(nb, None, 'the metadata needs "title", and "vtbook" with "chapter"')
    _check_ids(nb)
    for cell in nb.cells:
        _check_regions(nb, cell)
    variants = [cell for cell in nb.cells if is_variant(cell)]
    if len(variants) > 1:
        raise wrong(nb, variants[1], f"a second cell with the tag {VARIANT!r}; join the two")
    if variants and variants[0].cell_type != "code":
        raise wrong(nb, variants[0], f"the cell with the tag {VARIANT!r} must be code")
    found = exercises_of(nb)
    if not found:
        raise wrong(nb, None, "no exercises; the first one begins with the cell ex1-task")


def _check_ids(nb: NotebookNode) -> None:
    ids = [cell.get("id") for cell in nb.cells]
    for cell in nb.cells:
        if not cell.get("id"):
            raise wrong(nb, cell, "a cell without an id; save it in notebook format 4.5")
        if ids.count(cell.id) > 1:
            raise wrong(nb, cell, "two cells have this id")
        data = cell.metadata.get("nbgrader")
        if data is None:
            continue
        if not isinstance(data, dict):
            raise wrong(nb, cell, "metadata.nbgrader must be an object")
        missing = {"schema_version", "grade_id", "grade", "solution", "locked"} - data.keys()
        if missing:
            raise wrong(nb, cell, f"metadata.nbgrader lacks {', '.join(sorted(missing))}")
        if data["schema_version"] != SCHEMA_VERSION:
            raise wrong(nb, cell, f"metadata.nbgrader.schema_version must be {SCHEMA_VERSION}")
        if data["grade_id"] != cell.id:
            raise wrong(nb, cell, f"grade_id is {data['grade_id']!r}; it must be the cell's id")


def _check_regions(nb: NotebookNode, cell: NotebookNode) -> None:
    for kind, belongs, where in (
        (SOLUTION, is_solution(cell), "in an answer's cell"),
        (HIDDEN_TESTS, is_grade(cell), "in a check cell"),
    ):
        try:
            _, count = replace_regions(cell.source, kind)
        except RegionError as error:
            raise wrong(nb, cell, str(error)) from error
        if count and not belongs:
            raise wrong(nb, cell, f"BEGIN {kind} may stand only {where}")


def exercises_of(nb: NotebookNode) -> list[Exercise]:
    """The exercises of a notebook, released or not, in their order.

    Raises:
        ExerciseError: a part is missing, twice there, or in the wrong place.
    """
    runs: list[tuple[int, list[tuple[int, NotebookNode]]]] = []
    for place, cell in enumerate(nb.cells):
        match = ROLE.fullmatch(cell.get("id", ""))
        if match is None:
            if is_grade(cell) or is_solution(cell):
                raise wrong(nb, cell, "a cell for nbgrader is called exN, or exN-check")
            continue
        number = int(match[1])
        if not runs or runs[-1][0] != number:
            runs.append((number, []))
        runs[-1][1].append((place, cell))
    numbers = [number for number, _ in runs]
    if numbers != list(range(1, len(runs) + 1)):
        raise wrong(nb, None, f"exercises must be numbered 1, 2, ... in order, not {numbers}")
    return [_exercise(nb, number, cells) for number, cells in runs]


def _exercise(nb: NotebookNode, number: int, cells: list[tuple[int, NotebookNode]]) -> Exercise:
    ids = [cell.id for _, cell in cells]
    name = f"ex{number}"
    last = cells[-1][1]
    if ids[0] != f"{name}-task":
        raise wrong(nb, cells[0][1], f"exercise {number} must begin with the cell {name}-task")
    if name not in ids:
        raise wrong(nb, last, f"exercise {number} has no answer; its cell is called {name}")
    if f"{name}-check" not in ids:
        raise wrong(nb, last, f"exercise {number} has no check; its cell is called {name}-check")
    by_id = {cell.id: (place, cell) for place, cell in cells}
    (_, task), (above, answer), (below, check) = (by_id[i] for i in (ids[0], name, f"{name}-check"))
    if below != above + 1:
        raise wrong(nb, check, f"the check must stand directly below its answer, the cell {name}")
    if last is not check:
        raise wrong(nb, last, f"exercise {number} ends with {name}-check; nothing may follow")
    for cell, kind, role in (
        (task, "markdown", "task"),
        (answer, "code", "answer"),
        (check, "code", "check"),
    ):
        if cell.cell_type != kind:
            raise wrong(nb, cell, f"the {role} must be a {kind} cell, not {cell.cell_type}")
    _check_roles(nb, cells, answer, check)
    title, points = _heading(nb, task, number)
    given = nbgrader_data(check).get("points")
    if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
        raise wrong(nb, check, f"points must be a number above 0, not {given!r}")
    if float(given) != points:
        raise wrong(nb, check, f"the check gives {given} points, the heading says {points:g}")
    _check_hints(nb, [cell for _, cell in cells if cell.cell_type == "markdown"])
    return Exercise(number, title, given, task, answer, check)


def _check_roles(
    nb: NotebookNode,
    cells: list[tuple[int, NotebookNode]],
    answer: NotebookNode,
    check: NotebookNode,
) -> None:
    for _, cell in cells:
        data = nbgrader_data(cell)
        flags = {key: bool(data.get(key)) for key in ("grade", "solution", "locked")}
        wanted = {
            "grade": cell is check,
            "solution": cell is answer,
            "locked": cell is not answer,
        }
        if flags != wanted or data.get("task"):
            as_text = ", ".join(f"{key} {str(value).lower()}" for key, value in wanted.items())
            raise wrong(nb, cell, f"metadata.nbgrader must say: {as_text}, task false")


def _heading(nb: NotebookNode, task: NotebookNode, number: int) -> tuple[str, float]:
    first = task.source.partition("\n")[0]
    match = HEADING.fullmatch(first)
    if match is None or int(match[1]) != number:
        raise wrong(nb, task, f"the first line must be: ## Exercise {number}: title (P points)")
    return match[2], float(match[3])


def _check_hints(nb: NotebookNode, cells: list[NotebookNode]) -> None:
    count = 0
    for cell in cells:
        depth = 0
        for tag in _tags_of_hints(nb, cell):
            depth += 1 if tag == "<details>" else -1
            if tag == "<details>":
                count += 1
                if depth != count:
                    raise wrong(nb, cell, f"hint {count} must stand inside hint {count - 1}")
        if depth:
            raise wrong(nb, cell, "<details> and </details> do not match")
    if count > MOST_HINTS:
        raise wrong(nb, cells[-1], f"{count} hints; {MOST_HINTS} are the most")


def _tags_of_hints(nb: NotebookNode, cell: NotebookNode) -> Iterator[str]:
    lines = cell.source.split("\n")
    for number, line in enumerate(lines):
        tags = re.findall(r"</?details>", line)
        if not tags:
            continue
        opening = re.fullmatch(r"<details><summary>[^<]+</summary>", line)
        around = [*lines[number - 1 : number], *lines[number + 1 : number + 2]]
        if not opening and line != "</details>":
            raise wrong(nb, cell, "a hint begins with <details><summary>Hint</summary>, alone")
        if opening and any(around):
            raise wrong(nb, cell, f"empty lines must stand around {line}: what follows is Markdown")
        if not opening and lines[number - 1] and lines[number - 1] != "</details>":
            raise wrong(nb, cell, "an empty line must stand before </details>")
        yield tags[0]


def points_of(nb: NotebookNode) -> float:
    """All points of a notebook."""
    return sum(exercise.points for exercise in exercises_of(nb))


def tally(points: float) -> str:
    """Points in words: ``1 point``, ``2.5 points``."""
    return f"{points:g} point{'' if points == 1 else 's'}"
