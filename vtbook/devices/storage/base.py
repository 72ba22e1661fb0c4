"""`Storage`: the bytes of a disk, whatever they are kept in; and what identifies them."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from vtbook.devices.state import Check, check_state, octets, optional, text, uint
from vtbook.errors import VtbookError

CLUSTER = 4096
"""Bytes in a cluster, the unit of what has changed. As large as a page of RAM, so that a snapshot
can keep both alike."""
ZEROES = bytes(CLUSTER)
Clusters = dict[int, bytes]
"""Number of a cluster -> its `CLUSTER` bytes; bytes past the end of the disk are zero."""

SAMPLES, SAMPLE = 1024, 1 << 16
"""A fingerprint reads at most so many pieces of so many bytes."""


class StorageError(VtbookError):
    """A disk cannot be opened, read or written; the message says which and where.

    Attributes:
        errno: the system's number of the error, if the host refused.
    """

    def __init__(self, message: str, errno: int | None = None) -> None:
        self.errno = errno
        super().__init__(message)


@dataclass(frozen=True)
class Identity:
    """What tells whether a disk is still the same one.

    Attributes:
        size: in bytes.
        modified: when its file was changed last, nanoseconds since 1970; None without a file.
        fingerprint: SHA-256 of its bytes; of at most 64 MiB spread over a larger disk.
    """

    size: int
    modified: int | None
    fingerprint: bytes

    STATE: ClassVar[dict[str, Check]] = {
        "size": uint(63),
        "modified": optional(uint(64)),
        "fingerprint": octets,
    }

    def fits(self, other: Identity) -> bool:
        """Whether both are of one disk: nobody touched its file, or it reads the same."""
        untouched = self.modified is not None and self.modified == other.modified
        return self.size == other.size and (untouched or self.fingerprint == other.fingerprint)


class Storage(ABC):
    """A disk of `size` bytes.

    `offset` and `size` of a request count bytes and need no alignment. Bytes never written are
    zero. A write is certain to survive the end of the host's power once `flush` has returned.

    A new kind of storage defines `_read`, `_write`, `_zero` and what else differs; the public
    methods check their arguments first.

    Attributes:
        name: for messages; the path, if there is one.
        size: in bytes, fixed.
        read_only: whether `write`, `discard` and `write_zeroes` are refused.
        closed: whether `close` was called; then nothing else works.
    """

    KIND: ClassVar[str]
    """Names the class in a snapshot."""
    STATE: ClassVar[dict[str, Check]] = {
        "kind": text,
        "size": uint(63),
        "base_size": optional(uint(63)),
        "base_modified": optional(uint(64)),
        "base_fingerprint": optional(octets),
    }

    def __init__(self, name: str, size: int, *, read_only: bool = False) -> None:
        self.name, self.size, self.read_only = name, size, read_only
        self.closed = False

    def __repr__(self) -> str:
        how = ", read only" if self.read_only else ""
        return f"<{type(self).__name__} {self.name}: {self.size:,} bytes{how}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what the block device uses ---------------------------------------------------------

    def read(self, offset: int, size: int) -> bytes:
        """Read `size` bytes at `offset`.

        Raises:
            StorageError: not all of them are on the disk, or the host cannot read them.
        """
        self._check("read", offset, size)
        return self._read(offset, size) if size else b""

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write `data` at `offset`.

        Raises:
            StorageError: it would leave the disk, the disk is read only, or the host cannot write.
                In the last case the bytes of `data`'s place may be old or new.
        """
        self._check("write", offset, len(data), changes=True)
        if len(data):
            self._write(offset, data)

    def discard(self, offset: int, size: int) -> None:
        """These bytes are not needed any more: they read as zero, and their place is given back.

        Raises:
            StorageError: as for `write`.
        """
        self._check("discard", offset, size, changes=True)
        if size:
            self._zero(offset, size)

    def write_zeroes(self, offset: int, size: int) -> None:
        """Make `size` bytes at `offset` zero, as a `write` would.

        Raises:
            StorageError: as for `write`.
        """
        self._check("zero", offset, size, changes=True)
        if size:
            self._zero(offset, size)

    def flush(self) -> None:
        """Return when everything written before is certain to survive a loss of power.

        Raises:
            StorageError: the host cannot promise that.
        """
        self._check("flush", 0, 0)
        self._flush()

    def close(self) -> None:
        """Flush and let go of the disk; a second call does nothing.

        Raises:
            StorageError: the last flush failed. The disk is closed all the same.
        """
        if not self.closed:
            try:
                if not self.read_only:
                    self.flush()
            finally:
                self.closed = True
                self._close()

    # -- what a machine uses for snapshots and for going back -------------------------------

    @property
    def can_go_back(self) -> bool:
        """Whether `capture` works: the past of the disk can be had again."""
        return True

    @abstractmethod
    def capture(self, like: Mapping[int, bytes] | None = None) -> Clusters:
        """The contents at this moment, cheaply: the clusters that are not as in the base.

        A cluster equal to the one in `like` is that same object, so a series of captures takes
        memory only for what changed.

        Raises:
            StorageError: the disk cannot go back; see `can_go_back`.
        """

    @abstractmethod
    def put_back(self, clusters: Mapping[int, bytes]) -> None:
        """Make the contents what they were when `capture` gave `clusters`.

        Raises:
            StorageError: these are not clusters of this disk.
        """

    def state(self) -> dict[str, Any]:
        """What the contents from `capture` belong to, as plain data for a snapshot.

        Raises:
            StorageError: the disk cannot go back; see `can_go_back`.
        """
        self._check("snapshot", 0, 0)
        base = self._base_identity()
        return {
            "kind": self.KIND,
            "size": self.size,
            "base_size": base and base.size,
            "base_modified": base and base.modified,
            "base_fingerprint": base and base.fingerprint,
        }

    def load_state(self, saved: dict[str, Any]) -> None:
        """Check that `saved` is from a disk like this one; then `put_back` brings the contents.

        Raises:
            DeviceStateError: `saved` is damaged.
            StorageError: it is of another kind, size or base.
        """
        check_state(f"disk {self.name}", saved, self.STATE)
        mine = self.state()
        if (saved["kind"], saved["size"]) != (mine["kind"], mine["size"]):
            raise StorageError(
                f"disk {self.name}: the snapshot is of a disk of kind {saved['kind']} with "
                f"{saved['size']:,} bytes, and this is {mine['kind']} with {self.size:,}"
            )
        ours, theirs = (
            Identity(
                state["base_size"] or 0, state["base_modified"], state["base_fingerprint"] or b""
            )
            for state in (mine, saved)
        )
        if not ours.fits(theirs):
            raise StorageError(
                f"disk {self.name}: its image is not the one that the snapshot was made with; "
                "give the machine the same image"
            )

    def identity(self) -> Identity:
        """Size, age and fingerprint; reads up to 64 MiB."""
        total = hashlib.sha256(self.size.to_bytes(8, "little"))
        pieces = -(-self.size // SAMPLE)
        for number in range(min(pieces, SAMPLES)):
            at = number if pieces <= SAMPLES else number * (pieces - 1) // (SAMPLES - 1)
            offset = at * SAMPLE
            total.update(self.read(offset, min(SAMPLE, self.size - offset)))
        return Identity(self.size, self._modified(), total.digest())

    # -- what a kind of storage defines -----------------------------------------------------

    @abstractmethod
    def _read(self, offset: int, size: int) -> bytes: ...

    @abstractmethod
    def _write(self, offset: int, data: bytes | bytearray | memoryview) -> None: ...

    @abstractmethod
    def _zero(self, offset: int, size: int) -> None: ...

    def _flush(self) -> None:  # noqa: B027  (where nothing survives anyway, nothing is to be done)
        """Wait for the host."""

    def _close(self) -> None:  # noqa: B027
        """Let go of files."""

    def _modified(self) -> int | None:
        return None

    def _base_identity(self) -> Identity | None:
        """Of the disk that `capture` gives the changes to."""
        return None

    def _check(self, what: str, offset: int, size: int, changes: bool = False) -> None:
        if self.closed:
            raise StorageError(f"disk {self.name}: cannot {what}, it is closed")
        if offset < 0 or size < 0 or offset + size > self.size:
            raise StorageError(
                f"disk {self.name}: cannot {what} {size:,} bytes at {offset:,}; "
                f"the disk has {self.size:,} bytes"
            )
        if changes and self.read_only:
            raise StorageError(f"disk {self.name}: cannot {what}, it is read only")


class ClusterStorage(Storage):
    """A disk that is kept in clusters; a kind of it defines `_clusters`, `_put`, `_put_zeroes`."""

    @property
    def _count(self) -> int:
        """How many clusters the disk has; the last may be cut off."""
        return -(-self.size // CLUSTER)

    @abstractmethod
    def _clusters(self, first: int, end: int) -> bytes:
        """The bytes of the clusters from `first` to before `end`."""

    @abstractmethod
    def _put(self, number: int, data: bytes) -> None:
        """A cluster's new contents, all of its bytes."""

    @abstractmethod
    def _put_zeroes(self, first: int, end: int) -> None:
        """The clusters from `first` to before `end` are zero."""

    def _read(self, offset: int, size: int) -> bytes:
        first, skip = divmod(offset, CLUSTER)
        data = self._clusters(first, -(-(offset + size) // CLUSTER))
        return data if len(data) == size else data[skip : skip + size]

    def _write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data).cast("B")
        at = 0
        while at < len(view):
            number, skip = divmod(offset + at, CLUSTER)
            piece = view[at : at + CLUSTER - skip]
            if len(piece) < CLUSTER:
                old = self._clusters(number, number + 1)
                self._put(number, b"".join((old[:skip], piece, old[skip + len(piece) :])))
            else:
                self._put(number, bytes(piece))
            at += len(piece)

    def _zero(self, offset: int, size: int) -> None:
        end = offset + size
        first, last = -(-offset // CLUSTER), end // CLUSTER
        if end == self.size:
            last = self._count
        if first >= last:
            self._write(offset, bytes(size))
            return
        self._write(offset, bytes(first * CLUSTER - offset))
        self._put_zeroes(first, last)
        if last * CLUSTER < end:
            self._write(last * CLUSTER, bytes(end - last * CLUSTER))

    def _check_clusters(self, clusters: Mapping[int, bytes]) -> None:
        """Refuse what cannot be a capture of this disk."""
        for number, data in clusters.items():
            fits = type(number) is int and 0 <= number < self._count
            if not fits or type(data) is not bytes or len(data) != CLUSTER:
                raise StorageError(
                    f"disk {self.name}: cluster {number!r} of the snapshot is not one of its "
                    f"{self._count:,}, or not {CLUSTER} bytes long"
                )


def shared(clusters: Mapping[int, bytes], like: Mapping[int, bytes] | None) -> Clusters:
    """A copy of `clusters` that has the objects of `like` where they are equal."""
    if not like:
        return dict(clusters)
    return {
        number: old if (old := like.get(number)) == data else data
        for number, data in clusters.items()
    }
