"""An overlay: what is changed is kept apart, and the disk below stays as it is."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from vtbook.devices.storage.base import (
    CLUSTER,
    ZEROES,
    Clusters,
    ClusterStorage,
    Identity,
    Storage,
    StorageError,
    shared,
)
from vtbook.devices.storage.cluster_file import ClusterFile
from vtbook.devices.storage.overlay_format import Base

SUFFIX = ".overlay"
"""By its name a file is known as an overlay, never by its contents: a guest can write what looks
like an overlay's header into its image, and so would read any file of the host as its base."""


class Changes(Protocol):
    """Where an overlay keeps its clusters."""

    def get(self, number: int, /) -> bytes | None: ...

    def put(self, number: int, data: bytes, /) -> None: ...

    def drop(self, number: int, /) -> None: ...

    def numbers(self) -> Collection[int]: ...

    def capture(self) -> Clusters: ...

    def put_back(self, clusters: Mapping[int, bytes], /) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class InMemory(Clusters):
    """An overlay's clusters in memory. `get` and `copy` are a dict's."""

    put = dict.__setitem__
    numbers = dict.keys
    capture = dict.copy

    def drop(self, number: int) -> None:
        """A cluster is as in the base again."""
        self.pop(number, None)

    def put_back(self, clusters: Mapping[int, bytes]) -> None:
        """Make the clusters what they were when `capture` gave them."""
        self.clear()
        self.update(clusters)

    def flush(self) -> None:
        """Memory keeps nothing anyway."""

    def close(self) -> None:
        """Nothing to let go of."""


