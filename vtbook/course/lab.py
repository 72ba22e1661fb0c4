"""``vtbook lab``: JupyterLab, opened on the first chapter."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from vtbook.course.messages import say
from vtbook.errors import VtbookError

START = Path("chapters", "00-start.ipynb")
"""By this file a book is known."""
HOME = Path("chapters", "home.ipynb")
"""The start page, which JupyterLab opens."""
PACKAGE = Path(__file__).resolve().parents[1]
BOOK_FOLDERS = ("chapters", "exercises", "solutions")


class LabError(VtbookError):
    """JupyterLab cannot be opened on the book."""


def find_book(folder: Path | None = None) -> Path:
    """The folder that holds ``chapters``.

    Looked for in this order: ``folder``, if given; the current folder and those above it; the clone
    that this package is run from; the copy that came with the package, which is copied to
    ``vtbook`` in the user's documents so that it can be written in. What the reader changed there
    stays.

    Raises LabError, which says where it looked.
    """
    if folder is not None:
        if not (folder / START).exists():
            raise LabError(f"{folder}: no {START} in it; give the folder that holds chapters/")
        return folder
    near = book_nearby()
    if near is not None:
        return near
    installed = installed_book()
    if installed is not None:
        return copy_book(installed, documents_folder())
    raise LabError(
        f"no {START} here ({Path.cwd()}), in the clone, or beside the installed package; "
        "run this in a clone of the book, or give --folder"
    )


def book_nearby() -> Path | None:
    """The book around the current folder, or in the clone that this package is run from."""
    here = Path.cwd()
    for candidate in (here, *here.parents, PACKAGE.parent):
        if (candidate / START).exists():
            return candidate
    return None


def installed_book() -> Path | None:
    """The copy of the book that came with the installed package, if it did."""
    schemes = ["", f"{os.name}_user"]
    for scheme in schemes:
        data = sysconfig.get_path("data", scheme) if scheme else sysconfig.get_path("data")
        if data and (Path(data, "share", "vtbook") / START).exists():
            return Path(data, "share", "vtbook")
    return None


def documents_folder() -> Path:
    """Where the reader's own copy of the book goes."""
    import platformdirs

    return platformdirs.user_documents_path() / "vtbook"


def copy_book(installed: Path, target: Path) -> Path:
    """Copy what the reader's copy of the book does not have yet; return that copy."""
    new = 0
    for name in BOOK_FOLDERS:
        for source in sorted((installed / name).rglob("*")):
            place = target / source.relative_to(installed)
            if source.is_file() and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, place)
                new += 1
    if new:
        say(f"your copy of the book is in {target} ({new} files are new)")
    return target


def lab_command(
    book: Path, *, browser: bool, port: int | None, options: Sequence[str]
) -> list[str]:
    """The command that opens JupyterLab on the book."""
    first = HOME if (book / HOME).is_file() else START
    command = [
        sys.executable,
        *("-m", "jupyterlab"),
        f"--ServerApp.root_dir={book}",
        f"--LabApp.default_url=/lab/tree/{first.as_posix()}",
    ]
    if not browser:
        command.append("--no-browser")
    if port is not None:
        command.append(f"--port={port}")
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root and "--allow-root" not in options:
        say("running as root, so JupyterLab gets --allow-root; it listens on this computer only")
        command.append("--allow-root")
    return [*command, *options]


def open_lab(
    folder: Path | None, *, browser: bool, port: int | None, options: Sequence[str]
) -> int:
    """Open JupyterLab and stay until it ends; returns its exit status.

    Raises LabError: no book, or no JupyterLab.
    """
    book = find_book(folder)
    if importlib.util.find_spec("jupyterlab") is None:
        raise LabError(
            f"JupyterLab is not installed; run: {sys.executable} -m pip install jupyterlab"
        )
    command = lab_command(book, browser=browser, port=port, options=options)
    if os.name == "posix":
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(command[0], command)
    return subprocess.call(command)
