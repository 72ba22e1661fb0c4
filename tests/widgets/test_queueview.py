"""The view of queues: steps forward and back, marks, links, pointers, words."""

from __future__ import annotations

import copy
import json

import pytest

from vtbook.errors import VtbookError
from vtbook.widgets.checks import DataError
from vtbook.widgets.queue_data import QueueBuilder, validate_queues
from vtbook.widgets.queueview import QueueView
from vtbook.widgets.static import static_html


def builder():
    b = QueueBuilder("A ring and its table", {"driver": "Driver", "device": "Device"})
    b.table("desc", "Descriptors", ["addr", "len"], [["", ""]] * 4)
    pointers = {"tail": (3, "device"), "head": (3, "driver")}
    b.ring("ring", "Ring", ["id"], [[""]] * 4, pointers=pointers, window=("tail", "head"))
    b.queue("run", "Run queue", ["task 1"])
    b.memory(0x8000_0000, bytes(300), "all")
    return b


def data():
    b = builder()
    b.step(
        "driver",
        "describes a <buffer>",
        cells={("desc", 2, 0): "80001000", ("desc", 2, 1): "512"},
        writes=[(0x8000_0100, b"\0\2")],
    )
    b.step(
        "driver",
        "offers it",
        cells={("ring", 3, 0): "2"},
        pointers={("ring", "head"): 4},
        links=[("ring", 3, "desc", 2)],
        push=[("run", "task 2")],
    )
    b.step("device", "looks at it", visits=[("ring", 3), ("desc", 2)], reads=[(0x8000_0100, 2)])
    b.step(
        "device",
        "takes it",
        pointers={("ring", "tail"): 4},
        unlinks=[("ring", 3)],
        pop=["run", "run"],
    )
    return b.build()


@pytest.fixture
def page_of(open_page, tmp_path):
    def show(step=0, language="en", **options):
        path = tmp_path / "queues.html"
        widget = QueueView(data(), step=step, language=language)
        path.write_text(static_html(widget, page=True), encoding="utf-8")
        return open_page(path, **options)

    return show


def test_the_data_survives_json():
    again = json.loads(json.dumps(data()))
    validate_queues(again)
    assert QueueView(again).data == data()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda b: b.step("x", ""),
            r"steps\[0\]\[0\]: 'x' is no actor; use one of .*driver, device",
        ),
        (lambda b: b.step("", "", cells={("none", 0, 0): ""}), "step 1: 'none' is no structure"),
        (lambda b: b.step("", "", cells={("desc", 4, 0): ""}), "there is no row 4; use 0 to 3"),
        (lambda b: b.step("", "", cells={("desc", 0, 2): ""}), "no column 2"),
        (lambda b: b.step("", "", pointers={("ring", "x"): 1}), "'x' is no pointer"),
        (lambda b: b.step("", "", pop=["ring"]), "is a ring; this change is for a queue"),
        (lambda b: b.step("", "", pop=["run", "run"]), "queue that is empty"),
        (lambda b: (b.step("", ""), b.queue("late", "Late")), "comes after a step"),
        (lambda b: b.queue("run", "Again"), "'run' is there twice"),
        (lambda b: b.table("t", "T", ["a"], [["1", "2"]]), "has 2 items"),
        (lambda b: b.table("t", "T", ["a"], []), "a table has at least one row"),
    ],
)
def test_the_builder_names_what_is_wrong(call, message):
    def build():
        b = builder()
        call(b)
        b.build()

    with pytest.raises(DataError, match=message):
        build()


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("version",), 2, "version"),
        (("structures", 0, 1), "tree", "structures[0][1]"),
        (("structures", 1, 6), [0, 2], "structures[1][6][1]"),
        (("structures", 1, 5, 0, 2), "nobody", "structures[1][5][0][2]"),
        (("memory", 0, 1), 0, "memory[0][1]"),
        (("steps", 0), ["driver"], "steps[0]"),
        (("steps", 0, 2), ["bang"], "steps[0][2]"),
        (("steps", 0, 2, 1), 9, "steps[0][2][0]"),
    ],
)
def test_the_check_names_the_path(path, value, where):
    wrong = copy.deepcopy(data())
    at = wrong
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(DataError) as caught:
        validate_queues(wrong)
    assert caught.value.path == where