class Overlay(ClusterStorage):
    """Changes to a disk, kept apart from it (copy on write).

    Without a path they are in memory, and gone with the machine unless a snapshot keeps them. With
    one they are in a file of their own (`vtbook.devices.storage.cluster_file`), which a kill at any
    moment leaves as it was at the last flush.

    The base must not change as long as there are overlays on it. An overlay's file knows what its
    base was, and refuses another one.

    Args:
        base: the disk below; the overlay closes it, too.
        path: of the file, which is made if it is not there; its name ends in ``.overlay``.
        size: in bytes, at least that of the base; more is zero. That of the base, unless told.
        read_only: refuse writes.
        sync: `flush` waits for the host's disk. Without it, a flush survives the end of this
            process, but not of the host.
        check_base: refuse a base that is not the one the file was made on.

    Raises:
        StorageError: the file cannot be made or opened, is damaged, or of another base or size.
    """

    KIND = "overlay"

    def __init__(
        self,
        base: Storage,
        path: str | os.PathLike[str] | None = None,
        *,
        size: int | None = None,
        read_only: bool = False,
        sync: bool = True,
        check_base: bool = True,
    ) -> None:
        self.base = base
        self._identity: Identity | None = None
        self._file: ClusterFile | None = None
        self._changes: Changes = InMemory()
        if size is not None and size < base.size:
            raise StorageError(f"an overlay of {size:,} bytes on {base!r}: give at least its size")
        name = f"overlay in memory on {base.name}"
        if path is not None:
            name = str(path)
            self._changes = self._file = self._open(Path(path), size, read_only, sync, check_base)
            size = self._file.header.size
        super().__init__(name, base.size if size is None else size, read_only=read_only)

    def _open(
        self, path: Path, size: int | None, read_only: bool, sync: bool, check_base: bool
    ) -> ClusterFile:
        if not path.exists() and not read_only:
            if path.suffix != SUFFIX:
                raise StorageError(f"{path}: call it {path.stem}{SUFFIX}, to tell it from an image")
            return ClusterFile.create(path, size or self.base.size, self._describe(path), sync=sync)
        file = ClusterFile.open(path, writable=not read_only, sync=sync)
        try:
            self._check_file(file, path, size, check_base)
        except BaseException:
            file.close()
            raise
        return file

    def _check_file(
        self, file: ClusterFile, path: Path, size: int | None, check_base: bool
    ) -> None:
        if size is not None and size != file.header.size:
            raise StorageError(f"{path}: has {file.header.size:,} bytes, not {size:,}")
        known = file.header.base
        is_it = known.identity.size == self.base.size
        if is_it and check_base and not known.committing:
            is_it = known.identity.fits(self._base_identity())
        if not is_it:
            raise StorageError(
                f"{path}: was made on another disk than {self.base.name}, or that has changed "
                "since; give the disk it was made on (check_base=False takes any of its size)"
            )

    def _describe(self, path: Path) -> Base:
        """What the file shall know of the base."""
        where = getattr(self.base, "path", None)
        if where is not None:
            try:
                where = os.path.relpath(where, path.parent)
            except ValueError:  # another drive
                where = os.path.abspath(where)
        return Base(where, self._base_identity())

    @property
    def path(self) -> Path | None:
        """Of the file; None in memory."""
        return self._file.file.path if self._file else None

    @property
    def changed_clusters(self) -> list[int]:
        """Numbers of the clusters, 4096 bytes each, that are not as in the base."""
        return sorted(self._changes.numbers())

    def commit(self) -> None:
        """Write all changes into the base, which must be writable, and begin again with none.

        If it ends in the middle, the overlay still has everything: commit again. Snapshots made
        before do not fit any more.

        Raises:
            StorageError: the base is read only or smaller, or the host cannot write it.
        """
        self._check("commit", 0, 0, changes=True)
        if self.base.read_only:
            raise StorageError(f"{self.base.name}: is read only; open it for writing to commit")
        if self.size > self.base.size:
            raise StorageError(f"{self.base.name}: is smaller than the overlay; nothing is written")
        if self._file:
            self._file.begin_commit()
        for number in self.changed_clusters:
            offset = number * CLUSTER
            self.base.write(offset, self.read(offset, min(CLUSTER, self.size - offset)))
        self.base.flush()
        self._identity = None
        if self._file:
            self._file.end_commit(self._describe(self._file.file.path))
        else:
            self._changes.put_back({})

    # -- snapshots --------------------------------------------------------------------------

    def capture(self, like: Mapping[int, bytes] | None = None) -> Clusters:
        """The clusters that are not as in the base."""
        return shared(self._changes.capture(), like)

    def put_back(self, clusters: Mapping[int, bytes]) -> None:
        """Make the contents what they were when `capture` gave `clusters`."""
        self._check_clusters(clusters)
        self._changes.put_back(
            {number: ZEROES if data == ZEROES else data for number, data in clusters.items()}
        )

    def _base_identity(self) -> Identity:
        if self._identity is None:
            self._identity = self.base.identity()
        return self._identity

    # -- clusters ---------------------------------------------------------------------------

    def _clusters(self, first: int, end: int) -> bytes:
        get = self._changes.get
        pieces = []
        below = first  # the first cluster not read yet; up to the current one they are the base's
        for number in range(first, end):
            data = get(number)
            if data is not None:
                if below < number:
                    pieces.append(self._of_base(below, number))
                pieces.append(data)
                below = number + 1
        if below < end:
            pieces.append(self._of_base(below, end))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _of_base(self, first: int, end: int) -> bytes:
        """The base's clusters; zero past its end."""
        offset = first * CLUSTER
        size = min(end * CLUSTER, self.base.size) - offset
        data = self.base.read(offset, size) if size > 0 else b""
        return data.ljust((end - first) * CLUSTER, b"\0")

    def _put(self, number: int, data: bytes) -> None:
        self._changes.put(number, ZEROES if data == ZEROES else data)

    def _put_zeroes(self, first: int, end: int) -> None:
        past = max(min(-(-self.base.size // CLUSTER), end), first)
        for number in range(first, past):
            self._changes.put(number, ZEROES)
        kept = self._changes.numbers()
        numbers = range(past, end) if end - past < len(kept) else list(kept)
        for number in numbers:
            if past <= number < end:
                self._changes.drop(number)

    def _flush(self) -> None:
        self._changes.flush()

    def _close(self) -> None:
        try:
            self._changes.close()
        finally:
            self.base.close()

    def _modified(self) -> int | None:
        return self._file.file.modified if self._file else None
