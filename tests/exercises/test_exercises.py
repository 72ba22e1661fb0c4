"""The exercises of the book: each can be solved, none is solved already, mistakes are named."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest

from tests.exercises.trial import Session
from tests.exercises.wrong_answers import WRONG
from vtbook.course.exercises import exercises_of, instructor_version, load_solution, release
from vtbook.course.exercises.feedback import TICK
from vtbook.course.exercises.files import differences, strays

ROOT = Path(__file__).parents[2]
SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))


@pytest.fixture(params=SOLUTIONS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def solution(path):
    return load_solution(path)


def test_each_chapter_has_exercises_and_each_exercise_a_chapter():
    chapters = {path.name for path in (ROOT / "chapters").glob("[0-9][0-9]-*.ipynb")}
    assert {path.name for path in SOLUTIONS} == chapters


def test_exercises_are_in_step_with_their_solutions():
    """If this fails: vtbook exercises."""
    wrong = [*differences(SOLUTIONS, ROOT / "exercises"), *strays(SOLUTIONS, ROOT / "exercises")]
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("seed", range(5))
def test_the_solution_gets_all_points_and_a_tick(solution, seed):
    results = Session(instructor_version(solution, seed)).results()
    for exercise in exercises_of(solution):
        result = results[exercise.name]
        assert result.points == exercise.points, (exercise.name, result.said)
        assert f"{TICK} " in result.said


def test_an_unsolved_exercise_gets_nothing_and_is_told_what_to_do(solution):
    results = Session(release(solution)).results()
    for exercise in exercises_of(solution):
        result = results[exercise.name]
        assert result.points == 0, exercise.name
        assert "Not yet." in result.said
        assert "The check stopped" not in result.said, (exercise.name, result.said)


def test_seeds_change_numbers_in_the_text_and_the_right_answer(solution):
    texts, values = set(), set()
    for seed in range(5):
        given = release(solution, seed)
        texts.add("".join(c.source for c in given.cells if c.cell_type == "markdown"))
        values.add("".join(c.source for c in given.cells if c.id.endswith("-check")))
    assert len(texts) == len(values) == 5


def test_the_hidden_tests_hold_something_back(solution):
    exercises = exercises_of(solution)
    with_hidden = [e for e in exercises if "BEGIN HIDDEN TESTS" in e.check.source]
    assert len(with_hidden) >= len(exercises) - 2


def test_every_exercise_has_hints_and_nothing_is_told_in_the_task(solution):
    for exercise in exercises_of(solution):
        hints = next(c for c in solution.cells if c.id == f"{exercise.name}-hints")
        assert 1 <= hints.source.count("<details>") <= 3
        assert "<details>" not in exercise.task.source


def test_every_link_leads_to_a_file(path):
    for folder, nb in (("exercises", release(load_solution(path))), ("solutions", None)):
        nb = nb or nbformat.read(path, 4)
        text = "\n".join(c.source for c in nb.cells if c.cell_type == "markdown")
        links = re.findall(r"\]\(([^)\s]+)\)", text)
        assert len(links) >= 2
        for link in links:
            assert (ROOT / folder / unquote(link)).is_file(), link


MISTAKES = [
    pytest.param(name, *mistake, id=f"{name[:2]}-{mistake[0]}-{number}")
    for name, mistakes in WRONG.items()
    for number, mistake in enumerate(mistakes)
]


@pytest.fixture(scope="module")
def solved():
    """``solved(name)``: a session in which the whole solution has run; answers are replaced."""
    kept = {}

    def session(name):
        if name not in kept:
            kept[name] = Session(
                instructor_version(load_solution(ROOT / f"solutions/{name}.ipynb"))
            )
            kept[name].results()
        return kept[name]

    return session


@pytest.mark.parametrize(("name", "exercise", "answer", "points", "message"), MISTAKES)
def test_a_wrong_answer_is_told_what_is_wrong(solved, name, exercise, answer, points, message):
    session = solved(name)
    right = next(e for e in session.exercises if e.name == exercise)
    if isinstance(answer, tuple):
        old, new = answer
        assert old in right.answer.source
        answer = right.answer.source.replace(old, new)
    cells = [c for c in session.nb.cells if c.id in ("setup", f"{exercise}-given")]
    for cell in cells:
        assert session.run(cell.source)[1] is None
    result = session.check(right, answer)
    assert message in result.said, result.said
    assert result.points == points


@pytest.mark.usefixtures("kernel_path")
def test_a_check_in_a_kernel_shows_one_line_and_no_traceback(path, tmp_path):
    """Also that the notebook needs nothing but its own cells."""
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient")
    given = release(load_solution(path))
    client = nbclient.NotebookClient(
        given,
        timeout=120,
        allow_errors=True,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute(env={**os.environ})
    for exercise in exercises_of(given):
        errors = [o for o in exercise.check.outputs if o.output_type == "error"]
        [error] = errors
        assert error.ename == "NotYet"
        shown = "\n".join(error.traceback)
        assert shown.startswith("\N{BALLOT X} Not yet.")
        assert "Traceback" not in shown
        assert len(shown.splitlines()) <= 5
        assert not [o for o in exercise.check.outputs if o.get("name") == "stderr"]
