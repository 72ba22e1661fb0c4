"""Build the firmware again: `python -m vtbook.guests.firmware.build`."""

from __future__ import annotations

from pathlib import Path

from vtbook.guests.compilers import Compiler
from vtbook.guests.firmware.images import HERE, MARCH, OPTIMIZE, build_firmware, source_hash
from vtbook.guests.manifest import run_build, write_image


def build(compiler: Compiler, folder: Path) -> None:
    """Write firmware.elf and manifest.json into `folder`."""
    write_image(
        folder / "firmware.elf",
        build_firmware(compiler=compiler).read_bytes(),
        compiler,
        march=MARCH,
        optimize=OPTIMIZE,
        source_sha256=source_hash(),
    )


def main() -> None:
    """Build the firmware and write its manifest."""
    run_build("vtbook.guests.firmware.build", build, HERE)


if __name__ == "__main__":
    main()