def test_a_step_outside_is_refused():
    with pytest.raises(VtbookError, match="no step 5; use 0 to 4"):
        QueueView(data(), step=5)


def test_the_table_for_pages_without_script_says_who_does_what():
    html = QueueView(data()).fallback_html()
    assert "<td>1</td><td>Driver</td><td>describes a &lt;buffer&gt;</td>" in html
    assert "<td>4</td><td>Device</td><td>takes it</td>" in html


def seek(page, step):
    page.locator(".vtb-slider").fill(str(step))


def marks(page, letter):
    found = page.locator(f".vtb-board [data-mark={letter}]:not(.vtb-byte):visible")
    return [
        node.evaluate(
            "n => [...n.childNodes].filter(c => c.nodeType === 3).map(c => c.data).join('')"
        )
        for node in found.all()
        if node.evaluate("n => !n.closest('.vtb-memory')")
    ]


def test_changed_cells_are_marked_and_told_with_who_acts(page_of):
    page = page_of()
    assert marks(page, "w") == []
    seek(page, 1)
    assert marks(page, "w") == ["80001000", "512"]
    words = page.locator(".vtb-words").inner_text()
    assert "Driver" in words
    assert "describes a <buffer>" in words
    assert "Descriptors 2: addr becomes 80001000 (was empty)" in words
    changed = page.locator(".vtb-byte[data-mark=w]")
    assert [node.text_content().split()[0] for node in changed.all()] == ["00", "02"]
    assert changed.first.is_visible()  # the bytes were scrolled to
    assert page.left == []


def test_a_ring_shows_pointers_slots_in_use_and_its_links(page_of):
    page = page_of(step=2)
    used = page.locator(".vtb-kind-ring .vtb-slot[data-used]")
    assert [node.get_attribute("data-at") for node in used.all()] == ["1:3"]
    under = page.locator(".vtb-kind-ring .vtb-slot-item")
    assert "head 4" in under.nth(0).inner_text()  # 4 is slot 0 again
    assert "tail 3" in under.nth(3).inner_text()
    assert under.nth(0).locator(".vtb-pointer").get_attribute("title") == "lap 1"
    assert "names Descriptors 2" in under.nth(3).text_content()
    assert page.locator("tr[data-named]").get_attribute("data-at") == "0:2"
    assert page.locator(".vtb-lines path").count() == 1
    assert page.locator(".vtb-kind-queue [role=listitem]").count() == 2


def test_looking_is_marked_otherwise_than_changing_and_going_back_undoes_all(page_of):
    page = page_of()
    seek(page, 3)
    assert marks(page, "r") == ["2", "3"]
    assert marks(page, "w") == []
    assert page.locator(".vtb-byte[data-mark=r]").count() == 2
    seek(page, 4)
    assert page.locator(".vtb-kind-queue").inner_text().endswith("The queue is empty.")
    assert page.locator(".vtb-link").count() == 0
    assert page.locator(".vtb-kind-ring .vtb-slot[data-used]").count() == 0
    seek(page, 2)
    assert page.locator(".vtb-link").count() == 1
    assert page.locator(".vtb-kind-queue [role=listitem]").count() == 2
    page.locator(".vtb").focus()
    page.keyboard.press("Home")
    assert "80001000" not in page.locator(".vtb-kind-table").inner_text()
    assert page.locator(".vtb-kind-queue").inner_text().endswith("task 1")


@pytest.mark.parametrize(("scheme", "width"), [("light", 900), ("dark", 900), ("dark", 360)])
def test_axe_finds_nothing_and_nothing_is_cut_off(page_of, axe, scheme, width):
    page = page_of(2, "pt", color_scheme=scheme, viewport={"width": width, "height": 900})
    assert "passa a 80001000" not in page.locator(".vtb-words").inner_text()
    assert "head passa a 4 (era 3)" in page.locator(".vtb-words").inner_text()
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    seek(page, 3)
    assert axe(page) == []
