"""A new chapter: it runs, its exercise is an exercise, and nothing is overwritten."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from vtbook.course.authoring import new_chapter
from vtbook.course.book import BookError, chapters
from vtbook.course.exercises import exercises_of, instructor_version, load_solution
from vtbook.course.exercises.files import differences
from vtbook.course.publish.executing import executed

ROOT = Path(__file__).parents[2]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    for name in ("chapters", "exercises", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("images"))
    return tmp_path


def test_a_new_chapter_runs_and_is_in_the_book(book):
    made = new_chapter(book, "12-input-output", "Input and output")
    chapter, solution, exercise = made[:3]
    assert chapters(book)[-1].title == "12 · Input and output"
    assert "12 · Input and output" in (book / "chapters" / "home.ipynb").read_text()
    assert "(../exercises/12-input-output.ipynb)" in chapter.read_text()
    executed(chapter, cache=book / "cache")
    assert [task.points for task in exercises_of(load_solution(solution))] == [1]
    solved = book / "solved.ipynb"
    solved.write_text(json.dumps(instructor_version(load_solution(solution), 3)))
    executed(solved, cache=book / "cache")
    assert "BEGIN SOLUTION" not in exercise.read_text()
    assert list(differences([solution], exercise.parent)) == [], "vtbook exercises --check fails"


@pytest.mark.parametrize(
    ("name", "title", "message"),
    [
        ("12", "IO", "no name of a chapter"),
        ("12-Input", "IO", "no name of a chapter"),
        ("../12-io", "IO", "no name of a chapter"),
        ("05-again", "Again", "the number 05 is taken"),
        ("12-io", " ", "the title is empty"),
    ],
)
def test_what_is_no_new_chapter_is_refused(book, name, title, message):
    before = sorted(book.rglob("*"))
    with pytest.raises(BookError, match=message):
        new_chapter(book, name, title)
    assert sorted(book.rglob("*")) == before


def test_nothing_is_overwritten(book):
    (book / "exercises" / "12-io.ipynb").write_text("mine")
    with pytest.raises(BookError, match="is there already"):
        new_chapter(book, "12-io", "IO")
    assert (book / "exercises" / "12-io.ipynb").read_text() == "mine"
    assert not (book / "chapters" / "12-io.ipynb").exists()


def test_without_the_template_it_says_where_to_run(book):
    (book / "docs" / "template-chapter.ipynb").unlink()
    with pytest.raises(BookError, match="run this in a clone"):
        new_chapter(book, "12-io", "IO")


@pytest.mark.parametrize("name", ["template-chapter", "authors-guide"])
def test_template_and_guide_run(name, tmp_path):
    executed(ROOT / "docs" / f"{name}.ipynb", cache=tmp_path)
