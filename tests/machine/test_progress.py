"""What a reader sees while code is compiled, and that nothing is said when it is kept."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vtbook.machine.progress import Announcer

ROOT = Path(__file__).resolve().parents[2]
# A small instruction set: what there is to compile takes a second.
PROGRAM = """
from vtbook import InstructionSet, Machine
from vtbook.isa.rv64m import RV64M
machine = Machine(isa=InstructionSet([RV64M], "small"))
"""


def test_it_says_what_begins_and_that_it_is_over(capsys):
    announce = Announcer()
    announce("compiling the runtime")
    announce("compiling 52 instructions of I")
    announce.finish()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "vtbook: compiling the runtime (the first time only) …",
        "vtbook: compiling 52 instructions of I (the first time only) …",
        "vtbook: ready in 0 s; kept for the next time",
    ]


def test_it_says_nothing_if_nothing_takes_long(capsys):
    announce = Announcer()
    announce.finish()
    announce("compiling")
    announce.finish()
    capsys.readouterr()
    announce.finish()
    assert capsys.readouterr() == ("", "")


def test_it_says_nothing_where_it_is_told_to_be_quiet(capsys, monkeypatch):
    monkeypatch.setenv("VTBOOK_QUIET", "1")
    announce = Announcer()
    announce("compiling")
    announce.finish()
    assert capsys.readouterr() == ("", "")


def test_without_a_stderr_it_is_silent(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    announce = Announcer()
    announce("compiling")
    announce.finish()


def test_in_a_notebook_it_is_one_line_that_changes():
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient, which runs notebooks")
    import nbformat

    source = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from vtbook.machine.progress import Announcer
announce = Announcer()
announce("compiling one thing")
announce("compiling another")
announce.finish()
announce("compiling more")
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = notebook.cells[0].outputs
    assert [o.output_type for o in outputs] == ["display_data", "display_data"]
    assert [o.data["text/plain"] for o in outputs] == [
        "vtbook: ready in 0 s; kept for the next time",
        "vtbook: compiling more (the first time only) …",
    ]


def test_a_machine_tells_its_first_compilation_and_is_quiet_after_it(tmp_path):
    environment = {**os.environ, "VTBOOK_CACHE": str(tmp_path), "PYTHONPATH": str(ROOT)}
    first, second = (
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        for _ in range(2)
    )
    assert first.returncode == 0, first.stderr
    lines = first.stderr.splitlines()
    assert lines[0] == "vtbook: compiling the runtime (the first time only) …"
    assert lines[-1].endswith(" s; kept for the next time")
    assert (second.returncode, second.stderr) == (0, "")
