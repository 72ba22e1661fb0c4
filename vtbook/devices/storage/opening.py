"""`open_disk`: the disk that a file stands for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from vtbook.devices.storage.base import Storage, StorageError
from vtbook.devices.storage.cluster_file import read_base
from vtbook.devices.storage.overlay import SUFFIX, Overlay
from vtbook.devices.storage.raw import RawFile

Mode = Literal["overlay", "write", "read"]
DEEPEST = 16
"""Overlays on overlays at most."""


def open_disk(
    path: str | os.PathLike[str], mode: Mode = "overlay", *, sync: bool = True
) -> Storage:
    """Open an image, or with a name that ends in ``.overlay`` an overlay and what is below it.

    Args:
        path: of the file.
        mode: where writes go. ``overlay``: into memory, and the file stays as it is, so the machine
            can be in snapshots and go back in time. ``write``: into the file. ``read``: nowhere,
            the disk is read only.
        sync: `flush` waits for the host's disk.

    Raises:
        StorageError: the file or one below it cannot be opened.
    """
    if mode not in ("overlay", "write", "read"):
        raise ValueError(f"mode {mode!r}: give 'overlay', 'write' or 'read'")
    disk = _open(Path(path), mode == "write", sync, DEEPEST)
    return Overlay(disk) if mode == "overlay" else disk


def _open(path: Path, writable: bool, sync: bool, depth: int) -> Storage:
    if path.suffix != SUFFIX:
        return RawFile(path, read_only=not writable, sync=sync)
    if not depth:
        raise StorageError(
            f"{path}: more than {DEEPEST} overlays on each other; is it its own base?"
        )
    base = read_base(path)
    if base is None:
        raise StorageError(f"{path}: is not an overlay, as its name says; rename it")
    if base.path is None:
        raise StorageError(f"{path}: its base was no file; open it with Overlay(base, path)")
    below = _open(path.parent / base.path, False, sync, depth - 1)
    try:
        return Overlay(below, path, read_only=not writable, sync=sync)
    except BaseException:
        below.close()
        raise
