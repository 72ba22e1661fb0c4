"""Build the firmware again: `python -m vtbook.guests.firmware.build`."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from vtbook.files import replace_file
from vtbook.guests.compilers import Compiler, choose, find_compilers
from vtbook.guests.firmware.images import HERE, MARCH, OPTIMIZE, build_firmware, source_hash


def build(compiler: Compiler, folder: Path) -> None:
    """Write firmware.elf and manifest.json into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    content = build_firmware(compiler=compiler).read_bytes()
    description = {
        "compiler": {"name": compiler.name, "version": compiler.version},
        "march": MARCH,
        "optimize": OPTIMIZE,
        "source_sha256": source_hash(),
        "elf_sha256": hashlib.sha256(content).hexdigest(),
    }
    replace_file(folder / "firmware.elf", content)
    replace_file(folder / "manifest.json", (json.dumps(description, indent=1) + "\n").encode())
    print(f"firmware.elf: {len(content)} bytes")


def main() -> None:
    """Build the firmware and write its manifest."""
    parser = argparse.ArgumentParser(prog="python -m vtbook.guests.firmware.build")
    parser.add_argument("--compiler", default="auto", help="a name from find_compilers()")
    parser.add_argument("--output", type=Path, default=HERE, help="another folder")
    options = parser.parse_args()
    build(choose(options.compiler, find_compilers()), options.output)


if __name__ == "__main__":
    main()
