"""``vtbook bench grade`` believes no score that is not known, and agrees with nbgrader."""

import dataclasses
import json

import pytest

from vtbook.course import bench_grade
from vtbook.course.bench import bench_command
from vtbook.course.bench_grade_set import case
from vtbook.errors import VtbookError


def test_it_says_what_it_measured(capsys):
    assert bench_command(["grade", "--submissions", "3", "--against", "none", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["submissions"], data["plain"], data["nbgrader"]) == (3, 3, [])
    assert data["whole"][0] > 0


def test_a_score_that_is_not_the_known_one_is_an_error(given_out):
    wrong = dataclasses.replace(case(0, given_out), score=3.0)
    with pytest.raises(VtbookError, match="must be 3, graded"):
        bench_grade._ours([wrong], 1)


def test_nbgrader_gives_the_same_points(given_out):
    cases = [case(number, given_out) for number in (1, 2, 3)]
    theirs = bench_grade._nbgrader(cases)
    if isinstance(theirs, str):
        pytest.skip(theirs)
    assert theirs.scores == {c.student: c.score for c in cases}
