"""Hints are Markdown inside nested <details>: they must fold wherever a notebook is shown."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser

import nbformat
import pytest

from tests.course.exercises.sample import solution
from vtbook.course.exercises import release

VOID = {"br", "col", "hr", "img", "input", "link", "meta", "wbr"}


class Folds(HTMLParser):
    """How many <details> are around each word, and whether it was set as Markdown."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.depth: dict[str, tuple[int, bool]] = {}

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        while tag in self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        for word in data.split():
            set_as = "strong" in self.open or "code" in self.open
            self.depth[word] = self.open.count("details"), set_as


def with_nbconvert(nb, folder):
    nbconvert = pytest.importorskip("nbconvert", reason="needs nbconvert")
    return nbconvert.HTMLExporter().from_notebook_node(nb)[0]


def with_sphinx(nb, folder):
    pytest.importorskip("myst_nb", reason="needs myst-nb and Sphinx")
    nbformat.write(nb, folder / "index.ipynb")
    (folder / "conf.py").write_text("extensions = ['myst_nb']\nnb_execution_mode = 'off'\n")
    command = [sys.executable, "-m", "sphinx", "-q", str(folder), str(folder / "out")]
    subprocess.run(command, check=True, timeout=120)
    return (folder / "out" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("shown", [with_nbconvert, with_sphinx])
def test_the_second_hint_is_inside_the_first_and_both_are_markdown(shown, tmp_path):
    folds = Folds()
    folds.feed(shown(release(solution()), tmp_path))
    assert folds.depth["Use"] == (1, False)  # hint 1
    assert folds.depth["..."] == (2, True)  # hint 2, in code
    assert folds.depth["Times"][0] == 0
