"""Files of all usual layouts are found, and none is lost."""

import json
import os
from pathlib import Path

import pytest

from vtbook.course.grading.limits import GradingError
from vtbook.course.grading.submissions import find_submissions, handed_in_twice

SOLUTIONS = {name: Path("x") for name in ("00-start", "05-full-emulation")}


def found(folder, *names, only=None):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    return [(f.student, f.assignment, f.problem) for f in find_submissions(folder, SOLUTIONS, only)]


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("ana/05-full-emulation.ipynb", "ana"),
        ("ana/05-full-emulation/full-emulation.ipynb", "ana"),
        ("ana/05-full-emulation/notebook.ipynb", "ana"),
        ("ana/full-emulation (1).ipynb", "ana"),
        ("ana/exercise 5 is 05.ipynb", "ana"),
        ("ana_05-full-emulation.ipynb", "ana"),
        ("ana-ruiz_05-full-emulation-1.ipynb", "ana-ruiz"),
        ("anaruiz_LATE_4711_1234_05-full-emulation.ipynb", "anaruiz"),
        ("Ana Ruiz_4711_assignsubmission_file_/05-full-emulation.ipynb", "Ana Ruiz"),
        ("Ana Ruiz_4711_assignsubmission_file/work.05.ipynb", "Ana Ruiz"),
    ],
)
def test_layouts(tmp_path, name, student):
    assert found(tmp_path, name) == [(student, "05-full-emulation", "")]


def test_metadata_tells_the_assignment_where_the_name_does_not(tmp_path):
    data = {"cells": [], "metadata": {"vtbook": {"chapter": "00-start"}}}
    (tmp_path / "ana").mkdir()
    (tmp_path / "ana" / "homework.ipynb").write_text(json.dumps(data))
    assert found(tmp_path) == [("ana", "00-start", "")]


def test_what_is_not_recognised_is_listed_with_the_reason(tmp_path):
    (name, what, problem), (_, _, packed) = found(tmp_path, "ana/poem.ipynb", "ben/05.zip")
    assert (name, what) == ("ana", None)
    assert "00-start, 05-full-emulation" in problem
    assert "unpack" in packed


def test_an_assignment_can_be_given(tmp_path):
    assert found(tmp_path, "ana/poem.ipynb", only="00-start") == [("ana", "00-start", "")]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links: a POSIX system")
def test_links_are_not_followed(tmp_path):
    (tmp_path / "secret.ipynb").write_text("{}")
    folder = tmp_path / "in"
    (folder / "ana").mkdir(parents=True)
    (folder / "ana" / "00-start.ipynb").symlink_to(tmp_path / "secret.ipynb")
    (folder / "ben").symlink_to(tmp_path)
    problems = [problem for *_, problem in found(folder)]
    assert problems == ["a link: not followed"] * 2


def test_namesakes_of_moodle_are_two_students(tmp_path):
    names = [f"Ana_{n}_assignsubmission_file/00-start.ipynb" for n in (1, 2)]
    assert [student for student, *_ in found(tmp_path, *names)] == ["Ana_1", "Ana_2"]


def test_a_second_file_of_the_same_assignment_is_noticed(tmp_path):
    found(tmp_path, "ana/00-start.ipynb", "ana/00-start (1).ipynb", "ben/00-start.ipynb")
    assert handed_in_twice(find_submissions(tmp_path, SOLUTIONS)) == {("ana", "00-start")}


def test_hidden_files_are_no_submissions(tmp_path):
    names = ["ana/.ipynb_checkpoints/00-start.ipynb", "ana/00-start.ipynb", "__MACOSX/x.ipynb"]
    assert found(tmp_path, *names) == [("ana", "00-start", "")]


def test_an_empty_or_missing_folder_is_an_error(tmp_path):
    with pytest.raises(GradingError, match="no files"):
        find_submissions(tmp_path, SOLUTIONS)
    with pytest.raises(GradingError, match="no such folder"):
        find_submissions(tmp_path / "x", SOLUTIONS)
