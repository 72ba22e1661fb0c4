"""The console in JupyterLab itself: typing into a guest, with the notebook still usable."""

from __future__ import annotations

import pytest

from tests.lab_server import EXECUTE, KERNEL, running_lab

pytest.importorskip("jupyterlab", reason="needs JupyterLab")
nbformat = pytest.importorskip("nbformat")

SLOW = 60_000  # milliseconds

TALK = """
from vtbook import Console, Machine, guest_image
machine = Machine("16 MiB")
machine.load(guest_image("monitor"))
console = Console(machine, title="Talk to it")
console
"""
LOOP = """
from vtbook import assemble
spinning = Machine("1 MiB")
spinning.load(assemble("_start: addi a0, a0, 1\\n j _start"))
spin = Console(spinning, title="Spin", rows=4)
spin
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory, kernel_path):
    root = tmp_path_factory.mktemp("lab")
    new = nbformat.v4
    cells = [
        new.new_code_cell(TALK.strip()),
        new.new_code_cell(LOOP.strip()),
        new.new_code_cell("print('the kernel sees', console.status['state'], 6 * 7)"),
        new.new_code_cell("console"),
        new.new_code_cell("console.pause()\nmachine.step_back(2000)"),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new.new_notebook(cells=cells, metadata=metadata), root / "talk.ipynb")
    with running_lab(root) as at:
        yield at("lab/tree/talk.ipynb")


def screen(widget):
    """The text shown; a terminal that is scrolled out of sight does not draw."""
    widget.locator(".xterm-screen").scroll_into_view_if_needed()
    return "\n".join(widget.locator(".xterm-rows > div").all_inner_texts()).replace("\xa0", " ")


def run_cell(page, number):
    page.locator(".jp-CodeCell").nth(number).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")


def wait_for(page, widget, text):
    for _ in range(300):
        if text in screen(widget):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{text!r} is not on the screen:\n{screen(widget)}")


def test_a_reader_types_and_the_guest_answers(lab, open_page):
    page = open_page(
        lab, online=True, wait=".jp-CodeCell", viewport={"width": 1280, "height": 1400}
    )
    page.wait_for_function(f"{KERNEL} === 'idle'", timeout=SLOW)
    run_cell(page, 0)
    first = page.locator(".vtb-console-widget").first
    first.locator(".xterm-rows").wait_for(timeout=SLOW)
    wait_for(page, first, "Type help.")
    first.get_by_text("waiting for input").wait_for(timeout=SLOW)

    # Keys reach the guest, none the notebook's command mode.
    cells = page.locator(".jp-Cell").count()
    first.locator(".xterm-screen").click()
    page.keyboard.type("echo dd xx aa bb")
    page.keyboard.press("Enter")
    wait_for(page, first, "\ndd xx aa bb")
    assert page.locator(".jp-Cell").count() == cells
    page.keyboard.type("nonsense")
    page.keyboard.press("Enter")
    wait_for(page, first, "nonsense? Type help.")
    red = first.locator(".xterm-rows span", has_text="nonsense?").first
    colour = red.evaluate("n => getComputedStyle(n).color").strip("rgb()").split(",")
    assert int(colour[0]) > int(colour[1]) + 80

    # One leaves the terminal by a key.
    page.keyboard.press("F6")
    assert page.evaluate("document.activeElement.dataset.action") == "run"

    # An endless loop runs, the kernel still answers, and Pause stops it.
    run_cell(page, 1)
    spin = page.locator(".vtb-console-widget").nth(1)
    spin.get_by_text("running").wait_for(timeout=SLOW)
    run_cell(page, 2)
    page.get_by_text("the kernel sees waiting 42").wait_for(timeout=SLOW)
    spin.locator("[data-action=run]").click()
    spin.get_by_text("paused").wait_for(timeout=SLOW)

    # A second view has the same screen, and shows what is typed in the first.
    run_cell(page, 3)
    second = page.locator(".vtb-console-widget").nth(2)
    wait_for(page, second, "nonsense? Type help.")
    second.locator(".xterm-screen").click()
    page.keyboard.type("uptime")
    page.keyboard.press("Enter")
    wait_for(page, first, "instructions since power-on")

    # Going back in time takes back what was printed.
    run_cell(page, 4)
    first.get_by_text("paused").wait_for(timeout=SLOW)
    for _ in range(100):
        if "nonsense?" in (text := screen(first)) and "since power-on" not in text:
            break
        page.wait_for_timeout(100)
    assert "nonsense? Type help." in text
    assert "since power-on" not in text

    # The theme follows JupyterLab's.
    page.evaluate(EXECUTE, ["apputils:change-theme", {"theme": "JupyterLab Dark"}])
    page.wait_for_selector(".vtb-console-widget[data-vtb-theme=dark]", timeout=SLOW)
    ground = first.locator(".vtb-console-screen")
    assert ground.evaluate("n => getComputedStyle(n).backgroundColor") == "rgb(15, 19, 24)"
