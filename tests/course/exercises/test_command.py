"""``vtbook exercises``, as authors, instructors and CI run it."""

from __future__ import annotations

import json
import shutil
import subprocess

import nbformat
import pytest

from tests.course.conftest import COMMAND, ROOT, environment
from tests.course.exercises.sample import cell, solution
from vtbook.course.exercises import ExerciseError, release, seed_of_student
from vtbook.course.exercises.files import differences, read_students, write


@pytest.fixture
def book(tmp_path):
    """A book of one chapter, in step."""
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters" / "00-start.ipynb").write_text("{}")
    (tmp_path / "solutions").mkdir()
    nbformat.write(solution(2), tmp_path / "solutions" / "90-sample.ipynb")
    return tmp_path


@pytest.fixture
def exercises(book):
    def run(*arguments, cwd=book):
        return subprocess.run(
            [*COMMAND, "exercises", *map(str, arguments)],
            cwd=cwd,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def read(path):
    return nbformat.read(path, 4)


def test_exercises_are_written_and_then_in_step(book, exercises):
    made = book / "exercises" / "90-sample.ipynb"
    done = exercises()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{made}\n"
    assert read(made) == release(solution(2))
    assert "(as before)" in exercises("90").stdout
    done = exercises("--check")
    assert (done.returncode, done.stdout) == (0, "1 exercises are in step with their solutions\n")


def test_the_published_exercises_are_in_step_as_ci_checks_it(exercises):
    done = exercises("--check", "--folder", ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_not_in_step_is_shown_by_cells_with_what_to_run(book, exercises):
    exercises()
    nb = solution(2)
    cell(nb, "ex2-task").source += "\nNew words."
    nbformat.write(nb, book / "solutions" / "90-sample.ipynb")
    (book / "exercises" / "91-old.ipynb").write_text("{}")
    done = exercises("--check")
    assert done.returncode == 1
    assert "+New words." in done.stdout
    assert "cell ex2-task (markdown)" in done.stdout
    assert "91-old.ipynb: no solution makes it" in done.stdout
    assert done.stderr == (
        "vtbook: exercises are not in step with solutions; run: vtbook exercises\n"
    )


@pytest.mark.parametrize("text", [None, "", "{", "[3]", '{"cells": [{}], "metadata": {}}', "\x00"])
def test_whatever_stands_in_an_exercises_place_is_a_difference(book, text):
    made = book / "exercises" / "90-sample.ipynb"
    made.parent.mkdir()
    if text is not None:
        made.write_text(text)
    [found] = differences([book / "solutions" / "90-sample.ipynb"], made.parent)
    assert found.startswith(f"{made}: ")


def test_a_seed_makes_another_variant_elsewhere(book, exercises):
    done = exercises("--seed", 7, "--out", book / "more")
    assert done.returncode == 0, done.stderr
    assert read(book / "more" / "90-sample.ipynb") == release(solution(2), 7)
    assert not (book / "exercises").exists()


def test_each_student_gets_a_folder_and_numbers_of_their_own(book, exercises):
    (book / "students.csv").write_text("last_name,id\nSá,ana\nLima, rui \n\n", encoding="utf-8")
    done = exercises("--students", "students.csv", "--out", "given")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("2 students, 1 notebooks each\n")
    given = {name: read(book / "given" / name / "90-sample.ipynb") for name in ("ana", "rui")}
    for name, nb in given.items():
        assert nb.metadata.vtbook["seed"] == seed_of_student(name)
        assert nb == release(solution(2), seed_of_student(name))
    assert cell(given["ana"], "ex1-task") != cell(given["rui"], "ex1-task")


def test_an_instructor_gets_solutions_and_hidden_tests(book, exercises):
    done = exercises("--solved", "--out", "source")
    assert done.returncode == 0, done.stderr
    nb = read(book / "source" / "90-sample.ipynb")
    assert "BEGIN SOLUTION\n    return 7 * n" in cell(nb, "ex1").source
    assert "HIDDEN" in cell(nb, "ex1-check").source


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed", 3], "give --out"),
        (["--solved"], "give --out"),
        (["--students", "s.csv"], "give --out"),
        (["--students", "s.csv", "--out", "o", "--seed", 3], "leave out --seed"),
        (["--check", "--out", "o"], "takes no other option"),
    ],
)
def test_options_that_do_not_go_together_are_refused(exercises, book, options, message):
    done = exercises(*options)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (book / "exercises").exists()


def test_a_chapter_that_has_none_is_named_with_those_that_have(exercises):
    done = exercises("17")
    assert done.returncode == 1
    assert done.stderr == "vtbook: no solution is called '17'; there are 90\n"


def test_a_book_without_solutions_says_so(book, exercises):
    shutil.rmtree(book / "solutions")
    done = exercises()
    assert done.returncode == 1
    assert "no solutions there" in done.stderr


def test_a_broken_solution_leaves_the_exercise_as_it_was(book, exercises):
    exercises()
    before = (book / "exercises" / "90-sample.ipynb").read_bytes()
    nb = json.loads((book / "solutions" / "90-sample.ipynb").read_text())
    nb["cells"][-1]["source"] = "### BEGIN HIDDEN TESTS"
    (book / "solutions" / "90-sample.ipynb").write_text(json.dumps(nb))
    done = exercises()
    assert done.returncode == 1
    assert "cell ex2-check: line 1: BEGIN HIDDEN TESTS without END" in done.stderr
    assert (book / "exercises" / "90-sample.ipynb").read_bytes() == before


@pytest.mark.parametrize("where", ["published", "students"])
def test_a_readers_answers_are_not_written_over(book, exercises, where):
    (book / "students.csv").write_text("ana\nrui\n")
    options = ["--students", "students.csv", "--out", "given"] if where == "students" else []
    exercises(*options)
    made = book / ("given/rui" if options else "exercises") / "90-sample.ipynb"
    nb = read(made)
    cell(nb, "ex2").source = "def times2(n):\n    return 7 * n"
    nbformat.write(nb, made)
    done = exercises(*options)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "90-sample.ipynb: has answers in it (ex2), so nothing was written" in done.stderr
    assert read(made) == nb
    assert exercises(*options, "--force").returncode == 0
    assert read(made) != nb


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExerciseError, match="file"):
        write(tmp_path / "file" / "90-sample.ipynb", "text")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no students"),
        ("id\n", "no students"),
        ("name,mail\nAna,a@b\n", 'no column is called "id"; there are name, mail'),
        ("id,name\n,Ana\n", "line 2: there is no id"),
        ("id\nana\nANA\n", "line 3: 'ANA' is in line 2, too"),
        ("id\n../ana\n", r"line 2: '\.\./ana' cannot be a folder's name"),
        ("id\n..\n", "cannot be a folder"),
        ("id\na/b\n", "cannot be a folder"),
        ("id\n-rf\n", "cannot be a folder"),
        ("id\nC:x\n", "cannot be a folder"),
        ("\udcff", "cannot be read"),
    ],
)
def test_a_list_of_students_that_cannot_be_used_is_refused(tmp_path, text, message):
    path = tmp_path / "students.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ExerciseError, match=message):
        read_students(path)


def test_one_id_a_line_is_a_list_too(tmp_path):
    path = tmp_path / "students.csv"
    path.write_text("\ufeffana\n\nrui\n", encoding="utf-8")
    assert [student.id for student in read_students(path)] == ["ana", "rui"]
