"""The teaching kernel's file system, from outside: make a disk, read it, check it.

The layout is that of `shared/disk.h`, which explains it. All numbers are little-endian.

A set of files is a dictionary of paths from the root, without "/" in front, to contents. A path
that ends in "/" is a directory; those that other paths need are made without being named.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vtbook.errors import VtbookError

BLOCK = 1024
MAGIC = 0x3153466B6F6F4274
FREE, PLAIN, DIRECTORY = 0, 1, 2
ROOT = 1
DIRECT = 10
PER_BLOCK = BLOCK // 4
NAME_SIZE = 28
LOG_CAPACITY = 62
MOST_BLOCKS = 32 * BLOCK * 8
MOST_FILE_BLOCKS = DIRECT + PER_BLOCK + PER_BLOCK * PER_BLOCK

_SUPER = struct.Struct("<Q7I4x")
_INODE = struct.Struct(f"<HHIQ{DIRECT}III")
_ENTRY = struct.Struct(f"<I{NAME_SIZE}s")
_LOG_HEADER = struct.Struct(f"<QQI{LOG_CAPACITY}I")
_INODES_PER_BLOCK = BLOCK // _INODE.size


class FileSystemError(VtbookError):
    """Files that do not fit, or a disk that is none of ours."""


@dataclass(frozen=True)
class Superblock:
    """Block 0: the parts of the disk, in blocks from its start. `log_blocks` is 0 without a log."""

    magic: int
    blocks: int
    log_start: int
    log_blocks: int
    inode_start: int
    inodes: int
    bitmap_start: int
    data_start: int

    @classmethod
    def plan(cls, blocks: int, inodes: int, log: bool) -> Superblock:
        """Lay out a disk."""
        log_blocks = 1 + LOG_CAPACITY if log else 0
        inode_start = 1 + log_blocks
        bitmap_start = inode_start + -(-inodes // _INODES_PER_BLOCK)
        data_start = bitmap_start + -(-blocks // (BLOCK * 8))
        return cls(MAGIC, blocks, 1, log_blocks, inode_start, inodes, bitmap_start, data_start)

    @classmethod
    def read(cls, image: bytes | bytearray) -> Superblock:
        """Read it. Raises FileSystemError if the disk has none of ours."""
        if len(image) < BLOCK:
            raise FileSystemError(
                f"the disk has {len(image)} bytes, less than one block of {BLOCK}"
            )
        found = cls(*_SUPER.unpack_from(image))
        if found.magic != MAGIC:
            raise FileSystemError("the disk has no file system of the teaching kernel")
        if found.blocks * BLOCK > len(image):
            raise FileSystemError(
                f"the file system has {found.blocks} blocks, the disk only {len(image) // BLOCK}"
            )
        if not found.is_sound():
            raise FileSystemError("the superblock is damaged: its parts overlap or are too small")
        return found

    def is_sound(self) -> bool:
        """Say whether the parts follow each other, and each is large enough (as disk.c does)."""
        return (
            self.log_start >= 1
            and self.log_blocks in (0, 1 + LOG_CAPACITY)
            and self.inode_start >= self.log_start + self.log_blocks
            and self.inodes > ROOT
            and self.bitmap_start >= self.inode_start + -(-self.inodes // _INODES_PER_BLOCK)
            and self.data_start >= self.bitmap_start + -(-self.blocks // (BLOCK * 8))
            and self.data_start <= self.blocks <= MOST_BLOCKS
        )

    def pack(self) -> bytes:
        """Return the bytes on the disk."""
        fields = (getattr(self, name) for name in self.__dataclass_fields__)
        return _SUPER.pack(*fields)


@dataclass
class Inode:
    """A file: `direct`, `indirect` and `twice_indirect` are block numbers, 0 is a hole."""

    type: int
    links: int
    size: int
    direct: list[int]
    indirect: int
    twice_indirect: int

    @classmethod
    def new(cls, kind: int) -> Inode:
        """Make an empty file."""
        return cls(kind, 0, 0, [0] * DIRECT, 0, 0)

    def pack(self) -> bytes:
        """Return the 64 bytes on the disk."""
        return _INODE.pack(
            self.type, self.links, 0, self.size, *self.direct, self.indirect, self.twice_indirect
        )


# ---- making ----


def make_file_system(
    files: Mapping[str, bytes], *, size: int = 8 << 20, inodes: int | None = None, log: bool = True
) -> bytes:
    """Return a disk of `size` bytes with these files on it.

    size: a multiple of 1024, at most 256 MiB.
    inodes: how many files the disk can have, the root directory and a first unused one included;
        by default one for every 8 KiB.
    log: with room for transactions, which a disk that can lose power needs.

    Raises FileSystemError if a name is not possible, or there is no room.
    """
    return _Maker(files, size, inodes, log).image()


def read_folder(folder: str | Path) -> dict[str, bytes]:
    """Return the files of a folder and below, as make_file_system() wants them."""
    top = Path(folder)
    return {
        path.relative_to(top).as_posix() + "/" * path.is_dir(): b""
        if path.is_dir()
        else path.read_bytes()
        for path in sorted(top.rglob("*"))
    }


class _Maker:
    """A disk in the making."""

    def __init__(
        self, files: Mapping[str, bytes], size: int, inodes: int | None, log: bool
    ) -> None:
        if size % BLOCK or not 0 < size // BLOCK <= MOST_BLOCKS:
            raise FileSystemError(
                f"a disk of {size} bytes: give a multiple of {BLOCK}, at most {MOST_BLOCKS * BLOCK}"
            )
        blocks = size // BLOCK
        self.super = Superblock.plan(blocks, inodes or max(64, blocks // 8), log)
        self.free = self.super.data_start
        self.disk = bytearray(size)
        self.inodes = [Inode.new(FREE), Inode.new(DIRECTORY)]
        self._check_room()
        tree = _tree(files)
        self._fill_directory(ROOT, ROOT, tree)

    def image(self) -> bytes:
        self.disk[: _SUPER.size] = self.super.pack()
        at = self.super.inode_start * BLOCK
        packed = b"".join(inode.pack() for inode in self.inodes)
        self.disk[at : at + len(packed)] = packed
        bitmap = (1 << self.free) - 1
        at = self.super.bitmap_start * BLOCK
        self.disk[at : at + self.free // 8 + 1] = bitmap.to_bytes(self.free // 8 + 1, "little")
        return bytes(self.disk)

    def _check_room(self) -> None:
        if self.free > self.super.blocks:
            raise FileSystemError(f"{self._size()}: there is no room for the files")

    def _size(self) -> str:
        return f"the disk has {self.super.blocks} blocks and {self.super.inodes} inodes"

    def _new_inode(self, kind: int) -> int:
        if len(self.inodes) == self.super.inodes:
            raise FileSystemError(f"{self._size()}: too few inodes for the files")
        self.inodes.append(Inode.new(kind))
        return len(self.inodes) - 1

    def _new_block(self, content: bytes) -> int:
        self.free += 1
        self._check_room()
        at = (self.free - 1) * BLOCK
        self.disk[at : at + len(content)] = content
        return self.free - 1

    def _fill_directory(self, number: int, parent: int, tree: dict[str, object]) -> None:
        entries = [(number, "."), (parent, "..")]
        for name, content in tree.items():
            child = self._new_inode(DIRECTORY if isinstance(content, dict) else PLAIN)
            entries.append((child, name))
            if isinstance(content, dict):
                self._fill_directory(child, number, content)
            else:
                assert isinstance(content, bytes)
                self._fill(child, content)
        for target, _ in entries:
            self.inodes[target].links += 1
        self._fill(number, b"".join(_ENTRY.pack(n, name.encode()) for n, name in entries))

    def _fill(self, number: int, content: bytes) -> None:
        inode = self.inodes[number]
        inode.size = len(content)
        parts = [content[at : at + BLOCK] for at in range(0, len(content), BLOCK)]
        if len(parts) > MOST_FILE_BLOCKS:
            raise FileSystemError(f"a file of {len(content)} bytes: at most {MOST_FILE_BLOCKS} KiB")
        blocks = [self._new_block(part) for part in parts]
        inode.direct[: len(blocks[:DIRECT])] = blocks[:DIRECT]
        rest = blocks[DIRECT:]
        if rest:
            inode.indirect = self._new_table(rest[:PER_BLOCK])
        tables = [
            self._new_table(rest[at : at + PER_BLOCK])
            for at in range(PER_BLOCK, len(rest), PER_BLOCK)
        ]
        if tables:
            inode.twice_indirect = self._new_table(tables)

    def _new_table(self, blocks: list[int]) -> int:
        return self._new_block(struct.pack(f"<{len(blocks)}I", *blocks))


def _tree(files: Mapping[str, bytes]) -> dict[str, object]:
    """Turn paths into directories in directories, in the order of their names."""
    top: dict[str, object] = {}
    for path, content in sorted(files.items()):
        *folders, name = path.rstrip("/").split("/")
        here = top
        for folder in folders:
            inside = here.setdefault(_checked(folder, path), {})
            if not isinstance(inside, dict):
                raise FileSystemError(f"{path}: {folder} is a file, not a directory")
            here = inside
        if path.endswith("/"):
            if not isinstance(here.setdefault(_checked(name, path), {}), dict):
                raise FileSystemError(f"{path}: there is a file of that name")
        elif _checked(name, path) in here:
            raise FileSystemError(f"{path}: there is a directory of that name")
        else:
            here[name] = bytes(content)
    return top


def _checked(name: str, path: str) -> str:
    if name in ("", ".", "..") or "\0" in name or len(name.encode()) > NAME_SIZE:
        raise FileSystemError(
            f"{path!r}: {name!r} is no name here; names have 1 to {NAME_SIZE} bytes"
        )
    return name


# ---- reading ----


class Disk:
    """A disk with files. What its log has in it is done first, as the kernel does at its start.

    Raises FileSystemError if it has none of our file systems.
    """

    def __init__(self, image: bytes) -> None:
        self.image = bytearray(image)
        self.super = Superblock.read(image)
        self.replayed = self._replay()
        """Blocks of the last transaction, which the log has whole."""

    def block(self, number: int) -> bytes:
        """Return a block. Raises FileSystemError if there is none of that number."""
        if not 0 <= number < self.super.blocks:
            raise FileSystemError(f"the disk has no block {number}")
        return bytes(self.image[number * BLOCK : (number + 1) * BLOCK])

    def inode(self, number: int) -> Inode:
        """Return an inode. Raises FileSystemError if there is none of that number."""
        if not 0 < number < self.super.inodes:
            raise FileSystemError(f"the disk has no inode {number}")
        at = self.super.inode_start * BLOCK + number * _INODE.size
        kind, links, _, size, *blocks = _INODE.unpack_from(self.image, at)
        return Inode(kind, links, size, blocks[:DIRECT], *blocks[DIRECT:])

    def blocks_of(self, inode: Inode) -> Iterator[tuple[int | None, int]]:
        """Yield (place in the file in blocks, block) for all that a file has.

        An indirect block has no place in the file: None.
        """
        yield from ((i, block) for i, block in enumerate(inode.direct) if block)
        yield from self._table(inode.indirect, DIRECT)
        if inode.twice_indirect:
            yield None, inode.twice_indirect
            for i, table in enumerate(self._numbers(inode.twice_indirect)):
                yield from self._table(table, DIRECT + PER_BLOCK * (1 + i))

    def content(self, inode: Inode) -> bytes:
        """Return the bytes of a file."""
        if inode.size > MOST_FILE_BLOCKS * BLOCK:
            raise FileSystemError(f"a file of {inode.size} bytes, which cannot be")
        content = bytearray(-(-inode.size // BLOCK) * BLOCK)
        for place, block in self.blocks_of(inode):
            if place is not None and place * BLOCK < len(content):
                content[place * BLOCK : (place + 1) * BLOCK] = self.block(block)
        return bytes(content[: inode.size])

    def entries(self, directory: Inode) -> list[tuple[str, int]]:
        """Return the names in a directory and their inodes, "." and ".." included."""
        content = self.content(directory)
        whole = content[: len(content) // _ENTRY.size * _ENTRY.size]
        return [
            (name.rstrip(b"\0").decode(errors="surrogateescape"), number)
            for number, name in _ENTRY.iter_unpack(whole)
            if number
        ]

    def files(self) -> dict[str, bytes]:
        """Return all files, as make_file_system() takes them; directories end in "/"."""
        return dict(self._walk(ROOT, "", 0))

    def read(self, path: str) -> bytes:
        """Return the contents of a file. Raises FileSystemError if it is not there."""
        inode = self.inode(ROOT)
        for name in filter(None, path.split("/")):
            number = dict(self.entries(inode)).get(name) if inode.type == DIRECTORY else None
            if number is None:
                raise FileSystemError(f"{path}: the disk has no such file")
            inode = self.inode(number)
        if inode.type != PLAIN:
            raise FileSystemError(f"{path}: this is a directory")
        return self.content(inode)

    def taken(self, block: int) -> bool:
        """Say whether the bitmap has a block as taken."""
        byte = self.image[self.super.bitmap_start * BLOCK + block // 8]
        return bool(byte >> block % 8 & 1)

    def _walk(self, number: int, prefix: str, depth: int) -> Iterator[tuple[str, bytes]]:
        if depth > 64:
            raise FileSystemError(f"{prefix}: directories are nested without end")
        for name, child in self.entries(self.inode(number)):
            inode = self.inode(child)
            if name in (".", ".."):
                continue
            if inode.type == DIRECTORY:
                yield prefix + name + "/", b""
                yield from self._walk(child, prefix + name + "/", depth + 1)
            else:
                yield prefix + name, self.content(inode)

    def _numbers(self, table: int) -> tuple[int, ...]:
        return struct.unpack(f"<{PER_BLOCK}I", self.block(table))

    def _table(self, table: int, first: int) -> Iterator[tuple[int | None, int]]:
        if table:
            yield None, table
            yield from ((first + i, block) for i, block in enumerate(self._numbers(table)) if block)

    def _replay(self) -> list[int]:
        """Write the log's transaction to its places, if the log has all of it."""
        if not self.super.log_blocks:
            return []
        start = self.super.log_start
        checksum, _, count, *places = _LOG_HEADER.unpack_from(self.image, start * BLOCK)
        if not 0 < count <= LOG_CAPACITY:
            return []
        logged = self.image[start * BLOCK : (start + 1 + count) * BLOCK]
        if log_checksum(bytes(logged)) != checksum:
            return []
        for i, place in enumerate(places[:count]):
            if place < self.super.blocks:
                block = logged[(1 + i) * BLOCK : (2 + i) * BLOCK]
                self.image[place * BLOCK : (place + 1) * BLOCK] = block
        return list(places[:count])


