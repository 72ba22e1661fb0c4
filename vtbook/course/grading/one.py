"""Grade one submission: from bytes to a plain result. This is what runs on a worker."""

from __future__ import annotations

import hashlib
import json
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from vtbook.course.exercises.form import ExerciseError, exercises_of
from vtbook.course.exercises.generating import instructor_version, release
from vtbook.course.grading.limits import Limits
from vtbook.course.grading.reading import NotANotebook, Submission, read_submission
from vtbook.course.grading.restoring import Plan, make_plan
from vtbook.course.grading.running import Run, run_plan
from vtbook.course.grading.sandbox import GraderFailed
from vtbook.course.grading.scoring import score
from vtbook.course.grading.signs import signs

if TYPE_CHECKING:
    from nbformat import NotebookNode

GRADED, TIMEOUT, MEMORY, CRASHED = "graded", "timeout", "memory", "crashed"
PROCESSES, TAMPERED, MISSING_CELLS = "processes", "tampered", "missing cells"
NOT_A_NOTEBOOK, NOT_RECOGNISED = "not a notebook", "not recognised"
ORDER = (TAMPERED, CRASHED, PROCESSES, MEMORY, TIMEOUT, MISSING_CELLS)
"""Of several, the one that a row has."""


@lru_cache(maxsize=64)
def versions(solution: str, seed: int) -> tuple[NotebookNode, NotebookNode]:
    """What the student got, and the instructor's version, for the text of a solution.

    Raises ExerciseError: the solution is not in form.
    """
    import nbformat

    nb = nbformat.reads(solution, as_version=4)
    return release(nb, seed), instructor_version(nb, seed)


def digest(*parts: bytes | str) -> str:
    """SHA-256 of parts, in hex."""
    made = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        made.update(len(data).to_bytes(8, "big") + data)
    return made.hexdigest()


def grade_one(
    data: bytes, solution: str, seed: int, limits: Limits, hidden: list[str]
) -> dict[str, Any]:
    """Grade one submission.

    Args:
        data: the bytes of its file.
        solution: the text of the solution notebook.
        seed: of the student's variant.
        limits: what it may use.
        hidden: folders and files of this computer that it must not see.

    Returns:
        Plain data: ``status``, ``score``, ``max``, ``parts`` (of each exercise ``name``,
        ``title``, ``points``, ``earned``, ``code``, ``said``, ``outputs``, ...), ``notes``,
        ``seconds``, ``cpu``, ``peak``, ``missing``.

    Raises:
        ExerciseError: the solution is not in form.
    """
    begin = time.perf_counter()
    given_out, instructor = versions(solution, seed)
    most = sum(e.points for e in exercises_of(instructor))
    outcome: dict[str, Any] = {
        "status": GRADED,
        "score": 0.0,
        "max": most,
        "parts": [],
        "notes": [],
        "missing": [],
        "seed": seed,
        "cpu": 0.0,
        "peak": 0,
    }
    try:
        submitted = read_submission(data, limits.submission)
        plan = make_plan(given_out, instructor, submitted)
        run = _run_twice(plan, limits, hidden)
    except NotANotebook as error:
        outcome |= {"status": NOT_A_NOTEBOOK, "notes": [str(error)]}
    except GraderFailed as error:
        outcome |= {"status": CRASHED, "notes": [f"tried twice: {error}"]}
    else:
        outcome |= _result(plan, run, _seed_note(submitted, seed))
    outcome["seconds"] = time.perf_counter() - begin
    return outcome


def _run_twice(plan: Plan, limits: Limits, hidden: list[str]) -> Run:
    try:
        return run_plan(plan, limits, hidden)
    except GraderFailed:
        return run_plan(plan, limits, hidden)


def _seed_note(submitted: Submission, seed: int) -> list[str]:
    said = submitted.about.get("seed")
    if said is None or (said == seed and not isinstance(said, bool)):
        return []
    return [f"the notebook says variant {str(said)[:40]!r}; graded as variant {seed}"]


def _result(plan: Plan, run: Run, notes: list[str]) -> dict[str, Any]:
    sources = {step.id: step.source for step in plan.steps}
    notes = [*notes, *plan.notes, *run.notes]
    parts = []
    for part in plan.parts:
        check, answer = run.results.get(part.check), run.results.get(part.answer)
        earned, strange = 0.0, None
        ended = run.ended.get(part.check) or run.ended.get(part.answer)
        if part.check in run.tampered:
            notes.append(f"{part.check}: no points: {run.tampered[part.check]}")
        elif check is not None and part.check not in run.ended:
            earned, strange = score(check["outputs"], part.points)
        if strange:
            notes.append(f"{part.check}: {strange}")
        if not earned and part.check in plan.claims:
            notes.append(f"{part.check}: the file has an output without an error; ignored")
        notes += [f"{part.answer}: look at it: {s}" for s in signs(sources[part.answer])]
        notes += [
            f"{name}: {run.ended[name][1]}"
            for name in (part.answer, part.check)
            if name in run.ended
        ]
        parts.append(
            {
                "name": part.name,
                "title": part.title,
                "points": part.points,
                "earned": earned,
                "code": sources[part.answer][:20_000],
                "missing": part.answer in plan.missing,
                "found_by": plan.found_by.get(part.answer),
                "ended": list(ended) if ended else None,
                "tampered": part.check in run.tampered,
                "answer_outputs": answer["outputs"] if answer else [],
                "outputs": check["outputs"] if check else [],
            }
        )
    reasons = {reason for reason, _ in run.ended.values()}
    if run.tampered:
        reasons.add(TAMPERED)
    if plan.missing:
        reasons.add(MISSING_CELLS)
        notes += [f"{name}: the answer's cell is missing" for name in plan.missing]
    return {
        "status": next((s for s in ORDER if s in reasons), GRADED),
        "score": sum(p["earned"] for p in parts),
        "parts": parts,
        "notes": list(dict.fromkeys(notes)),
        "missing": run.missing,
        "cpu": run.cpu,
        "peak": run.peak,
    }


def failed(why: str, most: float, seed: int) -> dict[str, Any]:
    """The outcome of a submission whose grading did not come to an end."""
    return {
        "status": CRASHED,
        "score": 0.0,
        "max": most,
        "parts": [],
        "notes": [why],
        "missing": [],
        "seed": seed,
        "seconds": 0.0,
        "cpu": 0.0,
        "peak": 0,
    }


def most_points(solution: str, seed: int) -> float:
    """All points of a solution.

    Raises ExerciseError: it is not in form.
    """
    try:
        return sum(e.points for e in exercises_of(versions(solution, seed)[1]))
    except json.JSONDecodeError as error:
        raise ExerciseError(f"a solution is not JSON: {error}") from error
