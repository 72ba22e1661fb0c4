"""Start page and navigation cells: in step with the chapters, and leading somewhere."""

import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from vtbook.course import book, home, lab, navigation, progress
from vtbook.course.doctor import Finding
from vtbook.course.reading import reading_of
from vtbook.errors import VtbookError

ROOT = Path(__file__).parents[2]
IN_STEP = "run: vtbook navigation"


@pytest.fixture
def copy(tmp_path):
    for name in ("chapters", "exercises"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "docs").mkdir()
    for notebook in (ROOT / "docs").glob("*.ipynb"):
        shutil.copy(notebook, tmp_path / "docs")
    return tmp_path


def test_the_published_start_page_and_navigation_are_in_step(copy):
    assert navigation.update(copy) == [], IN_STEP


def test_navigation_changes_no_other_cell_and_comes_back_after_it_was_lost(copy):
    [first, *_] = known = book.chapters(copy)
    before = book.load(first.path)
    bare = {**before, "cells": [c for c in before["cells"] if not c["id"].startswith("navigation")]}
    assert len(bare["cells"]) == len(before["cells"]) - 2
    assert navigation.with_navigation(bare, first, known) == before
    book.save(first.path, bare)
    assert navigation.update(copy) == [first.path]
    assert book.load(first.path) == before


def test_a_new_chapter_is_linked_from_its_neighbour_and_the_start_page(copy):
    last = book.chapters(copy)[-1]
    notebook = book.load(last.path)
    notebook["metadata"]["title"] = "99 · The last one"
    new = last.path.with_name("99-last.ipynb")
    book.save(new, notebook)
    home_page = copy / "chapters" / "home.ipynb"
    assert navigation.update(copy) == [last.path, new, home_page]
    [top] = [c for c in book.load(last.path)["cells"] if c["id"] == navigation.TOP]
    assert "[99 · The last one →](99-last.ipynb)" in book.source_of(top)
    assert "[99 · The last one](99-last.ipynb)" in home_page.read_text(encoding="utf-8")


def test_jupyterlab_opens_the_start_page_where_there_is_one(copy):
    def opened():
        command = lab.lab_command(copy, browser=False, port=None, options=())
        [option] = [o for o in command if o.startswith("--LabApp.default_url")]
        return option.partition("/lab/tree/")[2]

    assert opened() == "chapters/home.ipynb"
    (copy / "chapters" / "home.ipynb").unlink()
    assert opened() == "chapters/00-start.ipynb"


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name == "href"]


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_cards_show_the_readers_progress_and_every_link_leads_to_a_file(language):
    known = book.chapters(ROOT)
    first = known[0]
    cell = next(c["id"] for c in book.load(first.path)["cells"] if c["cell_type"] == "code")
    data = progress.cell_run(first.name, f"chapters/{first.path.name}", cell)
    readings = [reading_of(chapter, data) for chapter in known]
    last = (f"chapters/{first.path.name}", cell)
    html = home.cards_html(known, readings, last, language=language)
    assert f"1 {'of' if language == 'en' else 'de'} {readings[0].cells} " in html
    links = Links(html).found
    assert links[0].endswith(f"#cell-id={cell}")
    assert len(links) == 1 + sum(1 + bool(chapter.tasks) for chapter in known)
    for link in links:
        assert (ROOT / "chapters" / link.partition("#")[0]).is_file(), link


def test_what_is_missing_is_named_with_the_way_to_get_it():
    good = Finding("numpy", True, True, "arrays", "2.0", "get numpy")
    optional = Finding("gdb", False, False, "a <debugger>", "not found", "apt install gdb")
    required = Finding("numba", False, True, "compiles", "not installed", "get numba")
    assert "<li>" not in home.check_html([good])
    html = home.check_html([good, optional])
    assert "can run the book" in html
    assert "apt install gdb" in html
    assert "&lt;debugger&gt;" in html
    html = home.check_html([good, optional, required])
    assert "can run the book" not in html
    assert html.index("get numba") < html.index("apt install gdb")


def test_an_unknown_language_is_refused_with_those_that_exist():
    with pytest.raises(VtbookError, match="en, pt"):
        home.words_in("xx")
