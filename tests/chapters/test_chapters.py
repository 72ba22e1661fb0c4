"""The chapters as they are published: clean files whose links lead somewhere, and that run."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.chapters.answers import ANSWERS

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
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
    first_code = next(i for i, c in enumerate(notebook["cells"]) if c["cell_type"] == "code")
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


def test_each_exercise_has_a_check_right_below_it(chapter):
    cells = read(chapter)["cells"]
    tags = [cell["metadata"].get("tags", []) for cell in cells]
    tasks = [n for n, of_cell in enumerate(tags) if "exercise" in of_cell]
    assert 4 <= len(tasks) <= 6
    for n in tasks:
        assert cells[n - 1]["cell_type"] == "markdown"
        assert "<details>" in text(cells[n - 1]), cells[n]["id"]
        assert "check" in tags[n + 1], cells[n]["id"]
        assert re.search(r"^def check_\w+\(", text(cells[n + 1]), re.MULTILINE), cells[n + 1]["id"]


def tasks_of(cells: list) -> list[str]:
    return [cell["id"] for cell in cells if "exercise" in cell["metadata"].get("tags", [])]


def checks_of(cells: list) -> list[str]:
    return [text(cell) for cell in cells if "check" in cell["metadata"].get("tags", [])]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """``executed(path)``: the notebook after all its cells ran in a folder of its own.

    Then, after the last cell, come the answers, each with its check: cells of the tag ``answered``.
    """
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient")
    nbformat = pytest.importorskip("nbformat", reason="needs nbformat")
    kept: dict[Path, tuple] = {}

    def run(path: Path):
        if path not in kept:
            notebook = nbformat.read(path, 4)
            checks = dict(zip(tasks_of(notebook.cells), checks_of(notebook.cells), strict=True))
            for task, answer in ANSWERS[path.stem].items():
                for source in (answer, checks[task]):
                    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["answered"]})
                    notebook.cells.append(cell)
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


def test_unsolved_exercises_say_so_and_what_to_look_at(chapter, executed):
    notebook, _ = executed(chapter)
    for cell in notebook.cells:
        if "check" in cell.metadata.get("tags", []):
            said = "".join(o.get("text", "") for o in cell.outputs)
            assert said.startswith("Not yet. "), cell.id
            assert len(said) > len("Not yet. ") + 20, cell.id


def test_every_exercise_can_be_solved(chapter, executed):
    notebook, _ = executed(chapter)
    assert ANSWERS[chapter.stem].keys() == set(tasks_of(notebook.cells))
    answered = [cell for cell in notebook.cells if cell.metadata.get("tags") == ["answered"]]
    for cell in answered[1::2]:
        said = "".join(output.get("text", "") for output in cell.outputs)
        assert said.startswith("\N{CHECK MARK} "), (cell.source, said)


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
