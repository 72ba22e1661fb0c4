"""The timeline: its schema, its words, zooming and many spans."""

from __future__ import annotations

import copy

import pytest

from tests.widgets.shown import sample_timeline
from vtbook.widgets import DataError, Timeline, TimelineBuilder, static_html


@pytest.fixture
def show(open_page, tmp_path):
    def write(timeline, **how):
        path = tmp_path / "timeline.html"
        path.write_text(static_html(Timeline(timeline, **how), page=True), encoding="utf-8")
        page = open_page(path, viewport={"width": 900, "height": 700})
        page.wait_for_selector(".vtb-span")
        return page

    return write


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda t: t.pop("unit"), "timeline"),
        (lambda t: t.update(version=2), "format"),
        (lambda t: t.update(basis="guessed"), "basis"),
        (lambda t: t.update(lanes=[]), "lanes"),
        (lambda t: t["lanes"][0].__setitem__(1, "boss"), "lanes[0][1]"),
        (lambda t: t["spans"][1].__setitem__(0, 3), "spans[1][0]"),
        (lambda t: t["spans"][1].__setitem__(2, 1), "spans[1]"),
        (lambda t: t["spans"][1].__setitem__(1, -1), "spans[1][1]"),
        (lambda t: t["spans"].reverse(), "spans[1]"),
        (lambda t: t["events"][0].__setitem__(3, "bang"), "events[0][3]"),
        (lambda t: t["events"][0].append(1), "events[0]"),
        (lambda t: t["events"].reverse(), "events[1]"),
    ],
)
def test_the_check_names_the_path_of_the_first_problem(change, path):
    timeline = copy.deepcopy(sample_timeline())
    change(timeline)
    with pytest.raises(DataError) as caught:
        Timeline(timeline)
    assert caught.value.path == path


def test_a_builder_sorts_and_refuses_lanes_it_does_not_have():
    b = TimelineBuilder("t", [("a", "user")])
    b.span("a", 5, 6)
    b.span("a", 0, 5)
    assert b.build()["spans"] == [[0, 0, 5, ""], [0, 5, 6, ""]]
    with pytest.raises(DataError, match="no lane 'b'; use a"):
        b.span("b", 0, 1)


def test_totals_and_the_fallback_tell_the_time_of_each_lane():
    widget = Timeline(sample_timeline())
    assert widget.totals() == [("user", 90), ("kernel", 30), ("uart", 1)]
    html = widget.fallback_html()
    assert "user: 90; kernel: 30; uart: 1" in html
    assert "<td>Trap</td><td>ecall Call 1.</td>" in html
    assert "301 more transitions" in Timeline(sample_timeline(200)).fallback_html()


def test_a_transition_is_told_in_words_and_drawn(show):
    page = show(sample_timeline())
    assert "Before the first transition" in page.locator(".vtb-words").inner_text()
    assert page.locator(".vtb-arrow-now").count() == 0
    page.locator("[data-action=next]").click()
    words = page.locator(".vtb-words").inner_text()
    assert "user → kernel" in words
    assert "Call 1. user stops, after 30 instructions" in words
    assert page.locator(".vtb-event").inner_text().startswith("Trap")
    assert page.locator(".vtb-arrow-now").get_attribute("data-kind") == "trap"
    assert page.locator(".vtb-readout").inner_text() == "Axis instructions (counted)"
    sums = page.locator(".vtb-lane-sum").all_text_contents()
    assert sums == ["90 (75 %)", "30 (25 %)", "1 (0.8 %)"]


def test_keys_and_buttons_zoom_and_pan_and_steps_stay_in_sight(show):
    page = show(sample_timeline(50))
    ticks = page.locator(".vtb-axis")
    whole = ticks.text_content()
    page.locator(".vtb").focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert ticks.text_content() != whole
    page.keyboard.press("End")
    last = ticks.text_content()
    assert "2,000" in last
    assert page.locator(".vtb-playhead").count() == 1
    page.keyboard.press("[")
    assert ticks.text_content() != last
    page.locator("[data-action=zoom_all]").click()
    assert ticks.text_content() == whole


def test_a_click_goes_to_the_nearest_transition(show):
    page = show(sample_timeline())
    box = page.locator(".vtb-chart").bounding_box()
    page.mouse.click(box["x"] + 8 + (box["width"] - 16) * 69 / 120, box["y"] + 30)
    assert page.locator(".vtb-slider").input_value() == "4"


def test_thousands_of_spans_are_merged_to_what_can_be_seen(show):
    page = show(sample_timeline(10_000))
    assert page.locator(".vtb-span").count() < 3 * 900
    assert page.locator(".vtb-arrow").count() < 3 * 900 / 4
    for _ in range(40):
        page.locator("[data-action=zoom_in]").click()
    assert 0 < page.locator(".vtb-span").count() < 20
