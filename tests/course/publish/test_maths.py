r"""Formulas become MathML, and mistakes in them are named."""

from xml.etree import ElementTree

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from vtbook.course.publish.maths import MathsError, mathml
from vtbook.course.publish.pages import write_page

MATHML = "{http://www.w3.org/1998/Math/MathML}"

FORMULAS = {
    r"a^2 + b^2 = c^2": "a2+b2=c2",
    r"\frac{t_\text{guest}}{t_\text{host}}": "tguestthost",
    r"\sum_{i=0}^{n-1} i = \frac{n(n-1)}{2}": "∑i=0n−1i=n(n−1)2",
    r"\sqrt[3]{x}": "x3",
    r"p \le 1 \wedge q \ne 0": "p≤1∧q≠0",
    r"\alpha \to \beta": "α→β",
    r"\left\lceil \frac{n}{16} \right\rceil": "⌈n16⌉",
    r"\begin{align} a &= b \\ c &= d \end{align}": "a=bc=d",
    r"\begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}": "{1x>00else",
    r"\begin{pmatrix} 1 & 0 \\ 0 & 1 \end{pmatrix}": "(1001)",
    r"x \bmod 2^{64}": "xmod264",
    r"f \colon S \to S": "f:S→S",
}


@pytest.mark.parametrize("tex", FORMULAS)
@pytest.mark.parametrize("display", [False, True])
def test_formula(tex, display):
    root = ElementTree.fromstring(mathml(tex, display=display))
    assert root.tag == MATHML + "math"
    assert root.get("display") == ("block" if display else "inline")
    assert root.get("alttext") == tex
    assert "".join("".join(root.itertext()).split()) == FORMULAS[tex]


@pytest.mark.parametrize(
    "tex", [r"\foo x", r"\frac{a}", "x^{2", "x}", r"\left( a", r"\begin{align} a", "x^"]
)
def test_a_mistake_is_named_with_its_formula(tex):
    with pytest.raises(MathsError) as caught:
        mathml(tex)
    assert repr(tex) in str(caught.value)


def test_a_page_has_mathml_and_folds_that_hold_their_text(tmp_path, open_page):
    text = (
        "# Page\n\nInline $a < b$.\n\n$$\\frac{1}{2}$$\n\n"
        "\\begin{align}\nx &= 1 \\\\\ny &= 2\n\\end{align}\n\n"
        "<details><summary>Speaker notes</summary>\n\nFolded *away*.\n\n</details>\n\nSeen."
    )
    nbformat.write(new_notebook(cells=[new_markdown_cell(text)]), tmp_path / "n.ipynb")
    page = open_page(write_page(tmp_path / "n.ipynb", tmp_path / "n.html"), wait="math")
    assert page.locator("math").count() == 3
    assert "$" not in page.inner_text("body")
    assert not page.get_by_text("Folded").is_visible()
    assert page.get_by_text("Seen.").is_visible()
    page.get_by_text("Speaker notes").click()
    assert page.get_by_text("Folded").is_visible()
    assert page.left == []
