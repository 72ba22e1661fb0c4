"""The list of chapters, made of the notebooks."""

import json

import pytest

from tests.course.conftest import ROOT
from vtbook.course.book import BookError, chapters, find_chapter


def write(folder, name, metadata=None, cells=()):
    folder.mkdir(exist_ok=True)
    made = {"cells": list(cells), "metadata": metadata or {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / name).write_text(json.dumps(made))


@pytest.fixture
def book(tmp_path):
    place = tmp_path / "chapters"
    about = {"minutes": 50, "needs": ["00"], "summary": "Two walks.", "keywords": ["TLB"]}
    write(place, "07-memory-twice.ipynb", {"title": "07 · Memory, twice", "vtbook": about})
    heading = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["# 00 · Go\n", "x"]}
    write(place, "00-start.ipynb", cells=[heading])
    write(place, "home.ipynb")
    write(place, "12-memory-of-devices.ipynb")
    checks = [
        {
            "cell_type": "code",
            "id": f"ex{n}-check",
            "metadata": {"nbgrader": {"grade": True, "points": points}},
            "source": [],
        }
        for n, points in ((1, 2), (2, 2.5))
    ]
    write(tmp_path / "exercises", "07-memory-twice.ipynb", cells=checks)
    return tmp_path


def test_chapters_are_the_numbered_notebooks_in_order(book):
    found = chapters(book)
    assert [c.number for c in found] == ["00", "07", "12"]
    start, memory, other = found
    assert start.title == "00 · Go"
    assert start.short_title == "Go"
    assert (start.minutes, start.needs, start.tasks) == (None, (), ())
    assert (memory.minutes, memory.needs, memory.summary) == (50, ("00",), "Two walks.")
    assert [task.check for task in memory.tasks] == ["ex1-check", "ex2-check"]
    assert memory.points == 4.5
    assert other.title == "12-memory-of-devices"


@pytest.mark.parametrize(
    "wanted",
    [
        *"07 7 memory-twice memory-t twice 07-memory-twice".split(),
        "Memory twice",
        "chapters/07-memory-twice.ipynb",
    ],
)
def test_a_chapter_is_found_by_number_name_word_or_path(book, wanted):
    assert find_chapter(wanted, book).number == "07"
    assert find_chapter(book / "chapters" / "07-memory-twice.ipynb", book).number == "07"


@pytest.mark.parametrize("wanted", ["", "99", "nonsense", "elsewhere/07-memory-twice.ipynb"])
def test_an_unknown_chapter_is_refused_with_those_that_exist(book, wanted):
    with pytest.raises(BookError, match=r"00-start, 07-memory-twice, 12-memory-of-devices"):
        find_chapter(wanted, book)


def test_words_that_mean_two_chapters_are_refused(book):
    with pytest.raises(BookError, match=r"more than one.*07-memory-twice, 12-memory-of-devices$"):
        find_chapter("memory", book)


def test_two_chapters_of_one_number_are_refused(book):
    write(book / "chapters", "07-other.ipynb")
    with pytest.raises(BookError, match=r"has the number 07 too"):
        chapters(book)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cells": [], "metadata": {"vtbook": 3}}'])
def test_a_damaged_notebook_is_named(book, text):
    (book / "chapters" / "07-memory-twice.ipynb").write_text(text)
    with pytest.raises(BookError, match=r"07-memory-twice\.ipynb: "):
        chapters(book)


def test_every_published_chapter_says_what_a_card_needs():
    known = {c.number for c in chapters(ROOT)}
    for chapter in chapters(ROOT):
        assert chapter.title.startswith(f"{chapter.number} · ")
        assert 10 <= (chapter.minutes or 0) <= 120
        assert chapter.summary.endswith(".")
        assert set(chapter.needs) <= known - {chapter.number}
        assert chapter.keywords
