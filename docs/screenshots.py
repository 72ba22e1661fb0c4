"""Make the pictures of the README: chapter 00's stepper in JupyterLab, light and dark.

    python docs/screenshots.py [FOLDER]

Runs the chapter in a JupyterLab of its own and takes the pictures with a Chromium from the PATH. It
needs the ``test`` extra.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SWITCHES = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
TIMEOUT = 180_000  # milliseconds; on the first run the machine is compiled
STEP = 14  # of the recording: puts has printed one character and reads the next
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
LARGEST = 300_000  # bytes of a picture

NO_NEWS = ("@jupyterlab", "apputils-extension", "notification.jupyterlab-settings")
KERNEL = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status"
EXECUTE = "([name, options]) => { jupyterapp.commands.execute(name, options); }"
FRESH = """() => jupyterapp.shell.currentWidget.content.widgets.every(cell =>
    cell.model.type !== 'code' || cell.model.executionCount !== null)"""


@contextmanager
def lab(chapter: Path) -> Iterator[str]:
    """A JupyterLab with its own settings; the address of a copy of the chapter in it."""
    with tempfile.TemporaryDirectory(prefix="vtbook-lab-") as folder:
        shutil.copy(chapter, folder)
        own = ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
        environment = {**os.environ, **{name: f"{folder}/.{name}" for name in own}}
        settings = Path(folder, ".JUPYTERLAB_SETTINGS_DIR", *NO_NEWS)
        settings.parent.mkdir(parents=True)
        settings.write_text('{"fetchNews": "false", "checkForUpdates": false}')
        environment["JUPYTER_RUNTIME_DIR"] = f"{folder}/.runtime"
        search = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
        environment["PYTHONPATH"] = os.pathsep.join(search)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        token = secrets.token_hex(16)
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
        command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
        command += [f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={token}"]
        command += ["--LabApp.expose_app_in_browser=True"]
        with open(f"{folder}/.log", "w") as log:
            server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
        try:
            _wait_for(f"http://127.0.0.1:{port}/login")
            yield f"http://127.0.0.1:{port}/lab/tree/{chapter.name}?token={token}"
        finally:
            server.terminate()
            server.wait(30)


def _wait_for(address: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise TimeoutError(f"{address} does not answer")


def command(page: Page, name: str, **options: Any) -> None:
    """Execute a command of JupyterLab."""
    page.evaluate(EXECUTE, [name, options])


def open_and_run(browser: Any, address: str, width: int = 1180, height: int = 1000) -> Page:
    """The chapter in a page without side bars, after all its cells have run."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(address)
    page.wait_for_function(f"{KERNEL} === 'idle'", timeout=TIMEOUT)
    command(page, "application:toggle-left-area")
    command(page, "notebook:run-all-cells")
    page.wait_for_function(FRESH, timeout=TIMEOUT)
    page.wait_for_function(f"{KERNEL} === 'idle'", timeout=TIMEOUT)
    return page


def set_theme(page: Page, name: str) -> None:
    """Switch JupyterLab to its ``light`` or ``dark`` theme."""
    command(page, "apputils:change-theme", theme=THEMES[name])
    page.wait_for_selector(f".vtb[data-vtb-theme={name}]", timeout=TIMEOUT, state="attached")
    page.wait_for_timeout(500)


def main(folder: Path) -> None:
    """Take the pictures."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        sys.exit(f"screenshots: no browser on the PATH, one of {', '.join(BROWSERS)}")
    folder.mkdir(parents=True, exist_ok=True)
    chapter = ROOT / "chapters" / "00-start.ipynb"
    with lab(chapter) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=SWITCHES)
        page = open_and_run(browser, address)
        command(page, "notebook:move-cursor-up")
        stepper = page.locator(".vtb").first
        stepper.scroll_into_view_if_needed()
        stepper.locator(".vtb-title").click()
        for _ in range(STEP):
            page.keyboard.press("ArrowRight")
        for name in THEMES:
            set_theme(page, name)
            path = folder / f"stepper-{name}.png"
            stepper.screenshot(path=path)
            size = path.stat().st_size
            print(f"{path}: {size / 1000:.0f} kB")
            if size >= LARGEST:
                sys.exit(f"screenshots: {path} has {size:,} bytes; keep it below {LARGEST:,}")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")
