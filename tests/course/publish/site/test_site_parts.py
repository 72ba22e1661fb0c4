"""The parts of the site: glossary, references, links of terms, formulas, docstrings, folders."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import nbformat
import pytest

from tests.course.publish.site.conftest import ROOT
from vtbook import RV64GC
from vtbook.course.publish.references import LIST, reference_keys, references_list
from vtbook.course.publish.site_api import PAGES, api_pages
from vtbook.course.publish.site_instructions import encoding_fields, source_of
from vtbook.course.publish.site_notebooks import chapter_page, exercise_page, with_citations
from vtbook.course.publish.site_source import SiteLinks
from vtbook.course.publish.sphinx.docstrings import with_args

GLOSSARY = (ROOT / "chapters" / "glossary.md").read_text(encoding="utf-8")
ENTRY = re.compile(r"^\*\*(.+?)\*\*\n: (.+(?:\n  .+)*)", re.MULTILINE)
CHAPTERS = sorted((ROOT / "chapters").glob("[0-9][0-9]-*.ipynb"))


def prose(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapters_glossary_says_what_the_books_glossary_says(path):
    defined = {name: " ".join(words.split()) for name, words in ENTRY.findall(GLOSSARY)}
    section = prose(path).partition("## Glossary")[2].partition("\n## ")[0]
    listed = re.findall(r"^- \*\*(.+?)\*\* — (.+)$", section, re.MULTILINE)
    assert len(listed) > 5
    for name, words in listed:
        assert defined.get(name) == words, name


def test_the_glossary_is_in_order_and_has_each_term_once():
    names = [name.lower() for name, _ in ENTRY.findall(GLOSSARY)]
    assert names == sorted(set(names))


def test_the_list_of_references_is_made_from_the_bibliography():
    pytest.importorskip("pybtex", reason="needs pybtex: pip install 'vtbook[site]'")
    command = "python3 -m vtbook.course.publish.references"
    assert (ROOT / LIST).read_text(encoding="utf-8") == references_list(ROOT), f"run: {command}"


def test_every_reference_is_cited_and_every_citation_is_a_reference():
    pytest.importorskip("pybtex", reason="needs pybtex: pip install 'vtbook[site]'")
    keys = reference_keys(ROOT)
    cited = {
        anchor
        for path in CHAPTERS
        for anchor in re.findall(r"\]\(references\.md#([^)\s]+)\)", prose(path))
    }
    assert cited <= keys.keys()
    code = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "vtbook").rglob("*.py"))
    for anchor, key in keys.items():
        name = anchor.split("-")[0]
        assert anchor in cited or key in code or f"{name} et al" in code, key


def test_citations_read_well_in_both_forms():
    keys = {"Bell-1973": "bell1973"}
    link = "[Bell 1973](references.md#Bell-1973)"
    assert with_citations(f"known ({link}).", keys) == "known {cite:p}`bell1973`."
    assert with_citations(f"as {link} says", keys) == "as {cite:t}`bell1973` says"
    unknown = "[Nobody 1900](references.md#Nobody-1900)"
    assert with_citations(unknown, keys) == unknown


def cell(source, **metadata):
    return nbformat.v4.new_markdown_cell(source, metadata=metadata)


def test_a_page_leaves_out_what_is_for_the_lab_and_the_room():
    notebook = nbformat.v4.new_notebook(
        cells=[
            cell("# 07 · Title\n\nText."),
            cell("[back](home.ipynb)", tags=["navigation"]),
            cell("Say this.", slideshow={"slide_type": "notes"}),
        ]
    )
    page = chapter_page(notebook, keywords=["TLB"], preface="Short.")
    [only] = page.cells
    assert only.source.startswith("# 07 · Title\n\nShort.\n\n```{index} single: TLB\n```\n")
    assert only.source.endswith("Text.")
    assert len(notebook.cells) == 3, "the notebook given is left as it is"


def test_checks_are_folded_and_answers_are_not():
    check = nbformat.v4.new_code_cell(
        "check()", metadata={"nbgrader": {"grade": True, "solution": False}}
    )
    answer = nbformat.v4.new_code_cell(
        "x = 1", metadata={"nbgrader": {"grade": False, "solution": True}}
    )
    page = exercise_page(nbformat.v4.new_notebook(cells=[answer, check]))
    assert [c.metadata.get("tags", []) for c in page.cells] == [[], ["hide-input"]]


def test_a_chart_takes_the_themes_colour_and_gets_a_description():
    drawing = '<?xml version="1.0"?><svg width="9"><g id="a" style="fill: #7a7a7a"/></svg>'
    output = nbformat.v4.new_output(
        "display_data", {"image/svg+xml": drawing, "text/plain": "Speed. a < b"}
    )
    code = nbformat.v4.new_code_cell("chart()", outputs=[output])
    [shown] = chapter_page(nbformat.v4.new_notebook(cells=[code])).cells[0].outputs
    text = shown.data["text/html"]
    assert 'role="img" aria-label="Speed. a &lt; b"' in text
    assert "currentColor" in text
    assert "#7a7a7a" not in text
    assert f'id="{code.id}-a"' in text


def test_links_lead_to_pages_and_what_is_not_on_the_site_is_text(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "guide.ipynb").touch()
    links = SiteLinks(tmp_path, frozenset({"chapters/05-x.ipynb"}))
    source = "chapters/00-start.ipynb"
    kept = "[five](05-x.ipynb#Traps), [web](https://example.org/a), [here](#Top)"
    assert links.of(kept, source) == kept
    assert links.of("[start](home.ipynb#x)", source) == "[start](../index.md)"
    assert links.of("the [guide](../docs/guide.ipynb).", source) == "the guide."
    assert links.of("[gone](gone.ipynb)", source) == "[gone](gone.ipynb)"


def test_terms_are_found_as_words_with_plurals_and_capitals():
    pytest.importorskip("sphinx", reason="needs sphinx: pip install 'vtbook[site]'")
    from vtbook.course.publish.sphinx.terms import Term, pattern_of

    def finds(term, text):
        found = re.search(pattern_of(term), text)
        return found[0] if found else None

    assert finds("trap", "It traps.") == "traps"
    assert finds("trap", "Traps and more") == "Traps"
    assert finds("trap", "a trapdoor, a non-trap") is None
    assert finds("threaded code", "is threaded\ncode.") == "threaded\ncode"
    assert finds("TLB", "the TLBs") == "TLBs"
    assert finds("TLB", "tlb") is None
    assert Term("program counter (pc)", "", "").spellings() == ["program counter", "pc"]


def test_encodings_are_taken_apart_without_a_bit_left_over():
    for item in RV64GC:
        parts = encoding_fields(item.encoding)
        assert parts[0][1] == item.encoding.size * 8 - 1
        assert parts[-1][2] == 0
        for (_, _, low, _), (_, high, _, _) in pairwise(parts):
            assert high == low - 1, item.name
        fixed = sum(int(t, 2) << low for t, _, low, is_fixed in parts if is_fixed)
        assert fixed == item.encoding.match, item.name
        assert item.syntax in source_of(item)


def test_every_package_with_public_names_has_a_page():
    pages = {page.module for page in PAGES}
    inner = {"vtbook.isa.softfloat"}  # used by definitions, not by readers
    for path in (ROOT / "vtbook").glob("**/__init__.py"):
        module = ".".join(path.relative_to(ROOT).parent.parts)
        text = path.read_text(encoding="utf-8")
        if "__all__" in text and not module.startswith("vtbook.course"):
            assert module in pages | inner, module
    assert set(api_pages()) == {f"{page.module}.rst" for page in PAGES} | {"index.rst"}


def test_docstrings_in_the_short_form_get_their_heading():
    lines = ["Do it.", "", "source: a file,", "    or text.", "output: where to.", "", "More."]
    assert with_args(lines) == [
        *("Do it.", "", "Args:", "    source: a file,", "        or text."),
        *("    output: where to.", "", "", "More."),
    ]
    google = ["Do it.", "", "Args:", "    source: a file.", "", "Note: it is quick."]
    assert with_args(google) == google


def test_a_site_is_never_written_over_sources(tmp_path):
    from vtbook.course.publish.site import SiteError, _refuse_the_book

    (tmp_path / "chapters").mkdir()
    for place in (tmp_path, tmp_path / "chapters", tmp_path / "chapters" / "site"):
        with pytest.raises(SiteError, match="--out"):
            _refuse_the_book(tmp_path, place)
    other = tmp_path / "mine"
    other.mkdir()
    (other / "letter.txt").touch()
    with pytest.raises(SiteError, match="not empty"):
        _refuse_the_book(tmp_path, other)
    _refuse_the_book(tmp_path, tmp_path / "build" / "site")


def test_without_sphinx_the_command_says_what_to_install(monkeypatch, tmp_path):
    from vtbook.course.publish import site

    monkeypatch.setattr(site, "NEEDED", ("no_such_sphinx",))
    with pytest.raises(site.SiteError, match=r"pip install 'vtbook\[site\]'"):
        site.build_site(tmp_path, tmp_path / "out")
