"""Grade a folder: find, leave out what the journal has, grade the rest, write the results."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vtbook import __version__
from vtbook.course.grading import executors, journal, one, table
from vtbook.course.grading.feedback import write_feedback
from vtbook.course.grading.limits import GradingError, Limits
from vtbook.course.grading.submissions import Found, find_submissions, handed_in_twice
from vtbook.files import replace_file

NOT_READ = (FileNotFoundError, PermissionError, OSError)


@dataclass(frozen=True)
class Order:
    """What is to be graded, and where the results go."""

    folder: Path
    output: Path
    solutions: Mapping[str, Path]
    seed_of: Callable[[str], int | None]
    assignment: str | None = None
    limits: Limits = field(default_factory=Limits)
    feedback: Path | None = None
    json: Path | None = None
    fresh: bool = False
    jobs: int = 1
    scheduler: str | None = None

    @property
    def journal(self) -> Path:
        """The file by which grading goes on after a stop."""
        return self.output.with_name(f".{self.output.name}.journal")

    @property
    def hidden(self) -> list[str]:
        """What no submission may see."""
        solutions = {str(path.resolve().parent) for path in self.solutions.values()}
        paths = [self.folder, self.output, self.journal, self.feedback, self.json]
        return sorted({*solutions, *(str(p.resolve()) for p in paths if p is not None)})


@dataclass
class Report:
    """What came of it."""

    rows: list[dict[str, Any]]
    seconds: float = 0.0
    graded_now: int = 0
    interrupted: bool = False
    left: int = 0
    missing: list[str] = field(default_factory=list)

    @property
    def by_status(self) -> Counter[str]:
        """Number of rows of each status."""
        return Counter(row["status"] for row in self.rows)


@dataclass
class _Job:
    found: Found
    data: bytes
    solution: str
    seed: int
    key: str
    tries: int = 0


def grade_folder(order: Order, progress: Callable[[int, int], None] | None = None) -> Report:
    """Grade all submissions of a folder and write the results.

    After Ctrl-C what is done is kept and written, and the report says how many are left.

    Args:
        order: what and how.
        progress: is called with the number done and the number of all.

    Raises:
        GradingError: the folder, the output or the cluster cannot be used.
        ExerciseError: a solution is not in form.
    """
    begin = time.perf_counter()
    texts = {name: path.read_text(encoding="utf-8") for name, path in order.solutions.items()}
    for text in texts.values():
        one.versions(text, 0)
    found = find_submissions(order.folder, order.solutions, order.assignment)
    kept = journal.Journal(order.journal, fresh=order.fresh)
    rows: dict[str, dict[str, Any]] = {}
    jobs: list[_Job] = []
    try:
        for item in found:
            _prepare(order, item, texts, rows, jobs)
        report = Report([], left=0)
        waiting = []
        for job in jobs:
            done = kept.outcomes.get(job.key)
            if done is None:
                waiting.append(job)
            else:
                rows[job.found.name] = _row(job.found, done, job.data)
        _grade(order, waiting, kept, rows, report, progress)
    finally:
        kept.close()
    for job in jobs:  # an interrupt may have come between the journal and the row
        if job.found.name not in rows and job.key in kept.outcomes:
            rows[job.found.name] = _row(job.found, kept.outcomes[job.key], job.data)
    report.left = len(found) - len(rows)
    twice = handed_in_twice(found)
    for item in found:
        if (item.student, item.assignment) in twice and item.name in rows and not item.problem:
            rows[item.name]["notes"].append("handed in more than once: choose a row")
    report.rows = [rows[item.name] for item in found if item.name in rows]
    report.seconds = time.perf_counter() - begin
    _write(order, report)
    return report


def _prepare(
    order: Order,
    item: Found,
    texts: Mapping[str, str],
    rows: dict[str, dict[str, Any]],
    jobs: list[_Job],
) -> None:
    if item.problem or item.assignment is None:
        status = one.NOT_A_NOTEBOOK if "link" in item.problem else one.NOT_RECOGNISED
        rows[item.name] = _unread(item, status, item.problem)
        return
    solution = texts[item.assignment]
    try:
        if item.path.stat().st_size > order.limits.submission:
            raise OSError(0, f"larger than {order.limits.submission:,} bytes")
        data = item.path.read_bytes()
    except NOT_READ as error:
        rows[item.name] = _unread(item, one.NOT_A_NOTEBOOK, f"cannot be read: {error.strerror}")
        rows[item.name]["max"] = one.most_points(solution, 0)
        return
    seed = order.seed_of(item.student)
    if seed is None:
        rows[item.name] = _unread(item, one.NOT_RECOGNISED, "no seed for this student in --seeds")
        return
    limits = repr(sorted(order.limits.as_data().items()))
    key = one.digest(item.name, data, solution, str(seed), limits, __version__, code_digest())
    jobs.append(_Job(item, data, solution, seed, key))


def code_digest() -> str:
    """A hash of the code that grades: a journal of other code is not believed."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return one.digest(*(path.read_bytes() for path in sources))


