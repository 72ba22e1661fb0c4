"""The teaching kernel as it is in the package, and disks for it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vtbook.errors import VtbookError
from vtbook.guests import elf
from vtbook.guests.kernel.mkfs import Disk, make_file_system
from vtbook.guests.manifest import read_manifest

HERE = Path(__file__).parent
IMAGES = HERE / "images"
RAMDISK_SIZE = 4 << 20  # bytes; the zeros at its end are not in the kernel's file


class UnknownProgramError(VtbookError):
    """The teaching kernel has no program of that name."""


@functools.cache
def manifest() -> dict[str, Any]:
    """Read images/manifest.json: compiler, march, source_sha256, elf_sha256."""
    return read_manifest(IMAGES)


def kernel_image() -> Path:
    """Return the path of the kernel, an ELF file to be loaded at 0x8020_0000 by a firmware.

    It is entered in S mode with the number of the hart in a0 and the address of the device tree in
    a1. A RAM disk with all its programs is part of it.
    """
    return IMAGES / "kernel.elf"


def disk_image(
    files: Mapping[str, bytes] | None = None, *, size: int = 8 << 20, standard: bool = True
) -> bytes:
    """Return a disk for the kernel, of `size` bytes: its programs and these files.

    files: paths from the root to contents, such as {"bin/mine": build_program(...)}; they win over
        the standard ones. A path that ends in "/" is a directory.
    standard: with the programs and files that the RAM disk has.

    Raises FileSystemError if a name is not possible, or there is no room.
    """
    return make_file_system((standard_files() if standard else {}) | dict(files or {}), size=size)


@functools.cache
def _ramdisk() -> Disk:
    content = kernel_image().read_bytes()
    places = elf.symbols(content)
    disk = _contents(content, places["ramdisk_start"], places["ramdisk_end"])
    return Disk(disk.ljust(RAMDISK_SIZE, b"\0"))


def _contents(image: bytes, start: int, end: int) -> bytes:
    """Return what a program has between two virtual addresses."""
    for segment in elf.segments(image):
        if segment.vaddr <= start and end <= segment.vaddr + segment.filesz:
            offset = segment.offset - segment.vaddr
            return image[offset + start : offset + end]
    raise elf.ElfError(f"the file holds nothing for {start:#x} to {end:#x}")


def standard_files() -> dict[str, bytes]:
    """Return what the RAM disk has on it: the programs in bin, and more."""
    return _ramdisk().files()


def list_programs() -> list[str]:
    """Return the names of the kernel's programs."""
    names = (name.removeprefix("bin/") for name in standard_files() if name.startswith("bin/"))
    return [name for name in names if name]


def program_image(name: str) -> bytes:
    """Return one of the kernel's programs, an ELF file. Raises UnknownProgramError."""
    content = standard_files().get(f"bin/{name}")
    if not content:
        known = ", ".join(list_programs())
        raise UnknownProgramError(f"the kernel has no program {name!r}; it has {known}")
    return content
