"""``vtbook grade`` as a whole: nothing is lost, a stop is no loss, a cluster gives the same."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from tests.course.conftest import COMMAND, environment
from vtbook.course.bench_grade_set import case, sample_solution

STRANGE = 'Zoë, "the\n=cmd()" 李'


@pytest.fixture(scope="module")
def folder(tmp_path_factory, given_out):
    """Three submissions in three layouts, one that is not a notebook, one that is not known."""
    folder = tmp_path_factory.mktemp("in")
    right, partly, missing = (case(n, given_out).data for n in (0, 2, 9))
    for name, data in {
        "ana/05-sample.ipynb": right,
        "ben_05-sample.ipynb": partly,
        "Eva_17_assignsubmission_file/x.ipynb": missing,
        "dora/05-sample.ipynb": b"{",
        "dora/poem.txt": b"roses",
        f"{STRANGE}/05-sample.ipynb": right,
        "=1+1/05-sample.ipynb": right,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "05-sample.ipynb"
    path.write_text(nbformat.writes(sample_solution()))
    return path


def table(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


@pytest.fixture(scope="module")
def graded(folder, tmp_path_factory):
    """The folder, graded once: where the results are, the command and how it ended."""
    place = tmp_path_factory.mktemp("out")
    (place / "05-sample.ipynb").write_text(nbformat.writes(sample_solution()))
    command = [*COMMAND, "grade", str(folder), "--solution", "05-sample.ipynb", "-o", "g.csv"]
    command += ["--json", "g.json", "--feedback", "pages"]
    return place, command, run(command, place)


def run(command, place):
    return subprocess.run(command, cwd=place, env=environment(), capture_output=True, timeout=300)


def test_a_folder_is_graded_and_nothing_is_lost(graded):
    place, command, done = graded
    assert done.returncode == 1, done.stderr.decode()  # two files could not be graded
    rows = table(place / "g.csv")
    assert len(rows) == 7
    found = {row["file"].split("/")[0]: (row["score"], row["status"]) for row in rows}
    assert found["ana"] == ("10", "graded")
    assert found["ben_05-sample.ipynb"] == ("7", "graded")
    assert found["Eva_17_assignsubmission_file"] == ("7", "missing cells")
    assert {(r["status"], r["score"]) for r in rows if r["student"] == "dora"} == {
        ("not a notebook", "0"),
        ("not recognised", ""),
    }
    names = [row["student"] for row in rows]
    assert "'=1+1" in names
    assert any("Zoë" in name and "\n" not in name and "李" in name for name in names)
    assert len(list((place / "pages").iterdir())) == 6
    data = json.loads((place / "g.json").read_text(encoding="utf-8"))
    assert [r["score"] for r in data["results"]].count(10.0) == 3
    before = (place / "g.csv").read_bytes()
    assert run(command, place).returncode == 1
    assert (place / "g.csv").read_bytes() == before  # all from the journal, seconds and all


@pytest.mark.skipif(os.name != "posix", reason="needs the signals of a POSIX system")
def test_ctrl_c_keeps_what_is_done(folder, book, tmp_path, given_out):
    many = tmp_path / "many"
    many.mkdir()
    for number in range(24):
        (many / f"s{number:02}_05-sample.ipynb").write_bytes(case(0, given_out).data)
    command = [*COMMAND, "grade", str(many), "--solution", str(book), "-o", "g.csv", "-j", "2"]
    running = subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, start_new_session=True
    )
    journal = tmp_path / ".g.csv.journal"
    while running.poll() is None and (not journal.exists() or journal.stat().st_size < 100):
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert b"The same command goes on" in said
    kept = len(table(tmp_path / "g.csv"))
    assert 0 < kept < 24
    assert len(journal.read_text().splitlines()) == kept
    done = subprocess.run(command, cwd=tmp_path, env=environment(), timeout=200)
    assert done.returncode == 0
    assert [row["score"] for row in table(tmp_path / "g.csv")] == ["10"] * 24
    assert len(journal.read_text().splitlines()) == 24


def test_a_cluster_gives_the_same(vtbook, folder, book, tmp_path, graded):
    distributed = pytest.importorskip("distributed", reason="needs Dask: pip install distributed")
    import tests.course.conftest as course

    scheduler = f"import sys; sys.path.insert(0, {str(course.ROOT)!r})\n" + (
        "from distributed import LocalCluster\n"
        "if __name__ == '__main__':\n"
        "    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as c:\n"
        "        print(c.scheduler_address, flush=True)\n"
        "        input()\n"
    )
    (tmp_path / "cluster.py").write_text(scheduler)
    cluster = subprocess.Popen(
        [sys.executable, "cluster.py"],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        address = cluster.stdout.readline().decode().strip()
        assert address, distributed.__version__
        done = vtbook(
            "grade", folder, "--solution", book, "-o", "there.csv", "--scheduler", address
        )
        assert done.returncode == 1, done.stderr.decode()
    finally:
        cluster.communicate(b"\n", timeout=60)
    here, there = table(graded[0] / "g.csv"), table(tmp_path / "there.csv")
    for row in (*here, *there):
        del row["seconds"]
    assert here == there


def test_a_scheduler_that_does_not_answer_is_an_error(vtbook, folder, book):
    pytest.importorskip("distributed", reason="needs Dask: pip install distributed")
    done = vtbook(
        "grade", folder, "--solution", book, "--scheduler", "tcp://127.0.0.1:9", VTBOOK_DEBUG=""
    )
    assert done.returncode == 2
    assert b"no Dask scheduler answers at tcp://127.0.0.1:9" in done.stderr


def test_wrong_orders_are_errors(vtbook, folder, tmp_path):
    assert b"no such solution" in vtbook("grade", folder, "--solution", "x.ipynb").stderr
    assert b"no such folder" in vtbook("grade", "nothing", "--assignment", "05").stderr
    assert b"no solution is called" in vtbook("grade", folder, "--assignment", "99").stderr
    assert b"not a size" in vtbook("grade", folder, "--memory", "much").stderr
