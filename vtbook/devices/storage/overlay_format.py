"""The format of an overlay's file: header, blocks, journal. Reading and writing of its parts.

The file is a row of blocks of 4096 bytes, numbered from 0; all numbers are little-endian.

    block 0   header
    block 1   the same header again
    others    one cluster of the disk each, or 16 in a row a segment of the journal

The **header** is there twice, so that one is whole while the other is written::

    0     8   VTBOVLY and a zero
    8     4   version
    12    4   size of a cluster, 4096
    16    8   size of the disk in bytes
    24    8   generation: of two whole headers the higher one counts
    32    8   first block of the journal
    40   32   key of the checksums in the journal, random
    72   16   what the first checksum in the journal goes on from, random
    88   16   checksum of the last record, if the file was closed in order; else zeroes
    104   4   length of what follows
    108   .   JSON about the base: path, size, modified, fingerprint (hexadecimal), committing
    4064 32   SHA-256 of all before

The **journal** is a row of records::

    0     4   length of the record, a multiple of 16
    4     4   kind: 1 part of a transaction, 2 its last part, 3 goes on in another segment
    8     8   random, so that no two tries to write a transaction are equal
    16    .   pairs of 8 bytes: cluster and block; for kind 3 the next segment's first block and 0
    .    16   BLAKE2b with the header's key, of the checksum before and this record up to here

Block 0 in a pair means that the cluster is as in the base, block 1 that it is zero.

A checksum covers the one before it, hence the whole past; so the first record whose checksum is
wrong ends the journal. A transaction counts once its last part is there. A guest does not know the
key: whatever it writes to its disk, no cluster passes for a record.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from struct import Struct
from typing import Any

from vtbook.devices.storage.base import CLUSTER, Identity, StorageError

BLOCK = CLUSTER
MAGIC, VERSION = b"VTBOVLY\0", 1
HEADER = Struct("<8sIIQQQ32s16s16sI")
HEADER_CHECK = BLOCK - 32
FROM_BASE, ZERO, FIRST = 0, 1, 2
"""Block numbers that are none, and the first that is one."""
SEGMENT = 16
"""Blocks in a segment of the journal."""

RECORD = Struct("<II8s")
PAIR = Struct("<QQ")
CHECK = 16
PART, COMMIT, LINK = 1, 2, 3
LINK_SIZE = RECORD.size + PAIR.size + CHECK
OPEN = bytes(CHECK)
"""In place of the last record's checksum while the file is written."""


@dataclass(frozen=True)
class Base:
    """What the file knows of the disk below.

    Attributes:
        path: relative to the overlay's folder, if the base is a file.
        identity: what it has to be.
        committing: a commit has begun and not ended: the base is neither the old nor the new one.
    """

    path: str | None
    identity: Identity
    committing: bool = False

    def encode(self) -> bytes:
        """As JSON."""
        parts = {
            "path": self.path,
            "size": self.identity.size,
            "modified": self.identity.modified,
            "fingerprint": self.identity.fingerprint.hex(),
            "committing": self.committing,
        }
        return json.dumps(parts).encode()

    @classmethod
    def decode(cls, data: bytes) -> Base:
        """The reverse; a ValueError if it makes no sense."""
        parts: Any = json.loads(data)
        if not isinstance(parts, dict):
            raise ValueError("no description of the base")
        path, size, modified = parts.get("path"), parts.get("size"), parts.get("modified")
        fingerprint = parts.get("fingerprint")
        if (
            not (path is None or isinstance(path, str))
            or type(size) is not int
            or not (modified is None or type(modified) is int)
            or not isinstance(fingerprint, str)
        ):
            raise ValueError("no description of the base")
        identity = Identity(size, modified, bytes.fromhex(fingerprint))
        return cls(path, identity, parts.get("committing") is True)


@dataclass(frozen=True)
class Header:
    """One state of the header; see the module's text."""

    size: int
    generation: int
    journal: int
    key: bytes
    start: bytes
    end: bytes
    base: Base

    @classmethod
    def new(cls, size: int, base: Base) -> Header:
        """Of a file whose journal is empty and begins at the first block."""
        return cls(size, 1, FIRST, os.urandom(32), os.urandom(CHECK), OPEN, base)

    def encode(self, name: str) -> bytes:
        """The block of the header."""
        base = self.base.encode()
        fields = (MAGIC, VERSION, CLUSTER, self.size, self.generation, self.journal)
        block = HEADER.pack(*fields, self.key, self.start, self.end, len(base)) + base
        if len(block) > HEADER_CHECK:
            raise StorageError(f"{name}: the path of the base is too long for the header")
        block = block.ljust(HEADER_CHECK, b"\0")
        return block + hashlib.sha256(block).digest()

    @classmethod
    def decode(cls, block: bytes, name: str) -> Header | None:
        """The reverse; None if the block is not a whole header.

        Raises:
            StorageError: it is one of another version.
        """
        body, check = block[:HEADER_CHECK], block[HEADER_CHECK:]
        if not body.startswith(MAGIC) or hashlib.sha256(body).digest() != check:
            return None
        _, version, cluster, size, generation, journal, key, start, end, length = (
            HEADER.unpack_from(body)
        )
        if version != VERSION or cluster != CLUSTER:
            raise StorageError(
                f"{name}: an overlay of version {version} with clusters of {cluster} bytes; this "
                f"vtbook reads version {VERSION} with {CLUSTER}"
            )
        try:
            base = Base.decode(body[HEADER.size : HEADER.size + length])
        except (ValueError, RecursionError):
            return None
        return cls(size, generation, journal, key, start, end, base)


