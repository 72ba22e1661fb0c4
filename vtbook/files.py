"""Files that several processes write, whole or not at all and one at a time, and their folder."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import platformdirs


def cache_folder(part: str) -> Path:
    """Where one part of the book keeps what can be made again; it need not be there yet.

    Below ``VTBOOK_CACHE``, or in the user's cache folder.
    """
    given = os.environ.get("VTBOOK_CACHE")
    return (Path(given) if given else platformdirs.user_cache_path("vtbook")) / part


def replace_file(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file so that nobody ever sees half of it; what was there stays if that fails.

    Args:
        path: The file; its folder must exist.
        data: All of its bytes.
        private: Let only the user read it.

    Raises OSError: it cannot be written. Nothing is left behind.
    """
    mode = 0o600 if private else 0o666  # less the umask
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with open(beside, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(data)
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that a file stands for; the system takes it back when the process ends.

    On a file system without locks everybody goes on at once. Raises OSError: the file cannot be
    opened for writing.
    """
    with path.open("a+b") as file:
        with suppress(OSError):
            _lock(file)
        yield


def _lock(file: Any) -> None:
    """Wait for the lock of an open file; it ends when the file is closed."""
    if os.name == "nt":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
