"""Slides in a browser with the network off: keys, widgets, notes, themes, sizes."""

import pytest

from vtbook.course.publish.chromium import overflowing
from vtbook.course.publish.executing import ExecutionError
from vtbook.course.publish.maths import MathsError
from vtbook.course.publish.slides import SlidesError, notebook_of, slides_of, write_slides
from vtbook.errors import VtbookError

from .conftest import CHAPTERS

SCREEN = {"width": 1280, "height": 720}
NAMES = sorted(path.stem for path in CHAPTERS.glob("[0-9][0-9]-*.ipynb"))
WHERE = "() => { const { h, v } = Reveal.getIndices(); return [h, v]; }"
GO = """cell => {
  const at = Reveal.getIndices(document.querySelector(`section[data-cells~="${cell}"]`));
  Reveal.slide(at.h, at.v);
  return [at.h, at.v];
}"""
NOTES = "<details><summary>Speaker notes</summary>\n\nSay it *slowly*.\n\n</details>"


def open_deck(open_page, deck):
    page = open_page(deck, viewport=SCREEN, wait=".reveal.ready")
    page.evaluate("widgetsAlive()")
    return page


@pytest.mark.parametrize("name", NAMES)
def test_every_slide_of_a_chapter_fits_the_screen(name, chapter_deck, open_page):
    page = open_deck(open_page, chapter_deck(name))
    slides = page.evaluate("vtbookCheck()")
    assert len(slides) > 10
    wrong = [
        f"{s['heading']} ({', '.join(s['cells'])}): {s['down']} px too tall, {s['right']} too wide"
        for s in slides
        if s["down"] or s["right"]
    ]
    assert not wrong, "\n".join(wrong)
    assert page.left == []


@pytest.mark.parametrize("name", NAMES)
def test_type_on_slides_can_be_read_from_the_back(name, chapter_deck, open_page):
    page = open_deck(open_page, chapter_deck(name))
    sizes = page.evaluate(
        """() => ["p, li, td, h2, summary", "pre"].map((which) => Math.min(
          ...[...document.querySelectorAll(".slides section")]
            .flatMap((s) => [...s.querySelectorAll(which)])
            .filter((node) => !node.closest(".vtbook-widget, .vtb, aside"))
            .map((node) => parseFloat(getComputedStyle(node).fontSize))))"""
    )
    assert sizes[0] >= 24
    assert sizes[1] >= 18


def test_the_check_finds_what_is_too_tall_and_too_wide(small, tmp_path):
    path = small(
        ("markdown", "slide", "# Fits"),
        ("markdown", "slide", "## Tall\n\n" + "A paragraph.\n\n" * 30),
        ("code", "subslide", f"x = '{'wide ' * 40}'"),
        ("code", "slide", "\n".join("y = 1" for _ in range(60)), "scroll"),
        ("code", "slide", "\n".join("y = 1" for _ in range(60)), "fold"),
    )
    found = overflowing(write_slides(path, tmp_path / "deck.html"))
    assert [(slide.heading, slide.cells) for slide in found] == [
        ("Tall", ("c1",)),
        ("Tall", ("c2",)),
    ]
    assert found[0].down > 300
    assert found[0].right == 0
    assert found[1].right > 300
    assert "Tall (c1): " in str(found[0])


def test_a_widget_lives_and_keeps_its_arrows(chapter_deck, open_page):
    page = open_deck(open_page, chapter_deck("00-start"))
    at = page.evaluate(GO, "stepper")
    slide = page.locator('section[data-cells~="stepper"]')
    position = slide.locator(".vtb-position")
    before = position.inner_text()
    slide.locator(".vtb-buttons button").nth(3).click()
    after = position.inner_text()
    assert after != before
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert position.inner_text() not in (before, after)
    assert page.evaluate(WHERE) == at
    page.keyboard.press("Escape")  # leaves the widget
    assert page.evaluate("!Reveal.isOverview()")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(WHERE) != at
    page.keyboard.press("Escape")
    assert page.evaluate("Reveal.isOverview()")