@dataclass
class Journal:
    """A place in the journal: where its next record goes.

    Attributes:
        key: of the checksums.
        check: the last record's checksum.
        segments: first blocks of its segments.
        used: bytes used of the last segment.
        count: pairs in it, those replaced since included.
    """

    key: bytes = field(repr=False)
    check: bytes
    segments: list[int]
    used: int = 0
    count: int = 0

    def copy(self) -> Journal:
        """An equal one that can go on by itself."""
        return Journal(self.key, self.check, list(self.segments), self.used, self.count)

    @property
    def _left(self) -> int:
        """Bytes left in the last segment, with a place for the link to the next one kept."""
        return SEGMENT * BLOCK - self.used - LINK_SIZE

    def _record(self, kind: int, nonce: bytes, pairs: list[tuple[int, int]]) -> bytes:
        length = RECORD.size + len(pairs) * PAIR.size + CHECK
        body = RECORD.pack(length, kind, nonce) + b"".join(PAIR.pack(*pair) for pair in pairs)
        self.check = checksum(self.key, self.check, body)
        self.used += length
        return body + self.check

    def transaction(
        self, pairs: list[tuple[int, int]], new_segment: Callable[[], int]
    ) -> list[tuple[int, bytes]]:
        """Go on by a transaction of at least one pair.

        Returns:
            what is to be written: offset in the file and bytes.
        """
        nonce = os.urandom(8)
        pieces: list[tuple[int, bytes]] = []
        offset, piece = self.segments[-1] * BLOCK + self.used, b""
        while pairs:
            room = max(self._left - RECORD.size - CHECK, 0) // PAIR.size
            part, pairs = pairs[:room], pairs[room:]
            self.count += len(part)
            if part:
                piece += self._record(PART if pairs else COMMIT, nonce, part)
            if pairs:
                segment = new_segment()
                piece += self._record(LINK, nonce, [(segment, 0)])
                pieces.append((offset, piece))
                self.segments.append(segment)
                self.used = 0
                offset, piece = segment * BLOCK, b""
        return [*pieces, (offset, piece)]


def checksum(key: bytes, before: bytes, body: bytes) -> bytes:
    """Of a record that follows the one with the checksum `before`."""
    return hashlib.blake2b(before + body, key=key, digest_size=CHECK).digest()


def replay(
    header: Header, read_segment: Callable[[int], bytes | None]
) -> tuple[dict[int, int], Journal]:
    """Read the journal to its end.

    Args:
        read_segment: gives the bytes of a segment by its first block, as many as there are; None
            if there are none.

    Returns:
        cluster -> block (never FROM_BASE) after the last whole transaction, and the place after it.
    """
    clusters: dict[int, int] = {}
    journal = Journal(header.key, header.start, [header.journal])
    last = journal.copy()
    waiting: list[tuple[int, int]] = []
    segment = read_segment(header.journal) or b""
    while journal.used + RECORD.size <= len(segment):
        length, kind, _ = RECORD.unpack_from(segment, journal.used)
        body = segment[journal.used : journal.used + length - CHECK]
        check = segment[journal.used + length - CHECK : journal.used + length]
        whole = length > RECORD.size + CHECK and length % 16 == 0 and len(check) == CHECK
        if not whole or checksum(journal.key, journal.check, body) != check:
            break
        journal.check = check
        journal.used += length
        pairs = list(PAIR.iter_unpack(body[RECORD.size :]))
        if kind == LINK:
            journal.segments.append(pairs[0][0])
            journal.used = 0
            segment = read_segment(pairs[0][0]) or b""
            continue
        waiting += pairs
        if kind == COMMIT:
            _apply(clusters, waiting)
            journal.count += len(waiting)
            waiting = []
            last = journal.copy()
    return clusters, last


def _apply(clusters: dict[int, int], pairs: Iterable[tuple[int, int]]) -> None:
    for cluster, block in pairs:
        if block == FROM_BASE:
            clusters.pop(cluster, None)
        else:
            clusters[cluster] = block
