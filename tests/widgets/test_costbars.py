"""Cost bars: what the front end computes is what Python's sum says; counts cannot be moved."""

from __future__ import annotations

import copy
import json

import pytest

from vtbook.errors import VtbookError
from vtbook.widgets.checks import DataError
from vtbook.widgets.costbars import Cost, CostBars, validate_chart
from vtbook.widgets.static import static_html

COSTS = {
    "instruction": Cost("Guest instruction", 1, 0.2, 5, "one by definition"),
    "exit": Cost("Exit", 1200, 50, 5000, "chosen", "linear"),
}
BARS = {"native": {"instruction": 120_000}, "trapping": {"instruction": 118_000, "exit": 410}}


def bars(**options):
    given = {"unit": "cycles", "counted": "by hand", "fixed": {"trapping": {"start": 7000.5}}}
    return CostBars("Two ways", COSTS, BARS, **{**given, **options})


@pytest.fixture
def page_of(open_page, tmp_path):
    def show(widget, **options):
        path = tmp_path / "bars.html"
        path.write_text(static_html(widget, page=True), encoding="utf-8")
        return open_page(path, **options)

    return show


def test_the_totals_are_counts_times_costs_and_fixed_parts():
    widget = bars()
    assert widget.totals() == {"native": 120_000, "trapping": 118_000 + 410 * 1200 + 7000.5}
    widget.values = [2.0, 50.0]
    assert widget.totals() == {"native": 240_000, "trapping": 236_000 + 410 * 50 + 7000.5}


def test_the_chart_survives_json_and_is_small():
    chart = json.loads(json.dumps(bars(published={"native": 1}, citation="A, 2003").chart))
    validate_chart(chart)
    assert len(json.dumps(chart)) < 1000


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CostBars("t", COSTS, {"a": {"x": 1}}, unit="s", counted="c"), "no event"),
        (lambda: CostBars("t", COSTS, {}, unit="s", counted="c"), "bars: is empty"),
        (lambda: CostBars("t", {}, {"a": {}}, unit="s", counted="c"), "events: has 0 kinds"),
        (lambda: bars(fixed={"x": {}}), "no bar"),
        (lambda: bars(published={"native": 1}), "published.citation: is empty"),
        (lambda: bars(relative_to="x"), "no bar 'x'; use one of native, trapping"),
        (lambda: setattr(bars(), "values", [1.0, 6000.0]), "'exit'; use 50 to 5000"),
        (lambda: setattr(bars(), "values", [1.0]), "1 costs; give 2"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(VtbookError, match=message):
        make()


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("version",), 2, "version"),
        (("events", 0, 3), 0, "events[0][3]"),
        (("events", 1, 2), 9000, "events[1]"),
        (("bars", 0, 1, 1), 0.5, "bars[0][1][1]"),
        (("bars", 1, 0), "native", "bars[1]"),
        (("bars", 1, 2, 0, 1), -1, "bars[1][2][0][1]"),
    ],
)
def test_the_check_names_the_path(path, value, where):
    chart = copy.deepcopy(bars().chart)
    at = chart
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(DataError) as caught:
        validate_chart(chart)
    assert caught.value.path == where


def test_the_table_for_pages_without_script_has_counts_and_totals():
    html = bars().fallback_html()
    assert "<td>118,000</td>" in html
    assert "<td>617,000</td>" in html  # six digits
    assert "by hand" in html
    assert "&lt;b&gt;" in bars(counted="<b>").fallback_html()


def shown_totals(page):
    """The totals of the table of numbers, as integers of thousandths."""
    rows = page.locator("tr[data-total] td:last-child").all_text_contents()
    return [float(text.replace(",", "")) for text in rows]


def test_the_front_end_computes_what_python_computes(page_of):
    widget = bars()
    page = page_of(widget)
    assert shown_totals(page) == pytest.approx(list(widget.totals().values()))
    for i, value in ((0, 2.5), (1, 333.0)):
        page.locator("input[type=number]").nth(i).fill(str(value))
        page.keyboard.press("Tab")
        widget.values = [value if k == i else old for k, old in enumerate(widget.values)]
        assert shown_totals(page) == pytest.approx(list(widget.totals().values()))
    page.locator("input[type=range]").nth(1).focus()
    page.keyboard.press("End")
    widget.values = [2.5, 5000.0]
    assert shown_totals(page) == pytest.approx(list(widget.totals().values()))
    lengths = [
        sum(
            box["width"]
            for segment in track.locator(".vtb-segment").all()
            if (box := segment.bounding_box())
        )
        for track in page.locator(".vtb-track").all()
    ]
    totals = widget.totals()
    assert lengths[0] / lengths[1] == pytest.approx(totals["native"] / totals["trapping"], abs=0.01)
    page.get_by_role("button", name="Reset costs").click()
    assert shown_totals(page) == pytest.approx(list(bars().totals().values()))
    assert page.left == []


def test_a_cost_typed_outside_its_limits_is_moved_to_the_limit(page_of):
    page = page_of(bars())
    number = page.locator("input[type=number]").first
    for typed, kept in (("99", "5"), ("-3", "0.2"), ("", "0.2")):
        number.fill(typed)
        page.keyboard.press("Tab")
        assert number.input_value() == kept


def test_published_values_in_another_unit_are_marked_as_ratios_only(page_of):
    page = page_of(
        bars(published={"native": 263, "trapping": 334}, citation="A, 2003", published_unit="s")
    )
    assert page.locator(".vtb-published:visible").count() == 0
    page.locator("select").select_option("native")
    assert page.locator(".vtb-published:visible").count() == 2
    label = page.locator(".vtb-track").nth(1).get_attribute("aria-label")
    assert "published: 1.27×" in label
    assert page.locator(".vtb-total").first.inner_text() == "1×"


def test_keys_that_move_a_cost_do_not_reach_the_host(page_of):
    page = page_of(bars())
    page.evaluate("addEventListener('keydown', e => (window.seen ??= []).push(e.key))")
    page.locator("input[type=range]").first.focus()
    page.keyboard.press("ArrowRight")
    page.locator(".vtb").focus()
    page.keyboard.press("x")
    assert page.evaluate("window.seen") == ["x"]


@pytest.mark.parametrize(("scheme", "width"), [("light", 900), ("dark", 900), ("dark", 360)])
def test_axe_finds_nothing_and_nothing_is_cut_off(page_of, axe, scheme, width):
    widget = bars(published={"native": 120_000}, citation="A, 2003", language="pt")
    page = page_of(widget, color_scheme=scheme, viewport={"width": width, "height": 900})
    page.locator("summary").click()
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.get_by_text("Restaurar custos").is_visible()
