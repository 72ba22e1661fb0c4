"""`ClusterFile`: changed clusters in a file, such that a kill at any moment leaves the last flush.

A cluster is never written over what the last flush promised, but into a free block; the journal
tells where it is now, at the next flush. So, whatever moment the process or the host ends at, the
file opens with exactly what it had at the last flush that returned, or at one that was under way:

    flush:  data written before -> on the disk
            a transaction of all changes -> the journal -> on the disk
            blocks that the transaction no longer needs -> free

`vtbook.devices.storage.overlay_format` has the format.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from vtbook.devices.storage.base import CLUSTER, ZEROES, Clusters, StorageError
from vtbook.devices.storage.host_file import NO_ROOM, HostFile, sync_folder
from vtbook.devices.storage.overlay_format import (
    BLOCK,
    CHECK,
    FIRST,
    FROM_BASE,
    MAGIC,
    OPEN,
    SEGMENT,
    ZERO,
    Base,
    Header,
    Journal,
    replay,
)

COMPACT_FROM = 1 << 14
"""A journal with fewer pairs is never written anew."""
COMPACT_FACTOR = 4
"""Otherwise it is when it has so many pairs for each cluster."""


class _NoRoom(StorageError):
    """The host's disk is full: the file is as before, and may be written when there is room."""


