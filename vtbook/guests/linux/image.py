"""Where the Linux image is, and what it is made of."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from vtbook.files import cache_folder
from vtbook.guests.linux.cpio import archive_of

KERNEL = "Image"
INITRAMFS = "initramfs.cpio"
CONFIG = "kernel.config"
MANIFEST = "manifest.json"

HOW_TO_BUILD = "build it once with `vtbook guests linux` (some minutes, no root needed)"
"""What to tell a reader who has no image."""


@dataclass(frozen=True)
class LinuxImage:
    """A kernel and an initramfs in the cache folder.

    Attributes:
        folder: where the files are.
        version: of the kernel, such as "6.12.117".
        manifest: versions, compiler, sizes and SHA-256 of what was built, and what of.
    """

    folder: Path
    version: str
    manifest: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def kernel(self) -> Path:
        """The kernel, as a boot loader wants it: ``arch/riscv/boot/Image``."""
        return self.folder / KERNEL

    @property
    def initramfs(self) -> Path:
        """The first file system, a cpio archive."""
        return self.folder / INITRAMFS

    @property
    def config(self) -> Path:
        """The kernel's whole configuration."""
        return self.folder / CONFIG

    @property
    def is_current(self) -> bool:
        """Whether it was built by the recipe of this vtbook."""
        return self.manifest.get("recipe") == recipe()

    def initramfs_with(self, files: Mapping[str, bytes]) -> bytes:
        """The initramfs with more files: ``{"etc/vtbook.run": b"uname -a"}``; all are executable.

        Linux unpacks archives that stand one behind the other; a later file replaces an earlier.
        Raises CpioError for a name that no file can have.
        """
        return self.initramfs.read_bytes() + archive_of(files)


def images_folder() -> Path:
    """Where images are kept: below ``VTBOOK_CACHE``, or in the user's cache folder."""
    return cache_folder("linux")


def find(version: str | None = None) -> LinuxImage | None:
    """The image that was built here, or None.

    version: of the kernel, or its beginning, such as "6.12"; the newest if not given.
    """
    return next((x for x in list_built() if version is None or _fits(x.version, version)), None)


def list_built() -> list[LinuxImage]:
    """All images that were built here, the newest kernel first."""
    folders = images_folder().glob("*/" + MANIFEST)
    found = [image for path in folders if (image := _read(path.parent)) is not None]
    return sorted(found, key=lambda image: version_key(image.version), reverse=True)


@functools.cache
def recipe() -> str:
    """A hash of what makes an image besides the sources and the compiler."""
    top = Path(str(resources.files(__package__)))
    made_of = [
        top / name for name in ("kernel.config", "busybox.config", "cpio.py", "initramfs.py")
    ]
    made_of += sorted(path for path in (top / "root").rglob("*") if path.is_file())
    total = hashlib.sha256()
    for path in made_of:
        name = path.relative_to(top).as_posix()
        total.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:32]


def version_key(version: str) -> tuple[int, ...]:
    """For comparing versions: "6.12.9" -> (6, 12, 9)."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _fits(version: str, wanted: str) -> bool:
    return version == wanted or version.startswith(wanted + ".")


def _read(folder: Path) -> LinuxImage | None:
    """The image in a folder, if it is whole."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version, files = manifest["version"], manifest["files"]
        whole = all((folder / name).stat().st_size == files[name]["size"] for name in files)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not whole or not {KERNEL, INITRAMFS, CONFIG} <= set(files):
        return None
    return LinuxImage(folder, version, manifest)
