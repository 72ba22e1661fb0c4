"""The stepper in JupyterLab itself: a server, a kernel, a browser, one notebook."""

from __future__ import annotations

import shutil

import pytest

from tests.lab_server import EXECUTE, running_lab, start_all_cells
from vtbook.widgets import export_notebook

pytest.importorskip("jupyterlab", reason="needs JupyterLab")

KERNEL_TIMEOUT = 60_000  # milliseconds


@pytest.fixture(scope="module")
def lab(notebook, tmp_path_factory):
    """The address of a notebook in a running JupyterLab, and its file."""
    root = tmp_path_factory.mktemp("lab")
    shutil.copy(notebook, root / "steps.ipynb")
    with running_lab(root) as at:
        yield at("lab/tree/steps.ipynb"), root / "steps.ipynb"


def test_the_widget_lives_in_jupyterlab_and_in_what_it_saves(lab, open_page, tmp_path):
    address, file = lab
    page = open_page(
        address,
        online=True,
        wait=".jp-CodeCell",
        viewport={"width": 1280, "height": 1000},
    )
    # Cells run before the kernel is there would bring up a dialog that asks for one.
    start_all_cells(page, KERNEL_TIMEOUT)
    root = page.locator(".vtb").first
    root.wait_for(timeout=KERNEL_TIMEOUT)

    # Keys move the widget, and none of them is taken by the notebook's command mode.
    cells = page.locator(".jp-Cell").count()
    root.locator(".vtb-title").click()
    assert root.evaluate("n => n === document.activeElement")
    for key in ["ArrowRight", "ArrowRight", "ArrowDown", "x", "d", "d", "a", "ArrowLeft"]:
        page.keyboard.press(key)
    assert root.locator(".vtb-position").text_content() == "Step 2 of 39"
    assert page.locator(".jp-Cell").count() == cells == 4
    assert root.locator("[data-register=a1][data-changed]").count() == 1

    # The other view follows, and the kernel knows the step.
    page.wait_for_function("document.querySelectorAll('.vtb').length === 2")
    assert page.locator(".vtb-position").nth(1).text_content() == "Step 2 of 39"
    last = page.locator(".jp-CodeCell").last
    last.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    last.get_by_text("the kernel sees step 2").wait_for(timeout=KERNEL_TIMEOUT)

    # The theme follows JupyterLab's.
    assert root.get_attribute("data-vtb-theme") == "light"
    page.evaluate(EXECUTE, ["apputils:change-theme", {"theme": "JupyterLab Dark"}])
    page.wait_for_selector(".vtb[data-vtb-theme=dark]", timeout=KERNEL_TIMEOUT)

    # The notebook that JupyterLab saves with the widgets' state becomes a live page.
    page.evaluate(EXECUTE, ["@jupyter-widgets/jupyterlab-manager:saveWidgetState", {}])
    for _ in range(100):
        page.evaluate(EXECUTE, ["docmanager:save", {}])
        page.wait_for_timeout(100)
        if "widget-state+json" in file.read_text(encoding="utf-8"):
            break
    exported = open_page(export_notebook(file, tmp_path / "saved.html"))
    assert exported.locator(".vtb-position").first.text_content() == "Step 2 of 39"
    exported.locator("[data-action=next]").first.click()
    assert exported.locator("[data-register=a1]").first.is_visible()
    assert exported.locator(".vtb-position").nth(1).text_content() == "Step 3 of 39"
    assert exported.left == []
