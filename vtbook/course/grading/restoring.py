"""Put the student's answers into the instructor's notebook, and say what else was changed.

The loop goes over the instructor's cells. From the submission come only the sources of the answer
cells. Checks, hidden tests, points and given code are the instructor's, whatever the student's
file has in their place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vtbook.course.exercises.form import (
    exercises_of,
    is_grade,
    is_locked,
    is_solution,
    nbgrader_data,
)
from vtbook.course.grading.reading import Cell, Submission

if TYPE_CHECKING:
    from nbformat import NotebookNode

GIVEN, ANSWER, CHECK = "given", "answer", "check"
FLAGS = ("grade", "solution", "locked", "points", "grade_id")


@dataclass(frozen=True)
class Step:
    """A code cell to run: `kind` is given, answer or check; points belong to a check."""

    id: str
    kind: str
    source: str
    points: float = 0.0


@dataclass(frozen=True)
class Part:
    """An exercise: its title, and the ids of its answer and its check."""

    name: str
    title: str
    points: float
    answer: str
    check: str


@dataclass
class Plan:
    """What is run and scored for one submission, as plain data.

    Attributes:
        protected: names that the instructor's cells define, and that no answer may bind anew.
        missing: ids of answer cells that were not found.
        found_by: id of an answer -> how it was found, where its grade_id was lost.
        claims: ids of checks whose saved output in the submission says that they passed.
    """

    steps: list[Step] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    protected: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    found_by: dict[str, str] = field(default_factory=dict)
    claims: list[str] = field(default_factory=list)


def make_plan(given_out: NotebookNode, instructor: NotebookNode, submitted: Submission) -> Plan:
    """Join the instructor's cells and the student's answers.

    Args:
        given_out: what the student got, of `vtbook.course.exercises.release`.
        instructor: the same with solutions and hidden tests, of `instructor_version`.
        submitted: what came back.
    """
    plan = Plan()
    places = _match(given_out.cells, submitted.cells, plan)
    for cell in instructor.cells:
        if cell.cell_type != "code":
            continue
        if is_solution(cell):
            plan.steps.append(Step(cell.id, ANSWER, _answer(cell, places, submitted, plan)))
        elif is_grade(cell):
            points = float(nbgrader_data(cell)["points"])
            plan.steps.append(Step(cell.id, CHECK, cell.source, points))
        else:
            plan.steps.append(Step(cell.id, GIVEN, cell.source))
    plan.parts = [
        Part(e.name, e.title, e.points, e.answer.id, e.check.id) for e in exercises_of(instructor)
    ]
    plan.protected = _protected(instructor.cells)
    _note_changes(given_out.cells, submitted.cells, places, plan)
    return plan


def _match(wanted: list[NotebookNode], cells: tuple[Cell, ...], plan: Plan) -> dict[str, int]:
    """Id of a cell of the exercise -> its place in the submission."""
    places: dict[str, int] = {}
    ids = {cell.id for cell in wanted}
    by_grade_id: dict[str, list[int]] = {}
    by_id: dict[str, list[int]] = {}
    for place, theirs in enumerate(cells):
        by_grade_id.setdefault(theirs.grade_id, []).append(place)
        by_id.setdefault(theirs.id, []).append(place)
    for cell in wanted:
        name = nbgrader_data(cell).get("grade_id", "")
        found = [p for p in by_grade_id.get(name, ()) if name and cells[p].kind == cell.cell_type]
        if len(found) > 1:
            plan.notes.append(f"{name}: {len(found)} cells have this grade_id; one was taken")
            found = [p for p in found if cells[p].id == cell.id] or found
        if found:
            places[cell.id] = found[0]
    for cell in wanted:
        if cell.id in places:
            continue
        taken = set(places.values())
        found = [
            p
            for p in by_id.get(cell.id, ())
            if p not in taken and cells[p].grade_id not in ids and cells[p].kind == cell.cell_type
        ]
        if found:
            places[cell.id] = found[0]
            if is_solution(cell):
                plan.found_by[cell.id] = "its cell id"
    _match_by_text(wanted, cells, places)
    _match_by_place(wanted, cells, places, plan)
    return places


def _match_by_text(
    wanted: list[NotebookNode], cells: tuple[Cell, ...], places: dict[str, int]
) -> None:
    """Given cells and checks whose metadata is lost are known by their text, as landmarks."""
    taken = set(places.values())
    by_source: dict[str, list[int]] = {}
    for place, theirs in enumerate(cells):
        if place not in taken:
            by_source.setdefault(theirs.source.strip(), []).append(place)
    for cell in wanted:
        found = by_source.get(cell.source.strip(), [])
        if cell.id not in places and not is_solution(cell) and len(found) == 1:
            places[cell.id] = found[0]


def _match_by_place(
    wanted: list[NotebookNode], cells: tuple[Cell, ...], places: dict[str, int], plan: Plan
) -> None:
    """An answer is the only code cell between the known cells before and after it."""
    taken = set(places.values())
    for index, cell in enumerate(wanted):
        if cell.id in places or not is_solution(cell):
            continue
        before = [places[c.id] for c in wanted[:index] if c.id in places]
        after = [places[c.id] for c in wanted[index + 1 :] if c.id in places]
        low, high = max(before, default=-1), min(after, default=len(cells))
        free = [p for p in range(low + 1, high) if p not in taken and cells[p].is_code]
        if len(free) == 1:
            places[cell.id] = free[0]
            taken.add(free[0])
            plan.found_by[cell.id] = "its place between known cells"


def _answer(cell: NotebookNode, places: dict[str, int], submitted: Submission, plan: Plan) -> str:
    if cell.id in places:
        return submitted.cells[places[cell.id]].source
    plan.missing.append(cell.id)
    return ""


def bound_names(source: str) -> set[str]:
    """Names that a cell binds at its top level by def, class, import or assignment."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names: set[str] = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(a.asname or a.name).partition(".")[0] for a in node.names}
        else:
            stored = (n for n in ast.walk(node) if isinstance(n, ast.Name))
            names |= {n.id for n in stored if isinstance(n.ctx, ast.Store)}
    return names