class ClusterFile:
    """An overlay's file: cluster number -> bytes, for those that are not as in the base.

    Use `create` or `open`.
    """

    def __init__(self, file: HostFile, header: Header, sync: bool) -> None:
        self.file, self.header, self._sync = file, header, sync
        self.map: dict[int, int] = {}
        """Cluster -> block, ZERO included."""
        self.journal = Journal(header.key, header.start, [header.journal])
        self._changed: dict[int, int] = {}
        """The same since the last flush, FROM_BASE included."""
        self._fresh: set[int] = set()
        """Blocks taken since the last flush: the file does not name them yet."""
        self._released: list[int] = []
        """Blocks that the file names and the next flush frees."""
        self._free: list[int] = []
        self._free_segments: list[int] = []
        """First blocks of as many free ones in a row as a segment of the journal needs."""
        self._end = header.journal + SEGMENT
        """The first block never used."""
        self._seen: Clusters = {}
        """What the last capture gave, as far as it is still so."""

    # -- opening and closing ----------------------------------------------------------------

    @classmethod
    def create(cls, path: Path, size: int, base: Base, *, sync: bool) -> ClusterFile:
        """Make the file, whole or not at all.

        Raises:
            StorageError: it exists already, or cannot be made.
        """
        header = Header.new(size, base)
        block = header.encode(str(path))
        beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        file = HostFile(beside, writable=True, new=True)
        try:
            file.write_at(0, block + block)
            if sync:
                file.sync()
            _give_name(beside, path)
        except BaseException:
            file.close()
            raise
        finally:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
        file.path = path
        if sync:
            sync_folder(path.parent)
        return cls(file, header, sync)

    @classmethod
    def open(cls, path: Path, *, writable: bool, sync: bool) -> ClusterFile:
        """Open an existing file, and forget what was not flushed when it was used last.

        Raises:
            StorageError: it cannot be opened, is no overlay, or is damaged.
        """
        file = HostFile(path, writable=writable)
        try:
            copies = _read_headers(file)
            opened = cls(file, _newest(file, copies), sync)
            opened._load()
            if writable:
                opened._repair_headers(copies)
        except BaseException:
            file.close()
            raise
        return opened

    def _load(self) -> None:
        size = self.file.size

        def read_segment(block: int) -> bytes | None:
            offset = block * BLOCK
            room = min(SEGMENT * BLOCK, size - offset)
            return self.file.read_at(offset, room) if block >= FIRST and room > 0 else None

        self.map, self.journal = replay(self.header, read_segment)
        if self.header.end not in (OPEN, self.journal.check):
            raise StorageError(f"{self.file.path}: the journal is damaged; use a copy of the file")
        used = {block for block in self.map.values() if block != ZERO}
        data = len(used)
        for segment in self.journal.segments:
            used.update(range(segment, segment + SEGMENT))
        zeroes = sum(block == ZERO for block in self.map.values())
        clusters = -(-self.header.size // CLUSTER)
        if (
            data + zeroes != len(self.map)
            or len(used) != data + SEGMENT * len(self.journal.segments)
            or min(used) < FIRST
            or any((block + 1) * BLOCK > size for block in self.map_blocks())
            or any(not 0 <= cluster < clusters for cluster in self.map)
        ):
            raise StorageError(f"{self.file.path}: is damaged or cut off; use a copy of the file")
        self._end = max(used) + 1
        self._sort_free(used)

    def _repair_headers(self, copies: list[Header | None]) -> None:
        """Make both copies equal after a crash between them: what the old one names may go now."""
        block = self.header.encode(str(self.file.path))
        for copy, header in enumerate(copies):
            if header != self.header:
                self.file.write_at(copy * BLOCK, block)
                self._wait_for_disk()

    def _sort_free(self, used: set[int]) -> None:
        """Find the free blocks, and those of them that make a segment."""
        block = FIRST
        for end in [*sorted(used), self._end]:
            while end - block >= SEGMENT:
                self._free_segments.append(block)
                block += SEGMENT
            self._free += range(block, end)
            block = end + 1
        self._free.reverse()

    def map_blocks(self) -> Iterator[int]:
        """The blocks that hold clusters."""
        return (block for block in self.map.values() if block != ZERO)

    def close(self) -> None:
        """Mark a file that was written as closed in order: then no record gets lost unseen."""
        try:
            if self.file.writable and not self._changed and self.header.end == OPEN:
                self.file.check()
                self._write_header(replace(self.header, end=self.journal.check))
                self.file.truncate(self._end * BLOCK)
        finally:
            self.file.close()

    # -- clusters ---------------------------------------------------------------------------

    def get(self, number: int) -> bytes | None:
        """A cluster's bytes; None if it is as in the base."""
        block = self.map.get(number, FROM_BASE)
        return None if block == FROM_BASE else self._of_block(block)

    def _of_block(self, block: int) -> bytes:
        return ZEROES if block == ZERO else self.file.read_at(block * BLOCK, CLUSTER)

    def put(self, number: int, data: bytes) -> None:
        """A cluster's new bytes, for good at the next flush."""
        self.file.check()
        self._seen.pop(number, None)
        if data == ZEROES:
            self._point(number, ZERO)
            return
        block = self.map.get(number, FROM_BASE)
        if block in self._fresh:
            self.file.write_at(block * BLOCK, data)
            return
        block = self._take()
        try:
            self.file.write_at(block * BLOCK, data)
        except BaseException:
            self._fresh.discard(block)
            self._free.append(block)
            raise
        self._point(number, block)

    def drop(self, number: int) -> None:
        """A cluster is as in the base again."""
        self.file.check()
        if number in self.map:
            self._seen.pop(number, None)
            self._point(number, FROM_BASE)

    def numbers(self) -> Collection[int]:
        """Of the clusters that are not as in the base."""
        return self.map.keys()

    def capture(self) -> Clusters:
        """All clusters; those that have not changed since the last capture are the same objects."""
        self._seen = {
            number: self._seen.get(number) or self._of_block(block)
            for number, block in self.map.items()
        }
        return dict(self._seen)

    def put_back(self, clusters: Mapping[int, bytes]) -> None:
        """Make the clusters what they were when `capture` gave them."""
        for number in [number for number in self.map if number not in clusters]:
            self.drop(number)
        for number, data in clusters.items():
            if self._seen.get(number) is not data and self.get(number) != data:
                self.put(number, data)
                self._seen[number] = data

    def _take(self) -> int:
        """A block that the file does not name."""
        if not self._free and self._free_segments:
            segment = self._free_segments.pop()
            self._free += range(segment, segment + SEGMENT)
        if self._free:
            block = self._free.pop()
        else:
            block, self._end = self._end, self._end + 1
        self._fresh.add(block)
        return block

    def _point(self, number: int, block: int) -> None:
        old = self.map.pop(number, FROM_BASE)
        if old in self._fresh:
            self._fresh.discard(old)
            self._free.append(old)
        elif old > ZERO:
            self._released.append(old)
        if block != FROM_BASE:
            self.map[number] = block
        self._changed[number] = block

    # -- flush ------------------------------------------------------------------------------

    def flush(self) -> None:
        """Make all changes since the last flush last, together.

        Raises:
            StorageError: the host cannot. If there is no room, the changes are still there, and
                another try may succeed; after other failures the file refuses to go on.
        """
        self.file.check()
        if not self._changed:
            return
        self._wait_for_disk()
        if self.header.end != OPEN:
            self._write_header(replace(self.header, end=OPEN))
        self._append(sorted(self._changed.items()))
        self._changed = {}
        released, self._released = self._released, []
        self._free += released
        if self.journal.count > max(COMPACT_FROM, COMPACT_FACTOR * len(self.map)):
            with suppress(_NoRoom):  # it is only for the size of the file
                self._compact()

    def _wait_for_disk(self) -> None:
        if self._sync:
            self.file.sync()

    def _append(self, pairs: list[tuple[int, int]]) -> None:
        """Write a transaction to the journal."""
        journal = self.journal.copy()
        # From here on the file may name these blocks: whatever happens, do not write over them.
        fresh, self._fresh = self._fresh, set()
        try:
            self._write_journal(journal, pairs)
        except _NoRoom:
            self._fresh = fresh
            raise
        self.journal = journal

    def _write_journal(self, journal: Journal, pairs: list[tuple[int, int]]) -> None:
        """Let `journal` go on by a transaction, in the file and for good."""
        before = self._end, list(self._free_segments)
        try:
            for offset, piece in journal.transaction(pairs, self._new_segment):
                self.file.write_at(offset, piece)
        except StorageError as error:
            if error.errno in NO_ROOM:
                self._end, self._free_segments = before
                raise _NoRoom(str(error), error.errno) from None
            self.file.give_up()
            raise
        self._wait_for_disk()

    def _new_segment(self) -> int:
        if self._free_segments:
            return self._free_segments.pop()
        segment, self._end = self._end, self._end + SEGMENT
        return segment

    def _write_header(self, header: Header) -> None:
        """Write both copies, one after the other, with a new generation."""
        header = replace(header, generation=self.header.generation + 1)
        block = header.encode(str(self.file.path))
        try:
            for copy in (0, 1):
                self.file.write_at(copy * BLOCK, block)
                self._wait_for_disk()
        except BaseException:
            self.file.give_up()  # the file may have either header now
            raise
        self.header = header

    def _compact(self, base: Base | None = None) -> None:
        """Write the journal anew: one transaction of all that is in the map."""
        old, before = self.journal, (self._end, list(self._free_segments))
        journal = Journal(self.header.key, os.urandom(CHECK), [self._new_segment()])
        header = replace(self.header, journal=journal.segments[0], start=journal.check, end=OPEN)
        if self.map:
            try:
                self._write_journal(journal, sorted(self.map.items()))
            except _NoRoom:
                self._end, self._free_segments = before
                raise
        self._write_header(header if base is None else replace(header, base=base))
        self.journal = journal
        self._free_segments += old.segments

    # -- the base ---------------------------------------------------------------------------

    def begin_commit(self) -> None:
        """Note in the file that the base is being written."""
        self.flush()
        self._write_header(replace(self.header, base=replace(self.header.base, committing=True)))

    def end_commit(self, base: Base) -> None:
        """The base has all clusters now: forget them, and note what the base is."""
        blocks = list(self.map_blocks())
        kept, self.map = self.map, {}
        try:
            self._compact(base)
        except BaseException:
            self.map = kept
            raise
        self._free += blocks


def _give_name(beside: Path, path: Path) -> None:
    """Rename a file, but never over another one."""
    try:
        try:
            os.link(beside, path)
        except FileExistsError:
            raise
        except (OSError, AttributeError, NotImplementedError):  # no hard links here
            if path.exists():
                raise FileExistsError from None
            os.rename(beside, path)
    except FileExistsError:
        raise StorageError(f"{path}: exists already; open it, or choose another name") from None
    except OSError as error:
        raise StorageError(f"{path}: cannot be made ({error.strerror})", error.errno) from None


def _read_headers(file: HostFile) -> list[Header | None]:
    """Both copies of the header; None for one that is not whole.

    Raises:
        StorageError: this is no overlay at all.
    """
    start = file.read_at(0, min(file.size, 2 * BLOCK))
    if MAGIC not in (start[: len(MAGIC)], start[BLOCK : BLOCK + len(MAGIC)]):
        raise StorageError(f"{file.path}: is not an overlay; give a file that an Overlay has made")
    return [Header.decode(start[at : at + BLOCK], str(file.path)) for at in (0, BLOCK)]


def _newest(file: HostFile, copies: list[Header | None]) -> Header:
    whole = [header for header in copies if header is not None]
    if not whole:
        raise StorageError(f"{file.path}: the header is damaged; use a copy of the file")
    return max(whole, key=lambda header: header.generation)


def read_base(path: Path) -> Base | None:
    """What an overlay's file says of its base; None if the file is no overlay."""
    file = HostFile(path, writable=False)
    try:
        if file.size < len(MAGIC) or file.read_at(0, len(MAGIC)) != MAGIC:
            return None
        return _newest(file, _read_headers(file)).base
    finally:
        file.close()
