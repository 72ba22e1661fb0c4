"""Scores against nbgrader's own rule; tables, journal, sizes, seeds."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtbook.course.exercises.variants import seed_of_student
from vtbook.course.grading.journal import Journal
from vtbook.course.grading.limits import GradingError, parse_size
from vtbook.course.grading.scoring import score
from vtbook.course.grading.seeds import seeds_from
from vtbook.course.grading.signs import signs
from vtbook.course.grading.table import as_csv, safe

OUTPUTS = st.one_of(
    st.builds(
        lambda name: {"output_type": "stream", "name": name, "text": "x"},
        st.sampled_from(["stdout", "stderr"]),
    ),
    st.just({"output_type": "error", "ename": "E", "evalue": "", "traceback": []}),
    st.just({"output_type": "display_data", "data": {"text/plain": "1"}, "metadata": {}}),
    st.builds(
        lambda text: {
            "output_type": "execute_result",
            "data": {"text/plain": text},
            "metadata": {},
            "execution_count": 1,
        },
        st.sampled_from(["0", "1", "2.5", "3", "True", "'text'", "None", "1e-3"]),
    ),
)


@given(st.lists(OUTPUTS, max_size=4))
def test_points_are_those_of_nbgrader(outputs):
    utils = pytest.importorskip("nbgrader.utils", reason="needs nbgrader")
    from nbformat import from_dict
    from nbformat.v4 import new_code_cell

    data = {"grade": True, "solution": False, "points": 3, "locked": True, "grade_id": "a"}
    cell = new_code_cell("", outputs=from_dict(outputs), metadata=from_dict({"nbgrader": data}))
    assert (score(outputs, 3.0)[0], 3.0) == utils.determine_grade(cell)


@pytest.mark.parametrize(
    ("text", "points"), [("1000", 3.0), ("-1", 0.0), ("nan", 0.0), ("inf", 3.0)]
)
def test_impossible_points_are_moved_to_the_nearest_and_noted(text, points):
    outputs = [{"output_type": "execute_result", "data": {"text/plain": text}}]
    earned, note = score(outputs, 3.0)
    assert earned == points
    assert note


@pytest.mark.parametrize("name", ["=cmd()", "+1+1", "-x", "@SUM(A1)", "\t=1", " =1", "\r=1"])
def test_no_cell_of_the_table_is_a_formula(name):
    assert safe(name)[0] == "'" or not safe(name).lstrip().startswith(("=", "+", "-", "@"))
    assert not safe(name).startswith(("=", "+", "-", "@", "\t", "\r"))


def row(student, **more):
    data = {"student": student, "assignment": "a", "score": 1.0, "max": 2.0, "exercises": {}}
    data |= {"status": "graded", "seconds": 0.5, "notes": [], "file": "f", "sha256": "0"}
    return {**data, **more}


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_a_table_is_read_back_with_one_row_each(names):
    rows = list(csv.reader(io.StringIO(as_csv([row(name) for name in names]), newline="")))
    assert len(rows) == 1 + len(names)
    assert {len(r) for r in rows} == {len(rows[0])}


def test_exercises_have_columns_in_order():
    text = as_csv([row("a", exercises={"ex10": 1.0, "ex2": 0.5}), row("b", exercises={"ex1": 1})])
    assert text.splitlines()[0].startswith("student,assignment,score,max,ex1,ex2,ex10,status")


def test_a_journal_outlives_a_line_cut_by_a_crash(tmp_path):
    path = tmp_path / "j"
    journal = Journal(path)
    journal.write("a", {"score": 1})
    journal.write("b", {"score": 2})
    journal.close()
    path.write_bytes(path.read_bytes()[:-5])
    journal = Journal(path)
    assert journal.outcomes == {"a": {"score": 1}}
    journal.write("c", {"score": 3})
    journal.close()
    assert set(Journal(path).outcomes) == {"a", "c"}
    assert Journal(path, fresh=True).outcomes == {}


def test_sizes():
    assert [parse_size(t) for t in ("1 GiB", "2m", "4096", "0.5 KiB")] == [
        1 << 30,
        2 * 10**6,
        4096,
        512,
    ]
    with pytest.raises(GradingError, match="not a size"):
        parse_size("much")


def test_seeds(tmp_path):
    assert seeds_from("7")("ana") == 7
    assert seeds_from("students")("ana") == seed_of_student("ana")
    (tmp_path / "s.csv").write_text("id,seed\nana,5\n")
    table = seeds_from(str(tmp_path / "s.csv"))
    assert (table("ana"), table("ben")) == (5, None)
    with pytest.raises(GradingError, match="give a number"):
        seeds_from("nothing.csv")


def test_an_ordinary_answer_has_no_signs():
    assert signs("import math\n\ndef f(n):\n    return math.sqrt(n)") == []
    assert signs("import gc\ngc.get_objects()") == [
        "imports gc",
        "goes through all objects of the process",
    ]


def test_the_variant_of_the_notebook_is_not_believed(grade, given_out):
    nb = json.loads(json.dumps(given_out))
    nb["metadata"]["vtbook"]["seed"] = 7
    notes = grade(json.dumps(nb).encode())["notes"]
    assert "the notebook says variant '7'; graded as variant 0" in notes
