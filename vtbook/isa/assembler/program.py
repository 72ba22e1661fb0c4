"""The result of an assembly: bytes at addresses, and where they come from."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple


class ProgramSection(NamedTuple):
    """A section: name, first address, bytes (zeros in ``.bss``) and flags (``ax``, ``aw``)."""

    name: str
    address: int
    data: bytes
    flags: str


class ListingLine(NamedTuple):
    """One instruction or datum: its address and bytes, and the source line it comes from.

    ``number`` counts from 1; ``text`` is the statement, with arguments put in if it is in a macro.
    A pseudo-instruction of several instructions has as many lines. ``is_text`` is True for strings,
    whose bytes are shown in the order of memory; others are shown as one number.
    """

    address: int
    data: bytes
    number: int
    text: str
    is_text: bool = False


@dataclass(frozen=True)
class Program:
    """An assembled program. ``print(program)`` shows its listing.

    ``symbols`` maps labels and ``.equ`` constants to values; ``entry`` is the address of ``_start``
    or, without one, the origin; ``source`` is the text it was made from.
    """

    sections: tuple[ProgramSection, ...]
    symbols: dict[str, int]
    entry: int
    listing: tuple[ListingLine, ...] = field(repr=False)
    source: str = field(repr=False, default="")
    filename: str = "<source>"
    labels: frozenset[str] = field(repr=False, default=frozenset())

    @property
    def segments(self) -> list[tuple[int, bytes]]:
        """(address, bytes) of each section that is not empty, in order of address."""
        return [(s.address, s.data) for s in self.sections if s.data]

    @property
    def origin(self) -> int:
        """The lowest address."""
        return min((address for address, _ in self.segments), default=self.entry)

    @cached_property
    def _addresses(self) -> list[int]:
        return [line.address for line in self.listing]

    def line_at(self, address: int) -> ListingLine | None:
        """The listing line whose bytes include this address, None if there is none."""
        index = bisect_right(self._addresses, address) - 1
        if index < 0:
            return None
        line = self.listing[index]
        return line if address < line.address + len(line.data) else None

    def source_line(self, address: int) -> int | None:
        """The source line number, from 1, of the code or data at an address; None if none is."""
        line = self.line_at(address)
        return line.number if line else None

    def __bytes__(self) -> bytes:
        """All bytes from the origin up; gaps between sections are zeros."""
        origin = self.origin
        out = bytearray()
        for address, data in self.segments:
            out += bytes(address - origin - len(out)) + data
        return bytes(out)

    def __str__(self) -> str:
        names: dict[int, list[str]] = {}
        for name in self.labels:
            names.setdefault(self.symbols[name], []).append(name)
        rows = []
        previous = None
        for line in self.listing:
            rows += [f"{'':37}{name}:" for name in sorted(names.pop(line.address, []))]
            repeated = previous is not None and (line.number, line.text) == previous
            previous = (line.number, line.text)
            rows.append(_row(line, repeated))
        return "\n".join(rows)


def _row(line: ListingLine, repeated: bool) -> str:
    """``80000000  00a00513            3      li a0, 10``"""
    data = line.data
    shown = data[:8].hex() + "…" * (len(data) > 8)
    if len(data) <= 8 and not line.is_text:
        shown = data[::-1].hex()
    number, text = ("", "") if repeated else (str(line.number), line.text)
    return f"{line.address:08x}  {shown:17} {number:>5}    {text}".rstrip()
