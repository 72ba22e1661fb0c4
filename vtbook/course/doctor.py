"""``vtbook doctor``: what works on this computer, what is missing, and how to get it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from vtbook.course.publish.chromium import NAMES as BROWSERS
from vtbook.errors import VtbookError

MINIMUM_PYTHON = (3, 11)
PIP = "python3 -m pip install"


@dataclass(frozen=True)
class Finding:
    """One thing looked for.

    use: what it is for. found: its version or place, or what is wrong. command: how to get it.
    """

    name: str
    ok: bool
    required: bool
    use: str
    found: str
    command: str = ""


@dataclass(frozen=True)
class Tool:
    """A program outside Python: its names, what it is for, and the package that has it."""

    names: tuple[str, ...]
    use: str
    debian: str


PACKAGES = {
    "numpy": "the guest's state and memory",
    "numba": "compiles the instruction definitions",
    "llvmlite": "makes machine code of them",
    "typer": "this command",
    "rich": "tables in the terminal",
    "matplotlib": "the figures of the chapters",
    "jupyterlab": "opens the chapters",
    "ipywidgets": "widgets in the chapters",
    "anywidget": "widgets in the chapters",
    "platformdirs": "finds the cache folder",
}
TOOLS = (
    Tool(("qemu-riscv64",), "chapter 05 and vtbook bench measure it; tests compare", "qemu-user"),
    Tool(
        ("qemu-system-riscv64",),
        "vtbook bench boot measures it; tests compare",
        "qemu-system-misc",
    ),
    Tool(
        ("gdb-multiarch", "riscv64-unknown-elf-gdb"),
        "a debugger for vtbook run --gdb and vtbook boot --gdb",
        "gdb-multiarch",
    ),
    Tool(BROWSERS, "slides as PDF and their check; tests of the widgets", "chromium"),
)
FIRMWARE = {
    "opensbi": "chapter 02 and vtbook boot --bios opensbi; the book has a firmware of its own",
    "u-boot": "chapter 02 and vtbook boot u-boot",
}
"""Firmware of the distribution that is looked for: name for `find_firmware` -> what it is for."""
EXTRAS = {
    "site": (
        "the book as a web site: vtbook site",
        "sphinx myst-nb sphinx-book-theme sphinxcontrib-bibtex sphinx-intl",
    ),
    "cluster": ("grading on a cluster: vtbook grade --scheduler", "distributed"),
}
"""Groups of packages in pyproject.toml -> what they are for, and what is in them."""


def examine() -> Iterator[Finding]:
    """Look for each thing, one after the other."""
    yield _python()
    yield from (_package(name, use) for name, use in PACKAGES.items())
    yield _attempt(
        "compiler of definitions", "compiles the interpreter", _try_numba, f"{PIP} numba"
    )
    yield _attempt(
        "cache folder",
        "keeps compiled code, so that the next start is quick",
        _try_cache,
        "export VTBOOK_CACHE=FOLDER, with a folder that you may write in",
    )
    yield _attempt("machine", "runs a guest: the hello program", _try_machine, f"{PIP} vtbook")
    yield _attempt("chapters", "the book", _try_chapters, "run this in a clone of the book")
    yield from _compilers()
    yield _linux()
    yield from (_firmware(name, use) for name, use in FIRMWARE.items())
    yield from (_tool(tool) for tool in TOOLS)
    yield from (_extra(name, use, packages.split()) for name, (use, packages) in EXTRAS.items())


def healthy(findings: list[Finding]) -> bool:
    """True if nothing that is required is missing."""
    return all(finding.ok for finding in findings if finding.required)


def as_data(findings: list[Finding]) -> dict[str, object]:
    """The findings as plain data, for ``--json``."""
    return {
        "ok": healthy(findings),
        "platform": platform.platform(),
        "findings": [asdict(finding) for finding in findings],
    }


def print_findings(findings: list[Finding]) -> None:
    """Write the findings to stdout as a table, and below it what to run for what is missing."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    screen = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for title in ("", "what", "found", "for"):
        table.add_column(title, overflow="fold")
    for finding in findings:
        mark = (
            "[green]ok[/]" if finding.ok else "[red]--[/]" if finding.required else "[yellow]-[/]"
        )
        table.add_row(mark, escape(finding.name), escape(finding.found), escape(finding.use))
    screen.print(table)
    for title, required in (("Required and missing", True), ("Optional and missing", False)):
        missing = [f for f in findings if not f.ok and f.required == required]
        if missing:
            screen.print(f"\n{title}; to get it:")
            for finding in missing:
                screen.print(f"  {escape(finding.name)}: {escape(finding.command)}", soft_wrap=True)
    if healthy(findings):
        screen.print("\nThis computer can run the book: vtbook lab")