def test_cells_become_slides_fragments_and_notes(small, tmp_path, open_page):
    path = small(
        ("markdown", "slide", "# One\n\n$x^2$"),
        ("markdown", "notes", NOTES),
        ("code", "skip", "hidden = 1"),
        ("code", "subslide", "print('shown')", "hide-input"),
        ("code", "fragment", "1 / 3"),
        ("markdown", "-", "With the fragment."),
        ("code", "slide", "print('folded')", "fold"),
    )
    page = open_deck(open_page, write_slides(path, tmp_path / "deck.html"))
    assert page.locator("math").count() == 1
    assert page.title() == "A small deck"
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.get_by_text("hidden = 1").count() == 0
    page.keyboard.press("ArrowDown")
    assert page.get_by_text("shown", exact=True).is_visible()
    assert page.get_by_text("print('shown')").count() == 0
    late = page.get_by_text("With the fragment.", exact=True)
    assert not late.is_visible()
    page.keyboard.press("ArrowDown")
    late.wait_for(state="visible")
    page.keyboard.press("ArrowRight")
    code = page.locator("details pre")
    assert not code.is_visible()
    page.locator("summary").click()
    assert code.is_visible()


def test_the_speaker_view_shows_the_notes_from_a_file(small, tmp_path, open_page):
    path = small(("markdown", "slide", "# One"), ("markdown", "notes", NOTES))
    page = open_deck(open_page, write_slides(path, tmp_path / "deck.html"))
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    view = opened.value
    view.wait_for_selector(".speaker-controls-notes:not(.hidden) .value em")
    assert view.inner_text(".speaker-controls-notes .value").strip() == "Say it slowly."
    view.frame_locator("#current-slide iframe").get_by_role("heading", name="One").wait_for()
    view.close()
    quiet = write_slides(path, tmp_path / "quiet.html", notes=False)
    assert "slowly" not in quiet.read_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_slides_pass_axe(theme, chapter_deck, open_page, axe):
    page = open_deck(open_page, chapter_deck("00-start", theme))
    assert (
        page.evaluate("getComputedStyle(document.body).backgroundColor")
        == {
            "light": "rgb(255, 255, 255)",
            "dark": "rgb(21, 25, 31)",
        }[theme]
    )
    for cell in ("title", "how-to-use", "where", "stepper", "disassemble", "real-systems"):
        page.evaluate(GO, cell)
        page.evaluate("while (Reveal.nextFragment());")
        assert axe(page, rules=["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]) == [], cell
        assert page.locator("section.present:not(.stack) :is(h1, h2)").count() >= 1


def test_labels_follow_the_language(small, tmp_path):
    path = small(("markdown", "slide", "# Um"), ("code", "slide", "1", "fold"))
    text = write_slides(path, tmp_path / "deck.html", language="pt_BR").read_text()
    assert '<html lang="pt-BR"' in text
    assert "Mostrar o código" in text


def test_a_notebook_without_slide_types_is_cut_at_its_headings(small, tmp_path):
    from vtbook.course.publish.executing import read_notebook

    path = small(
        ("markdown", "-", "# One"), ("markdown", "-", "Text."), ("markdown", "-", "## Two")
    )
    stacks = slides_of(read_notebook(path))
    assert [[slide.cells for slide in stack] for stack in stacks] == [[["c0", "c1"]], [["c2"]]]


def test_text_that_would_end_a_script_does_not(small, tmp_path, open_page):
    path = small(("code", "slide", "print('</script></section><b>')"), title="</title><b>")
    page = open_deck(open_page, write_slides(path, tmp_path / "deck.html"))
    assert page.locator("b").count() == 0
    assert page.title() == "</title><b>"


def test_what_cannot_be_made_is_named(small, tmp_path):
    target = tmp_path / "deck.html"
    with pytest.raises(ExecutionError, match=r"c0 \(0\) failed"):
        write_slides(small(("code", "slide", "1 / 0")), target)
    with pytest.raises(MathsError, match="foo"):
        write_slides(small(("markdown", "slide", "$\\foo$")), target)
    with pytest.raises(SlidesError, match="no cell is on a slide"):
        write_slides(small(("markdown", "skip", "# One")), target)
    with pytest.raises(SlidesError, match="give one of light, dark"):
        write_slides(small(("markdown", "slide", "# One")), target, theme="pink")
    with pytest.raises(VtbookError, match="00-start, 02-the-machine, 05-full-emulation"):
        notebook_of("77")
    assert not target.exists()
