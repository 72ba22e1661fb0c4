"""A notebook as slides: one HTML file that works from a disk with the network off.

reveal.js turns the pages; it, the style sheet and the widgets stand in the file. One file of a
few hundred kilobytes is easier to hand on than a folder, and the speaker view, which opens the
same address twice more, works from ``file:`` as it does from a server.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import vtbook
from vtbook.course.publish.executing import Progress, executed
from vtbook.course.publish.slide_cells import cell_html, notes_html
from vtbook.errors import VtbookError

if TYPE_CHECKING:
    from nbformat import NotebookNode

FILES = Path(__file__).parent / "deck"
THEMES = ("light", "dark")


class SlidesError(VtbookError):
    """Slides cannot be made; the message says of what and why."""


@dataclass
class Slide:
    """One page of a deck.

    Attributes:
        heading: The heading on it, or that of the slide before it.
        running: The heading to repeat, of a slide that has none of its own.
        cells: Identities of the cells on it.
        html: Its content.
        notes: What the speaker view shows.
    """

    heading: str = ""
    running: str = ""
    cells: list[str] = field(default_factory=list)
    html: str = ""
    notes: str = ""


def slides_of(
    notebook: NotebookNode, *, language: str = "en", path: str = "", notes: bool = True
) -> list[list[Slide]]:
    """Return the slides of an executed notebook: stacks of slides, in order.

    A cell's ``slideshow.slide_type`` says where it goes, as in nbconvert: ``slide`` begins a
    stack, ``subslide`` a slide below, ``fragment`` appears later, ``notes`` are for the speaker,
    ``skip`` is left out, anything else continues.

    Args:
        notebook: An executed notebook.
        language: Language of the labels.
        path: Folder of the notebook.
        notes: Take the speaker notes too.
    """
    from vtbook.widgets.static import inline_widgets

    kinds = _kinds(notebook.cells)
    kept = [
        (cell, kind) for cell, kind in zip(notebook.cells, kinds, strict=True) if kind != "skip"
    ]
    shown = notebook.copy()
    shown.cells = [cell for cell, _ in kept]
    stacks: list[list[Slide]] = []
    heading = ""
    in_fragment = False
    for cell, (_, kind) in zip(inline_widgets(shown).cells, kept, strict=True):
        if kind == "notes":
            if notes and cell.source.strip():
                stacks = stacks or [[Slide()]]
                stacks[-1][-1].notes += notes_html(cell, path)
            continue
        if kind == "slide" or not stacks:
            stacks.append([Slide()])
        elif kind == "subslide":
            stacks[-1].append(Slide())
        slide = stacks[-1][-1]
        own = _heading(cell)
        if not slide.cells:
            slide.running = "" if own else heading
            in_fragment = False
        heading = own or heading
        slide.heading = slide.heading or heading
        slide.cells.append(cell.get("id", ""))
        html = cell_html(cell, language=language, path=path)
        if kind == "fragment":
            slide.html += f'<div class="fragment">{html}</div>'
            in_fragment = True
        elif in_fragment:  # what continues a fragment appears with it
            slide.html = slide.html.removesuffix("</div>") + html + "</div>"
        else:
            slide.html += html
    return stacks


def deck_html(
    notebook: NotebookNode,
    *,
    title: str,
    theme: str = "light",
    language: str = "en",
    path: str = "",
    notes: bool = True,
    reload: str | None = None,
) -> str:
    """Return the document of an executed notebook's slides.

    Args:
        notebook: An executed notebook.
        title: Title of the document.
        theme: ``"light"`` or ``"dark"``.
        language: Language of the labels and of ``<html lang>``.
        path: Folder of the notebook.
        notes: Whether the speaker notes are in the document.
        reload: Address that says which version is current; the page loads again when it changes.

    Raises SlidesError: an unknown theme, or no cell is on a slide.
    """
    from jinja2 import Environment

    if theme not in THEMES:
        raise SlidesError(f"there is no theme {theme!r}; give one of {', '.join(THEMES)}")
    stacks = slides_of(notebook, language=language, path=path, notes=notes)
    if not stacks:
        raise SlidesError(f"{title}: no cell is on a slide; give some the slide type 'slide'")
    template = Environment().from_string((FILES / "deck.html.j2").read_text(encoding="utf-8"))
    return template.render(
        stacks=stacks,
        title=title,
        theme=theme,
        language=language.replace("_", "-"),
        version=vtbook.__version__,
        reload=reload,
        file=_inlined,
    )


def slides_page(
    source: Path,
    *,
    theme: str = "light",
    language: str = "en",
    notes: bool = True,
    reload: str | None = None,
    progress: Progress | None = None,
) -> str:
    """Run a notebook, or take the kept result, and return the document of its slides.

    Raises VtbookError: the notebook is missing or a cell fails, a formula cannot be read, or
    nothing is on a slide.
    """
    notebook = executed(source, language=language, progress=progress)
    return deck_html(
        notebook,
        title=notebook.metadata.get("title") or _first_heading(notebook) or source.stem,
        theme=theme,
        language=language,
        path=str(source.resolve().parent),
        notes=notes,
        reload=reload,
    )


def write_slides(
    source: str | Path,
    target: str | Path,
    *,
    theme: str = "light",
    language: str = "en",
    notes: bool = True,
    progress: Progress | None = None,
) -> Path:
    """Write the slides of a notebook to one HTML file; returns its path.

    Raises VtbookError: as `slides_page`, or the file cannot be written.
    """
    source, target = Path(source), Path(target)
    page = slides_page(source, theme=theme, language=language, notes=notes, progress=progress)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SlidesError(f"{target}: cannot be written: {error.strerror}") from None
    return target


def notebook_of(wanted: str, folder: Path | None = None) -> Path:
    """The notebook that a chapter's number or name, or a path, means.

    Raises VtbookError, which lists the chapters that exist.
    """
    from vtbook.course.book import find_chapter
    from vtbook.course.lab import find_book

    if wanted.endswith(".ipynb") and Path(wanted).exists():
        return Path(wanted)
    return find_chapter(wanted, find_book(folder)).path


def _kinds(cells: Sequence[NotebookNode]) -> list[str]:
    """Slide types; in a notebook without any, each heading of level 1 or 2 begins a slide."""
    given = [cell.metadata.get("slideshow", {}).get("slide_type", "-") for cell in cells]
    if set(given) <= {"-", ""}:
        given = ["slide" if re.match(r"##? ", cell.source) else "-" for cell in cells]
    return given


def _heading(cell: NotebookNode) -> str:
    """The first heading of a markdown cell, as plain text."""
    if cell.cell_type != "markdown":
        return ""
    found = re.search(r"^#{1,3} +(.+?) *#*$", cell.source, re.M)
    return re.sub(r"[`*]|\$", "", found[1]) if found else ""


def _first_heading(notebook: NotebookNode) -> str:
    return next(filter(None, map(_heading, notebook.cells)), "")


def _inlined(name: str) -> str:
    """A file of the deck, so that it cannot end the element that it stands in."""
    text = (FILES / name).read_text(encoding="utf-8")
    return re.sub(r"</(script|style)", r"<\\/\1", text)
