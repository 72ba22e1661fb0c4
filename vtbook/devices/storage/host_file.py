"""A file of the host, read and written at offsets: whole, locked, with errors that say where."""

from __future__ import annotations

import errno
import gc
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vtbook.devices.storage.base import StorageError

if sys.platform != "win32":
    import fcntl

WINDOWS_LOCK = 1 << 62
"""On Windows a lock is of bytes; this one is past the end of any file."""
NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""Errors after which a write may be tried again."""


class HostFile:
    """An open regular file or block device.

    Opening it takes a lock until it is closed: one writer, or any number of readers. The system
    drops the lock when the process ends. Where the file system has no locks there are none.

    Args:
        path: of the file.
        writable: open it for writing, too.
        new: make it; it must not exist.

    Raises:
        StorageError: it cannot be opened, is no regular file or block device, or somebody else
            has it open in a way that excludes this one.
    """

    _descriptor = -1

    def __init__(self, path: str | os.PathLike[str], *, writable: bool, new: bool = False) -> None:
        self.path = Path(path)
        self.writable = writable
        self._lost = False
        with self._errors("open for writing" if writable else "open"):
            if not new:
                self._check_kind()
            flags = os.O_RDWR if writable else os.O_RDONLY
            flags |= os.O_CREAT | os.O_EXCL if new else 0
            self._descriptor = os.open(self.path, flags | getattr(os, "O_BINARY", 0), 0o666)
        try:
            self._lock()
        except BaseException:
            self.close()
            raise

    def _check_kind(self) -> None:
        """Before opening it: to open a pipe would wait for its other end."""
        mode = os.stat(self.path).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
            raise StorageError(f"{self.path}: is no regular file and no block device")

    def _lock(self) -> None:
        if self._try_to_lock():
            return
        gc.collect()  # a machine that nobody has any more, as when a notebook's cell runs again
        if not self._try_to_lock():
            who = "somebody else uses it" if self.writable else "somebody else writes it"
            raise StorageError(
                f"{self.path}: {who}; close the other machine's disk, or give this one a copy",
                errno.EWOULDBLOCK,
            )

    def _try_to_lock(self) -> bool:
        try:
            if sys.platform != "win32":
                mode = fcntl.LOCK_EX if self.writable else fcntl.LOCK_SH
                fcntl.flock(self._descriptor, mode | fcntl.LOCK_NB)
            elif self.writable:
                import msvcrt

                os.lseek(self._descriptor, WINDOWS_LOCK, os.SEEK_SET)
                msvcrt.locking(self._descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            return error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
        return True

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"{self.path}: cannot {what} ({error.strerror})", error.errno
            ) from None

    @property
    def size(self) -> int:
        """In bytes; also of a block device."""
        with self._errors("tell its size"):
            return os.lseek(self._descriptor, 0, os.SEEK_END)

    @property
    def modified(self) -> int:
        """When the file was changed last, nanoseconds since 1970."""
        with self._errors("tell its age"):
            return os.fstat(self._descriptor).st_mtime_ns

    def read_at(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes at `offset`.

        Raises:
            StorageError: the host cannot read them, or the file ends before.
        """
        pieces, got = [], 0
        with self._errors(f"read {size:,} bytes at {offset:,}"):
            while got < size:
                piece = _pread(self._descriptor, size - got, offset + got)
                if not piece:
                    raise StorageError(f"{self.path}: ends at {offset + got:,}; was it cut off?")
                pieces.append(piece)
                got += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def write_at(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """All of `data` at `offset`.

        Raises:
            StorageError: the host cannot write it; a part may be written.
        """
        view = memoryview(data).cast("B")
        with self._errors(f"write {len(view):,} bytes at {offset:,}"):
            while len(view):
                done = _pwrite(self._descriptor, view, offset)
                if not done:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                view, offset = view[done:], offset + done

    def sync(self) -> None:
        """Return when all that was written is on the disk.

        Raises:
            StorageError: the host cannot promise that, now or ever since: after a failure Linux
                forgets what it could not write, so that a second try would only seem to succeed.
        """
        self.check()
        try:
            with self._errors("flush"):
                _sync(self._descriptor)
        except StorageError:
            self._lost = True
            raise

    def check(self) -> None:
        """Refuse to go on after a failed `sync`."""
        if self._lost:
            raise StorageError(
                f"{self.path}: an earlier flush failed, and what was written before it may be "
                "lost; look after the host's disk, then open it anew",
                errno.EIO,
            )

    def give_up(self) -> None:
        """Make every later `sync` and `check` fail: nobody knows what is on the disk."""
        self._lost = True

    def truncate(self, size: int) -> None:
        """Cut the file off, or lengthen it with zeroes that take no place."""
        with self._errors(f"set its size to {size:,}"):
            os.ftruncate(self._descriptor, size)

    def zero(self, offset: int, size: int) -> None:
        """Make bytes inside the file zero; where the host can, they then take no place."""
        if not _punch_hole(self._descriptor, offset, size):
            for at in range(offset, offset + size, 1 << 20):
                self.write_at(at, bytes(min(1 << 20, offset + size - at)))

    def close(self) -> None:
        """Close it and give the lock back; the same happens when nobody has it any more."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)

    def __del__(self) -> None:
        self.close()


if sys.platform == "win32":

    def _pread(descriptor: int, size: int, offset: int) -> bytes:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)

    def _pwrite(descriptor: int, data: memoryview, offset: int) -> int:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.write(descriptor, data)

    def _sync(descriptor: int) -> None:
        os.fsync(descriptor)

else:

    def _pread(descriptor: int, size: int, offset: int) -> bytes:
        return os.pread(descriptor, size, offset)

    def _pwrite(descriptor: int, data: memoryview, offset: int) -> int:
        return os.pwrite(descriptor, data, offset)

    def _sync(descriptor: int) -> None:
        if sys.platform == "darwin":  # fsync there leaves data in the drive's cache
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fdatasync(descriptor)


def _punch_hole(descriptor: int, offset: int, size: int) -> bool:
    """Give the place of some bytes back to the file system, on Linux where that is possible."""
    if sys.platform != "linux":
        return False
    import ctypes

    keep_size, punch_hole = 1, 2
    try:
        fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    except (OSError, AttributeError):
        return False
    fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    return fallocate(descriptor, keep_size | punch_hole, offset, size) == 0


def sync_folder(path: Path) -> None:
    """Make sure that the name of a new file survives a loss of power, where that can be done."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
