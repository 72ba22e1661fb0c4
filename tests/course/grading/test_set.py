"""Every kind of submission gets the points, the status and the note that are known beforehand."""

import sys
from dataclasses import replace

import psutil
import pytest

from tests.course.grading.conftest import LIMITS
from vtbook.course.bench_grade_set import EDITS, FILES, case, kinds
from vtbook.course.grading.sandbox import ZYGOTE

NAMES = [edit[0] for edit in EDITS] + [name for name, _ in FILES]
PATIENT = replace(LIMITS, cell_seconds=20)
"""For what ends by itself, also on a busy computer and beside a thread that takes what it gets."""
NEEDS_NAMESPACES = {"network", "reads the others", "kills parent", "huge file", "fork bomb"}


@pytest.mark.parametrize("number", range(kinds()), ids=NAMES)
def test_a_submission_gets_its_points(number, grade, given_out, tmp_path):
    (tmp_path / "x").write_text("the answers of another student")
    wanted = case(number, given_out, str(tmp_path))
    limits = LIMITS if wanted.status == "timeout" else PATIENT
    outcome = grade(wanted.data, [str(tmp_path)], limits)
    if wanted.kind in NEEDS_NAMESPACES and outcome["missing"]:
        pytest.skip(f"needs Linux namespaces: {outcome['missing']}")
    said = f"{outcome['status']}: {outcome['notes']}"
    assert outcome["status"] == wanted.status, said
    assert outcome["score"] == wanted.score, said
    assert outcome["max"] == 10
    assert any(wanted.note in note for note in [*outcome["notes"], *[""] * (not wanted.note)])


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: it tells what is left")
def test_nothing_of_a_submission_is_left(grade, given_out):
    grade(case(NAMES.index("daemon"), given_out).data)
    server = psutil.Process(ZYGOTE._process.pid)
    _, alive = psutil.wait_procs(server.children(recursive=True), timeout=10)
    assert not alive
