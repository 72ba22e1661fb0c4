"""Decks that the tests share: of the chapters, run once and kept, and of a small notebook."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from vtbook.course.publish.slides import write_slides

CHAPTERS = Path(__file__).parents[3] / "chapters"


@pytest.fixture(scope="session")
def chapter_deck(tmp_path_factory):
    """Return ``make(name, theme)``: the deck of a chapter."""
    folder = tmp_path_factory.mktemp("decks")

    def make(name, theme="light"):
        target = folder / f"{name}-{theme}.html"
        if not target.exists():
            write_slides(CHAPTERS / f"{name}.ipynb", target, theme=theme)
        return target

    return make


@pytest.fixture
def small(tmp_path):
    """Write a notebook of ``(kind, slide type, source, tags)``; return its path."""

    def write(*cells, name="small.ipynb", title="A small deck"):
        made = []
        for n, (kind, slide, source, *tags) in enumerate(cells):
            new = new_code_cell if kind == "code" else new_markdown_cell
            metadata = {"slideshow": {"slide_type": slide}, "tags": tags}
            made.append(new(source, id=f"c{n}", metadata=metadata))
        path = tmp_path / name
        nbformat.write(new_notebook(cells=made, metadata={"title": title}), path)
        return path

    return write
