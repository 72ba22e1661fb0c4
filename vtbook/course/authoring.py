"""``vtbook new-chapter``: the notebooks that a chapter begins with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from vtbook.course.book import BookError, chapters, load, save

TEMPLATE = Path("docs", "template-chapter.ipynb")
NAME = re.compile(r"\d\d-[a-z0-9]+(-[a-z0-9]+)*")
LOCKED: dict[str, Any] = {
    "schema_version": 3,
    "grade": False,
    "locked": True,
    "solution": False,
    "task": False,
}
"""nbgrader's metadata of a cell that students leave as it is."""


def new_chapter(book: Path, name: str, title: str) -> list[Path]:
    """Make a chapter from the template, a solution notebook with one exercise, and the exercise.

    Args:
        book: The folder that holds ``chapters`` and ``docs``.
        name: Number and words, ``"12-input-output"``.
        title: The title without the number.

    Returns:
        The files written: chapter, solution, exercise, and those whose navigation changed.

    Raises:
        BookError: the name is none, the number is taken, a file is there already, or the template
            is missing. Nothing is written then.
    """
    from vtbook.course.exercises.files import write_exercises
    from vtbook.course.navigation import update

    if not NAME.fullmatch(name):
        raise BookError(f"{name!r} is no name of a chapter; write two digits and words: 12-io")
    if not title.strip():
        raise BookError(f"{name}: the title is empty; give --title")
    for chapter in chapters(book):
        if chapter.number == name[:2]:
            raise BookError(f"the number {name[:2]} is taken by {chapter.path}; choose another")
    if not (book / TEMPLATE).is_file():
        raise BookError(f"{book / TEMPLATE}: there is no template; run this in a clone of the book")
    made = [book / folder / f"{name}.ipynb" for folder in ("chapters", "solutions", "exercises")]
    for path in made:
        if path.exists():
            raise BookError(f"{path} is there already; nothing was written")
    full = f"{name[:2]} · {title.strip()}"
    for path in made:
        path.parent.mkdir(exist_ok=True)
    save(made[0], _chapter(load(book / TEMPLATE), name, full))
    save(made[1], _solution(name, full))
    list(write_exercises([made[1]], made[2].parent))
    return list(dict.fromkeys([*made, *update(book)]))


def _chapter(template: dict[str, Any], name: str, title: str) -> dict[str, Any]:
    """The template under the chapter's own name, with a link to its exercises."""
    template["metadata"]["title"] = title
    cells = {cell["id"]: cell for cell in template["cells"]}
    first = cells["title"]["source"]
    cells["title"]["source"] = [f"# {title}\n", *first[1:]]
    cells["exercises"]["source"] = _lines(
        "## Exercises\n\nThe exercises are in a notebook of their own:"
        f" [Exercises: {title}](../exercises/{name}.ipynb). There is 1 exercise, 1 point."
    )
    return template


def _solution(name: str, title: str) -> dict[str, Any]:
    """A solution notebook with one small exercise, to be replaced."""
    cells = [
        _text(
            "title",
            f"# Exercises: {title}\n\nWrite where it says so, run your cell, then the check below "
            "it. There are {{ points }} points in all.\n\n"
            f"Back to the chapter: [{title}](../chapters/{name}.ipynb)",
        ),
        _code(
            "variant",
            "from vtbook.course.exercises import Draw\n\ndraw = Draw()\n"
            "last = draw.integer(5, 40, published=10)",
            {"tags": ["variant"]},
        ),
        _code(
            "setup",
            "%load_ext vtbook\n\nfrom vtbook.course.exercises import checking",
            _graded("setup"),
        ),
        _text(
            "ex1-task",
            "## Exercise 1: A sum (1 points)\n\nSet `total` to the sum of 1 to {{ last }}.",
            _graded("ex1-task"),
        ),
        _text(
            "ex1-hints",
            "<details><summary>Hint 1</summary>\n\n`range(a, b)` ends before `b`.\n\n</details>",
            _graded("ex1-hints"),
        ),
        _code(
            "ex1",
            "### BEGIN SOLUTION\ntotal = sum(range(1, {{ last }} + 1))\n### END SOLUTION",
            _graded("ex1", locked=False, solution=True),
        ),
        _code(
            "ex1-check",
            "with checking():\n"
            "    wanted = {{ last }} * ({{ last }} + 1) // 2\n"
            '    assert total == wanted, f"{total} is not the sum. Is {{ last }} itself in it?"',
            _graded("ex1-check", grade=True, points=1),
        ),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": kernel,
            "language_info": {"name": "python"},
            "title": f"Exercises: {title}",
            "vtbook": {"chapter": name},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _graded(ident: str, **fields: Any) -> dict[str, Any]:
    """The metadata of a cell that nbgrader knows."""
    return {"nbgrader": {**LOCKED, "grade_id": ident, **fields}}


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _text(ident: str, source: str, metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "cell_type": "markdown",
        "id": ident,
        "metadata": metadata or {},
        "source": _lines(source),
    }


def _code(ident: str, source: str, metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": ident,
        "metadata": metadata,
        "outputs": [],
        "source": _lines(source),
    }
