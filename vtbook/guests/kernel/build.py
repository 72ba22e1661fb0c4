"""Build the image of the teaching kernel again: `python -m vtbook.guests.kernel.build`."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from vtbook.files import replace_file
from vtbook.guests.compilers import Compiler, choose, find_compilers
from vtbook.guests.kernel.compile import (
    MARCH,
    build_kernel,
    build_programs,
    build_ramdisk,
    source_hash,
)
from vtbook.guests.kernel.images import IMAGES


def build(compiler: Compiler, folder: Path) -> None:
    """Write kernel.elf and manifest.json into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    kernel = build_kernel(compiler, build_ramdisk(build_programs(compiler)))
    description = {
        "compiler": {"name": compiler.name, "version": compiler.version},
        "march": MARCH,
        "source_sha256": source_hash(),
        "elf_sha256": hashlib.sha256(kernel).hexdigest(),
    }
    replace_file(folder / "kernel.elf", kernel)
    replace_file(folder / "manifest.json", (json.dumps(description, indent=1) + "\n").encode())
    print(f"kernel.elf: {len(kernel)} bytes")


def main() -> None:
    """Build the kernel and write its manifest."""
    parser = argparse.ArgumentParser(prog="python -m vtbook.guests.kernel.build")
    parser.add_argument("--compiler", default="auto", help="a name from find_compilers()")
    parser.add_argument("--output", type=Path, default=IMAGES, help="another folder")
    options = parser.parse_args()
    build(choose(options.compiler, find_compilers()), options.output)


if __name__ == "__main__":
    main()
