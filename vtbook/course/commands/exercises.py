"""``vtbook exercises``: from the solutions to what readers and students get."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vtbook.course.commands.app import app
from vtbook.course.messages import USAGE, exits, fail


@app.command()
@exits()
def exercises(
    chapters: Annotated[
        list[str] | None, typer.Argument(help="Numbers or names of chapters; all if none is given.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; status 1 if an exercise is not in step.")
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Another variant; 0 is the published one. Needs --out."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write there; into exercises/ of the book if not given.")
    ] = None,
    students: Annotated[
        Path | None,
        typer.Option(help="CSV with a column id: a folder in --out for each, with an own variant."),
    ] = None,
    solved: Annotated[
        bool,
        typer.Option(
            "--solved", help="With solutions and hidden tests, for instructors and nbgrader."
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write over notebooks that have answers in them.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option(help="The folder that holds solutions/; found if not given.")
    ] = None,
) -> None:
    """Make the exercises from the solutions.

    Without options it brings the published exercises into step. A seed makes other numbers, and
    --students gives each student numbers of their own, the same whenever they are made.
    """
    if check and (out or seed is not None or students or solved):
        fail("--check looks at the published exercises; it takes no other option", USAGE)
    if seed is not None and students:
        fail("--students derives each seed from the student's id; leave out --seed", USAGE)
    if out is None and (students or seed or solved):
        fail("give --out, so that exercises/ keeps the published exercises", USAGE)

    from vtbook.course.exercises import files
    from vtbook.course.exercises.generating import instructor_version, release
    from vtbook.course.lab import find_book

    book = find_book(folder)
    solutions = files.solutions_of(book, chapters or ())
    published = book / "exercises"
    if check:
        _check(solutions, published, whole=not chapters)
        return
    version = instructor_version if solved else release
    if students is not None and out is not None:
        count = 0
        for made in files.write_for_students(
            solutions, out, files.read_students(students), version, force=force
        ):
            print(made)
            count += 1
        print(f"{count} students, {len(solutions)} notebooks each")
        return
    for made, changed in files.write_exercises(
        solutions, out or published, seed or 0, version, force=force
    ):
        print(f"{made}{'' if changed else ' (as before)'}")


def _check(solutions: list[Path], published: Path, *, whole: bool) -> None:
    from vtbook.course.exercises.files import differences, strays

    wrong = list(differences(solutions, published))
    if whole:
        wrong += [f"{path}: no solution makes it" for path in strays(solutions, published)]
    if wrong:
        print("\n\n".join(wrong))
        fail("exercises are not in step with solutions; run: vtbook exercises")
    print(f"{len(solutions)} exercises are in step with their solutions")
