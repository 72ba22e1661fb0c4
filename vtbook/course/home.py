"""The start page, ``chapters/home.ipynb``: the chapters, and how far the reader is.

What it shows before any cell is run is Markdown, made from the chapters by `home_notebook`. Its one
code cell calls `cards`, which shows the reader's progress and what is missing on this computer.
The cards are HTML output with relative links, which JupyterLab opens in itself. `update` of
`vtbook.course.navigation` writes the page.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vtbook.course.book import Chapter, chapters
from vtbook.course.doctor import Finding
from vtbook.course.home_words import WORDS, count
from vtbook.course.reading import Reading, last_place, reading_of
from vtbook.errors import VtbookError

OPENING = """# vtbook

**The executable textbook on virtualization.** Every technique in it is a machine that runs.
{start}"""

AFTER = """## How to use it

- **Run** a cell with Shift+Enter. Before each experiment, write down what you expect.
- **Change** anything and run it again. `Kernel → Restart` begins anew.
- **Solve** the exercises. Each has hints, and a cell that checks your answer as often as you like.

{links}"""

LIVE = """## Where you are

Run the next cell. It shows how far you are, and whether anything is missing on this computer.
What it knows stays here."""

CODE = """from vtbook.course import home

home.cards()"""

EXTRAS = (
    ("chapters/glossary.md", "glossary.md", "Glossary"),
    ("chapters/references.md", "references.md", "References"),
    ("docs/widget-gallery.ipynb", "../docs/widget-gallery.ipynb", "Widget gallery"),
    ("docs/authors-guide.ipynb", "../docs/authors-guide.ipynb", "Authors' guide"),
)
"""Files of the book that the page links to where they are there: path, link, title."""

STYLE = """<style>
.vtb-home { max-width: 68rem; font: 13px/1.45 var(--jp-ui-font-family, system-ui, sans-serif); }
.vtb-home .vtb-home-go { margin: 0 0 12px; font-size: 15px; }
.vtb-home ul.vtb-cards { display: grid; gap: 12px; margin: 0; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); }
.vtb-home li { display: flex; flex-direction: column; gap: 6px; margin: 0; padding: 14px;
  border: 1px solid var(--jp-border-color1, #8888); border-radius: 8px; }
.vtb-home li a { font-weight: 600; }
.vtb-home .vtb-home-title { font-size: 15px; }
.vtb-home a { text-decoration: underline; text-underline-offset: 2px; }
.vtb-home a:focus-visible { outline: 2px solid currentcolor; outline-offset: 2px; }
.vtb-home p { margin: 0; }
.vtb-home .vtb-home-summary { flex: 1; }
.vtb-home .vtb-home-bar { height: 6px; border-radius: 3px; overflow: hidden;
  background: var(--jp-border-color2, #8884); }
.vtb-home .vtb-home-bar > div { height: 100%; background: var(--jp-brand-color1, #1d5fb8); }
.vtb-home .vtb-home-links { display: flex; gap: 16px; }
.vtb-home details { margin-top: 12px; }
.vtb-home code { white-space: pre-wrap; }
</style>"""


def home_cells(book: Path) -> list[dict[str, Any]]:
    """The cells of a book's start page.

    Args:
        book: The folder that holds ``chapters``.
    """
    known = chapters(book)
    start = f"\nNew here? **[Begin with {known[0].title}]({known[0].path.name})**." if known else ""
    rows = ["| Chapter | Time | Needs | Exercises |", "|:---|:---|:---|:---|"]
    rows += [_row(chapter, known) for chapter in known]
    links = " · ".join(f"[{title}]({to})" for file, to, title in EXTRAS if (book / file).is_file())
    return [
        _markdown("home-title", OPENING.format(start=start)),
        _markdown("home-chapters", "\n".join(["## Chapters", "", *rows])),
        _markdown("home-use", AFTER.format(links=links).rstrip()),
        _markdown("home-progress", LIVE),
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "home-cards",
            "metadata": {},
            "outputs": [],
            "source": CODE.splitlines(keepends=True),
        },
    ]


def home_notebook(book: Path) -> dict[str, Any]:
    """The start page of a book as a notebook, as plain data."""
    return {
        "cells": home_cells(book),
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "title": "vtbook",
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def cards(book: Path | None = None, *, language: str | None = None) -> None:
    """Show the chapters with the reader's progress, and below what is missing on this computer.

    Args:
        book: The folder that holds ``chapters``; found from the current folder if not given.
        language: ``"en"`` or ``"pt"``; ``VTBOOK_LANGUAGE`` gives the usual one.

    Raises:
        VtbookError: there is no book, its notebooks are damaged, or the language is not known.
    """
    from IPython.display import HTML, display

    from vtbook.course import doctor, progress
    from vtbook.course.lab import find_book

    words = words_in(language)
    book = book or find_book()
    try:
        data = progress.read()
    except progress.ProgressError as error:
        print(error)
        data = progress.nothing()
    known = chapters(book)
    readings = [reading_of(chapter, data) for chapter in known]
    display(HTML(cards_html(known, readings, last_place(data, book), language=language)))
    waiting = f'<div class="vtb-home"><p>{escape(words["checking"])}</p></div>'
    below = display(HTML(waiting), display_id=True)
    below.update(HTML(check_html(list(doctor.examine()), language=language)))


def cards_html(
    known: Sequence[Chapter],
    readings: Sequence[Reading],
    last: tuple[str, str] | None,
    *,
    language: str | None = None,
) -> str:
    """The cards as HTML, with links relative to the start page.

    Args:
        known: The chapters.
        readings: How far the reader is in each.
        last: Path in the book and cell of what was run last.
    """
    words = words_in(language)
    go = ""
    if last:
        path, cell = last
        title = next((c.title for c in known if c.path.name == Path(path).name), Path(path).stem)
        if path.startswith("exercises/"):
            title = f"{words['exercises']}: {title}"
        link = f"../{quote(path)}#cell-id={quote(cell)}"
        go = _paragraph("go", f'{escape(words["continue"])} <a href="{link}">{escape(title)}</a>')
    elif known:
        link = quote(known[0].path.name)
        title = escape(known[0].title)
        go = _paragraph("go", f'{escape(words["begin"])} <a href="{link}">{title}</a>')
    items = "".join(_card(c, r, words) for c, r in zip(known, readings, strict=True))
    tag = words["tag"]
    return f'{STYLE}<div class="vtb-home" lang="{tag}">{go}<ul class="vtb-cards">{items}</ul></div>'


def check_html(findings: Sequence[Finding], *, language: str | None = None) -> str:
    """What of this computer is missing, as HTML: one sentence, and how to get what is not there."""
    words = words_in(language)
    missing = [f for f in findings if not f.ok]
    needed = [f for f in missing if f.required]
    text = escape(words["broken"] if needed else words["ready"])
    if missing:
        items = "".join(
            f"<li><strong>{escape(f.name)}</strong><span>{escape(f.use)}</span>"
            f"<code>{escape(f.command)}</code></li>"
            for f in [*needed, *(f for f in missing if not f.required)]
        )
        text += (
            f"<details{' open' if needed else ''}><summary>"
            f"{escape(words['missing'].format(count=len(missing)))}</summary><ul>{items}</ul></details>"
        )
    return f'<div class="vtb-home" lang="{words["tag"]}"><div>{text}</div></div>'


def words_in(language: str | None) -> dict[str, str]:
    """The words of the cards in a language; None is ``VTBOOK_LANGUAGE``, or English.

    Raises:
        VtbookError: there are none in that language.
    """
    given = language or os.environ.get("VTBOOK_LANGUAGE") or "en"
    tag = given.replace("_", "-").split("-")[0].lower()
    if tag not in WORDS:
        raise VtbookError(
            f"the start page has no words in {given!r}; use one of {', '.join(WORDS)}"
        )
    return {**WORDS[tag], "tag": tag}


def _row(chapter: Chapter, known: Sequence[Chapter]) -> str:
    by_number = {c.number: c for c in known}
    needs = ", ".join(
        f"[{n}]({by_number[n].path.name})" if n in by_number else n for n in chapter.needs
    )
    tasks = f"{len(chapter.tasks)} exercises, {chapter.points:g} points"
    return " | ".join(
        [
            f"| **[{chapter.title}]({chapter.path.name})**<br>{chapter.summary}",
            f"{chapter.minutes} min" if chapter.minutes else "",
            needs or "nothing",
            f"[{tasks}](../exercises/{chapter.path.name}) |" if chapter.tasks else "none |",
        ]
    )


def _card(chapter: Chapter, reading: Reading, words: dict[str, str]) -> str:
    cells = words["cells"].format(run=reading.run, cells=reading.cells)
    facts = [count(words, "minutes", chapter.minutes)] if chapter.minutes else []
    if chapter.needs:
        facts.append(words["needs"].format(needs=", ".join(chapter.needs)))
    read = words[{"new": "read", "begun": "go_on", "done": "again"}[reading.state]]
    file = quote(chapter.path.name)
    name = escape(chapter.title)
    links = f'<a href="{file}" aria-label="{escape(read)}: {name}">{escape(read)}</a>'
    if reading.exercises:
        cells += " · " + words["solved"].format(
            solved=reading.solved,
            exercises=reading.exercises,
            earned=f"{reading.earned:g}",
            points=f"{reading.points:g}",
        )
        label = escape(words["exercises"])
        links += f'<a href="../exercises/{file}" aria-label="{label}: {name}">{label}</a>'
    bar = f'<div style="width: {100 * reading.share:.0f}%"></div>'
    return (
        f'<li data-state="{reading.state}"><strong class="vtb-home-title">{name}</strong>'
        + _paragraph("summary", escape(chapter.summary))
        + _paragraph("facts", escape(" · ".join(facts)))
        + f'<div class="vtb-home-bar" aria-hidden="true">{bar}</div>'
        + _paragraph("progress", escape(cells))
        + _paragraph("links", links)
        + "</li>"
    )


def _paragraph(name: str, html: str) -> str:
    return f'<p class="vtb-home-{name}">{html}</p>' if html else ""


def _markdown(ident: str, text: str) -> dict[str, Any]:
    source = text.splitlines(keepends=True)
    return {"cell_type": "markdown", "id": ident, "metadata": {}, "source": source}
