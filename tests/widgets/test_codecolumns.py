"""Code in columns: its schema, the diff, what lights up."""

from __future__ import annotations

import copy
import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.widgets.shown import AFTER, BEFORE, sample_diff, sample_passes
from vtbook.widgets import CodeColumns, DataError, static_html
from vtbook.widgets.codecolumns_schema import compare


@pytest.fixture
def show(open_page, tmp_path):
    def write(code, **how):
        path = tmp_path / "code.html"
        path.write_text(static_html(CodeColumns(code, **how), page=True), encoding="utf-8")
        return open_page(path, viewport={"width": 1000, "height": 700})

    return write


def lit(page):
    lines = page.locator("[data-lit] .vtb-line-text").all_text_contents()
    return lines


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda c: c.update(format="x"), "format"),
        (lambda c: c.update(frames=[]), "frames"),
        (lambda c: c["frames"][0].pop("text"), "frames[0]"),
        (lambda c: c["frames"][0].update(columns=[]), "frames[0].columns"),
        (lambda c: c["frames"][1]["columns"].pop(), "frames[1].columns"),
        (
            lambda c: c["frames"][0]["columns"][0]["lines"][0].__setitem__(1, "?"),
            "frames[0].columns[0].lines[0][1]",
        ),
        (
            lambda c: c["frames"][0]["columns"][0]["lines"][0].__setitem__(2, [-1]),
            "frames[0].columns[0].lines[0][2][0]",
        ),
    ],
)
def test_the_check_names_the_path_of_the_first_problem(change, path):
    code = copy.deepcopy(sample_passes())
    change(code)
    with pytest.raises(DataError) as caught:
        CodeColumns(code)
    assert caught.value.path == path


@given(*[st.lists(st.sampled_from("abcd"), max_size=8)] * 2)
def test_compare_keeps_both_texts_and_marks_what_difflib_finds(before, after):
    left, right = compare(before, after)
    assert [line[0] for line in left["lines"]] == before
    assert [line[0] for line in right["lines"]] == after
    kept = [line[0] for line in left["lines"] if line[1] == ""]
    assert kept == [line[0] for line in right["lines"] if line[1] == ""]
    matches = difflib.SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    assert len(kept) == sum(block.size for block in matches)


def test_marks_are_signs_words_and_counts(show):
    page = show(sample_diff())
    changed = page.locator("[data-kind=removed]")
    assert changed.locator(".vtb-line-text").text_content() == "csrw mstatus, t0"
    assert changed.locator(".vtb-line-mark").text_content() == "−"
    assert changed.text_content().endswith("(removed)")
    counts = page.locator(".vtb-code-counts").all_text_contents()
    assert counts == ["5 lines · −1 removed · ~1 changed", "6 lines · +1 added · ~2 changed"]
    for column, text in enumerate([BEFORE, AFTER]):
        lines = page.locator(".vtb-code-column").nth(column).locator(".vtb-line-text")
        assert lines.all_text_contents() == text.splitlines()


def test_pointing_at_a_line_lights_up_what_belongs_to_it(show):
    page = show(sample_diff())
    assert lit(page) == []
    page.locator(".vtb-code-line", has_text="csrr t0, mstatus").hover()
    assert lit(page) == ["csrr t0, mstatus", "li a7, 3", "ecall"]
    page.mouse.move(1, 1)
    assert lit(page) == []


def test_keys_in_a_column_move_a_cursor_and_do_not_step(show):
    page = show(sample_diff())
    page.locator(".vtb-code-scroll").nth(1).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert lit(page) == ["li t1, 8", "li t1, 8"]
    assert page.locator(".vtb-slider").input_value() == "0"
    page.keyboard.press("ArrowRight")
    assert page.locator(".vtb-slider").input_value() == "1"


def test_frames_are_passes(show):
    page = show(sample_passes())
    assert "As it was traced." in page.locator(".vtb-words").inner_text()
    page.locator("[data-action=next]").click()
    assert page.locator("[data-kind=removed]").count() == 1
    page.locator("[data-action=next]").click()
    text = page.locator(".vtb-words").inner_text()
    assert "Done" in text
    assert "One operation less." in text
    assert page.locator(".vtb-code-counts").last.text_content().startswith("2 lines · 2 operations")


def test_text_is_shown_as_it_is_and_escaped_in_the_table():
    code = sample_diff()
    code["frames"][0]["columns"][0]["lines"][0][0] = "if (a < b) <b>"
    assert "if (a &lt; b) &lt;b&gt;" in CodeColumns(code).fallback_html()
