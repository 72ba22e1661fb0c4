"""The page-table walk: its schema, its fields, bits and reasons."""

from __future__ import annotations

import copy

import pytest

from tests.widgets.walks import DATA, LOW, ROOT, sample_walks
from vtbook.mmu import FAULTS
from vtbook.widgets import DataError, PageWalk, static_html
from vtbook.widgets.base import labels
from vtbook.widgets.pagewalk_schema import FAULTS as KNOWN

LOAD, HIT, SUPERPAGE, STORE = 0, 5, 7, 10
"""The step at which each walk of the sample begins."""


@pytest.fixture
def page(open_page, tmp_path):
    path = tmp_path / "walk.html"
    path.write_text(static_html(PageWalk(sample_walks()), page=True), encoding="utf-8")
    return open_page(path, viewport={"width": 1000, "height": 900})


def seek(page, step):
    page.locator(".vtb-slider").fill(str(step))


def test_every_fault_of_the_walker_has_words():
    assert set(KNOWN) == set(FAULTS)
    for language in ("en", "pt"):
        assert {f"fault_{name}" for name in KNOWN} <= labels("pagewalk", language).keys()


def put(path, value):
    def change(walks):
        at = walks
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda walks: walks.clear(), "walks"),
        (put([0, "extra"], 1), "walks[0]"),
        (put([0, "scheme"], "sv32"), "walks[0].scheme"),
        (put([0, "mode"], "M"), "walks[0].mode"),
        (put([0, "address"], "0x4"), "walks[0].address"),
        (put([0, "sum"], 1), "walks[0].sum"),
        (put([0, "references", 1, 1], 3), "walks[0].references[1][1]"),
        (put([0, "references", 1, 6], "end"), "walks[0].references[1][6]"),
        (put([0, "tables", 0, 1, 0], [1]), "walks[0].tables[0][1][0]"),
        (put([0, "fault"], "bad"), "walks[0].fault"),
        (put([0, "physical"], ""), "walks[0]"),
        (put([0, "tlb"], True), "walks[0]"),
    ],
)
def test_the_check_names_the_path_of_the_first_problem(change, path):
    walks = copy.deepcopy(sample_walks())
    change(walks)
    with pytest.raises(DataError) as caught:
        PageWalk(walks)
    assert caught.value.path == path


def test_the_fields_of_the_address_put_it_together_again(page):
    values = page.locator(".vtb-virtual .vtb-field-value").all_text_contents()
    sign, top, middle, low, offset = (int(value, 0) for value in values)
    assert sign == 0
    assert top << 30 | middle << 21 | low << 12 | offset == DATA


def test_each_reference_shows_its_table_and_the_entry_read(page):
    for step, level in [(1, 2), (2, 1), (3, 0)]:
        seek(page, step)
        cards = page.locator(".vtb-table-card")
        assert cards.count() == step
        assert cards.last.inner_text().startswith(f"Level {level} table")
        assert page.locator(".vtb-virtual [data-now]").inner_text().startswith(f"VPN[{level}]")
    assert page.locator(".vtb-row[data-read]").last.get_attribute("data-outcome") == "leaf"
    assert f"{LOW:#x} + 1 × 8" in page.locator(".vtb-words").inner_text()
    bits = page.locator(".vtb-flag .vtb-field-value").all_text_contents()
    assert "".join(bits) == "11010111"  # D A G U X W R V


def test_the_result_is_the_page_and_the_offset(page):
    seek(page, 4)
    assert "0x87003234" in page.locator(".vtb-result").inner_text()
    assert "3 memory references" in page.locator(".vtb-words").inner_text()


def test_a_tlb_hit_reads_no_table(page):
    seek(page, HIT + 1)
    assert page.locator(".vtb-table-card").count() == 0
    assert "no memory reference" in page.locator(".vtb-words").inner_text()
    assert page.locator(".vtb-readout").last.inner_text().endswith("0")


def test_a_superpage_ends_at_an_upper_level(page):
    seek(page, STORE - 1)
    assert "1 GiB" in page.locator(".vtb-words").inner_text()
    assert page.locator(".vtb-table-card").count() == 1


def test_a_fault_names_the_question_that_failed(page):
    page.get_by_role("button", name="Store to code").click()
    assert page.locator(".vtb-slider").input_value() == str(STORE)
    seek(page, STORE + 3)
    failed = page.locator(".vtb-asked:not([data-passed])")
    assert failed.inner_text() == "✕ W = 0: may it be written?"
    assert failed.evaluate("n => n === n.parentElement.lastElementChild")
    seek(page, STORE + 4)
    assert "cause 15" in page.locator(".vtb-event").inner_text()
    assert "traps" in page.locator(".vtb-result").inner_text()


def test_a_two_stage_walk_shows_its_stages(open_page, tmp_path):
    """The nested references of a guest: the record is the same, with stages VS and G."""
    walk = copy.deepcopy(sample_walks()[0])
    walk["mode"] = "VU"
    nested = []
    for reference in walk["references"]:
        nested.append(["G", 0, f"{ROOT:x}", 2, f"{ROOT + 16:x}", "200000cf", "leaf", "80010000"])
        nested.append(["VS", *reference[1:]])
    walk["references"] = nested
    path = tmp_path / "nested.html"
    path.write_text(static_html(PageWalk([walk], step=6), page=True), encoding="utf-8")
    page = open_page(path)
    names = page.locator(".vtb-table-name b").all_text_contents()
    assert names == [
        "G level 0",
        "VS level 2",
        "G level 0",
        "VS level 1",
        "G level 0",
        "VS level 0",
    ]
