"""What is kept beside a prebuilt image: manifest.json, with its compiler and two hashes.

The hash of the sources says whether an image is still what they make; that of the image, whether
it is whole.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from vtbook.files import replace_file
from vtbook.guests.compilers import Compiler, choose, find_compilers

NAME = "manifest.json"


def hash_sources(paths: Iterable[Path], root: Path | None = None) -> str:
    """Hash the files that an image is made from (SHA-256, hexadecimal).

    Names count, as paths from `root` (else without folders); how lines end does not.
    """
    total = hashlib.sha256()
    for path in paths:
        name = path.relative_to(root).as_posix() if root else path.name
        total.update(name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return total.hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest in `folder`."""
    content: dict[str, Any] = json.loads((folder / NAME).read_text(encoding="utf-8"))
    return content


def write_manifest(folder: Path, compiler: Compiler, **more: Any) -> None:
    """Write the manifest into `folder`: the compiler's name and version, and `more`."""
    content = {"compiler": {"name": compiler.name, "version": compiler.version}, **more}
    replace_file(folder / NAME, (json.dumps(content, indent=1) + "\n").encode())


def write_image(
    path: Path, content: bytes, compiler: Compiler, *, source_sha256: str, **more: Any
) -> None:
    """Write an image and, beside it, the manifest that says what it was made with and from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content)
    hashes = {"source_sha256": source_sha256, "elf_sha256": hashlib.sha256(content).hexdigest()}
    write_manifest(path.parent, compiler, **more, **hashes)
    print(f"{path.name}: {len(content)} bytes")


def run_build(module: str, build: Callable[[Compiler, Path], None], folder: Path) -> None:
    """Do what the command line asks of a module that builds one image; `folder` is its place."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("--compiler", default="auto", help="a name from find_compilers()")
    parser.add_argument("--output", type=Path, default=folder, help="another folder")
    options = parser.parse_args()
    build(choose(options.compiler, find_compilers()), options.output)
