"""Notebooks as pages of the site: what is for the lab or the room goes, the rest comes alive."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbformat import NotebookNode

LAB_ONLY = "navigation"
"""Tag of cells that lead through the book in JupyterLab; the site has its own ways."""

CITATION = re.compile(r"(\()?\[[^\]]+\]\(references\.md#([^)\s]+)\)(\))?")

CHART_INK = "#7a7a7a"
"""Text and axes of a chart, between light and dark; on the site they take the theme's colour."""


def chapter_page(
    notebook: NotebookNode,
    *,
    language: str = "en",
    keywords: Sequence[str] = (),
    preface: str = "",
    keys: Mapping[str, str] | None = None,
) -> NotebookNode:
    """Return an executed chapter as the site shows it.

    Cells for the lab only and speaker notes are left out, widgets and charts become HTML, and
    citations become Sphinx's. Checks of exercises are folded.

    Args:
        notebook: The chapter, executed, with the state of its widgets; it is not changed.
        language: Language of the widgets' labels, ``"en"`` or ``"pt"``.
        keywords: Entries of the index that lead to the chapter.
        preface: Markdown below the title: how long it takes and what it needs.
        keys: Heading anchor in ``references.md`` -> key in ``references.bib``.
    """
    from vtbook.widgets.static import inline_widgets

    notebook = deepcopy(notebook)
    notebook.cells = [cell for cell in notebook.cells if not _is_left_out(cell)]
    _translate_widgets(notebook, language)
    notebook = inline_widgets(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = with_citations(cell.source, keys or {})
        for output in cell.get("outputs", []):
            _inline_chart(output, cell.id)
        if _is_check(cell):
            cell.metadata.tags = [*cell.metadata.get("tags", []), "hide-input"]
    _below_title(notebook, [preface, *_index(keywords)])
    notebook.metadata = _kept_metadata(notebook)
    return notebook


def exercise_page(notebook: NotebookNode, keys: Mapping[str, str] | None = None) -> NotebookNode:
    """Return an exercise notebook as readers get it: not run, without the lab's own cells."""
    notebook = deepcopy(notebook)
    notebook.cells = [cell for cell in notebook.cells if not _is_left_out(cell)]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = with_citations(cell.source, keys or {})
        elif _is_check(cell):
            cell.metadata.tags = [*cell.metadata.get("tags", []), "hide-input"]
    notebook.metadata = _kept_metadata(notebook)
    return notebook


def with_citations(text: str, keys: Mapping[str, str]) -> str:
    """Return Markdown in which links to ``references.md`` are citations of sphinxcontrib-bibtex.

    A link to an entry that is not in ``keys`` stays a link, so the check of links finds it.
    """

    def cite(found: re.Match[str]) -> str:
        before, anchor, after = found.groups()
        key = keys.get(anchor)
        if key is None:
            return found[0]
        if before and after:
            return f"{{cite:p}}`{key}`"
        return f"{before or ''}{{cite:t}}`{key}`{after or ''}"

    return CITATION.sub(cite, text)


def question_of(notebook: NotebookNode) -> str:
    """What a chapter asks below its title, if it does: the first paragraph in bold."""
    for cell in notebook.cells[:3]:
        found = re.search(r"^\*\*([^*]+\?)\*\*$", cell.source, re.MULTILINE)
        if found:
            return found[1]
    return ""


def _is_left_out(cell: NotebookNode) -> bool:
    notes = cell.metadata.get("slideshow", {}).get("slide_type") == "notes"
    return notes or LAB_ONLY in cell.metadata.get("tags", [])


def _is_check(cell: NotebookNode) -> bool:
    graded = cell.metadata.get("nbgrader", {})
    locked = bool(graded.get("grade")) and not graded.get("solution")
    return cell.cell_type == "code" and (locked or "check" in cell.metadata.get("tags", []))


def _translate_widgets(notebook: NotebookNode, language: str) -> None:
    saved = notebook.metadata.get("widgets", {})
    for kind in saved.values():
        for model in kind.get("state", {}).values():
            if "language" in model.get("state", {}):
                model["state"]["language"] = language


def _inline_chart(output: Any, name: str) -> None:
    """Put an SVG into the page itself, so that its text follows the theme and has a description."""
    data = output.get("data", {})
    if "image/svg+xml" not in data or "text/html" in data:
        return
    text = _joined(data.pop("image/svg+xml"))
    found = re.search(r"<svg\b.*</svg>", text, re.DOTALL)
    if found is None:
        return
    description = " ".join(_joined(data.get("text/plain", "")).split())
    drawing = found[0].replace(CHART_INK, "currentColor")
    drawing = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", drawing)
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    label = f'role="img" aria-label="{escape(description)}"'
    drawing = drawing.replace("<svg ", f"<svg {label} ", 1)
    data["text/html"] = f'<div class="vtb-chart">{drawing}</div>'


def _joined(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "".join(value)


def _index(keywords: Sequence[str]) -> list[str]:
    return [f"```{{index}} single: {word}\n```" for word in keywords]


def _below_title(notebook: NotebookNode, blocks: Sequence[str]) -> None:
    added = "\n\n".join(block for block in blocks if block)
    for cell in notebook.cells:
        found = re.search(r"^# .+$", cell.source, re.MULTILINE)
        if added and cell.cell_type == "markdown" and found:
            before, after = cell.source[: found.end()], cell.source[found.end() :]
            cell.source = f"{before}\n\n{added}\n{after}"
            return


def _kept_metadata(notebook: NotebookNode) -> Any:
    import nbformat

    kept = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python", "pygments_lexer": "ipython3"},
    }
    return nbformat.from_dict(kept)
