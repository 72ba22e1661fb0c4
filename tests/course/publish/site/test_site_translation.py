"""A small book: its catalogues, its translation, its formulas, and what a second build does."""

from __future__ import annotations

import re

import nbformat
import pytest

from vtbook.course.publish import site_api
from vtbook.course.publish.site import build_site, write_catalogues

FORMULAS = r"""## Formulas

Inline: $2^{n} - 1$.

$$
\sum_{i=0}^{n} i = \frac{n(n+1)}{2}
$$ (sum-of-numbers)

See {eq}`sum-of-numbers`. The guest takes a trap, and `guest` is code.
"""

FEW = (
    "vtbook",
    "vtbook.isa",
    "vtbook.mmu",
    "vtbook.machine",
    "vtbook.machine.gdb",
    "vtbook.errors",
)
WIDGET = """from vtbook import Machine, Stepper, assemble
m = Machine("1 MiB", "python")
m.load(assemble("_start: li a0, 1\\n li a1, 2\\n ebreak"))
Stepper(m.record(2, title="two steps"))"""

GLOSSARY = "# Glossary\n\n{.glossary}\n**guest**\n: what runs inside.\n\n**trap**\n: a jump.\n"


@pytest.fixture(scope="module")
def small_book(tmp_path_factory):
    book = tmp_path_factory.mktemp("book")
    (book / "chapters").mkdir()
    cells = [
        nbformat.v4.new_markdown_cell("# 00 · Small\n\nThe first sentence to translate.", id="a"),
        nbformat.v4.new_code_cell(WIDGET, id="b"),
        nbformat.v4.new_markdown_cell(FORMULAS, id="c"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbformat.write(notebook, book / "chapters" / "00-start.ipynb")
    (book / "chapters" / "glossary.md").write_text(GLOSSARY)
    return book


@pytest.fixture(scope="module")
def few_pages():
    """Some pages of the API reference; the site of the whole book has all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site_api, "PAGES", tuple(p for p in site_api.PAGES if p.module in FEW))
        yield


@pytest.fixture(scope="module")
def translated(small_book, few_pages, site_packages, kernel_path):
    """The small book in Portuguese, after a translator has been at two texts."""
    from babel.messages.pofile import read_po, write_po

    write_catalogues(small_book)
    path = small_book / "locale" / "pt_BR" / "LC_MESSAGES" / "chapters" / "00-start.po"
    with path.open("rb") as file:
        catalogue = read_po(file)
    catalogue["The first sentence to translate."].string = "A primeira frase."
    catalogue["Formulas"].string = "Fórmulas"
    with path.open("wb") as file:
        write_po(file, catalogue)
    return build_site(small_book, small_book / "build", language="pt_BR")


def test_catalogues_hold_the_books_texts(translated, small_book):
    templates = small_book / "locale" / "pot"
    text = (templates / "chapters" / "00-start.pot").read_text(encoding="utf-8")
    assert 'msgid "The first sentence to translate."' in text
    assert (templates / "chapters" / "glossary.pot").is_file()
    assert (templates / "index.pot").is_file()


def test_a_translated_site_has_translated_text_theme_and_widgets(translated, open_page):
    assert not translated.warnings
    page = open_page(
        translated.folder / "chapters" / "00-start.html",
        wait=".vtbook-widget .vtb",
        viewport={"width": 1280, "height": 900},
    )
    assert page.locator("html").get_attribute("lang") in ("pt-BR", "pt_BR")
    assert page.get_by_text("A primeira frase.").is_visible()
    assert page.get_by_role("heading", name="Fórmulas").is_visible()
    assert "Registradores" in page.locator(".vtbook-widget").inner_text()
    assert "Conteúdo" in page.locator(".bd-sidebar-secondary").inner_text()


def test_formulas_are_mathml_with_numbers_and_no_script(translated, open_page):
    page = open_page(translated.folder / "chapters" / "00-start.html", wait="math")
    assert page.locator("math").count() == 2
    formula = page.locator(".vtb-formula")
    assert formula.locator("math mfrac").count() == 1
    assert "(1)" in formula.inner_text()
    page.get_by_role("link", name="(1)").click()
    assert page.locator(".vtb-formula:target").count() == 1
    assert formula.bounding_box()["height"] > 20
    assert not re.search(r"mathjax", page.content(), re.IGNORECASE)


def test_terms_are_linked_outside_code(translated):
    text = (translated.folder / "chapters" / "00-start.html").read_text(encoding="utf-8")
    assert re.findall(r'<a class="[^"]*vtb-term[^>]*>([^<]+)</a>', text) == ["guest", "trap"]


def test_a_second_build_writes_no_page_again(translated, small_book):
    pages = {path: path.stat().st_mtime_ns for path in translated.folder.rglob("*.html")}
    again = build_site(small_book, small_book / "build", language="pt_BR")
    kept = [p for p, time in pages.items() if p.stat().st_mtime_ns == time and "api" in p.parts]
    assert not again.warnings
    assert len(kept) > 5


def test_nothing_is_written_into_the_chapters(translated, small_book):
    names = sorted(path.name for path in (small_book / "chapters").iterdir())
    assert names == ["00-start.ipynb", "glossary.md"]
