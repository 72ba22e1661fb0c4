"""Run an exercise notebook in this process, as IPython runs cells, and see what each check says."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from dataclasses import dataclass

import nbformat
from IPython.core.interactiveshell import InteractiveShell

from vtbook.course.exercises import Exercise, exercises_of


@dataclass(frozen=True)
class Result:
    """What a check cell did: the points by nbgrader's rules, and all that a student can read."""

    points: float
    said: str


class Session:
    """A fresh namespace, in which the cells of one notebook run."""

    def __init__(self, nb: nbformat.NotebookNode) -> None:
        self.nb = nb
        self.shell = InteractiveShell()
        self.exercises = exercises_of(nb)

    def run(self, source: str) -> tuple[object, BaseException | None, str]:
        """Run one cell; its value, what it raised, and what it printed."""
        out = io.StringIO()
        with redirect_stdout(out):
            done = self.shell.run_cell(source, store_history=False)
        return done.result, done.error_before_exec or done.error_in_exec, out.getvalue()

    def check(self, exercise: Exercise, answer: str) -> Result:
        """Run an answer and the check of its exercise."""
        self.run(answer)
        value, error, printed = self.run(exercise.check.source)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        earned = float(value) if is_number else exercise.points
        return Result(0 if error else earned, f"{printed}{error or ''}")

    def results(self) -> dict[str, Result]:
        """Run all cells; by exercise (``ex1``), what its check did."""
        found = {}
        answers = {exercise.answer.id: exercise for exercise in self.exercises}
        checks = {exercise.check.id for exercise in self.exercises}
        for cell in self.nb.cells:
            if cell.id in answers:
                found[cell.id] = self.check(answers[cell.id], cell.source)
            elif cell.cell_type == "code" and cell.id not in checks:
                self.run(cell.source)
        return found
