"""The built firmware, and how it is built."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vtbook.guests.compile import compile_c
from vtbook.guests.compilers import Compiler, MarchError, choose, find_compilers
from vtbook.guests.manifest import hash_sources, read_manifest
from vtbook.guests.support import compiler_library

HERE = Path(__file__).parent
IMAGE = HERE / "firmware.elf"
LINKER_SCRIPT = HERE / "link.ld"

# No floating point and no compressed instructions, so that it runs on the smallest hart that has
# a supervisor mode; the binary interface needs atomics between harts.
MARCH = "rv64ima_zicsr_zifencei"
OPTIMIZE = "-O2"
FLAGS = ("-fno-builtin", "-Wno-unused-parameter")
GCC_FLAGS = ("-fno-tree-loop-distribute-patterns",)  # memset() must not become a call of memset()


def sources() -> list[Path]:
    """The files that are compiled."""
    return sorted([*HERE.glob("*.c"), *HERE.glob("*.S")])


def source_hash() -> str:
    """Hash all the files that the firmware is made from (SHA-256, hexadecimal)."""
    return hash_sources([*sources(), HERE / "firmware.h", LINKER_SCRIPT])


@functools.cache
def manifest() -> dict[str, Any]:
    """What manifest.json says of the built firmware.

    Keys: compiler (name, version), march, optimize, source_sha256, elf_sha256.
    """
    return read_manifest(HERE)


def firmware_image() -> Path:
    """The built firmware, an ELF file for 0x8000_0000, which every hart enters in machine mode.

    It wants a1 to point to the device tree; a2 may point to OpenSBI's fw_dynamic_info. What it
    starts after itself is at the address which that names, or 2 MiB above.
    """
    return IMAGE


def build_firmware(
    *,
    compiler: str | Compiler = "auto",
    output: str | Path | None = None,
    defines: Mapping[str, Any] | None = None,
    debug: bool = False,
) -> Path:
    """Compile the firmware; return the path of the ELF file.

    Args:
        compiler: a name from find_compilers().
        output: where to write it; else it stays in the user's cache folder.
        defines: macros. EMULATE_TIME: hide the harts' `time` from supervisor mode, and do for it
            what firmware does on harts that lack it.
        debug: keep line numbers for a debugger.

    Raises:
        CompileError, NoCompilerError: as compile_c().
    """
    chosen = choose(compiler, find_compilers())
    try:
        compiler_library(chosen, MARCH)
        march = MARCH
    except MarchError:  # gcc for Linux has a library for this one only
        march = "rv64gc"
    return compile_c(
        sources(),
        output=output,
        optimize=OPTIMIZE,
        march=march,
        compiler=chosen,
        defines=defines,
        flags=[*FLAGS, *(GCC_FLAGS if chosen.family == "gcc" else ())],
        runtime=False,
        linker_script=LINKER_SCRIPT,
        debug=debug,
    )
