"""Queues, cells and costs in JupyterLab: keys stay in the widget, the kernel sees the moves."""

from __future__ import annotations

import pytest

from tests.lab_server import EXECUTE, running_lab, start_all_cells

pytest.importorskip("jupyterlab", reason="needs JupyterLab")

KERNEL_TIMEOUT = 60_000  # milliseconds
CELLS = [
    "from tests.widgets.test_queueview import data\n"
    "from vtbook import QueueView\n"
    "queues = QueueView(data())\n"
    "queues",
    "from vtbook import ByteGrid\n"
    "grid = ByteGrid('Rounds', ['clean', 'dirty'], [[0] * 100, [0, 1] * 50])\n"
    "grid",
    "from tests.widgets.test_costbars import bars\nchart = bars()\nchart",
    "print('seen:', queues.step, grid.step, chart.values)",
]


@pytest.fixture(scope="module")
def address(tmp_path_factory, kernel_path):
    nbformat = pytest.importorskip("nbformat")
    new = nbformat.v4
    root = tmp_path_factory.mktemp("lab")
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = new.new_notebook(cells=[new.new_code_cell(c) for c in CELLS], metadata=metadata)
    nbformat.write(notebook, root / "three.ipynb")
    with running_lab(root) as at:
        yield at("lab/tree/three.ipynb")


def test_the_three_live_in_jupyterlab(address, open_page):
    size = {"width": 1200, "height": 1000}
    page = open_page(address, online=True, wait=".jp-CodeCell", viewport=size)
    start_all_cells(page, KERNEL_TIMEOUT)
    page.locator(".vtb-costbars").wait_for(timeout=KERNEL_TIMEOUT)
    queues, grid = page.locator(".vtb-queueview"), page.locator(".vtb-bytegrid")

    queues.locator(".vtb-title").click()
    for key in ["ArrowRight", "ArrowRight", "d", "d", "x"]:
        page.keyboard.press(key)
    assert queues.locator(".vtb-position").text_content() == "Step 2 of 4"

    grid.locator(".vtb-cells").focus()
    for key in ["ArrowRight", "ArrowRight", "ArrowRight", "a", "b", "d", "d"]:
        page.keyboard.press(key)
    assert grid.locator(".vtb-cells").evaluate("n => n === document.activeElement")
    assert grid.locator(".vtb-cell-info").inner_text().startswith("Page 3 at 0x3000: clean")
    grid.locator(".vtb-title").click()
    page.keyboard.press("ArrowRight")
    assert grid.locator(".vtb-position").text_content() == "Step 1 of 1"

    number = page.locator(".vtb-costbars input[type=number]").first
    number.fill("2.5")
    page.keyboard.press("Tab")
    assert page.locator(".jp-CodeCell").count() == len(CELLS)

    last = page.locator(".jp-CodeCell").last
    last.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    last.get_by_text("seen: 2 1 [2.5, 1200").wait_for(timeout=KERNEL_TIMEOUT)

    blank = grid.evaluate("n => getComputedStyle(n).getPropertyValue('--vtb-blank')")
    page.evaluate(EXECUTE, ["apputils:change-theme", {"theme": "JupyterLab Dark"}])
    page.wait_for_selector(".vtb-bytegrid[data-vtb-theme=dark]", timeout=KERNEL_TIMEOUT)
    assert grid.evaluate("n => getComputedStyle(n).getPropertyValue('--vtb-blank')") != blank
