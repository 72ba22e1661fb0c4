"""Find the submissions in a folder, in the usual layouts, and tell student and assignment.

    ana/05-full-emulation.ipynb                     a folder for each student
    ana/05-full-emulation/full-emulation.ipynb      nbgrader's ``submitted``
    ana_05-full-emulation.ipynb                     flat, as many systems hand out
    anaruiz_LATE_4711_1234_05-full-emulation.ipynb  Canvas
    Ana Ruiz_4711_assignsubmission_file/....ipynb   Moodle

Links are not followed. A file that is no submission is listed with the reason, never left out.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vtbook.course.grading.limits import GradingError

MOODLE = re.compile(r"(?P<student>.+?)_(?P<number>\d+)_assignsubmission_\w+?_?$")
CANVAS = re.compile(r"(?P<student>.+?)(?:_LATE)?_\d+_\d+$", re.IGNORECASE)
SKIPPED = {"__MACOSX", "__pycache__", "Thumbs.db", "desktop.ini"}
LARGEST_TO_LOOK_INTO = 20 << 20


@dataclass(frozen=True)
class Found:
    """A file of the folder: whose it is and what; `problem` says why it is not graded."""

    path: Path
    name: str
    student: str
    assignment: str | None
    problem: str = ""


def find_submissions(
    folder: Path, solutions: Mapping[str, Path], only: str | None = None
) -> list[Found]:
    """All files of a folder, in a stable order.

    Args:
        folder: is searched with all folders in it, but for hidden ones.
        solutions: name of an assignment, as ``05-full-emulation`` -> its solution.
        only: this is the assignment, whatever the files are called.

    Raises:
        GradingError: the folder cannot be read, or is empty.
    """
    if not folder.is_dir():
        raise GradingError(f"{folder}: there is no such folder; give the folder of submissions")
    found = [_identify(folder, path, solutions, only) for path in _files(folder)]
    if not found:
        raise GradingError(f"{folder}: there are no files in it")
    found = _tell_namesakes_apart(folder, found)
    return sorted(found, key=lambda f: (f.student, f.assignment or "", f.name))


def _files(folder: Path) -> Iterator[Path]:
    def complain(error: OSError) -> None:
        raise GradingError(f"{error.filename}: cannot be read: {error.strerror}") from error

    for where, folders, files in os.walk(folder, onerror=complain):
        linked = [d for d in folders if os.path.islink(os.path.join(where, d))]
        folders[:] = sorted(
            d for d in folders if not d.startswith(".") and d not in SKIPPED and d not in linked
        )
        for name in sorted([*files, *linked]):
            if not name.startswith(".") and name not in SKIPPED:
                yield Path(where, name)


def _identify(folder: Path, path: Path, solutions: Mapping[str, Path], only: str | None) -> Found:
    parts = path.relative_to(folder).parts
    name = "/".join(parts)
    if len(parts) == 1:
        student, recognised = _flat(path.stem, solutions)
    else:
        moodle = MOODLE.fullmatch(parts[0])
        student = moodle["student"] if moodle else parts[0]
        recognised = _by_name(path.stem, solutions)
        for part in parts[1:-1]:
            recognised = recognised or _by_name(part, solutions)
    if path.is_symlink():
        return Found(path, name, student, only or recognised, "a link: not followed")
    if not path.is_file():
        return Found(path, name, student, only or recognised, "not a file")
    if path.suffix.lower() != ".ipynb":
        hint = "; unpack it first" if path.suffix.lower() in {".zip", ".gz", ".7z", ".rar"} else ""
        return Found(path, name, student, None, f"not an .ipynb file{hint}")
    recognised = only or recognised or _by_metadata(path, solutions)
    there = ", ".join(solutions)
    problem = "" if recognised else f"no assignment has this name; there are {there}"
    return Found(path, name, student, recognised, problem)


def _flat(stem: str, solutions: Mapping[str, Path]) -> tuple[str, str | None]:
    for name in sorted(solutions, key=len, reverse=True):
        before, sep, _ = stem.partition(name)
        if sep and before.rstrip("_- "):
            student = before.rstrip("_- ")
            canvas = CANVAS.fullmatch(student)
            return (canvas["student"] if canvas else student), name
    found = _by_name(stem, solutions)
    if found and found[:2].isdecimal():
        before = re.split(rf"[_\- ]*(?<!\d){found[:2]}(?!\d)", stem, maxsplit=1)[0]
        return before or stem, found
    return stem, found


def _by_name(text: str, solutions: Mapping[str, Path]) -> str | None:
    """The assignment that a name speaks of: its whole name, or its number."""
    for name in sorted(solutions, key=len, reverse=True):
        if name in text:
            return name
    numbers = [
        n for n in solutions if n[:2].isdecimal() and re.search(rf"(?<!\d){n[:2]}(?!\d)", text)
    ]
    titles = [n for n in solutions if n[3:] and n[3:] in text]
    for found in (titles, numbers):
        if len(found) == 1:
            return found[0]
    return None


def _by_metadata(path: Path, solutions: Mapping[str, Path]) -> str | None:
    try:
        if path.stat().st_size > LARGEST_TO_LOOK_INTO:
            return None
        name = json.loads(path.read_bytes())["metadata"]["vtbook"]["chapter"]
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None
    return name if isinstance(name, str) and name in solutions else None


def _tell_namesakes_apart(folder: Path, found: list[Found]) -> list[Found]:
    """Two of Moodle's folders with the same name are two students: keep the number."""
    owners: dict[str, set[str]] = {}
    for f in found:
        owners.setdefault(f.student, set()).add(f.path.relative_to(folder).parts[0])
    shared = {s for s, tops in owners.items() if sum(bool(MOODLE.fullmatch(t)) for t in tops) > 1}
    made = []
    for f in found:
        moodle = MOODLE.fullmatch(f.path.relative_to(folder).parts[0])
        if f.student in shared and moodle:
            f = replace(f, student=f"{moodle['student']}_{moodle['number']}")
        made.append(f)
    return made


def handed_in_twice(found: list[Found]) -> set[tuple[str, str | None]]:
    """Student and assignment of which there are several files."""
    count = Counter((f.student, f.assignment) for f in found if not f.problem)
    return {key for key, number in count.items() if number > 1}