def _linux() -> Finding:
    from vtbook.guests.linux import find

    image = find()
    found = f"{image.version} ({image.folder})" if image else "not built"
    return Finding(
        "Linux for the machine",
        image is not None,
        False,
        "chapters 00 and 02 boot it; vtbook boot linux",
        found,
        "vtbook guests linux (some minutes, no root needed)",
    )


def _firmware(name: str, use: str) -> Finding:
    from vtbook.machine.firmware import KNOWN_FIRMWARE, FirmwareError, find_firmware

    known = KNOWN_FIRMWARE[name]
    try:
        found, ok = str(find_firmware(name)), True
    except FirmwareError:
        found, ok = "not found", False
    return Finding(known.what, ok, False, use, found, f"apt install {known.package}")


def _extra(name: str, use: str, packages: list[str]) -> Finding:
    missing, versions = [], []
    for package in packages:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(package)
    found = f"missing: {', '.join(missing)}" if missing else ", ".join(versions)
    command = f"{PIP} {' '.join(packages)} (in a clone: {PIP} -e '.[{name}]')"
    return Finding(f"extra {name}", not missing, False, use, found, command)


def _python() -> Finding:
    wanted = ".".join(map(str, MINIMUM_PYTHON))
    return Finding(
        "Python",
        sys.version_info[:2] >= MINIMUM_PYTHON,
        True,
        f"runs everything; at least {wanted}",
        f"{platform.python_version()} ({sys.executable})",
        f"install Python {wanted} or later, and this package into it",
    )


def _package(name: str, use: str) -> Finding:
    try:
        found, ok = importlib.metadata.version(name), True
    except importlib.metadata.PackageNotFoundError:
        found, ok = "not installed", False
    return Finding(name, ok, True, use, found, f"{PIP} {name}")


def _attempt(name: str, use: str, attempt: Callable[[], str], command: str) -> Finding:
    """Try something out; whatever it raises is the finding."""
    try:
        return Finding(name, True, True, use, attempt(), command)
    except Exception as error:  # whatever is wrong here is what the reader must see
        text = str(error).strip().partition("\n")[0]
        kind = "" if isinstance(error, VtbookError) else f"{type(error).__name__}: "
        return Finding(name, False, True, use, kind + text, command)


def _try_numba() -> str:
    import numba

    compiled = numba.njit(lambda n: n * 2 + 1)
    if compiled(20) != 41:
        raise ArithmeticError("numba compiled 2 * 20 + 1 to something else than 41")
    return "a function compiled and ran"


def _try_cache() -> str:
    from vtbook.cpu.compiler import cache_folder

    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(b"vtbook")
    size = sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
    return f"{folder} ({size / 1e6:.1f} MB)"


def _try_machine() -> str:
    from vtbook.guests import image
    from vtbook.machine import Machine

    machine = Machine()
    machine.load(image("hello"))
    last = machine.run(budget=10_000_000)
    if not last.ok:
        raise RuntimeError(str(last))
    return machine.console.text.strip()


def _try_chapters() -> str:
    from vtbook.course.lab import START, LabError, book_nearby, installed_book

    book = book_nearby() or installed_book()
    if book is None:
        raise LabError(f"no {START} around the current folder, nor with the package")
    return str(book / START.parent)


def _compilers() -> Iterator[Finding]:
    from vtbook.guests import find_compilers, find_native_compilers

    for name, find, use, command in (
        (
            "C compiler for guests",
            find_compilers,
            "your own guest programs in C; the prebuilt ones need none",
            f"{PIP} ziglang",
        ),
        (
            "native C compiler",
            find_native_compilers,
            "compares guests with the same program on this computer",
            "apt install gcc",
        ),
    ):
        compilers = find()
        found = ", ".join(map(str, compilers)) or "none"
        yield Finding(name, bool(compilers), False, use, found, command)


def _tool(tool: Tool) -> Finding:
    path = next((p for name in tool.names if (p := shutil.which(name))), None)
    found = _version(path) if path else "not found"
    return Finding(tool.names[0], bool(path), False, tool.use, found, f"apt install {tool.debian}")


def _version(path: str) -> str:
    """The first line of what ``--version`` prints, or the path."""
    try:
        done = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            timeout=20,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return path
    return done.stdout.strip().partition("\n")[0] or Path(path).name
