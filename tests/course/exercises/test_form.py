"""What is wrong with a solution notebook, and which cell it is in."""

from __future__ import annotations

import json

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.course.exercises.sample import cell, data, exercise, solution
from vtbook.course.exercises import ExerciseError, exercises_of, load_solution, release
from vtbook.course.exercises.form import validate
from vtbook.course.exercises.regions import RegionError, replace_regions


def test_the_sample_is_in_form():
    found = exercises_of(solution(3))
    assert [(e.number, e.title, e.points) for e in found] == [
        (number, "Times {{ factor }}", 2) for number in (1, 2, 3)
    ]
    assert [e.name for e in found] == ["ex1", "ex2", "ex3"]


def test_a_released_notebook_is_in_form_too():
    assert len(exercises_of(release(solution(2)))) == 2


def drop(name):
    return lambda nb: nb.cells.remove(cell(nb, name))


def source(name, old, new):
    def change(nb):
        assert old in cell(nb, name).source
        cell(nb, name).source = cell(nb, name).source.replace(old, new)

    return change


def flags(name, **more):
    return lambda nb: cell(nb, name).metadata.update(data(name, **more))


def swap(first, second):
    def change(nb):
        a, b = (nb.cells.index(cell(nb, name)) for name in (first, second))
        nb.cells[a], nb.cells[b] = nb.cells[b], nb.cells[a]

    return change


def rename(name, new):
    def change(nb):
        found = cell(nb, name)
        found.id = found.metadata.nbgrader["grade_id"] = new

    return change


def kind(name, made):
    def change(nb):
        old = cell(nb, name)
        new = made(old.source, id=name, metadata=old.metadata)
        nb.cells[nb.cells.index(old)] = new

    return change


BROKEN = {
    "no task": (drop("ex1-task"), "exercise 1 must begin with the cell ex1-task"),
    "no answer": (drop("ex1"), "exercise 1 has no answer"),
    "no check": (drop("ex1-check"), "exercise 1 has no check"),
    "check above answer": (swap("ex1", "ex1-check"), "directly below"),
    "hints between": (swap("ex1-hints", "ex1-task"), "must begin with the cell ex1-task"),
    "numbers": (rename("ex2-task", "ex7-task"), "numbered 1, 2"),
    "a second id": (rename("ex1-hints", "ex1"), "cell ex1: two cells have this id"),
    "no points": (flags("ex1-check", grade=True), "points must be a number above 0, not None"),
    "zero": (flags("ex1-check", grade=True, points=0), "points must be a number above 0, not 0"),
    "true": (flags("ex1-check", grade=True, points=True), "above 0, not True"),
    "other points": (flags("ex1-check", grade=True, points=5), "5 points, the heading says 2"),
    "unlocked": (flags("ex1-task", locked=False), "must say: grade false, .* locked true"),
    "locked answer": (flags("ex1", locked=True, solution=True), "solution true, locked false"),
    "nbgrader's task": (flags("ex1-task", task=True), "task false"),
    "heading": (source("ex1-task", "Exercise 1", "Exercise 2"), "## Exercise 1: title"),
    "code task": (kind("ex1-task", nbformat.v4.new_code_cell), "the task must be a markdown cell"),
    "text answer": (kind("ex1", nbformat.v4.new_markdown_cell), "the answer must be a code cell"),
    "no end": (source("ex1", "### END SOLUTION", ""), "line 2: BEGIN SOLUTION without END"),
    "no begin": (source("ex1", "BEGIN", "BEGINS"), "line 4: END SOLUTION without BEGIN"),
    "nested": (source("ex1", "END", "BEGIN"), "line 4: BEGIN SOLUTION inside the region of line 2"),
    "hidden tests in the answer": (source("ex1", "SOLUTION", "HIDDEN TESTS"), "only in a check"),
    "solution in the check": (source("ex1-check", "HIDDEN TESTS", "SOLUTION"), "only in an answer"),
    "two variants": (lambda nb: cell(nb, "title").metadata.update(tags=["variant"]), "second cell"),
    "hint beside hint": (source("ex1-hints", "\n\n<d", "\n\n</details>\n\n<d"), "inside hint 1"),
    "open hint": (source("ex1-hints", "\n</details>\n</details>", "\n</details>"), "do not match"),
    "tight hint": (
        source("ex1-hints", "Hint 1</summary>\n\n", "Hint 1</summary>\n"),
        "empty lines",
    ),
    "tight end": (source("ex1-hints", "* n`\n\n", "* n`\n"), "empty line must stand before"),
    "summary": (source("ex1-hints", "<details><summary>Hint 1", "<details>\n<s>Hint"), "alone"),
    "no exercises": (lambda nb: nb.cells.__delitem__(slice(1, None)), "no exercises"),
    "title": (lambda nb: nb.metadata.pop("title"), 'the metadata needs "title"'),
    "no vtbook": (lambda nb: nb.metadata.pop("vtbook"), 'the metadata needs "title"'),
    "odd vtbook": (lambda nb: nb.metadata.update(vtbook=3), 'the metadata needs "title"'),
    "odd nbgrader": (lambda nb: cell(nb, "ex1").metadata.update(nbgrader=[]), "an object"),
    "grade_id": (lambda nb: cell(nb, "ex1").metadata.nbgrader.update(grade_id="q"), "cell's id"),
    "schema": (lambda nb: cell(nb, "ex1").metadata.nbgrader.update(schema_version=2), "must be 3"),
    "no locked": (lambda nb: cell(nb, "ex1").metadata.nbgrader.pop("locked"), "lacks locked"),
    "a name": (rename("ex1-check", "check"), "is called exN, or exN-check"),
}


