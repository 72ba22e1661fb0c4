"""Build the image of the teaching kernel again: `python -m vtbook.guests.kernel.build`."""

from __future__ import annotations

from pathlib import Path

from vtbook.guests.compilers import Compiler
from vtbook.guests.kernel.compile import (
    MARCH,
    build_kernel,
    build_programs,
    build_ramdisk,
    source_hash,
)
from vtbook.guests.kernel.images import IMAGES
from vtbook.guests.manifest import run_build, write_image


def build(compiler: Compiler, folder: Path) -> None:
    """Write kernel.elf and manifest.json into `folder`."""
    write_image(
        folder / "kernel.elf",
        build_kernel(compiler, build_ramdisk(build_programs(compiler))),
        compiler,
        march=MARCH,
        source_sha256=source_hash(),
    )


def main() -> None:
    """Build the kernel and write its manifest."""
    run_build("vtbook.guests.kernel.build", build, IMAGES)


if __name__ == "__main__":
    main()
