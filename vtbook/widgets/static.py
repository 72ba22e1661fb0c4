"""Live widgets in plain HTML files, with no kernel, no network and no widget manager.

A widget's front end asks its model for little: `get`, `set`, `on`, `off`, `save_changes`. So a
page needs the module, the state as JSON, and the few lines of `shim.js` that stand in for the
model. `static_html` makes that for one widget; `export_notebook` for a whole executed notebook.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from vtbook.errors import VtbookError
from vtbook.widgets.base import BookWidget

if TYPE_CHECKING:
    from nbformat import NotebookNode

HERE = Path(__file__).parent

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"

TEMPLATE = """{% extends 'lab/index.html.j2' %}
{% block html_head_js %}{% endblock %}
{% block jupyter_widgets %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}
{% block html_head_js_mathjax %}{% if resources.mathjax_url %}{{ super() }}{% endif %}{% endblock %}
"""


class ExportError(VtbookError):
    """A notebook cannot be exported; the message names it and says what to do."""


def static_html(widget: BookWidget, *, page: bool = False) -> str:
    """Return a widget as HTML that is alive wherever scripts run.

    Args:
        widget: Any widget of the book.
        page: Return a whole document, not a piece to put into one.

    The piece holds the widget's fallback, which the script replaces: a reader without scripts
    still sees the table.
    """
    state = widget.get_state()
    body = _piece(state, widget.fallback_html(), str(widget.model_id or uuid4().hex), set())
    if not page:
        return body
    title = escape(widget.heading())
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(widget.language)}">\n<head>\n'
        '<meta charset="utf-8">\n<meta name="color-scheme" content="light dark">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n</head>\n<body>\n<main>\n"
        f'<h1 style="position: absolute; clip-path: inset(50%)">{title}</h1>\n'
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def inline_widgets(notebook: NotebookNode) -> NotebookNode:
    """Return a copy of an executed notebook in which widget outputs are live HTML.

    Outputs of anywidget classes become `static_html` pieces, made from the state saved in the
    notebook; other widgets fall back to their text. Any nbconvert exporter can then write it.
    """
    from copy import deepcopy

    notebook = deepcopy(notebook)
    saved = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    known: set[str] = set()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if VIEW not in data:
                continue
            model_id = data.pop(VIEW)["model_id"]
            state = saved.get(model_id, {}).get("state", {})
            if "_esm" in state:
                fallback = _text(data.get("text/html", ""))
                data["text/html"] = _piece(state, fallback, model_id, known)
    notebook.metadata.pop("widgets", None)
    return notebook


def export_notebook(
    source: str | Path,
    target: str | Path,
    *,
    execute: bool = False,
    theme: str = "light",
    language: str = "en",
    mathjax_url: str = "",
    formula: Callable[[str, bool], str] | None = None,
) -> Path:
    """Write a notebook as one HTML file that needs no network, its widgets alive.

    Args:
        source: The ``.ipynb`` file, executed, with the widget state saved in it.
        target: The ``.html`` file to write.
        execute: Run the notebook first (in its own folder); the source file is left as it is.
        theme: ``"light"`` or ``"dark"``.
        language: Language of the page, as in ``<html lang>``.
        mathjax_url: Where the page finds MathJax 2; empty leaves formulas as TeX, since any
            address but a file beside the page would need the network.
        formula: Renders a formula, given as TeX and whether it stands alone, to HTML or MathML.

    Returns:
        The path written.

    Raises:
        ExportError: the file is missing, or a widget's state was not saved in it.
    """
    import nbformat
    from nbconvert.exporters import HTMLExporter

    from vtbook.widgets.static_markdown import markdown_filter

    source, target = Path(source), Path(target)
    if not source.is_file():
        raise ExportError(f"{source}: there is no such notebook")
    notebook = nbformat.read(source, as_version=4)
    if execute:
        from nbclient import NotebookClient

        NotebookClient(notebook, resources={"metadata": {"path": str(source.parent)}}).execute()
    _require_state(notebook, source)
    exporter = HTMLExporter(
        theme=theme,
        language_code=language,
        mathjax_url=mathjax_url,
        embed_images=True,
        raw_template=TEMPLATE,
    )
    exporter.register_filter("markdown2html", markdown_filter(formula))
    resources = {"metadata": {"name": source.stem, "path": str(source.parent)}}
    page, _ = exporter.from_notebook_node(inline_widgets(notebook), resources=resources)
    target.write_text(page, encoding="utf-8")
    return target


def _require_state(notebook: NotebookNode, source: Path) -> None:
    saved = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    for n, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            view = output.get("data", {}).get(VIEW)
            if view is not None and view["model_id"] not in saved:
                raise ExportError(
                    f"{source}: the state of the widget in cell {n} is not saved in the notebook; "
                    "give execute=True, or save it with Settings, Save Widget State Automatically"
                )


def _piece(state: dict[str, Any], fallback: str, model_id: str, known: set[str]) -> str:
    """Return host element, module, state and shim; a module in ``known`` is not written again."""
    script, style = state["_esm"], state.get("_css", "")
    key = hashlib.sha256(f"{script}\0{style}".encode()).hexdigest()[:16]
    hidden = {"_esm", "_css", "layout", "tabbable", "tooltip"}
    wanted = {name: v for name, v in state.items() if name not in hidden and _is_own(name)}
    parts = [f'<div class="vtbook-widget" data-vtbook-widget="{key}">{fallback}']
    if key not in known:
        known.add(key)
        module = {"script": script, "style": style}
        parts.append(f'<script type="application/json" data-vtbook-module="{key}">')
        parts.append(_json(module) + "</script>")
    parts.append(f'<script type="application/json" data-vtbook-state="{escape(model_id)}">')
    parts.append(_json(wanted) + "</script></div>")
    shim = (HERE / "shim.js").read_text(encoding="utf-8")
    parts.append(f'<script type="module">\n{shim}</script>')
    return "".join(parts)


def _is_own(name: str) -> bool:
    return not name.startswith(("_model_", "_view_", "_dom_", "_anywidget_"))


def _json(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "".join(value)
