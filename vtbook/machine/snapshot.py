"""Snapshots: the whole state of a machine at one moment, in memory or in a file.

The file::

    8 bytes   VTBSNAP and a zero
    4         version, little-endian
    32        SHA-256 of everything that follows
    8         length of the description
    ...       description: JSON, compressed with zlib
    ...       pages of RAM, then those of the other memories, in the order the description names
              them, 4096 bytes each, compressed with zlib
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vtbook.errors import VtbookError
from vtbook.files import replace_file
from vtbook.machine.ram import PAGE
from vtbook.machine.units import format_size

MAGIC = b"VTBSNAP\0"
VERSION = 2
HEADER = len(MAGIC) + 4 + 32 + 8
DESCRIPTION_LIMIT = 256 << 20
"""A description may grow to this many bytes; it holds the console's output and small numbers."""


class SnapshotError(VtbookError):
    """A snapshot cannot be read, or does not fit the machine."""


@dataclass(frozen=True)
class Snapshot:
    """The state of a machine, as plain data. It never changes; machines copy from it.

    Attributes:
        isa: name of the instruction set.
        ram_base, ram_size: where RAM is, in bytes.
        harts: for each hart, architectural fields of its record: a number, or a list of them.
        devices: the state of each device by name.
        pages: RAM as page number -> 4096 bytes; pages not named are zero. Snapshots of one
            machine share the pages that did not change between them.
        others: the same of what else has pages, by name: ``rom``, and the disks.
    """

    isa: str
    ram_base: int
    ram_size: int
    harts: Sequence[Mapping[str, int | list[int]]]
    devices: Mapping[str, Mapping[str, Any]]
    pages: Mapping[int, bytes] = field(repr=False)
    others: Mapping[str, Mapping[int, bytes]] = field(repr=False, default_factory=dict)

    @property
    def hart(self) -> Mapping[str, int | list[int]]:
        """The fields of the first hart."""
        return self.harts[0]

    @property
    def instructions(self) -> int:
        """Instructions that all harts had retired before this moment."""
        counts = [hart.get("instret", 0) for hart in self.harts]
        return sum(count for count in counts if isinstance(count, int))

    @property
    def memories(self) -> list[tuple[str, Mapping[int, bytes]]]:
        """All that has pages, by name, RAM first."""
        return [("ram", self.pages), *sorted(self.others.items())]

    @property
    def digest(self) -> str:
        """SHA-256 of hart, RAM and devices, in hexadecimal: equal states have equal digests."""
        total = hashlib.sha256(self._description(with_pages=False))
        for name, pages in self.memories:
            if name != "ram":
                total.update(name.encode())
            for number in sorted(pages):
                if any(pages[number]):
                    total.update(number.to_bytes(8, "little") + pages[number])
        return total.hexdigest()

    def __repr__(self) -> str:
        return (
            f"<snapshot after {self.instructions:,} instructions: "
            f"{format_size(len(self.pages) * PAGE)} of {format_size(self.ram_size)} in use>"
        )

    def _description(self, with_pages: bool) -> bytes:
        parts: dict[str, Any] = {
            "isa": self.isa,
            "ram_base": self.ram_base,
            "ram_size": self.ram_size,
            "harts": list(self.harts),
            "devices": self.devices,
        }
        if with_pages:
            parts["pages"] = sorted(self.pages)
            parts["others"] = {name: sorted(pages) for name, pages in self.others.items()}
        return json.dumps(parts, default=_encode, sort_keys=True).encode()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the snapshot to a file; an existing file is replaced only when all is written.

        Raises:
            SnapshotError: the file cannot be written.
        """
        description = zlib.compress(self._description(with_pages=True))
        packer = zlib.compressobj(1)
        body = len(description).to_bytes(8, "little") + description
        for _, pages in self.memories:
            body += b"".join(packer.compress(pages[number]) for number in sorted(pages))
        body += packer.flush()
        head = MAGIC + VERSION.to_bytes(4, "little") + hashlib.sha256(body).digest()
        target = Path(path)
        try:
            replace_file(target, head + body)
        except OSError as error:
            raise SnapshotError(f"{target}: cannot be written ({error.strerror})") from None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Snapshot:
        """Read a snapshot from a file.

        Raises:
            SnapshotError: the file cannot be read, is of another version, or is damaged.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            reason = error.strerror
            raise SnapshotError(f"{path}: cannot be read ({reason}); check the path") from None
        return cls.from_bytes(data, str(path))

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "<bytes>") -> Snapshot:
        """The same from the bytes of a file; `name` is for messages."""
        start = data[: len(MAGIC)]
        if start != MAGIC:
            what = "truncated" if MAGIC.startswith(start) else "not a snapshot"
            raise SnapshotError(f"{name}: {what}; give a file that Snapshot.save wrote")
        version = int.from_bytes(data[8:12], "little")
        if len(data) >= 12 and version != VERSION:
            raise SnapshotError(
                f"{name}: version {version}, and this vtbook reads {VERSION}; save it again"
            )
        if len(data) < HEADER or hashlib.sha256(data[44:]).digest() != data[12:44]:
            raise SnapshotError(f"{name}: the checksum does not fit; the file is damaged")
        try:
            return cls._unpack(data)
        except (ValueError, KeyError, TypeError, zlib.error, RecursionError) as error:
            what = f"{type(error).__name__}: {error}"
            raise SnapshotError(f"{name}: the contents make no sense ({what:.100})") from None

    @classmethod
    def _unpack(cls, data: bytes) -> Snapshot:
        length = int.from_bytes(data[44:HEADER], "little")
        description = _inflate(data[HEADER : HEADER + length], DESCRIPTION_LIMIT)
        parts = json.loads(description, object_hook=_decode)
        numbers, others = parts.pop("pages"), parts.pop("others")
        size = parts["ram_size"]
        if type(size) is not int or not 0 < size <= 1 << 48 or not isinstance(others, dict):
            raise ValueError("no RAM size, or no other memories")
        if not isinstance(parts["harts"], list) or not parts["harts"]:
            raise ValueError("no harts")
        _check_numbers(numbers, size // PAGE)
        lists = [numbers]
        for name in sorted(others):
            _check_numbers(others[name], 1 << 48)
            lists.append(others[name])
        count = sum(map(len, lists))
        blob = _inflate(data[HEADER + length :], count * PAGE)
        if len(blob) != count * PAGE:
            raise ValueError("pages missing")
        pieces = iter(blob[at : at + PAGE] for at in range(0, count * PAGE, PAGE))
        memories = [dict(zip(numbers, pieces, strict=False)) for numbers in lists]
        parts["others"] = dict(zip(sorted(others), memories[1:], strict=True))
        return cls(pages=memories[0], **parts)


def _check_numbers(numbers: Any, end: int) -> None:
    """Page numbers must rise, and lie in the memory that they are of."""
    if not isinstance(numbers, list) or not all(type(n) is int for n in numbers):
        raise ValueError("no page list")
    if numbers != sorted(set(numbers)) or (numbers and not 0 <= numbers[0] <= numbers[-1] < end):
        raise ValueError("pages outside RAM")


def _inflate(data: bytes, limit: int) -> bytes:
    """Decompress, but never to more than `limit` bytes."""
    unpacker = zlib.decompressobj()
    out = unpacker.decompress(data, limit + 1)
    if len(out) > limit or not unpacker.eof:
        raise ValueError("compressed data is too long or cut off")
    return out


def _encode(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not plain data")


def _decode(value: dict[str, Any]) -> Any:
    if value.keys() == {"base64"}:
        return base64.b64decode(value["base64"], validate=True)
    return value
