"""A small set of exercises, and limits short enough for tests."""

import nbformat
import pytest

from vtbook.course.bench_grade_set import sample_solution
from vtbook.course.grading import one
from vtbook.course.grading.limits import Limits
from vtbook.course.grading.sandbox import ZYGOTE

LIMITS = Limits(cell_seconds=3, seconds=60, memory=256 << 20)


@pytest.fixture(scope="session")
def solution():
    """The text of the solution notebook."""
    return nbformat.writes(sample_solution())


@pytest.fixture(scope="session")
def given_out(solution):
    """What students got."""
    return one.versions(solution, 0)[0]


@pytest.fixture(scope="session", autouse=True)
def zygote():
    yield
    ZYGOTE.stop()


@pytest.fixture
def grade(solution):
    """Grade the bytes of a submission."""

    def run(data, hidden=(), limits=LIMITS, seed=0):
        return one.grade_one(data, solution, seed, limits, list(hidden))

    return run
