"""A JupyterLab server for tests: its settings are its own, and it ends with the test."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

ROOT = Path(__file__).parents[1]
KERNEL = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status"
"""Script: the state of the kernel of the notebook in front. Cells run before it is ``idle``
bring up a dialog that asks for a kernel."""
EXECUTE = "([name, args]) => { jupyterapp.commands.execute(name, args); }"
"""Script: execute a command of JupyterLab, with its arguments."""

RAN = """() => jupyterapp.shell.currentWidget.content.widgets.every(cell =>
    cell.model.type !== 'code' || cell.model.executionCount !== null
    || cell.model.sharedModel.getSource() === '')"""
"""Script: whether every cell with code has run."""

NO_NEWS = ("@jupyterlab", "apputils-extension", "notification.jupyterlab-settings")
"""Where JupyterLab keeps whether it asks to show news, which lies over the page."""

OTHER_EXTENSIONS = ("@jupyter/nbgrader",)
"""Switched off: what another installed package adds to JupyterLab's window."""


def start_all_cells(page: Any, timeout: float) -> None:
    """Run all cells of the notebook in front, once its kernel is ready; do not wait for them."""
    page.wait_for_function(f"{KERNEL} === 'idle'", timeout=timeout)
    page.evaluate(EXECUTE, ["notebook:run-all-cells", {}])


def run_all_cells(page: Any, timeout: float) -> None:
    """The same, and wait until all have run. Cells without text are never run."""
    start_all_cells(page, timeout)
    page.wait_for_function(RAN, timeout=timeout)
    page.wait_for_function(f"{KERNEL} === 'idle'", timeout=timeout)


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextmanager
def running_lab(
    root: Path,
    *options: str,
    home: Path | None = None,
    keep: Sequence[str] = (),
    settings: Mapping[tuple[str, ...], Mapping[str, Any]] = MappingProxyType({}),
) -> Iterator[Callable[[str], str]]:
    """Serve a folder; give ``at(path)``: the address, with its token, of a path of the server.

    Args:
        root: The folder that JupyterLab shows.
        options: More options of its command line.
        home: Where its own configuration goes; a hidden folder in `root` if not given.
        keep: Extensions of other packages that stay on (see `OTHER_EXTENSIONS`).
        settings: Of JupyterLab: the place of a file of settings, as `NO_NEWS` -> what is in it.
    """
    home = home or root / ".own"
    names = ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    own = {name: str(home / name.lower()) for name in (*names, "JUPYTER_RUNTIME_DIR")}
    page = Path(own["JUPYTER_CONFIG_DIR"], "labconfig", "page_config.json")
    page.parent.mkdir(parents=True, exist_ok=True)
    disabled = {name: True for name in OTHER_EXTENSIONS if name not in keep}
    page.write_text(json.dumps({"disabledExtensions": disabled}))
    silent = {"fetchNews": "false", "checkForUpdates": False}
    for place, values in {NO_NEWS: silent, **settings}.items():
        file = Path(own["JUPYTERLAB_SETTINGS_DIR"], *place)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    reader = {"VTBOOK_PROGRESS": str(home / "progress.json")}  # not that of who runs the tests
    environment = {**reader, **os.environ, **own, "PYTHONPATH": search}
    port, token = _free_port(), secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    command += [f"--ServerApp.root_dir={root}", f"--IdentityProvider.token={token}"]
    command += ["--LabApp.expose_app_in_browser=True", *options]
    address = f"http://127.0.0.1:{port}"
    log = home / "server.log"
    with log.open("w") as out:
        server = subprocess.Popen(command, env=environment, stdout=out, stderr=out, cwd=root)
    try:
        _wait_for(f"{address}/login", server, log)
        yield lambda path: f"{address}/{path}{'&' if '?' in path else '?'}token={token}"
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None:
                break
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")
