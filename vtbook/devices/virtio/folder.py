"""A folder of the host, and nothing else of it, for a guest that names files in it.

A path is a tuple of names from the folder on. Each name is opened relative to the directory before
it, without following a symbolic link. So neither ``..`` nor a link leads out of the folder, also
not one that somebody puts there at the same moment.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vtbook.errors import VtbookError

Names = tuple[bytes, ...]

_DIRECTORY = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY |= getattr(os, "O_CLOEXEC", 0)
_FILE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
MODE = 0o777
"""Permission bits that a guest may set; set-user-id and the like it may not."""


class FolderError(VtbookError):
    """A folder cannot be shared."""


def refuse(code: int) -> OSError:
    """An error as the host's system would raise it."""
    return OSError(code, os.strerror(code))


def checked_name(name: bytes) -> bytes:
    """A name for something inside a directory.

    Raises:
        OSError: EINVAL: it is empty, ``.``, ``..``, or has a slash or a zero in it.
    """
    if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
        raise refuse(errno.EINVAL)
    return name


class Folder:
    """Access to the files below `path`. Every method raises OSError, with the host's number.

    Only files and directories are opened: a FIFO or a device of the host would let the guest wait
    for, or reach, something outside.

    Args:
        path: an existing directory.
        read_only: refuse every change with EROFS.
    """

    def __init__(self, path: str | os.PathLike[str], *, read_only: bool = False) -> None:
        self.path, self.read_only = Path(path), read_only
        if os.open not in os.supports_dir_fd:
            raise FolderError(f"{path}: sharing a folder needs Linux or macOS")
        try:
            self._root = os.open(path, _DIRECTORY & ~getattr(os, "O_NOFOLLOW", 0))
        except OSError as error:
            raise FolderError(
                f"{path}: cannot be shared ({error.strerror}); give an existing directory"
            ) from None

    def close(self) -> None:
        """Let go of the directory; a second call does nothing."""
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    @contextmanager
    def directory(self, path: Names) -> Iterator[int]:
        """A descriptor of the directory `path`, for as long as the block runs."""
        at = os.dup(self._root)
        try:
            for name in path:
                following = os.open(name, _DIRECTORY, dir_fd=at)
                os.close(at)
                at = following
            yield at
        finally:
            os.close(at)

    def stat(self, path: Names) -> os.stat_result:
        """What is there; a symbolic link is itself."""
        if not path:
            return os.fstat(self._root)
        with self.directory(path[:-1]) as parent:
            return os.stat(path[-1], dir_fd=parent, follow_symlinks=False)

    def open(self, path: Names, flags: int) -> int:
        """Open a file or a directory that exists; return a descriptor.

        Args:
            flags: O_RDONLY, O_WRONLY or O_RDWR, and O_TRUNC.
        """
        if flags & ~os.O_RDONLY:
            self._changes()
        if not path:
            if flags & ~os.O_RDONLY:
                raise refuse(errno.EISDIR)
            return os.dup(self._root)
        with self.directory(path[:-1]) as parent:
            _check_kind(os.stat(path[-1], dir_fd=parent, follow_symlinks=False))
            return _checked(os.open(path[-1], flags | _FILE, dir_fd=parent))

    def create(self, path: Names, flags: int, mode: int) -> int:
        """Make a file, or open the one that is there unless O_EXCL is set."""
        self._changes()
        with self.directory(path[:-1]) as parent:
            with suppress(FileNotFoundError):
                _check_kind(os.stat(path[-1], dir_fd=parent, follow_symlinks=False))
            flags |= os.O_CREAT | _FILE
            return _checked(os.open(path[-1], flags, mode & MODE, dir_fd=parent))

    def entries(self, path: Names) -> list[bytes]:
        """The names in a directory, sorted."""
        with self.directory(path) as at:
            return sorted(map(os.fsencode, os.listdir(at)))

    def read_link(self, path: Names) -> bytes:
        """Where a symbolic link says it leads."""
        if not path:
            raise refuse(errno.EINVAL)
        with self.directory(path[:-1]) as parent:
            return os.readlink(path[-1], dir_fd=parent)

    def make_directory(self, path: Names, mode: int) -> None:
        """Make a directory."""
        self._changes()
        with self.directory(path[:-1]) as parent:
            os.mkdir(path[-1], mode & MODE, dir_fd=parent)

    def remove(self, path: Names, *, directory: bool) -> None:
        """Remove a file or link, or an empty directory."""
        self._changes()
        if not path:
            raise refuse(errno.EBUSY)
        with self.directory(path[:-1]) as parent:
            (os.rmdir if directory else os.unlink)(path[-1], dir_fd=parent)

    def rename(self, path: Names, to: Names) -> None:
        """Move a file or directory, in place of a file that is there."""
        self._changes()
        if not path:
            raise refuse(errno.EBUSY)
        with self.directory(path[:-1]) as parent, self.directory(to[:-1]) as target:
            os.rename(path[-1], to[-1], src_dir_fd=parent, dst_dir_fd=target)

    def change(
        self,
        path: Names,
        *,
        mode: int | None = None,
        size: int | None = None,
        times: tuple[int, int] | None = None,
    ) -> None:
        """Change permissions, length, or times of access and modification in nanoseconds."""
        self._changes()
        at = self.open(path, os.O_RDONLY if size is None else os.O_WRONLY)
        try:
            if size is not None:
                os.ftruncate(at, size)
            if mode is not None:
                os.fchmod(at, mode & MODE)
            if times is not None:
                os.utime(at, ns=times)
        finally:
            os.close(at)

    def space(self) -> os.statvfs_result:
        """How full the host's file system is."""
        return os.fstatvfs(self._root)

    def _changes(self) -> None:
        if self.read_only:
            raise refuse(errno.EROFS)


def _check_kind(status: os.stat_result) -> None:
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise refuse(errno.ELOOP if stat.S_ISLNK(status.st_mode) else errno.EPERM)


def _checked(descriptor: int) -> int:
    """What was opened may not be what was looked at before."""
    try:
        _check_kind(os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
