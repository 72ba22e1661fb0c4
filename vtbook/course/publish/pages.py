"""A notebook as one HTML page, its widgets alive and its formulas MathML; no network."""

from __future__ import annotations

from pathlib import Path

from vtbook.course.publish.maths import mathml
from vtbook.widgets.static import export_notebook


def formula(tex: str, display: bool) -> str:
    """Render a formula, as `vtbook.widgets.static_markdown.Formula` wants it."""
    return mathml(tex, display=display)


def write_page(
    source: str | Path,
    target: str | Path,
    *,
    execute: bool = False,
    theme: str = "light",
    language: str = "en",
) -> Path:
    """Write a notebook as one HTML file; as `export_notebook`, with formulas as MathML.

    Raises ExportError for the notebook, MathsError for a formula; both name what is wrong.
    """
    return export_notebook(
        source, target, execute=execute, theme=theme, language=language, formula=formula
    )
