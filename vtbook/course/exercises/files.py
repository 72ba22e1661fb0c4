"""The files of exercises: written, and held in step with their solutions."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vtbook.course.exercises.form import (
    ExerciseError,
    is_solution,
    load_solution,
    nbgrader_data,
)
from vtbook.course.exercises.generating import checksum, release
from vtbook.course.exercises.variants import PUBLISHED_SEED, seed_of_student
from vtbook.files import replace_file

if TYPE_CHECKING:
    from nbformat import NotebookNode

Version = Callable[["NotebookNode", int], "NotebookNode"]
NUMBERED = "[0-9][0-9]-*.ipynb"
LONGEST_DIFF = 60
"""Lines of a difference that are shown."""
UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]|^\.+$|^-|[. ]$')
"""What the name of a folder may not have, on the strictest of the systems."""


@dataclass(frozen=True)
class Student:
    """A student of a course; `id` is also the name of a folder."""

    id: str

    @property
    def seed(self) -> int:
        """The seed of the student's variant."""
        return seed_of_student(self.id)


def solutions_of(book: Path, wanted: Iterable[str] = ()) -> list[Path]:
    """The solution notebooks of a book, in order; of these chapters, if any are given.

    Args:
        book: the folder that holds ``solutions``.
        wanted: numbers (``05``, ``5``) or names (``05-full-emulation``) of chapters.

    Raises:
        ExerciseError: there are none, or a chapter has none.
    """
    folder = book / "solutions"
    found = sorted(folder.glob(NUMBERED))
    if not found:
        raise ExerciseError(f"{folder}: no solutions there; run this in a clone of the book")
    wanted = list(wanted)
    if not wanted:
        return found
    chosen = {}
    for name in wanted:
        matching = [path for path in found if name in (path.stem, path.name, path.stem[:2])]
        if not matching and name.isdecimal():
            matching = [path for path in found if path.stem[:2] == f"{int(name):02}"]
        if not matching:
            there = ", ".join(path.stem[:2] for path in found)
            raise ExerciseError(f"no solution is called {name!r}; there are {there}")
        chosen.update(dict.fromkeys(matching))
    return sorted(chosen)


def as_text(nb: NotebookNode) -> str:
    """A notebook as the text of its file."""
    import nbformat

    return nbformat.writes(nb, version=4).rstrip("\n") + "\n"


def write(path: Path, text: str) -> bool:
    """Write a file as a whole or not at all, unless it has this text; whether it was written."""
    try:
        if path.read_text(encoding="utf-8") == text:
            return False
    except (OSError, UnicodeDecodeError):
        pass  # there is none, or not one of ours: it is replaced
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode())
    except OSError as error:
        raise ExerciseError(f"{error.filename or path}: {error.strerror}") from error
    return True


def answered(path: Path) -> list[str]:
    """The ids of the cells in a file that somebody has written an answer into."""
    import nbformat

    try:
        cells = nbformat.read(path, as_version=4).cells
        answers = [
            cell for cell in cells if is_solution(cell) and "checksum" in nbgrader_data(cell)
        ]
        return [cell.id for cell in answers if nbgrader_data(cell)["checksum"] != checksum(cell)]
    except Exception:  # no such file, or not a notebook that was made here
        return []


def _keep_answers(paths: Iterable[Path], force: bool) -> None:
    for path in paths:
        if not force and (cells := answered(path)):
            raise ExerciseError(
                f"{path}: has answers in it ({', '.join(cells)}), so nothing was written; "
                "give another --out, or --force to lose them"
            )


def write_exercises(
    solutions: Iterable[Path],
    folder: Path,
    seed: int = PUBLISHED_SEED,
    version: Version = release,
    *,
    force: bool = False,
) -> Iterator[tuple[Path, bool]]:
    """Write the exercise of each solution into a folder; each file, and whether it has changed.

    Raises:
        ExerciseError: a solution is not in form, a file cannot be written, or one has answers in
            it and `force` is not given; then none is written.
    """
    solutions = list(solutions)
    _keep_answers((folder / path.name for path in solutions), force)
    for path in solutions:
        made = folder / path.name
        yield made, write(made, as_text(version(load_solution(path), seed)))