def _protected(cells: list[NotebookNode]) -> list[str]:
    """Names of the instructor's cells, without those that the solution itself binds anew."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    theirs = [bound_names(c.source) for c in code if not is_solution(c)]
    answers = [bound_names(c.source) for c in code if is_solution(c)]
    return sorted(set().union(*theirs) - set().union(*answers))


def _note_changes(
    wanted: Iterable[NotebookNode],
    cells: tuple[Cell, ...],
    places: dict[str, int],
    plan: Plan,
) -> None:
    for cell in wanted:
        if cell.id not in places:
            if is_grade(cell):
                plan.notes.append(f"{cell.id}: the check was deleted; restored")
            elif is_locked(cell):
                plan.notes.append(f"{cell.id}: a given cell was deleted; restored")
            continue
        theirs = cells[places[cell.id]]
        data = nbgrader_data(cell)
        edited = theirs.source.rstrip() != cell.source.rstrip()
        if edited and is_grade(cell):
            plan.notes.append(f"{cell.id}: the check was edited; restored")
        elif edited and is_locked(cell):
            plan.notes.append(f"{cell.id}: a given cell was edited; restored")
        if data:
            changed = [k for k in FLAGS if _differs(data.get(k), theirs.nbgrader.get(k))]
            if changed:
                names = ", ".join(changed)
                plan.notes.append(f"{cell.id}: its metadata was edited ({names}); ignored")
        if is_grade(cell) and _says_passed(theirs.outputs):
            plan.claims.append(cell.id)
    for name, way in plan.found_by.items():
        plan.notes.append(f"{name}: its grade_id was lost; the answer was found by {way}")
    known = set(places.values())
    own = sum(c.is_code and bool(c.source.strip()) for p, c in enumerate(cells) if p not in known)
    if own:
        what = "1 code cell" if own == 1 else f"{own} code cells"
        plan.notes.append(f"{what} of the student's own: not run, only answer cells are")


def _differs(ours: Any, theirs: Any) -> bool:
    return ours != theirs or isinstance(ours, bool) != isinstance(theirs, bool)


def _says_passed(outputs: Iterable[dict[str, Any]]) -> bool:
    outputs = list(outputs)
    return bool(outputs) and all(x.get("output_type") != "error" for x in outputs)
