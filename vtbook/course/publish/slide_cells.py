"""Cells of an executed notebook as the HTML of a slide."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

from vtbook.course.publish.pages import formula
from vtbook.widgets.static_markdown import markdown_html

if TYPE_CHECKING:
    from nbformat import NotebookNode

STRINGS = {
    "en": {"show": "Show code", "chart": "A chart"},
    "pt": {"show": "Mostrar o código", "chart": "Um gráfico"},
}
"""What the slides say themselves, by language."""

FOLD, HIDE, SCROLL = "fold", "hide-input", "scroll"
"""Tags of a code cell: show the code on demand, not at all, or in a window that scrolls."""

IMAGES = ("image/png", "image/jpeg", "image/gif")
DETAILS = re.compile(r"\s*<details>\s*<summary>.*?</summary>(.*)</details>\s*", re.S)


def strings(language: str) -> dict[str, str]:
    """What the slides say themselves; English where a language lacks it."""
    return STRINGS.get(language.replace("_", "-").split("-")[0].lower(), STRINGS["en"])


def cell_html(cell: NotebookNode, *, language: str = "en", path: str = "") -> str:
    """Return a cell as HTML: markdown, or code as its tags ask for, and its outputs.

    Args:
        cell: A cell of an executed notebook, widgets inlined.
        language: Language of the labels.
        path: Folder of the notebook, for its images.

    Raises MathsError, which quotes the formula.
    """
    name = escape(cell.get("id", ""))
    if cell.cell_type == "markdown":
        return f'<div class="text" data-cell="{name}">{_markdown(cell, path)}</div>'
    if cell.cell_type != "code":
        return ""
    parts = [f'<div class="code" data-cell="{name}">', _input(cell, language)]
    outputs = "".join(_output(output, language) for output in cell.outputs)
    if outputs:
        parts.append(f'<div class="outputs">{outputs}</div>')
    return "".join([*parts, "</div>"])


def notes_html(cell: NotebookNode, path: str = "") -> str:
    """Return speaker notes as HTML, without the fold that hides them in the notebook."""
    unfolded = DETAILS.fullmatch(cell.source)
    source = unfolded[1].strip() if unfolded else cell.source
    return markdown_html(source, formula=formula, path=path, anchors=False)


def _markdown(cell: NotebookNode, path: str) -> str:
    attachments = cell.get("attachments", {})
    return markdown_html(
        cell.source, formula=formula, path=path, attachments=attachments, anchors=False
    )


def _input(cell: NotebookNode, language: str) -> str:
    tags = cell.metadata.get("tags", [])
    if HIDE in tags or "remove-input" in tags or not cell.source.strip():
        return ""
    code = f'<pre tabindex="0"><code>{highlighted(cell.source)}</code></pre>'
    if FOLD in tags:
        return (
            f'<details class="input"><summary>{strings(language)["show"]}</summary>{code}</details>'
        )
    kind = "input scroll" if SCROLL in tags else "input"
    return f'<div class="{kind}">{code}</div>'


def highlighted(source: str) -> str:
    """Return Python source with Pygments' classes."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name

    source = re.sub(r"\n{3,}", "\n\n", source.rstrip())  # a slide has no room for empty lines
    return highlight(source, get_lexer_by_name("python"), HtmlFormatter(nowrap=True))


def _output(output: Any, language: str) -> str:
    if output.output_type == "stream":
        kind = "error" if output.name == "stderr" else "stream"
        return _pre(output.text, kind)
    if output.output_type == "error":
        return _pre(f"{output.ename}: {output.evalue}", "error")
    data = output.get("data", {})
    text = _joined(data.get("text/plain", ""))
    if "text/html" in data:
        return f'<div class="html">{_joined(data["text/html"])}</div>'
    if "image/svg+xml" in data:
        picture = _joined(data["image/svg+xml"])
        picture = picture[picture.find("<svg") :]  # no XML declaration inside HTML
        label = escape(text or strings(language)["chart"])
        return f'<figure role="img" aria-label="{label}">{picture}</figure>'
    for kind in IMAGES:
        if kind in data:
            label = escape(text or strings(language)["chart"])
            content = _joined(data[kind]).replace("\n", "")
            return f'<figure><img alt="{label}" src="data:{kind};base64,{content}"></figure>'
    for kind in ("text/markdown", "text/latex"):
        if kind in data:
            source = _joined(data[kind])
            return (
                f'<div class="text">{markdown_html(source, formula=formula, anchors=False)}</div>'
            )
    return _pre(text, "result") if text else ""


def _pre(text: str, kind: str) -> str:
    from nbconvert.filters.ansi import strip_ansi

    return f'<pre class="{kind}" tabindex="0">{escape(strip_ansi(text).rstrip())}</pre>'


def _joined(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "".join(value)