def write_for_students(
    solutions: Iterable[Path],
    folder: Path,
    students: Iterable[Student],
    version: Version = release,
    *,
    force: bool = False,
) -> Iterator[Path]:
    """Write a folder for each student, named by the id, with a variant of the student's own.

    Raises:
        ExerciseError: see `write_exercises`.
    """
    loaded = [(path.name, load_solution(path)) for path in solutions]
    students = list(students)
    _keep_answers((folder / who.id / name for who in students for name, _ in loaded), force)
    for student in students:
        for name, nb in loaded:
            write(folder / student.id / name, as_text(version(nb, student.seed)))
        yield folder / student.id


def read_students(path: Path) -> list[Student]:
    """Students of a CSV file: the column ``id``, as nbgrader has it, or one id a line.

    Empty lines are left out.

    Raises:
        ExerciseError: the file cannot be read, has no ids, has one twice, or one that cannot be the
            name of a folder.
    """
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ExerciseError(f"{path}: cannot be read as CSV in UTF-8: {reason}") from error
    numbered = [(n, row) for n, row in enumerate(rows, start=1) if any(map(str.strip, row))]
    header = [name.strip().lower() for name in numbered[0][1]] if numbered else []
    if "id" in header:
        column, numbered = header.index("id"), numbered[1:]
    elif len(header) > 1:
        raise ExerciseError(f'{path}: no column is called "id"; there are {", ".join(header)}')
    else:
        column = 0
    students: list[Student] = []
    lines: dict[str, int] = {}
    for number, row in numbered:
        name = row[column].strip() if column < len(row) else ""
        if not name:
            raise ExerciseError(f"{path}, line {number}: there is no id")
        if UNSAFE.search(name):
            raise ExerciseError(f"{path}, line {number}: {name!r} cannot be a folder's name")
        if name.casefold() in lines:
            first = lines[name.casefold()]
            raise ExerciseError(f"{path}, line {number}: {name!r} is in line {first}, too")
        lines[name.casefold()] = number
        students.append(Student(name))
    if not students:
        raise ExerciseError(f"{path}: there are no students in it")
    return students


def differences(solutions: Iterable[Path], folder: Path) -> Iterator[str]:
    """What is not in step: for each exercise that differs, a difference by cells, to be read.

    Raises:
        ExerciseError: a solution is not in form.
    """
    for path in solutions:
        made = folder / path.name
        wanted = as_text(release(load_solution(path)))
        try:
            found = made.read_text(encoding="utf-8")
        except OSError:
            yield f"{made}: is missing"
            continue
        except UnicodeDecodeError:
            yield f"{made}: is not text in UTF-8"
            continue
        if found != wanted:
            yield "\n".join(_difference(made, found, wanted))


def strays(solutions: Iterable[Path], folder: Path) -> list[Path]:
    """Exercises that no solution makes."""
    names = {path.name for path in solutions}
    return [path for path in sorted(folder.glob(NUMBERED)) if path.name not in names]


def _difference(path: Path, found: str, wanted: str) -> Iterator[str]:
    yield f"{path}: not what its solution makes"
    lines = list(
        difflib.unified_diff(
            _readable(found), _readable(wanted), "the exercise", "its solution", n=2, lineterm=""
        )
    )
    shown = lines or ["  (only the form of the file differs)"]
    yield from (f"  {line}" for line in shown[:LONGEST_DIFF])
    if len(lines) > LONGEST_DIFF:
        yield f"  ... and {len(lines) - LONGEST_DIFF} lines more"


def _readable(text: str) -> list[str]:
    """A notebook as lines: cell by cell, its source and then its metadata."""
    import json

    try:
        nb = json.loads(text)
        lines = [f"notebook {json.dumps(nb['metadata'], ensure_ascii=False, sort_keys=True)}"]
        for cell in nb["cells"]:
            data = json.dumps(cell["metadata"], ensure_ascii=False, sort_keys=True)
            lines += [f"cell {cell['id']} ({cell['cell_type']}) {data}"]
            lines += "".join(cell["source"]).split("\n")
    except (ValueError, KeyError, TypeError):
        return text.split("\n")  # no notebook: whatever it is
    return lines
