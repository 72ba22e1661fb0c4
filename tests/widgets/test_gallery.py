"""The gallery notebook in a running JupyterLab: every widget of the package, alive."""

from __future__ import annotations

import shutil

import pytest

from tests.lab_server import EXECUTE, ROOT, run_all_cells, running_lab
from vtbook.widgets import _assets

pytest.importorskip("jupyterlab", reason="needs JupyterLab")

SLOW = 120_000  # milliseconds; the first run may compile the machine
WIDGETS = {path.name.split(".")[0] for path in _assets.HERE.glob("*.strings.json")}
ALL_CELLS = ("@jupyterlab", "notebook-extension", "tracker.jupyterlab-settings")


@pytest.fixture(scope="module")
def address(tmp_path_factory, kernel_path):
    """The address of a copy of the gallery; JupyterLab keeps all its cells in the page."""
    root = tmp_path_factory.mktemp("gallery")
    shutil.copy(ROOT / "docs" / "widget-gallery.ipynb", root)
    with running_lab(root, settings={ALL_CELLS: {"windowingMode": "none"}}) as at:
        yield at("lab/tree/widget-gallery.ipynb")


def test_every_widget_of_the_gallery_lives_in_jupyterlab(address, open_page):
    window = {"width": 1280, "height": 1000}
    page = open_page(address, online=True, wait=".jp-CodeCell", viewport=window)
    run_all_cells(page, SLOW)

    # Nothing failed, and every kind of widget is there.
    failed = page.locator('[data-mime-type*="jupyter.error"], [data-mime-type*="jupyter.stderr"]')
    assert failed.all_text_contents() == []
    shown = page.evaluate(
        "() => [...document.querySelectorAll('.vtb')].flatMap(n => [...n.classList])"
    )
    kinds = {name.removeprefix("vtb-").removesuffix("-widget") for name in shown}
    assert kinds >= WIDGETS

    # Keys move what steps, and none of them reaches the notebook's command mode.
    cells = page.locator(".jp-Cell").count()
    for root in page.locator(".vtb").all():
        root.scroll_into_view_if_needed()
        root.focus()
        slider = root.locator(".vtb-transport .vtb-slider")
        if slider.count():
            page.keyboard.press("Home")
            page.keyboard.press("ArrowRight")
            assert slider.input_value() == "1", root.get_attribute("class")
        for key in ["x", "d", "d", "a", "b", "m"]:
            page.keyboard.press(key)
        assert page.locator(".jp-Cell").count() == cells, root.get_attribute("class")
    assert page.locator(".jp-MarkdownCell").count() + page.locator(".jp-CodeCell").count() == cells

    # No widget is wider than its cell, and all take the theme.
    wide = page.eval_on_selector_all(
        ".vtb", "all => all.filter(n => n.scrollWidth > n.clientWidth + 1).map(n => n.className)"
    )
    assert wide == []
    assert page.locator(".vtb[data-vtb-theme=light]").count() == page.locator(".vtb").count()
    page.evaluate(EXECUTE, ["apputils:change-theme", {"theme": "JupyterLab Dark"}])
    page.wait_for_function(
        "!document.querySelector('.vtb:not([data-vtb-theme=dark])')", timeout=SLOW
    )