def _grade(
    order: Order,
    waiting: Sequence[_Job],
    kept: journal.Journal,
    rows: dict[str, dict[str, Any]],
    report: Report,
    progress: Callable[[int, int], None] | None,
) -> None:
    everything = len(rows) + len(waiting)
    if progress:
        progress(len(rows), everything)
    if not waiting:
        return
    where = executors.cluster(order.scheduler) if order.scheduler else executors.local(order.jobs)
    hidden = [] if order.scheduler else order.hidden
    try:
        with where as executor:
            running: dict[Future[Any], _Job] = {}
            for job in waiting:
                running[_submit(executor, order, job, hidden)] = job
            while running:
                done, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
                for future in done:
                    job = running.pop(future)
                    error = future.exception()
                    if error is not None and executors.worker_died(error) and job.tries == 0:
                        job.tries = 1
                        running[_submit(executor, order, job, hidden)] = job
                        continue
                    if error is None:
                        outcome = future.result()
                        kept.write(job.key, outcome)
                    else:
                        why = f"the grader failed: {type(error).__name__}: {error}"
                        outcome = one.failed(why, one.most_points(job.solution, 0), job.seed)
                    report.missing = outcome["missing"] or report.missing
                    report.graded_now += 1
                    rows[job.found.name] = _row(job.found, outcome, job.data)
                    if progress:
                        progress(len(rows), everything)
    except KeyboardInterrupt:
        report.interrupted = True


def _submit(executor: Executor, order: Order, job: _Job, hidden: list[str]) -> Future[Any]:
    return executor.submit(one.grade_one, job.data, job.solution, job.seed, order.limits, hidden)


def _row(item: Found, outcome: dict[str, Any], data: bytes) -> dict[str, Any]:
    return {
        "student": item.student,
        "assignment": item.assignment,
        **outcome,
        "notes": list(outcome["notes"]),
        "exercises": {p["name"]: p["earned"] for p in outcome["parts"]},
        "file": item.name,
        "sha256": one.hashlib.sha256(data).hexdigest(),
    }


def _unread(item: Found, status: str, why: str) -> dict[str, Any]:
    outcome = {**one.failed(why, 0.0, 0), "status": status, "score": None, "max": None}
    return {**_row(item, outcome, b""), "sha256": ""}


def _write(order: Order, report: Report) -> None:
    written = [(order.output, table.as_csv(report.rows))]
    if order.json:
        about = {"vtbook": __version__, "limits": order.limits.as_data()}
        written.append((order.json, table.as_json(report.rows, about)))
    for path, text in written:
        write_text(path, text)
    if order.feedback:
        write_feedback(order.feedback, [r for r in report.rows if r["score"] is not None])


def write_text(path: Path, text: str) -> None:
    """Write a file as a whole or not at all.

    Raises GradingError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode(errors="replace"))
    except OSError as error:
        raise GradingError(f"{path}: cannot be written: {error.strerror}") from error
