"""Device trees: how firmware and kernels learn what the board has.

A tree of nodes with properties (Devicetree Specification 0.4), its binary form, which a program
finds at the address in a1 when it starts, and its text form, as ``dtc -O dts`` writes it. The
tree of our board is made in `vtbook.machine.virt_tree`.

The binary form is the flattened device tree of version 17 (chapter 5), all numbers big-endian:

    header      ten words: magic, total size, where the three blocks are, versions, boot hart, sizes
    reservations  (address, size) pairs of 64 bits; a pair of zeros ends them
    structure   tokens of 32 bits: BEGIN_NODE name, PROP length name-offset value, END_NODE, END
    strings     the names of all properties, each once

PyPI's ``fdt`` 0.3.3, of 2022, does this, too. It was not taken: a file that dtc has written came
back from it changed, and of 1500 damaged ones it ended with an IndexError on 611.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from vtbook.errors import VtbookError

MAGIC = 0xD00D_FEED
VERSION, OLDEST_COMPATIBLE = 17, 16
BEGIN_NODE, END_NODE, PROP, NOP, END = 1, 2, 3, 4, 9
HEADER = struct.Struct(">10I")
DEPTH_LIMIT = 64
"""Nodes nested deeper are taken for damage."""

Value = bytes | str | int | bool | Sequence[str] | Sequence[int] | Sequence[str | int]


class DeviceTreeError(VtbookError):
    """A device tree cannot be read or written; the message says where."""


def encode(value: Value) -> bytes:
    """The bytes of a property.

    Args:
        value: a number or a sequence of numbers: cells of 32 bits; text or a sequence of texts:
            each with a zero behind; bytes: as they are; True: none, the property is only there.

    Raises:
        DeviceTreeError: a number does not fit a cell, a text has a zero in it, or it is False.
    """
    if isinstance(value, bytes):
        return value
    if value is True:
        return b""
    if value is False:
        raise DeviceTreeError("False is no value of a property; leave the property out")
    items: Sequence[str | int] = [value] if isinstance(value, int | str) else value
    return b"".join(_text(item) if isinstance(item, str) else _cell(item) for item in items)


def cells64(*values: int) -> list[int]:
    """Two cells for each number of 64 bits, the high one first, as addresses and sizes are."""
    return [half for value in values for half in (value >> 32, value & 0xFFFF_FFFF)]


def _cell(value: int) -> bytes:
    if not 0 <= value < 1 << 32:
        raise DeviceTreeError(f"{value:#x} does not fit a cell of 32 bits; use cells64() for two")
    return struct.pack(">I", value)


def _text(value: str) -> bytes:
    if "\0" in value:
        raise DeviceTreeError(f"{value!r:.40} has a zero in it; give a list of texts")
    return value.encode() + b"\0"


@dataclass
class Node:
    """A node: its name, with the unit address as in ``serial@10000000``, properties and children.

    Values are given as Python values (see `encode`), kept as bytes, and read with `cells`,
    `cells64`, `text` and `texts`.
    """

    name: str
    properties: dict[str, bytes] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, *children: Node, **properties: Value) -> Node:
        """A node; for names that are no Python names write ``**{"#address-cells": 2}``."""
        return cls(name, {key: encode(value) for key, value in properties.items()}, list(children))

    def __setitem__(self, name: str, value: Value) -> None:
        self.properties[name] = encode(value)

    def __getitem__(self, path: str) -> Node:
        """The node at a path below this one: ``tree.root["soc/serial@10000000"]``.

        A unit address may be left out where only one child has the name.

        Raises:
            DeviceTreeError: there is none, and which there are; or several, and which.
        """
        node = self
        for part in path.strip("/").split("/"):
            if part:
                node = node._child(part)
        return node

    def _child(self, name: str) -> Node:
        exact = [child for child in self.children if child.name == name]
        found = exact or [c for c in self.children if c.name.partition("@")[0] == name]
        if len(found) == 1:
            return found[0]
        names = ", ".join(child.name for child in found or self.children) or "none at all"
        what = f"there is no node {name!r}" if not found else f"{name!r} is not unique"
        raise DeviceTreeError(f"{what} in {self.name or '/'}; there are {names}")

    def cells(self, name: str) -> list[int]:
        """A property as numbers of 32 bits. Raises DeviceTreeError if it is no such property."""
        return self._numbers(name, 4, "I")

    def cells64(self, name: str) -> list[int]:
        """A property as numbers of 64 bits. Raises DeviceTreeError if it is no such property."""
        return self._numbers(name, 8, "Q")

    def texts(self, name: str) -> list[str]:
        """A property as a list of texts. Raises DeviceTreeError if it is no such property."""
        value = self._bytes(name)
        if value[-1:] != b"\0":
            raise DeviceTreeError(f"{self.name}: {name} is no text, but {value.hex(' ')}")
        return [part.decode("utf-8", "backslashreplace") for part in value[:-1].split(b"\0")]

    def text(self, name: str) -> str:
        """The first text of a property. Raises DeviceTreeError if it is no such property."""
        return self.texts(name)[0]

    def _bytes(self, name: str) -> bytes:
        if name not in self.properties:
            names = ", ".join(self.properties) or "none at all"
            raise DeviceTreeError(f"{self.name or '/'} has no property {name!r}; it has {names}")
        return self.properties[name]

    def _numbers(self, name: str, size: int, code: str) -> list[int]:
        value = self._bytes(name)
        if len(value) % size:
            raise DeviceTreeError(
                f"{self.name}: {name} has {len(value)} bytes, which are no cells of {size}"
            )
        return list(struct.unpack(f">{len(value) // size}{code}", value))

    def walk(self, path: str = "") -> Iterator[tuple[str, Node]]:
        """(path, node) of this node and all below it, parents first."""
        yield path or "/", self
        for child in self.children:
            yield from child.walk(f"{path}/{child.name}")

    def __str__(self) -> str:
        return "\n".join(self._lines(0))

    def _lines(self, depth: int) -> Iterator[str]:
        indent = "\t" * depth
        yield f"{indent}{self.name or '/'} {{"
        for name, value in self.properties.items():
            yield f"{indent}\t{name}{format_value(value)};"
        for number, child in enumerate(self.children):
            if number or self.properties:
                yield ""
            yield from child._lines(depth + 1)
        yield f"{indent}}};"


def format_value(value: bytes) -> str:
    """A value as ``dtc`` writes it: `` = "text", "text"``, `` = <0x1 0x2>`` or `` = [00 01]``.

    A value has no type: it is shown as text where every piece is printable and none is empty.
    """
    if not value:
        return ""
    pieces = value[:-1].split(b"\0")
    if value[-1:] == b"\0" and all(p and all(0x20 <= c < 0x7F for c in p) for p in pieces):
        texts = (p.decode().replace("\\", "\\\\").replace('"', '\\"') for p in pieces)
        return " = " + ", ".join(f'"{text}"' for text in texts)
    if len(value) % 4 == 0:
        words = struct.unpack(f">{len(value) // 4}I", value)
        return f" = <{' '.join(f'{word:#04x}' for word in words)}>"
    return f" = [{value.hex(' ')}]"


@dataclass
class DeviceTree:
    """A whole tree. ``print(tree)`` shows it as text, ``bytes(tree)`` is its binary form.

    Attributes:
        root: the node without a name.
        reserved: (address, size) of memory that the kernel must leave alone.
        boot_hart: the ``boot_cpuid_phys`` of the header.
    """

    root: Node = field(default_factory=lambda: Node(""))
    reserved: list[tuple[int, int]] = field(default_factory=list)
    boot_hart: int = 0

    def __getitem__(self, path: str) -> Node:
        """The node at a path, as `Node.__getitem__`: ``tree["/soc/serial"]``."""
        return self.root[path]

    def __str__(self) -> str:
        reserved = [f"/memreserve/\t{address:#x} {size:#x};\n" for address, size in self.reserved]
        return f"/dts-v1/;\n{''.join(reserved)}\n{self.root}\n"

    def __bytes__(self) -> bytes:
        structure, strings = bytearray(), bytearray()
        _write_node(self.root, structure, strings)
        structure += struct.pack(">I", END)
        pairs = b"".join(struct.pack(">QQ", *pair) for pair in [*self.reserved, (0, 0)])
        at_structure = HEADER.size + len(pairs)
        at_strings = at_structure + len(structure)
        total = at_strings + len(strings)
        where = (total, at_structure, at_strings, HEADER.size)
        versions = (VERSION, OLDEST_COMPATIBLE, self.boot_hart)
        header = HEADER.pack(MAGIC, *where, *versions, len(strings), len(structure))
        return header + pairs + bytes(structure) + bytes(strings)


def _write_node(node: Node, structure: bytearray, strings: bytearray) -> None:
    structure += struct.pack(">I", BEGIN_NODE) + _padded(node.name.encode() + b"\0")
    for name, value in node.properties.items():
        key = name.encode() + b"\0"
        offset = strings.find(key)  # the end of a longer name will do, as dtc does it
        if offset < 0:
            offset = len(strings)
            strings += key
        structure += struct.pack(">III", PROP, len(value), offset) + _padded(value)
    for child in node.children:
        _write_node(child, structure, strings)
    structure += struct.pack(">I", END_NODE)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def read_dtb(data: bytes) -> DeviceTree:
    """Read the binary form, version 16 or 17.

    Args:
        data: the file; bytes after the tree's own size are not looked at.

    Raises:
        DeviceTreeError: it is not a device tree, is cut off or damaged, and at which byte.
    """
    if len(data) < HEADER.size:
        raise DeviceTreeError(f"no device tree: {len(data)} bytes are less than the header has")
    fields = HEADER.unpack_from(data)
    magic, total, at_structure, at_strings, at_pairs, version, oldest, boot_hart, _, _ = fields
    if magic != MAGIC:
        raise DeviceTreeError(f"no device tree: it begins with {magic:#010x}, not {MAGIC:#010x}")
    if version < OLDEST_COMPATIBLE or oldest > VERSION:
        raise DeviceTreeError(f"device tree of version {version}; only 16 and 17 can be read")
    if total > len(data):
        raise DeviceTreeError(f"device tree of {total} bytes, but only {len(data)} are there")
    reader = _Reader(data[:total], at_strings)
    reserved = list(reader.pairs(at_pairs))
    return DeviceTree(reader.root(at_structure), reserved, boot_hart)


class _Reader:
    """The bytes of a device tree, every number checked before it is used."""

    def __init__(self, data: bytes, at_strings: int) -> None:
        self.data = data
        self.at_strings = at_strings
        self.at = 0

    def numbers(self, code: str) -> tuple[int, ...]:
        """The next numbers."""
        size = struct.calcsize(code)
        return struct.unpack(code, self.take(size))

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if self.at + size > len(self.data):
            raise DeviceTreeError(f"device tree cut off: byte {self.at:#x} and {size} bytes more")
        piece = self.data[self.at : self.at + size]
        self.at += size
        return piece

    def name(self, at: int) -> str:
        """The text at a byte, up to its zero."""
        end = self.data.find(b"\0", at)
        if end < 0:
            raise DeviceTreeError(f"device tree damaged: the name at byte {at:#x} does not end")
        return self.data[at:end].decode("utf-8", "backslashreplace")

    def pairs(self, at: int) -> Iterator[tuple[int, int]]:
        """The reserved memory."""
        self.at = at
        while (pair := self.numbers(">QQ")) != (0, 0):
            yield pair[0], pair[1]

    def root(self, at: int) -> Node:
        """The tree whose tokens begin at this byte."""
        self.at = at
        outside = Node("")
        open_nodes = [outside]
        while True:
            where = self.at
            (token,) = self.numbers(">I")
            if token == BEGIN_NODE and len(open_nodes) <= DEPTH_LIMIT:
                node = Node(self.name(self.at))
                self.at += len(_padded(node.name.encode() + b"\0"))
                open_nodes[-1].children.append(node)
                open_nodes.append(node)
            elif token == PROP and len(open_nodes) > 1:
                length, offset = self.numbers(">II")
                value = self.take(length)
                self.at += -length % 4
                open_nodes[-1].properties[self.name(self.at_strings + offset)] = value
            elif token == END_NODE and len(open_nodes) > 1:
                open_nodes.pop()
            elif token == END and len(open_nodes) == 1 and len(outside.children) == 1:
                return outside.children[0]
            elif token != NOP:
                raise DeviceTreeError(
                    f"device tree damaged: token {token:#x} at byte {where:#x}, "
                    f"in {len(open_nodes) - 1} open nodes"
                )
