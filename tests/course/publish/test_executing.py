"""Notebooks are run once, in their folder, and their errors say where."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from vtbook.course.publish import executing
from vtbook.course.publish.executing import ExecutionError, executed, read_notebook

ROOT = Path(__file__).parents[3]
STATE = "application/vnd.jupyter.widget-state+json"


def write(path, *sources):
    cells = [new_code_cell(source, id=f"c{n}") for n, source in enumerate(sources)]
    nbformat.write(new_notebook(cells=[new_markdown_cell("# A title", id="title"), *cells]), path)
    return path


def texts(notebook):
    return [
        output.get("text") or output.get("data", {}).get("text/plain")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    ]


def test_runs_in_the_notebooks_folder_once_until_a_cell_changes(tmp_path):
    count = "open('runs', 'a').write('x')\nprint(len(open('runs').read()))"
    path = write(tmp_path / "n.ipynb", count)
    cache = tmp_path / "kept"
    assert texts(executed(path, cache=cache)) == ["1\n"]
    assert texts(executed(path, cache=cache)) == ["1\n"]
    write(path, count + "  # changed")
    assert texts(executed(path, cache=cache)) == ["2\n"]
    assert (tmp_path / "runs").read_text() == "xx"
    assert read_notebook(path).cells[1].outputs == []  # the file is left as it is
    for kept in cache.glob("*.ipynb"):
        kept.write_text("{ half a fi")
    assert texts(executed(path, cache=cache)) == ["3\n"]  # a damaged result is none


def test_two_processes_at_once_run_it_once(tmp_path):
    path = write(tmp_path / "n.ipynb", "open('runs', 'a').write('x')\nimport time; time.sleep(1)")
    script = (
        "import sys; from vtbook.course.publish.executing import executed; executed(sys.argv[1])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "VTBOOK_CACHE": str(tmp_path / "c")}
    both = [subprocess.Popen([sys.executable, "-c", script, path], env=environment) for _ in "ab"]
    assert [process.wait(100) for process in both] == [0, 0]
    assert (tmp_path / "runs").read_text() == "x"
    assert len(list((tmp_path / "c" / "executed").glob("*.ipynb"))) == 1
    assert not [p for p in (tmp_path / "c" / "executed").iterdir() if p.name.startswith("tmp")]


def test_streams_are_joined_widgets_are_saved_and_the_shell_does_not_show(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    path = write(
        tmp_path / "n.ipynb",
        "import sys\nfor n in range(30):\n    print(n, flush=True)\n    sys.stdout.write('.')",
        "import os\nprint(os.environ['MPLBACKEND'], os.environ['VTBOOK_LANGUAGE'])",
        "import ipywidgets\nipywidgets.IntSlider(7)",
    )
    result = executed(path, cache=tmp_path / "kept", language="pt")
    assert len(result.cells[1].outputs) == 1
    assert texts(result)[1] == "module://matplotlib_inline.backend_inline pt\n"
    states = result.metadata.widgets[STATE]["state"].values()
    assert 7 in [state["state"].get("value") for state in states]


def test_a_failing_cell_is_named_with_the_last_lines_of_its_error(tmp_path):
    path = write(tmp_path / "broken.ipynb", "x = 1", "def f():\n    return x / 0\n\nf()", "y = 2")
    with pytest.raises(ExecutionError) as caught:
        executed(path, cache=tmp_path / "kept")
    message = str(caught.value)
    assert message.startswith(f"{path}: cell c1 (2) failed:")
    assert message.endswith("ZeroDivisionError: division by zero")
    assert "\x1b" not in message
    result = executed(path, cache=tmp_path / "kept", allow_errors=True)
    assert result.cells[2].outputs[0].ename == "ZeroDivisionError"
    assert result.cells[3].execution_count == 3


def test_a_cell_that_takes_too_long_is_named(tmp_path):
    path = write(tmp_path / "slow.ipynb", "import time; time.sleep(60)")
    with pytest.raises(ExecutionError, match=r"slow.ipynb: cell c0 \(1\) took more than 1 seconds"):
        executed(path, cache=tmp_path / "kept", timeout=1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such notebook"),
        ("print('hello')", "not a Jupyter notebook"),
        ("[1, 2]", "not a Jupyter notebook"),
        ("{}", "not a"),
        (json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{}]}), "not a"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_what_is_no_notebook_is_named(tmp_path, content, said):
    path = tmp_path / "odd.ipynb"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ExecutionError) as caught:
        executed(path, cache=tmp_path / "kept")
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_only_the_newest_results_of_a_name_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(executing, "KEPT", 2)
    kept = tmp_path / "kept"
    for n in range(3):
        executed(write(tmp_path / "n.ipynb", f"{n}"), cache=kept)
    assert len(list(kept.glob("n-*.ipynb"))) == 2
    assert texts(executed(tmp_path / "n.ipynb", cache=kept)) == ["2"]


def test_no_place_for_results_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    path = write(tmp_path / "n.ipynb", "6 * 7")
    assert texts(executed(path, cache=tmp_path / "file" / "kept")) == ["42"]