def log_checksum(logged: bytes) -> int:
    """Return the checksum of a log header and its blocks: FNV-1a over words of 64 bits.

    The first word of the header is the checksum itself and does not count.
    """
    total = 0xCBF29CE484222325
    for (word,) in struct.iter_unpack("<Q", logged[8:]):
        total = (total ^ word) * 0x100000001B3 & 0xFFFF_FFFF_FFFF_FFFF
    return total


# ---- checking ----


def check(image: bytes) -> list[str]:
    """Say what is wrong with a disk, in sentences; an empty list is a sound disk.

    Every block has at most one owner, and the bitmap knows exactly the owned ones; links are the
    names of a file; every directory has "." and ".." where they belong. A file without names is in
    order: it was in use when the machine stopped, and the kernel takes it back at its next start.

    Raises FileSystemError if the disk has none of our file systems.
    """
    return _Checker(Disk(image)).problems


class _Checker:
    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.problems: list[str] = []
        self.owners: dict[int, int] = {}  # block -> inode
        self.names: Counter[int] = Counter()  # inode -> entries that name it
        self.used = {
            number: inode
            for number in range(1, disk.super.inodes)
            if (inode := disk.inode(number)).type != FREE
        }
        for number, inode in self.used.items():
            self._check_blocks(number, inode)
        if not self.problems:
            self._check_directory(ROOT, ROOT, 0)
            self._check_links()
            self._check_bitmap()

    def _check_blocks(self, number: int, inode: Inode) -> None:
        if inode.type not in (PLAIN, DIRECTORY):
            self.problems.append(f"inode {number} has the unknown type {inode.type}")
        try:
            blocks = [block for _, block in self.disk.blocks_of(inode)]
        except FileSystemError as error:
            self.problems.append(f"inode {number}: {error}")
            return
        for block in blocks:
            if not self.disk.super.data_start <= block < self.disk.super.blocks:
                self.problems.append(f"inode {number} has block {block}, which is not for files")
            elif block in self.owners:
                self.problems.append(f"inodes {self.owners[block]} and {number} have block {block}")
            self.owners[block] = number

    def _check_directory(self, number: int, parent: int, depth: int) -> None:
        inode = self.used.get(number)
        if inode is None or inode.type != DIRECTORY or depth > 64:
            self.problems.append(f"inode {number} should be a directory")
            return
        entries = self.disk.entries(inode)
        names = [name for name, _ in entries]
        if len(set(names)) < len(names):
            self.problems.append(f"directory {number} has a name twice")
        if dict(entries).get(".") != number or dict(entries).get("..") != parent:
            self.problems.append(f"directory {number}: . or .. is wrong")
        for name, child in entries:
            self.names[child] += 1
            if child not in self.used:
                self.problems.append(f"directory {number}: {name} is inode {child}, which is free")
            elif name not in (".", "..") and self.used[child].type == DIRECTORY:
                self._check_directory(child, number, depth + 1)

    def _check_links(self) -> None:
        for number, inode in self.used.items():
            if inode.links != self.names[number]:
                self.problems.append(
                    f"inode {number} has {inode.links} links, but {self.names[number]} names"
                )

    def _check_bitmap(self) -> None:
        for block in range(self.disk.super.blocks):
            owned = block < self.disk.super.data_start or block in self.owners
            if owned != self.disk.taken(block):
                state = "taken" if self.disk.taken(block) else "free"
                owner = self.owners.get(block)
                whose = f"inode {owner} has it" if owner else "no file has it"
                self.problems.append(f"block {block} is {state} in the bitmap, but {whose}")