@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=list(BROKEN))
def test_what_is_wrong_is_said_with_the_notebooks_name_and_cell(change, message, tmp_path):
    nb = solution(2)
    change(nb)
    with pytest.raises(ExerciseError, match=message):
        validate(nb)
    path = tmp_path / "90-sample.ipynb"
    path.write_text(json.dumps(nb), encoding="utf-8")
    with pytest.raises(ExerciseError, match=r"90-sample\.ipynb: .*" + message):
        load_solution(path)


def test_four_hints_are_one_too_many():
    nb = solution()
    hints = "".join(f"<details><summary>Hint {n}</summary>\n\ntext\n\n" for n in range(4))
    cell(nb, "ex1-hints").source = hints + "\n".join(["</details>"] * 4)
    with pytest.raises(ExerciseError, match="cell ex1-hints: 4 hints; 3 are the most"):
        validate(nb)


def test_given_code_may_stand_between_hints_and_answer():
    nb = solution()
    given_code = nbformat.v4.new_code_cell("x = 1", id="ex1-given", metadata=data("ex1-given"))
    nb.cells.insert(nb.cells.index(cell(nb, "ex1")), given_code)
    [found] = exercises_of(nb)
    assert found.answer.id == "ex1"
    assert cell(release(nb), "ex1-given").metadata["editable"] is False


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "{}", '{"cells": 3}', "\ufeff{}", '{"nbformat": 4, "nbformat_minor": 5}',
     '{"cells": [{}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
     '{"cells": [], "metadata": {}, "nbformat": 99, "nbformat_minor": 5}'],
)  # fmt: skip
def test_what_is_no_notebook_is_refused_by_name(text, tmp_path):
    path = tmp_path / "90-sample.ipynb"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ExerciseError, match=r"90-sample\.ipynb: "):
        load_solution(path)


def test_bytes_that_are_no_text_and_files_that_are_not_there_are_refused(tmp_path):
    path = tmp_path / "90-sample.ipynb"
    with pytest.raises(ExerciseError, match=r"90-sample\.ipynb: cannot be read: No such file"):
        load_solution(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ExerciseError, match=r"90-sample\.ipynb: not a notebook"):
        load_solution(path)


LINES = st.lists(
    st.sampled_from(["a = 1", "    b", "### BEGIN SOLUTION", "  ### END SOLUTION", "", "END"]),
    max_size=9,
)


@given(LINES)
def test_regions_go_and_all_other_lines_stay(lines):
    text = "\n".join(lines)
    marks = [line.split()[1] for line in lines if "SOLUTION" in line]
    if marks != ["BEGIN", "END"] * (len(marks) // 2):
        with pytest.raises(RegionError, match=r"^line "):
            replace_regions(text, "SOLUTION")
        return
    cleared, count = replace_regions(text, "SOLUTION")
    kept, inside = [], False
    for line in lines:
        if "SOLUTION" in line:
            inside = "BEGIN" in line
        elif not inside:
            kept.append(line)
    assert cleared == "\n".join(kept)
    assert count == text.count("BEGIN SOLUTION")


def test_points_may_be_a_fraction():
    nb = solution()
    nb.cells[-4:] = exercise(1, 2.5)
    [found] = exercises_of(nb)
    assert found.points == 2.5
