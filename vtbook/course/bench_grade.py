"""``vtbook bench grade``: how long a submission takes, beside nbgrader on the same ones."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vtbook.course.bench_grade_set import (
    ASSIGNMENT,
    Case,
    case,
    sample_solution,
)
from vtbook.errors import VtbookError


@dataclass
class Turn:
    """Wall time of one grader over one set of submissions, and the scores that it gave."""

    grader: str
    seconds: float
    scores: dict[str, float]


@dataclass
class Results:
    """What was measured."""

    submissions: int
    jobs: int
    plain: int
    whole: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    nbgrader: list[float] = field(default_factory=list)
    nbgrader_submissions: int = 0
    agreed: int = 0
    why_not: str = ""

    def as_data(self) -> dict[str, Any]:
        """As plain data; seconds are wall time."""
        return dict(vars(self))


def measure(
    submissions: int, runs: int, jobs: int, *, against: bool, against_most: int = 20
) -> Results:
    """Grade a set whose scores are known, and its well-behaved part with nbgrader, too.

    Args:
        submissions: size of the whole set.
        runs: turns of each grader.
        jobs: submissions at a time; nbgrader takes one at a time.
        against: whether nbgrader takes part.
        against_most: well-behaved submissions that both take.

    Raises:
        VtbookError: a score is not the one that is known, or the two graders differ.
    """
    from vtbook.course.exercises.generating import release

    given_out = release(sample_solution(), 0)
    cases = [case(number, given_out) for number in range(submissions)]
    plain = [c for c in cases if c.plain]
    results = Results(submissions, jobs, len(plain))
    both = plain[:against_most]
    for _ in range(runs):
        turn = _ours(cases, jobs)
        results.whole.append(turn.seconds)
        if not against or results.why_not:
            continue
        theirs = _nbgrader(both)
        if isinstance(theirs, str):
            results.why_not = theirs
            continue
        ours = _ours(both, 1)
        results.ours.append(ours.seconds)
        results.nbgrader.append(theirs.seconds)
        results.nbgrader_submissions = len(both)
        different = [s for s, score in ours.scores.items() if theirs.scores.get(s) != score]
        if different:
            which = ", ".join(
                f"{s}: {ours.scores[s]:g} and {theirs.scores.get(s)}" for s in different[:5]
            )
            raise VtbookError(f"vtbook and nbgrader give other points: {which}")
        results.agreed = len(both)
    return results


def _ours(cases: list[Case], jobs: int) -> Turn:
    from vtbook.course.grading.limits import Limits
    from vtbook.course.grading.seeds import seeds_from
    from vtbook.course.grading.session import Order, grade_folder

    with tempfile.TemporaryDirectory(prefix="vtbook-bench-") as place:
        folder, solution = Path(place, "submitted"), Path(place, f"{ASSIGNMENT}.ipynb")
        _write(solution, sample_solution())
        for c in cases:
            path = folder / c.student / f"{ASSIGNMENT}.ipynb"
            path.parent.mkdir(parents=True)
            path.write_bytes(c.data)
        order = Order(
            folder,
            Path(place, "grades.csv"),
            {ASSIGNMENT: solution},
            seeds_from("0"),
            limits=Limits(cell_seconds=2, seconds=60, memory=256 << 20),
            jobs=jobs,
        )
        begin = time.perf_counter()
        report = grade_folder(order)
        seconds = time.perf_counter() - begin
    scores = {row["student"]: row for row in report.rows}
    if len(scores) != len(cases):
        raise VtbookError(f"{len(cases)} submissions, but {len(scores)} rows")
    for c in cases:
        row = scores[c.student]
        if (row["score"], row["status"]) != (c.score, c.status):
            raise VtbookError(
                f"{c.student} ({c.kind}): {row['score']:g} points, {row['status']}; must be "
                f"{c.score:g}, {c.status}. {row['notes']}"
            )
    return Turn("vtbook", seconds, {s: row["score"] for s, row in scores.items()})


def _write(path: Path, nb: Any) -> None:
    import nbformat

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(nb), encoding="utf-8")


def _nbgrader(cases: list[Case]) -> Turn | str:
    """nbgrader's generate_assignment and autograde; only the second is timed."""
    try:
        from nbgrader.api import Gradebook
    except ImportError:
        return "nbgrader is not installed: pip install nbgrader"
    from vtbook.course.exercises.generating import instructor_version

    with tempfile.TemporaryDirectory(prefix="vtbook-bench-") as place:
        course = Path(place)
        _write(
            course / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb",
            instructor_version(sample_solution(), 0),
        )
        _run(course, "generate_assignment", ASSIGNMENT)
        for c in cases:
            path = course / "submitted" / c.student / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
            path.parent.mkdir(parents=True)
            path.write_bytes(c.data)
        begin = time.perf_counter()
        _run(course, "autograde", ASSIGNMENT)
        seconds = time.perf_counter() - begin
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
            scores = {
                c.student: float(book.find_submission(ASSIGNMENT, c.student).score) for c in cases
            }
    return Turn("nbgrader", seconds, scores)


def _run(course: Path, *command: str) -> None:
    beside = str(Path(sys.executable).parent)  # where nbgrader and its alembic are
    path = os.pathsep.join([beside, os.environ.get("PATH", os.defpath)])
    root = str(Path(__file__).parents[2])  # its kernels must find vtbook, too
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [shutil.which("nbgrader", path=path) or "nbgrader", *command],
        cwd=course,
        env={**os.environ, "PATH": path, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = re.sub(r"\s+", " ", done.stderr)[-400:]
        raise VtbookError(f"nbgrader {' '.join(command)} failed: {said}")


def print_results(results: Results) -> None:
    """Write the medians."""
    whole = statistics.median(results.whole)
    per = whole / results.submissions
    print(
        f"vtbook grade, {results.submissions} submissions ({results.plain} well-behaved, the rest "
        f"hostile or damaged), {results.jobs} at a time:"
    )
    print(
        f"  {whole:.1f} s, {per:.3f} s a submission, {per * results.jobs:.3f} s a core "
        "(wall time, waiting for hangs included; every score and status as known beforehand)"
    )
    if results.why_not:
        print(f"nbgrader: {results.why_not}")
    if results.nbgrader:
        count = results.nbgrader_submissions
        ours, theirs = statistics.median(results.ours), statistics.median(results.nbgrader)
        print(f"{count} well-behaved submissions, one at a time, start included (wall time):")
        print(f"  vtbook    {ours:7.1f} s, {ours / count:.3f} s a submission")
        print(f"  nbgrader  {theirs:7.1f} s, {theirs / count:.3f} s a submission")
        print(f"  nbgrader / vtbook {theirs / ours:.1f}; {results.agreed} scores are the same")
        print(
            "  Left out: submissions that stop nbgrader or that it reads in another way (hangs, "
            "bombs, crashes, files that are no notebooks, lost metadata)."
        )
