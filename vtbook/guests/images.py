"""The prebuilt programs: ELF files that run without a compiler.

`images/manifest.json` says how each was made and what it must print. Its keys:

compiler, flags     of all images
images.<name>       source_sha256 (of the program with its headers, the runtime and the linker
                    script), elf_sha256, and for a program:
    exit_code, output
                    as on QEMU's virt machine
                    and for a benchmark:
    runs            a list: size (the argument), checksum, and instructions: how many main()
                    retires with it
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vtbook.errors import VtbookError
from vtbook.guests import elf
from vtbook.guests.catalog import HERE, UnknownGuestError
from vtbook.guests.manifest import read_manifest

IMAGES = HERE / "images"

_ARGUMENTS = "program_arguments"  # in runtime/system.c
_ARGUMENTS_SIZE = 256  # bytes, with the zero at the end


class ArgumentsError(VtbookError):
    """Arguments that a guest program cannot be given."""


@functools.cache
def manifest() -> dict[str, Any]:
    """Read images/manifest.json."""
    return read_manifest(IMAGES)


def list_images() -> list[str]:
    """Return the names of the prebuilt programs."""
    return list(manifest()["images"])


def image_path(name: str) -> Path:
    """Return the path of a prebuilt program. Raises UnknownGuestError, which lists them."""
    if name not in manifest()["images"]:
        raise UnknownGuestError(f"no image {name!r}; there are {', '.join(list_images())}")
    return IMAGES / f"{name}.elf"


def image(name: str, *arguments: object) -> bytes:
    """Return a prebuilt program as the bytes of an ELF file, with these arguments for its main().

    The argument "+counters" makes it print what main() cost, in instructions and cycles.

    Raises UnknownGuestError and ArgumentsError.
    """
    return with_arguments(image_path(name).read_bytes(), *arguments)


def with_arguments(program: bytes | Path, *arguments: object) -> bytes:
    """Write a command line into a program that compile_c() made; return its bytes.

    A bare machine has no command line: the runtime finds it in the variable
    `program_arguments`, words separated by blanks, 255 bytes at most.

    Raises ArgumentsError if a word has a blank or is empty, if there are too many bytes, or if
    the program has no such variable.
    """
    content = program.read_bytes() if isinstance(program, Path) else program
    if not arguments:
        return content
    line = _command_line([str(argument) for argument in arguments])
    place = elf.symbols(content).get(_ARGUMENTS)
    if place is None:
        raise ArgumentsError(
            f"the program has no variable {_ARGUMENTS}; compile it with compile_c(runtime=True)"
        )
    return elf.patch(content, place, line)


def _command_line(words: Sequence[str]) -> bytes:
    for word in words:
        if not word or " " in word or "\0" in word:
            raise ArgumentsError(f"argument {word!r}: a word must not be empty or have a blank")
    line = " ".join(words).encode()
    if len(line) >= _ARGUMENTS_SIZE:
        raise ArgumentsError(
            f"the arguments have {len(line)} bytes; there is room for {_ARGUMENTS_SIZE - 1}"
        )
    return line.ljust(_ARGUMENTS_SIZE, b"\0")
