"""From a solution notebook to the one that a student gets, and to the one that grades."""

from __future__ import annotations

import copy
import hashlib
import re
from typing import TYPE_CHECKING, Any

from vtbook.course.exercises.form import (
    is_grade,
    is_locked,
    is_solution,
    is_variant,
    nbgrader_data,
    points_of,
    validate,
    wrong,
)
from vtbook.course.exercises.regions import (
    CODE_STUB,
    HIDDEN_TESTS,
    SOLUTION,
    TEXT_STUB,
    replace_regions,
)
from vtbook.course.exercises.variants import fill, parameters

if TYPE_CHECKING:
    from nbformat import NotebookNode

MAGIC = re.compile(r"^\s*[%!].*$", re.MULTILINE)
"""Lines that are IPython's, not Python's."""


def checksum(cell: NotebookNode) -> str:
    """nbgrader's checksum of a cell (nbgrader.utils.compute_checksum, version 0.9): MD5 in hex.

    Raises KeyError: the cell has no ``grade_id``, or is graded and has no points.
    """
    data = nbgrader_data(cell)
    parts = [cell.source, cell.cell_type]
    parts += [str(said(cell)) for said in (is_grade, is_solution, is_locked)]
    parts.append(data["grade_id"])
    if is_grade(cell):
        parts.append(str(float(data["points"])))
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def variant_values(nb: NotebookNode, seed: int) -> dict[str, Any]:
    """What the solution's ``variant`` cell defines for a seed; empty if it has no such cell.

    Raises:
        ExerciseError: the cell cannot be run.
    """
    for cell in nb.cells:
        if is_variant(cell):
            try:
                return parameters(cell.source, seed)
            except Exception as error:  # the author's code may raise anything
                what = f"{type(error).__name__}: {error}"
                raise wrong(nb, cell, f"cannot be run with seed {seed}: {what}") from error
    return {}


def instructor_version(nb: NotebookNode, seed: int = 0) -> NotebookNode:
    """The notebook with its placeholders filled, and with solutions and hidden tests in it.

    It is what nbgrader takes as the source of an assignment. It has no outputs, and not the
    ``variant`` cell. The seed and the sum of points are in ``metadata.vtbook``, and fill
    ``{{ seed }}`` and ``{{ points }}``.

    Raises:
        ExerciseError: the solution's form is wrong, or a placeholder has no value.
    """
    validate(nb)
    points = points_of(nb)
    values = {**variant_values(nb, seed), "points": points, "seed": seed}
    made = copy.deepcopy(nb)
    made.cells = [_filled(made, cell, values) for cell in made.cells if not is_variant(cell)]
    made.metadata["vtbook"] = {**made.metadata["vtbook"], "points": points, "seed": seed}
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            _parses(made, cell, "")
    return made


def release(nb: NotebookNode, seed: int = 0) -> NotebookNode:
    """The student's notebook: no solutions, no hidden tests, no outputs; nbgrader's checksums.

    Args:
        nb: what `load_solution` returned; it is not changed.
        seed: of the variant; 0 is the one that is published.

    Raises:
        ExerciseError: the solution's form is wrong, or a placeholder has no value.
    """
    made = instructor_version(nb, seed)
    for cell in made.cells:
        _lock(cell)
        if is_solution(cell):
            stub = CODE_STUB if cell.cell_type == "code" else TEXT_STUB
            cleared, count = replace_regions(cell.source, SOLUTION, stub)
            cell.source = cleared if count else stub
        if is_grade(cell):
            cell.source, _ = replace_regions(cell.source, HIDDEN_TESTS)
        if is_grade(cell) or is_solution(cell) or is_locked(cell):
            cell.metadata.nbgrader["checksum"] = checksum(cell)
            cell.metadata.nbgrader["cell_type"] = cell.cell_type
        if cell.cell_type == "code":
            _parses(made, cell, " when solutions and hidden tests are taken out")
    return made


def _lock(cell: NotebookNode) -> None:
    """Say to JupyterLab what nbgrader's LockCells says."""
    if is_solution(cell):
        cell.metadata["deletable"] = False
    elif is_locked(cell):
        cell.metadata["deletable"] = cell.metadata["editable"] = False


def _filled(nb: NotebookNode, cell: NotebookNode, values: dict[str, Any]) -> NotebookNode:
    try:
        cell.source = fill(cell.source, values)
    except LookupError as error:
        name = error.args[0]
        there = ", ".join(values) or "nothing"
        what = f"{{{{ {name} }}}} has no value; the variant cell defines {there}"
        raise wrong(nb, cell, what) from error
    except ValueError as error:
        raise wrong(nb, cell, f"a placeholder's format: {error}") from error
    return cell


def _parses(nb: NotebookNode, cell: NotebookNode, when: str) -> None:
    try:
        compile(MAGIC.sub("", cell.source), cell.id, "exec")
    except (SyntaxError, ValueError) as error:
        what = getattr(error, "msg", None) or str(error)
        place = f"line {error.lineno}: " if isinstance(error, SyntaxError) else ""
        raise wrong(nb, cell, f"{place}not Python{when}: {what}") from error
