"""Markdown of exported notebooks, as nbconvert writes it but for folds and formulas.

nbconvert passes each piece of HTML through a parser to embed images, which closes a ``<details>``
that ends in another paragraph; the folded text then stands outside the fold.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

Formula = Callable[[str, bool], str]
"""Renders TeX without its dollar signs; the second argument tells whether it stands alone."""


class BookRenderer(IPythonRenderer):
    """A renderer that leaves folds whole and gives formulas to a function, if there is one."""

    def __init__(self, formula: Formula | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.formula = formula

    def _html_embed_images(self, html: str) -> str:
        return super()._html_embed_images(html) if re.search(r"<img\b", html, re.I) else html

    def block_math(self, body: str) -> str:
        """Write ``$$...$$``."""
        return self.formula(body, True) if self.formula else super().block_math(body)

    def inline_math(self, body: str) -> str:
        """Write ``$...$``."""
        return self.formula(body, False) if self.formula else super().inline_math(body)

    def latex_environment(self, name: str, body: str) -> str:
        r"""Write ``\\begin{...}...\\end{...}``."""
        if self.formula is None:
            return super().latex_environment(name, body)
        return self.formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", True)


def markdown_html(
    source: str,
    *,
    formula: Formula | None = None,
    path: str = "",
    attachments: dict[str, Any] | None = None,
    anchors: bool = True,
) -> str:
    """Return a markdown cell as HTML, images beside the notebook embedded.

    Args:
        source: The cell's text.
        formula: Renders formulas; without one they stay TeX.
        path: Folder of the notebook.
        attachments: The cell's attachments.
        anchors: Give each heading a link to itself.
    """
    renderer = BookRenderer(
        formula,
        escape=False,
        embed_images=True,
        exclude_anchor_links=not anchors,
        path=path,
        attachments=attachments or {},
    )
    return MarkdownWithMath(renderer=renderer).render(source)


def markdown_filter(formula: Formula | None) -> Callable[[Context, str], str]:
    """Return what takes the place of the filter ``markdown2html`` in nbconvert's templates."""

    @pass_context
    def render(context: Context, source: str) -> str:
        attachments = context.get("cell", {}).get("attachments", {})
        path = context.get("resources", {}).get("metadata", {}).get("path", "")
        return markdown_html(source, formula=formula, path=path, attachments=attachments)

    return render
