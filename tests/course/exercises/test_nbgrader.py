"""nbgrader, which nobody here wrote, takes our notebooks and agrees with us."""

from __future__ import annotations

import copy
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.course.exercises.sample import cell, solution
from vtbook.course.exercises import exercises_of, instructor_version, load_solution, release

ROOT = Path(__file__).parents[3]
BOOK = sorted((ROOT / "solutions").glob("*.ipynb"))
CONFIG = """
c = get_config()
c.CourseDirectory.root = {root!r}
c.CourseDirectory.db_url = "sqlite:///" + {database!r}
c.Exchange.root = {root!r}
c.ExecutePreprocessor.timeout = 120
"""


def released_by_nbgrader(nb):
    """What nbgrader's release step makes, without its database."""
    preprocessors = pytest.importorskip("nbgrader.preprocessors", reason="needs nbgrader")
    nb, resources = copy.deepcopy(nb), {}
    for name in (
        "LockCells",
        "ClearSolutions",
        "ClearOutput",
        "CheckCellMetadata",
        "ComputeChecksums",
        "ClearHiddenTests",
        "ComputeChecksums",
        "CheckCellMetadata",
    ):
        step = getattr(preprocessors, name)()
        step.log.setLevel(logging.ERROR)
        nb, resources = step.preprocess(nb, resources)
    return nb


@pytest.mark.parametrize("path", BOOK, ids=lambda path: path.stem)
@pytest.mark.parametrize("seed", [0, 11])
def test_nbgraders_release_step_makes_the_same_cells_as_ours(path, seed):
    nb = load_solution(path)
    theirs = released_by_nbgrader(instructor_version(nb, seed))
    ours = release(nb, seed)
    assert ours.cells == theirs.cells
    assert ours.metadata == theirs.metadata


def test_also_for_a_whole_cell_as_the_solution_and_several_regions():
    nb = solution(2)
    cell(nb, "ex1").source = "times1 = lambda n: 7 * n"
    cell(nb, "ex2").source += "\n" + cell(nb, "ex2").source
    cell(nb, "ex2-check").source += "\n" + cell(nb, "ex2-check").source
    assert release(nb).cells == released_by_nbgrader(instructor_version(nb)).cells


def test_a_course_in_nbgrader_grades_solved_and_released_notebooks(tmp_path, monkeypatch):
    """generate_assignment takes the instructor's notebook; autograde the student's, unchanged."""
    pytest.importorskip("nbgrader", reason="needs nbgrader")
    nb = load_solution(BOOK[0])
    name, seed = BOOK[0].name, 3
    solved, given = instructor_version(nb, seed), release(nb, seed)
    half = copy.deepcopy(given)
    cell(half, "ex6").source = cell(solved, "ex6").source.replace('.partition("+")[0]', "")
    for folder, content in (
        ("source/week1", solved),
        ("submitted/solved/week1", solved),
        ("submitted/unsolved/week1", given),
        ("submitted/half/week1", half),
    ):
        (tmp_path / folder).mkdir(parents=True)
        nbformat.write(content, tmp_path / folder / name)
    config = tmp_path / "nbgrader_config.py"
    database = str(tmp_path / "gradebook.db")
    config.write_text(CONFIG.format(root=str(tmp_path), database=database))
    scripts = str(Path(sys.executable).parent)  # nbgrader calls alembic, which is installed there
    monkeypatch.setenv("PATH", scripts + os.pathsep + os.environ["PATH"])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    for command in (["generate_assignment", "week1"], ["autograde", "week1"]):
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
    changed = set(re.findall(r"'checksum' for cell (\S+) has changed", done.stderr))
    hidden = {e.check.id for e in exercises_of(nb) if "BEGIN HIDDEN TESTS" in e.check.source}
    assert changed == hidden, "nbgrader puts back hidden tests, and no other cell"
    assert done.stderr.count("has changed") == 2 * len(hidden)  # unsolved and half
    made = nbformat.read(tmp_path / "release" / "week1" / name, 4)
    assert made.cells == given.cells

    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{database}") as book:
        found = {
            who: {
                grade.name: grade.auto_score
                for grade in book.find_submission_notebook(BOOK[0].stem, "week1", who).grades
            }
            for who in ("solved", "unsolved", "half")
        }
    points = {f"{e.name}-check": e.points for e in exercises_of(nb)}
    assert found["solved"] == points
    assert found["unsolved"] == dict.fromkeys(points, 0)
    assert found["half"] == {**dict.fromkeys(points, 0), "ex6-check": 4}
