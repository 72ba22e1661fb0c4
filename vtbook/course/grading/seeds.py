"""Which variant a student has. What the submission itself says is not asked."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from vtbook.course.exercises.variants import seed_of_student
from vtbook.course.grading.limits import GradingError

FROM_ID = "students"


def seeds_from(text: str) -> Callable[[str], int | None]:
    """What gives the seed of a student, for the option ``--seeds``; None if it is not known.

    Args:
        text: a number, for all; ``students``, as `vtbook exercises --students` makes them;
            or a CSV file with the columns ``id`` and ``seed``.

    Raises:
        GradingError: none of these.
    """
    if text.isdecimal():
        number = int(text)
        return lambda student: number
    if text == FROM_ID:
        return seed_of_student
    table = _read(Path(text))
    return lambda student: table.get(student.strip())


def _read(path: Path) -> dict[str, int]:
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GradingError(
            f"--seeds {path}: give a number, {FROM_ID!r}, or a CSV file with the columns id and "
            f"seed ({getattr(error, 'strerror', None) or error})"
        ) from error
    table = {}
    for line, row in enumerate(rows, start=2):
        student, seed = (row.get("id") or "").strip(), (row.get("seed") or "").strip()
        if not student or not seed.isdecimal():
            raise GradingError(f"{path}, line {line}: needs an id, and a seed that is a number")
        table[student] = int(seed)
    return table
