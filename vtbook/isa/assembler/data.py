"""Data and padding as items of a section."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from fractions import Fraction

from vtbook.isa.assembler.errors import SourceError
from vtbook.isa.assembler.expressions import Node
from vtbook.isa.assembler.layout import Item, Layout, Section, Statement

_NOP = bytes.fromhex("13000000")
_SINGLE_INFINITY = 0x7F800000
_SHORT_NOP = bytes.fromhex("0100")
#: A directive that asks for more than this is a slip.
MAX_SPACE = 1 << 30


class IntegersItem(Item):
    """``.word`` and its kin: integers of ``width`` bytes, little-endian."""

    def __init__(self, statement: Statement, width: int, nodes: Sequence[Node]):
        super().__init__(statement)
        self.width = width
        self.nodes = nodes
        self.size = width * len(nodes)

    def emit(self, layout: Layout) -> list[bytes]:
        chunks = []
        for node in self.nodes:
            # A dot in a list is the address of its first value, as in the GNU assembler.
            value = layout.value(node, self)
            if not -(1 << (8 * self.width - 1)) <= value < 1 << (8 * self.width):
                message = f"{value:#x} does not fit in {self.width} bytes"
                raise SourceError(message, node.span)
            chunks.append((value & ((1 << 8 * self.width) - 1)).to_bytes(self.width, "little"))
        return chunks


class BytesItem(Item):
    """Bytes known at once: strings and floating-point numbers."""

    def __init__(self, statement: Statement, data: bytes):
        super().__init__(statement)
        self.data = data
        self.size = len(data)

    def emit(self, layout: Layout) -> list[bytes]:
        return [self.data] if self.data else []


class SpaceItem(Item):
    """``.space count, fill``: ``count`` units of ``width`` bytes."""

    def __init__(self, statement: Statement, count: Node, fill: Node | None, width: int = 1):
        super().__init__(statement)
        self.count = count
        self.fill = fill
        self.width = width

    def _count(self, layout: Layout) -> int:
        count = layout.value(self.count, self)
        if not 0 <= count * self.width <= MAX_SPACE:
            raise SourceError(f"a space of {count} bytes; it must be 0 to 1 GiB", self.count.span)
        return count

    def measure(self, layout: Layout) -> int:
        try:
            return self._count(layout) * self.width
        except SourceError:
            return 0

    def emit(self, layout: Layout) -> list[bytes]:
        count = self._count(layout)
        fill = layout.value(self.fill, self) if self.fill is not None else 0
        unit = (fill & ((1 << 8 * self.width) - 1)).to_bytes(self.width, "little")
        return [unit * count] if count else []


class AlignItem(Item):
    """Padding to a multiple of ``2 ** power`` or of ``alignment`` bytes; nops in code."""

    def __init__(
        self,
        statement: Statement,
        section: Section,
        alignment: int,
        fill: Node | None,
        most: int | None,
    ):
        super().__init__(statement)
        self.code = "x" in section.flags
        self.alignment = alignment
        self.fill = fill
        self.most = most

    def measure(self, layout: Layout) -> int:
        padding = -self.address % self.alignment
        return 0 if self.most is not None and padding > self.most else padding

    def emit(self, layout: Layout) -> list[bytes]:
        if not self.size:
            return []
        if self.fill is not None or not self.code:
            fill = layout.value(self.fill, self) & 0xFF if self.fill is not None else 0
            return [bytes([fill]) * self.size]
        return _code_padding(self.size, short=layout.isa.has_compressed and self.statement.compress)


def _code_padding(size: int, short: bool) -> list[bytes]:
    """Zeros up to where an instruction may start, then nops."""
    chunks = []
    unit = 2 if short else 4
    if size % unit:
        chunks.append(bytes(size % unit))
    if size // unit * unit % 4:
        chunks.append(_SHORT_NOP)
    return chunks + [_NOP] * (size // 4)


class OriginItem(Item):
    """``.org address``: padding up to an offset from the start of the section."""

    def __init__(self, statement: Statement, section: Section, target: Node, fill: Node | None):
        super().__init__(statement)
        self.section = section
        self.target = target
        self.fill = fill

    def measure(self, layout: Layout) -> int:
        try:
            return max(0, self._padding(layout))
        except SourceError:
            return 0

    def _padding(self, layout: Layout) -> int:
        target = layout.constant(self.target, self)
        if target is None:
            return layout.value(self.target, self) - self.address
        return self.section.address + target - self.address

    def emit(self, layout: Layout) -> list[bytes]:
        padding = self._padding(layout)
        if not 0 <= padding <= MAX_SPACE:
            message = f".org would move by {padding} bytes; it can only go forward"
            raise SourceError(message, self.target.span)
        fill = layout.value(self.fill, self) & 0xFF if self.fill is not None else 0
        return [bytes([fill]) * padding] if padding else []


def float_bytes(text: str, width: int) -> bytes:
    """The IEEE 754 bytes, little-endian, of a decimal number, ``inf`` or ``nan``.

    The result is the nearest number of the format, ties to even. ValueError if the text is none.
    """
    value = float(text)
    if math.isnan(value):
        sign = -1 if text.startswith("-") else 1
        value = math.copysign(math.nan, sign)
    if width == 8:
        return struct.pack("<d", value)
    if value == 0 or not math.isfinite(value):
        return struct.pack("<f", value)
    bits = _nearest_single(abs(Fraction(text)), abs(value))
    return (bits | (value < 0) << 31).to_bytes(4, "little")


def _nearest_single(exact: Fraction, near: float) -> int:
    """The pattern of the single nearest to ``exact``; rounding ``near`` would round twice."""
    try:
        middle = int.from_bytes(struct.pack("<f", near), "little")
    except OverflowError:
        middle = _SINGLE_INFINITY
    candidates = range(max(0, middle - 1), min(_SINGLE_INFINITY, middle + 1) + 1)
    return min(candidates, key=lambda bits: (abs(_single(bits) - exact), bits & 1))


def _single(bits: int) -> Fraction:
    """The value of a pattern; infinity counts as the number after the largest."""
    if bits == _SINGLE_INFINITY:
        return Fraction(2) ** 128
    return Fraction(struct.unpack("<f", bits.to_bytes(4, "little"))[0])
