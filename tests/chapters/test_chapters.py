"""The chapters as they are published: clean files whose links lead somewhere, and that run."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("[0-9][0-9]-*.ipynb"))
LONGEST_SECONDS = 180
"""Several times what a chapter takes alone: compiling on the first day adds to it."""
SLIDES = {"slide", "subslide", "fragment", "skip", "notes", "-"}
GENERATED_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){0,4}")


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def text(cell: dict) -> str:
    return "".join(cell["source"])


def prose(notebook: dict) -> str:
    return "\n\n".join(text(c) for c in notebook["cells"] if c["cell_type"] == "markdown")


def anchors(notebook: dict) -> set[str]:
    """The headings' anchors, as JupyterLab makes them."""
    found = re.findall(r"^#+ +(.+)$", prose(notebook), re.MULTILINE)
    return {heading.strip().replace(" ", "-") for heading in found}


def test_there_are_chapters():
    assert [path.name[:3] for path in CHAPTERS][:1] == ["00-"]


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request) -> Path:
    return request.param


def test_a_chapter_is_valid_and_stripped(chapter):
    nbformat = pytest.importorskip("nbformat", reason="needs nbformat")
    nbformat.validate(read(chapter))
    notebook = read(chapter)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "widgets" not in notebook["metadata"]
    for cell in notebook["cells"]:
        assert "attachments" not in cell, cell["id"]
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], cell["id"]
            assert cell["execution_count"] is None, cell["id"]
            assert "execution" not in cell["metadata"], cell["id"]


def test_cell_ids_are_unique_words(chapter):
    ids = [cell["id"] for cell in read(chapter)["cells"]]
    assert len(ids) == len(set(ids))
    assert [i for i in ids if GENERATED_ID.fullmatch(i)] == []


def test_every_link_leads_somewhere(chapter):
    notebook = read(chapter)
    links = re.findall(r"\]\(([^)\s]+)\)", prose(notebook))
    for link in links:
        if re.match(r"https?://", link):
            continue
        file, _, anchor = link.partition("#")
        target = chapter.parent / unquote(file) if file else chapter
        assert target.is_file(), link
        if anchor and target.suffix == ".ipynb":
            assert unquote(anchor) in anchors(read(target)), link


def test_a_chapter_has_the_parts_that_every_chapter_has(chapter):
    notebook = read(chapter)
    headings = re.findall(r"^## (.+)$", prose(notebook), re.MULTILINE)
    for wanted in ("What the real systems do", "Exercises", "Synopsis", "Glossary"):
        assert wanted in headings
    assert "**Predict.**" in prose(notebook)
    cells = [c for c in notebook["cells"] if "navigation" not in c["metadata"].get("tags", [])]
    first_code = next(i for i, c in enumerate(cells) if c["cell_type"] == "code")
    assert first_code < 3
    code = [text(c) for c in notebook["cells"] if c["cell_type"] == "code"]
    assert any("Stepper(" in source for source in code)
    assert any("chart(" in source for source in code)


def test_slides_and_speaker_notes(chapter):
    kinds = [
        cell["metadata"].get("slideshow", {}).get("slide_type") for cell in read(chapter)["cells"]
    ]
    assert set(kinds) <= SLIDES
    assert kinds[0] == "slide"
    assert kinds.count("notes") >= 3
    assert 8 <= kinds.count("slide") <= 25  # what fits into fifty minutes


def test_the_exercises_are_in_a_notebook_of_their_own_and_the_points_are_right(chapter):
    [section] = [t for t in map(text, read(chapter)["cells"]) if t.startswith("## Exercises")]
    words = ("No", "One", "Two", "Three", "Four", "Five", "Six")
    exercise = ROOT / "exercises" / chapter.name
    titles = re.findall(r"^## Exercise \d+: .*", prose(read(exercise)), re.MULTILINE)
    points = read(exercise)["metadata"]["vtbook"]["points"]
    assert 4 <= len(titles) <= 6
    link = f"[{words[len(titles)]} exercises, {points} points](../exercises/{chapter.name})"
    assert link in section


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """``executed(path)``: the notebook after all its cells ran in a folder of its own."""
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient")
    nbformat = pytest.importorskip("nbformat", reason="needs nbformat")
    kept: dict[Path, tuple] = {}

    def run(path: Path):
        if path not in kept:
            notebook = nbformat.read(path, 4)
            folder = tmp_path_factory.mktemp(path.stem)
            options = {"metadata": {"path": str(folder)}}
            client = nbclient.NotebookClient(
                notebook, timeout=LONGEST_SECONDS, kernel_name="python3", resources=options
            )
            search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
            begin = time.monotonic()
            client.execute(env={**os.environ, "PYTHONPATH": search})
            kept[path] = notebook, time.monotonic() - begin
        return kept[path]

    return run


def test_a_chapter_runs_from_top_to_bottom_unmodified(chapter, executed):
    notebook, seconds = executed(chapter)
    assert seconds < LONGEST_SECONDS
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    for cell in code:
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                assert "Warning" not in output.text, (cell.id, output.text)


def test_the_start_page_runs_as_it_is(executed):
    notebook, _ = executed(ROOT / "chapters" / "home.ipynb")
    [cell] = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = "".join(o.data["text/html"] for o in cell.outputs if "text/html" in o.get("data", {}))
    assert all(f'href="{path.name}"' in shown for path in CHAPTERS)


def test_charts_are_pictures_with_a_text_beside_them(chapter, executed):
    notebook, _ = executed(chapter)
    pictures = [
        output.data
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/svg+xml" in output.get("data", {})
    ]
    assert pictures
    for data in pictures:
        assert len(data["text/plain"]) > 20
