"""Exercises: the solutions are written by hand, what readers get is generated from them.

    solution = load_solution(Path("solutions/00-start.ipynb"))
    given_out = release(solution, seed=seed_of_student("ana"))   # for a student
    solved = instructor_version(solution, seed=...)              # to grade against

Check cells use ``checking`` and ``Parts``. A solution's cell that makes variants uses ``Draw``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vtbook.course.exercises.feedback import NotYet, Parts, checking
    from vtbook.course.exercises.form import Exercise, ExerciseError, exercises_of, load_solution
    from vtbook.course.exercises.generating import instructor_version, release
    from vtbook.course.exercises.variants import Draw, seed_of_student

#: Public name -> its module here. Loaded on first use: a check cell needs no nbformat.
_HOMES = {
    "Draw": "variants",
    "Exercise": "form",
    "ExerciseError": "form",
    "NotYet": "feedback",
    "Parts": "feedback",
    "checking": "feedback",
    "exercises_of": "form",
    "instructor_version": "generating",
    "load_solution": "form",
    "release": "generating",
    "seed_of_student": "variants",
}

__all__ = [
    "Draw",
    "Exercise",
    "ExerciseError",
    "NotYet",
    "Parts",
    "checking",
    "exercises_of",
    "instructor_version",
    "load_solution",
    "release",
    "seed_of_student",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
