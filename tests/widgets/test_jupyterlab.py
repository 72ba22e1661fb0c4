"""The stepper in JupyterLab itself: a server, a kernel, a browser, one notebook."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from vtbook.widgets import export_notebook

pytest.importorskip("jupyterlab", reason="needs JupyterLab")

KERNEL_TIMEOUT = 60_000  # milliseconds


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def lab(notebook, tmp_path_factory):
    """The address of a notebook in a running JupyterLab, and its file; settings are its own."""
    root = tmp_path_factory.mktemp("lab")
    shutil.copy(notebook, root / "steps.ipynb")
    port = free_port()
    own = {name: str(root / name) for name in ("config", "settings", "workspaces", "runtime")}
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": own["config"],
        "JUPYTERLAB_SETTINGS_DIR": own["settings"],
        "JUPYTERLAB_WORKSPACES_DIR": own["workspaces"],
        "JUPYTER_RUNTIME_DIR": own["runtime"],
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    token = secrets.token_hex(16)
    command += [f"--ServerApp.root_dir={root}", f"--IdentityProvider.token={token}"]
    command += ["--LabApp.expose_app_in_browser=True"]
    address = f"http://127.0.0.1:{port}"
    log = root / "server.log"
    with log.open("w") as out:
        server = subprocess.Popen(command, env=environment, stdout=out, stderr=out, cwd=root)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/login", timeout=2).close()
                break
            except (urllib.error.URLError, OSError):
                assert server.poll() is None, log.read_text()
                time.sleep(0.1)
        else:
            pytest.fail(f"JupyterLab did not start:\n{log.read_text()}")
        yield f"{address}/lab/tree/steps.ipynb?token={token}", root / "steps.ipynb"
    finally:
        server.terminate()
        server.wait(20)


def test_the_widget_lives_in_jupyterlab_and_in_what_it_saves(lab, open_page, tmp_path):
    address, file = lab
    page = open_page(
        address,
        online=True,
        wait=".jp-CodeCell",
        viewport={"width": 1280, "height": 1000},
    )
    # Cells run before the kernel is there would bring up a dialog that asks for one.
    kernel = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status"
    page.wait_for_function(f"{kernel} === 'idle'", timeout=KERNEL_TIMEOUT)
    execute = "([name, args]) => { jupyterapp.commands.execute(name, args); }"
    page.evaluate(execute, ["notebook:run-all-cells", {}])
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
    page.evaluate(execute, ["apputils:change-theme", {"theme": "JupyterLab Dark"}])
    page.wait_for_selector(".vtb[data-vtb-theme=dark]", timeout=KERNEL_TIMEOUT)

    # The notebook that JupyterLab saves with the widgets' state becomes a live page.
    page.evaluate(execute, ["@jupyter-widgets/jupyterlab-manager:saveWidgetState", {}])
    for _ in range(100):
        page.evaluate(execute, ["docmanager:save", {}])
        page.wait_for_timeout(100)
        if "widget-state+json" in file.read_text(encoding="utf-8"):
            break
    exported = open_page(export_notebook(file, tmp_path / "saved.html"))
    assert exported.locator(".vtb-position").first.text_content() == "Step 2 of 39"
    exported.locator("[data-action=next]").first.click()
    assert exported.locator("[data-register=a1]").first.is_visible()
    assert exported.locator(".vtb-position").nth(1).text_content() == "Step 3 of 39"
    assert exported.left == []
