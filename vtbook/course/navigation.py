"""Cells that lead through the book in JupyterLab: below each chapter's title, and at its end.

They are made from the list of chapters and carry the tag ``navigation``, so slides and the site,
which have ways of their own, leave them out. `update` brings them in step, and the start page.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from vtbook.course.book import HOME, Chapter, chapters, load, save

TAG = "navigation"
TOP, END = "navigation-top", "navigation-end"
"""Ids of the two cells."""


def navigation_cell(chapter: Chapter, book: Sequence[Chapter], ident: str = TOP) -> dict[str, Any]:
    """The cell with the links of a chapter: previous, home, exercises, next.

    Args:
        chapter: The chapter that it stands in.
        book: All chapters, in order.
        ident: The cell's id, `TOP` or `END`.
    """
    place = [other.name for other in book].index(chapter.name)
    links = [f"[Home]({HOME})"]
    if place > 0:
        links.insert(0, f"[← {book[place - 1].title}]({book[place - 1].path.name})")
    if chapter.tasks:
        links.append(f"[Exercises](../exercises/{chapter.path.name})")
    if place + 1 < len(book):
        links.append(f"[{book[place + 1].title} →]({book[place + 1].path.name})")
    return {
        "cell_type": "markdown",
        "id": ident,
        "metadata": {"slideshow": {"slide_type": "skip"}, "tags": [TAG]},
        "source": [" · ".join(links)],
    }


def with_navigation(
    notebook: dict[str, Any], chapter: Chapter, book: Sequence[Chapter]
) -> dict[str, Any]:
    """A chapter's notebook with its navigation cells as they should be; the other cells stay."""
    made = deepcopy(notebook)
    cells = [c for c in made["cells"] if TAG not in c["metadata"].get("tags", [])]
    top, end = (navigation_cell(chapter, book, ident) for ident in (TOP, END))
    made["cells"] = [*cells[:1], top, *cells[1:], end]
    return made


def update(folder: Path) -> list[Path]:
    """Bring navigation cells and start page of a book in step; return the files that changed.

    Args:
        folder: The folder that holds ``chapters``.

    Raises:
        BookError: a notebook cannot be read.
    """
    from vtbook.course.home import home_notebook

    book = chapters(folder)
    changed = []
    for chapter in book:
        before = load(chapter.path)
        after = with_navigation(before, chapter, book)
        if after != before:
            save(chapter.path, after)
            changed.append(chapter.path)
    home = folder / "chapters" / HOME
    page = home_notebook(folder)
    if not home.is_file() or load(home) != page:
        save(home, page)
        changed.append(home)
    return changed
