"""Formulas as MathML, which browsers draw themselves: no script, no font, no network."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer ``mathml``; ``html_math_renderer`` chooses it."""
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _mathml(node: nodes.Element, *, display: bool) -> str:
    """The formula; one that cannot be turned into MathML stays TeX, with a warning."""
    from sphinx.util import logging

    from vtbook.course.publish.maths import MathsError, mathml

    text = node.astext().strip()
    try:
        return mathml(text, display=display)
    except MathsError as error:
        logging.getLogger(__name__).warning(
            "%s", error, location=node, type="vtbook", subtype="maths"
        )
        return f"<code>{escape(text)}</code>"


def _inline(translator: Any, node: nodes.Element) -> None:
    from docutils import nodes

    formula = _mathml(node, display=False)
    translator.body.append(f'<span class="math notranslate nohighlight">{formula}</span>')
    raise nodes.SkipNode


def _display(translator: Any, node: nodes.Element) -> None:
    """A formula on lines of its own, with its number, which is what a reference links to."""
    from docutils import nodes
    from sphinx.locale import _
    from sphinx.util.math import get_node_equation_number

    translator.body.append(
        translator.starttag(node, "div", CLASS="math notranslate nohighlight vtb-formula")
    )
    translator.body.append(_mathml(node, display=True))
    if node.get("number"):
        translator.body.append(f'<span class="eqno">({get_node_equation_number(translator, node)})')
        if node.get("ids"):
            translator.add_permalink_ref(node, _("Link to this equation"))
        translator.body.append("</span>")
    translator.body.append("</div>\n")
    raise nodes.SkipNode
