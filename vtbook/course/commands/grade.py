"""``vtbook grade``: grade a folder of submissions, without a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtbook.course.commands.app import app
from vtbook.course.messages import INTERRUPTED, USAGE, exits, fail, say

if TYPE_CHECKING:
    from vtbook.course.grading.session import Report

STATUS = (
    "Exit status: 0 if every file was graded, whatever the points; 1 if one was not (see the "
    "table); 2 if grading could not begin; 130 after Ctrl-C: the same command goes on."
)


@app.command(epilog=STATUS)
@exits(USAGE)
def grade(
    submissions: Annotated[Path, typer.Argument(help="The folder of submissions.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The table to write.")] = Path(
        "grades.csv"
    ),
    feedback: Annotated[
        Path | None, typer.Option(help="Write a page for each student into this folder.")
    ] = None,
    as_json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the results as data, too.")
    ] = None,
    assignment: Annotated[
        str | None, typer.Option(help="All are this one, as 05; recognised by name if not given.")
    ] = None,
    solution: Annotated[
        Path | None, typer.Option(help="A solution notebook that is not in the book.")
    ] = None,
    seeds: Annotated[
        str,
        typer.Option(
            metavar="N|students|CSV",
            help="Variants: one number for all; students: made from the id, as vtbook exercises "
            "--students does; or a CSV file with id and seed.",
        ),
    ] = "0",
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Submissions at a time [all cores].")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Grade on this Dask cluster.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Grade everything again, also what is done.")
    ] = False,
    cell_seconds: Annotated[float, typer.Option(min=0.1, help="Wall time of one cell.")] = 20.0,
    seconds: Annotated[float, typer.Option(min=1, help="Wall time of one submission.")] = 120.0,
    memory: Annotated[str, typer.Option(metavar="SIZE", help="Memory of one.")] = "1 GiB",
    folder: Annotated[
        Path | None, typer.Option(help="The folder that holds solutions/; found if not given.")
    ] = None,
) -> None:
    """Grade a folder of submissions: a table of points, and a page of feedback for each student.

    Each runs in a process of its own, with limits, and where the system allows it without a
    network and without a view of the others. What was graded is kept: after Ctrl-C or a crash
    the same command goes on.
    """
    from vtbook.course.grading.executors import cores
    from vtbook.course.grading.limits import GradingError, Limits, parse_size
    from vtbook.course.grading.seeds import seeds_from
    from vtbook.course.grading.session import Order, grade_folder

    solutions = _solutions(folder, assignment, solution)
    limits = Limits(cell_seconds, seconds, max(int(seconds), 1), parse_size(memory))
    order = Order(
        submissions,
        output,
        solutions,
        seeds_from(seeds),
        next(iter(solutions)) if assignment or solution else None,
        limits,
        feedback,
        as_json,
        fresh,
        jobs or cores(),
        scheduler,
    )
    if output.is_dir():
        raise GradingError(f"{output} is a folder; give a file for the table")
    report = _with_progress(lambda progress: grade_folder(order, progress))
    _summary(report, output, feedback)
    if report.interrupted:
        fail(
            f"interrupted; {report.left} are left. The same command goes on from here.",
            INTERRUPTED,
        )
    lost = sum(report.by_status[s] for s in ("not recognised", "not a notebook"))
    raise typer.Exit(1 if lost else 0)


def _solutions(
    folder: Path | None, assignment: str | None, solution: Path | None
) -> dict[str, Path]:
    from vtbook.course.exercises.files import solutions_of
    from vtbook.course.lab import find_book

    if solution is not None:
        if not solution.is_file():
            fail(f"{solution}: there is no such solution", USAGE)
        return {solution.stem: solution}
    found = solutions_of(find_book(folder), [assignment] if assignment else [])
    return {path.stem: path for path in found}


def _with_progress(work):  # type: ignore[no-untyped-def]
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = ("grading", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("grading", total=None)
        return work(lambda done, all_: bar.update(task, completed=done, total=all_))


def _summary(report: Report, output: Path, feedback: Path | None) -> None:
    for status, count in sorted(report.by_status.items()):
        print(f"{count:5} {status}")
    scored = [r for r in report.rows if r["score"] is not None and r["max"]]
    if scored:
        mean = sum(r["score"] / r["max"] for r in scored) / len(scored)
        print(f"mean {mean:.0%} of the points, {report.seconds:.1f} s of wall time")
    noted = sum(bool(row["notes"]) for row in report.rows)
    print(f"{output}: {len(report.rows)} rows, {noted} with notes to read")
    if feedback:
        print(f"{feedback}: pages for students")
    for what in dict.fromkeys(report.missing):
        say(f"isolation: {what}")
