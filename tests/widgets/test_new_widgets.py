"""What every widget made of recorded data keeps: state, steps, keys, width, themes, languages."""

from __future__ import annotations

import json
import re

import pytest

from tests.widgets.shown import WIDGETS
from vtbook.errors import VtbookError
from vtbook.widgets import static_html
from vtbook.widgets.base import labels

names = pytest.mark.parametrize("name", WIDGETS)


@pytest.fixture
def show(open_page, tmp_path):
    """Return ``show(name, how, **page options)``: a page of its own with one widget, offline."""

    def write(name, how=None, **options):
        widget = WIDGETS[name](**(how or {}))
        path = tmp_path / f"{name}.html"
        path.write_text(static_html(widget, page=True), encoding="utf-8")
        page = open_page(path, **options)
        assert page.left == []
        return page, widget

    return write


def step_shown(page):
    return int(page.locator(".vtb-slider").input_value())


@names
def test_the_state_is_json_and_builds_the_same_widget(name):
    widget = WIDGETS[name](step=1)
    state = json.loads(json.dumps({k: v for k, v in widget.get_state().items() if k[0] != "_"}))
    data = {k: state[k] for k in ("timeline", "walks", "code", "title") if k in state}
    again = type(widget)(**data, step=state["step"])
    assert repr(again) == repr(widget)
    assert again.fallback_html() == widget.fallback_html()


@names
def test_steps_and_languages_are_checked(name):
    last = WIDGETS[name]().steps()
    with pytest.raises(VtbookError, match=rf"no step {last + 1}; use 0 to {last}"):
        WIDGETS[name](step=last + 1)
    with pytest.raises(VtbookError, match="no labels in 'xx'"):
        WIDGETS[name](language="xx")


@names
def test_the_front_end_counts_the_same_steps_and_goes_to_the_one_given(show, name):
    page, widget = show(name, {"step": 2})
    assert page.locator(".vtb-slider").get_attribute("max") == str(widget.steps())
    assert step_shown(page) == 2
    assert page.title() == widget.heading()


@names
def test_keys_move_and_stay_in_the_widget(show, name):
    page, widget = show(name)
    page.evaluate("addEventListener('keydown', e => (window.seen ??= []).push(e.key))")
    page.locator(".vtb").focus()
    for key, step in [("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("Home", 0)]:
        page.keyboard.press(key)
        assert step_shown(page) == step, key
    page.keyboard.press("End")
    assert step_shown(page) == widget.steps()
    page.keyboard.press("x")
    assert page.evaluate("window.seen") == ["x"]
    assert page.locator(".vtb").get_attribute("data-lm-suppress-shortcuts") == "true"


@names
def test_stepping_back_shows_what_stepping_forward_showed(show, name):
    page, widget = show(name)
    forward, back = page.evaluate(
        """(steps) => {
          const read = () => document.querySelector('.vtb').innerText;
          const click = (name) => document.querySelector(`[data-action=${name}]`).click();
          const forward = [read()];
          for (let i = 0; i < steps; i += 1) { click('next'); forward.push(read()); }
          const back = [read()];
          for (let i = 0; i < steps; i += 1) { click('previous'); back.unshift(read()); }
          return [forward, back];
        }""",
        widget.steps(),
    )
    assert forward == back
    assert len(set(forward)) == widget.steps() + 1


@names
@pytest.mark.parametrize("width", [1100, 700, 360])
def test_nothing_leaves_the_page_at_any_width(show, name, width):
    page, widget = show(name, viewport={"width": width, "height": 900})
    for step in range(widget.steps() + 1):
        page.locator(".vtb-slider").fill(str(step))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), step
        cut = page.eval_on_selector_all(
            ".vtb-words, .vtb-transport, .vtb-panel, .vtb-fields, .vtb-code-counts",
            "all => all.filter(n => n.scrollWidth > n.clientWidth + 1).map(n => n.className)",
        )
        assert cut == [], step


@names
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation(show, axe, name, theme):
    page, widget = show(name, color_scheme=theme)
    assert page.locator(".vtb").get_attribute("data-vtb-theme") == theme
    for step in {0, 1, widget.steps() // 2, widget.steps()}:
        page.locator(".vtb-slider").fill(str(step))
        assert axe(page) == [], step


@names
def test_the_widget_speaks_portuguese(show, name):
    page, widget = show(name, {"language": "pt"})
    assert page.locator(".vtb").get_attribute("lang") == "pt"
    kind = "codecolumns" if name == "passes" else name
    word = labels(kind, "pt")["widget"]
    assert page.locator(".vtb").get_attribute("aria-label").startswith(word)
    for step in range(widget.steps() + 1):
        page.locator(".vtb-slider").fill(str(step))
        text = page.locator(".vtb").inner_text()
        assert not re.search(r"\{\w+\}|\b(say|ask|fault|kind|table)_\w+|undefined|NaN", text), step


@names
def test_a_host_that_styles_tables_and_lists_does_not_reach_the_widget(show, name):
    page, _ = show(name, {"step": 2})
    before = page.locator(".vtb").bounding_box()
    page.add_style_tag(
        content="table { table-layout: fixed; width: 900px } td, th { padding: 40px }"
        "tr:nth-child(even) { background: red } ol, ul { padding-left: 200px } li { margin: 30px }"
    )
    assert page.locator(".vtb").bounding_box() == before


@names
def test_the_fallback_is_a_table_with_a_caption(name):
    html = WIDGETS[name]().fallback_html()
    assert html.startswith("<table><caption>")
    assert "<script" not in html
