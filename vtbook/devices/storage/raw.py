"""A disk image: a file, or a block device of the host, byte for byte the disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from vtbook.devices.storage.base import Clusters, Identity, Storage, StorageError
from vtbook.devices.storage.host_file import HostFile, sync_folder


class RawFile(Storage):
    """A disk image, read and written directly.

    While it is open it is locked: one machine writes, or several read.

    A machine with a writable one cannot go back in time or be in a snapshot, since what was
    overwritten is gone; put an `Overlay` on a read-only one for that.

    Args:
        path: of an existing file or block device; see `create`.
        read_only: refuse writes, and open it together with other readers.
        sync: `flush` waits for the host's disk. Without it, a flush survives the end of this
            process, but not of the host.

    Raises:
        StorageError: it cannot be opened, or somebody else writes it.
    """

    KIND = "raw"

    def __init__(
        self, path: str | os.PathLike[str], *, read_only: bool = False, sync: bool = True
    ) -> None:
        self.file = HostFile(path, writable=not read_only)
        self.sync = sync
        try:
            super().__init__(str(self.file.path), self.file.size, read_only=read_only)
        except BaseException:
            self.file.close()
            raise
        self._identity: Identity | None = None

    @classmethod
    def create(cls, path: str | os.PathLike[str], size: int, *, sync: bool = True) -> RawFile:
        """Make an image of `size` zero bytes, which take no place until they are written.

        Raises:
            StorageError: the file exists already, or cannot be made.
        """
        if size < 0:
            raise ValueError(f"a disk of {size} bytes")
        file = HostFile(path, writable=True, new=True)
        try:
            file.truncate(size)
        finally:
            file.close()
        sync_folder(file.path.parent)
        return cls(path, sync=sync)

    @property
    def path(self) -> Path:
        """Of the file."""
        return self.file.path

    def identity(self) -> Identity:
        """Size, age and fingerprint; read once if nobody can write."""
        if not self.read_only:
            return super().identity()
        if self._identity is None:
            self._identity = super().identity()
        return self._identity

    @property
    def can_go_back(self) -> bool:
        """A file that is only read is always as it was."""
        return self.read_only

    def capture(self, like: Mapping[int, bytes] | None = None) -> Clusters:
        """Nothing has changed in an image that is only read.

        Raises:
            StorageError: it can be written.
        """
        self._check_can_go_back()
        return {}

    def put_back(self, clusters: Mapping[int, bytes]) -> None:
        """Nothing has changed in an image that is only read.

        Raises:
            StorageError: it can be written, or the snapshot has changes.
        """
        self._check_can_go_back()
        if clusters:
            raise StorageError(f"{self.name}: the snapshot has changes to a disk that has none")

    def _check_can_go_back(self) -> None:
        if not self.read_only:
            raise StorageError(
                f"{self.name}: is written directly, so its past is gone; to take snapshots and to "
                "go back, open it read only with an Overlay on it, which writes elsewhere"
            )

    def _read(self, offset: int, size: int) -> bytes:
        return self.file.read_at(offset, size)

    def _write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        self.file.write_at(offset, data)

    def _zero(self, offset: int, size: int) -> None:
        self.file.zero(offset, size)

    def _flush(self) -> None:
        if self.sync and not self.read_only:
            self.file.sync()

    def _close(self) -> None:
        self.file.close()

    def _modified(self) -> int | None:
        return self.file.modified

    def _base_identity(self) -> Identity | None:
        self._check_can_go_back()
        return self.identity()
