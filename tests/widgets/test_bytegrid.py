"""The grid of cells: its runs give the frames back, and the reader reads every cell by key."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbook.errors import VtbookError
from vtbook.widgets.bytegrid import ByteGrid, validate_grid
from vtbook.widgets.checks import DataError
from vtbook.widgets.static import static_html

STATES = ["clean", "dirty", "sent"]
FRAMES = [[0] * 100, [0] * 98 + [1, 1], [1] + [0] * 97 + [2, 1]]


def grid(**options):
    given_ = {"notes": ["first <round>", "second"], "base": 0x8000_0000}
    return ByteGrid("Rounds", STATES, FRAMES, **{**given_, **options})


@pytest.fixture
def page_of(open_page, tmp_path):
    def show(widget, **options):
        path = tmp_path / "grid.html"
        path.write_text(static_html(widget, page=True), encoding="utf-8")
        return open_page(path, **options)

    return show


frames = st.integers(1, 30).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, 2), min_size=n, max_size=n), min_size=1, max_size=5)
)


@settings(max_examples=60)
@given(frames)
def test_the_runs_give_every_frame_back(states):
    widget = ByteGrid("t", STATES, states)
    widget.grid = json.loads(json.dumps(widget.grid))
    assert [widget.frame(i).tolist() for i in range(len(states))] == states


def test_the_runs_are_short():
    steps = grid().grid["steps"]
    assert [runs for _, runs in steps] == [[98, 2, 1], [0, 1, 1, 97, 1, 2]]
    assert grid().grid["initial"] == [100, 0]


def test_65536_cells_and_100_frames_of_scattered_changes_take_little():
    random = np.random.default_rng(1)
    shown = [np.zeros(65_536, np.uint8)]
    for _ in range(100):
        frame = shown[-1].copy()
        for start in random.integers(0, 65_472, 40):
            frame[start : start + 32] = random.integers(0, 3)
        shown.append(frame)
    widget = ByteGrid("t", STATES, shown)
    assert len(json.dumps(widget.grid)) < 60_000
    assert np.array_equal(widget.frame(100), shown[-1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ByteGrid("t", STATES, []), "frames: is empty"),
        (lambda: ByteGrid("t", STATES, [[0], [0, 1]]), r"frames\[1\]: has 2 cells"),
        (lambda: ByteGrid("t", STATES, [[3]]), "state outside 0 to 2"),
        (lambda: ByteGrid("t", STATES, [[0.5]]), "whole numbers"),
        (lambda: ByteGrid("t", STATES, [[0] * 200_000]), "at most 131072"),
        (lambda: ByteGrid("t", {"a": 9}, [[0]]), r"states\[0\]\[1\]: 9 is no fill"),
        (lambda: grid(notes=["one"]), "notes: has 1; give 2"),
        (lambda: grid(regions=[(0, 10, "a"), (5, 9, "b")]), r"regions\[1\]: overlaps"),
        (lambda: grid(step=3), "no step 3; use 0 to 2"),
        (lambda: grid().frame(-1), "no step -1"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(VtbookError, match=message):
        make()


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("base",), "0x1", "base"),
        (("initial",), [99, 0], "initial"),
        (("initial", 0), 0, "initial[0]"),
        (("steps", 0, 1), [98, 3, 1], "steps[0][1]"),
        (("steps", 0, 1), [98, 1], "steps[0][1]"),
        (("steps", 0, 1, 2), 3, "steps[0][1][2]"),
        (("steps", 1, 0), 3, "steps[1][0]"),
    ],
)
def test_the_check_names_the_path(path, value, where):
    data = copy.deepcopy(grid().grid)
    at = data
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(DataError) as caught:
        validate_grid(data)
    assert caught.value.path == where


def test_the_table_for_pages_without_script_counts_the_states():
    html = grid().fallback_html()
    assert "<td>1</td><td>first &lt;round&gt;</td><td>98</td><td>2</td><td>0</td>" in html
    assert "<td>2</td><td>second</td><td>97</td><td>2</td><td>1</td>" in html


def counts(page):
    return [text.strip() for text in page.locator(".vtb-count").all_text_contents()]


def info(page):
    return page.locator(".vtb-cell-info").inner_text()


def test_steps_change_counts_and_words(page_of):
    page = page_of(grid())
    assert counts(page) == ["100", "0", "0"]
    page.locator(".vtb").focus()
    page.keyboard.press("ArrowRight")
    assert counts(page) == ["98", "2", "0"]
    words = page.locator(".vtb-words").inner_text()
    assert "first <round>" in words
    assert "2 cells: clean → dirty." in words
    page.keyboard.press("ArrowRight")
    assert counts(page) == ["97", "2", "1"]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert counts(page) == ["100", "0", "0"]
    assert page.left == []


def test_in_the_grid_arrows_move_a_cursor_and_outside_they_step(page_of):
    page = page_of(grid(regions=[(0, 50, "code"), (50, 50, "stack")], step=1))
    page.locator(".vtb-cells").focus()
    page.keyboard.press("ArrowRight")
    assert info(page) == "Page 1 at 0x80001000: clean; in code; never changes."
    page.keyboard.press("End")
    assert info(page) == "Page 99 at 0x80063000: dirty; in stack; changes at step 1."
    page.keyboard.press("ArrowLeft")
    assert "Page 98" in info(page)
    assert "changes at steps 1, 2" in info(page)
    page.keyboard.press("Home")
    seen = {info(page)}
    for _ in range(12):  # down the column, over the border of the regions
        page.keyboard.press("ArrowDown")
        seen.add(info(page))
    assert any("in stack" in text for text in seen)
    assert page.locator(".vtb-position").text_content() == "Step 1 of 2"
    page.keyboard.press("Escape")
    page.wait_for_function("document.activeElement.matches('.vtb')")
    page.keyboard.press("ArrowRight")
    assert page.locator(".vtb-position").text_content() == "Step 2 of 2"


def pixel(page, cell):
    """The colour in the middle of a cell of a grid without regions, and of cells of 22 pixels."""
    script = """([x, y]) => {
      const canvas = document.querySelector('canvas');
      return [...canvas.getContext('2d').getImageData(x, y, 1, 1).data.slice(0, 3)];
    }"""
    return page.evaluate(script, [22 * (cell % 32) + 5, 22 * (cell // 32) + 5])


def test_the_canvas_shows_the_states_and_the_pointer_reads_them(page_of):
    page = page_of(grid(step=1), viewport={"width": 800, "height": 800})
    assert pixel(page, 0) != pixel(page, 99)
    assert pixel(page, 99) == [0x3B, 0x76, 0xC4]
    page.locator("canvas").hover(position={"x": 22 * 3 + 5, "y": 22 * 3 + 5})
    assert info(page).startswith("Page 99 at")
    page.get_by_role("button", name="clean").click()
    assert pixel(page, 99) == [0xE3, 0xE7, 0xED]
    page.get_by_role("button", name="clean").click()
    assert pixel(page, 99) == [0x3B, 0x76, 0xC4]


@pytest.mark.parametrize(("scheme", "width"), [("light", 900), ("dark", 900), ("dark", 360)])
def test_axe_finds_nothing_and_nothing_is_cut_off(page_of, axe, scheme, width):
    widget = grid(step=2, language="pt", regions=[(0, 40, "código")])
    page = page_of(widget, color_scheme=scheme, viewport={"width": width, "height": 900})
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.locator(".vtb-cells").focus()
    assert "muda no passo 2" in info(page)


def test_a_single_frame_is_a_picture_without_controls(page_of):
    page = page_of(ByteGrid("t", STATES, FRAMES[:1]))
    assert counts(page) == ["100", "0", "0"]
    assert page.locator(".vtb-transport, .vtb-words").count() == 0
    page.locator(".vtb-cells").focus()
    assert info(page).startswith("Page 0 at 0x0: clean")
