"""Encoding patterns: the bit layout of an instruction, written as in the manual's tables.

A pattern lists the parts of the instruction word from the most significant bit down:

    "imm[11:0] rs1 010 rd 0000011"                 lw
    "imm[12|10:5] rs2 rs1 000 imm[4:1|11] 1100011" beq
    "000 nzimm[5] rd!=0 nzimm[4:0] 01"             c.addi

* ``0`` and ``1`` are fixed bits;
* a name is a field; brackets say which bits of the field's value stand there;
* ``rd'`` is a register of the compressed formats, x8 to x15 in three bits;
* ``name!=0`` excludes the encodings in which the field is zero, ``name!=2`` those in which it is 2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from vtbook.errors import VtbookError

X_REGISTERS = frozenset({"rd", "rs1", "rs2", "rs3"})
F_REGISTERS = frozenset({"fd", "fs1", "fs2", "fs3"})
WIDTHS = {"rm": 3, "aq": 1, "rl": 1, "pred": 4, "succ": 4, "fm": 4, "csr": 12, "zimm": 5}
SIGNED = frozenset({"imm", "nzimm"})

_TOKEN = re.compile(
    r"(?P<name>[a-z][a-z0-9_]*)(?P<prime>')?(?:\[(?P<bits>[0-9:|]+)\])?(?:!=(?P<ne>\d+))?$"
)


class EncodingError(VtbookError):
    """An encoding pattern that cannot be read, or a value that does not fit its field."""


@dataclass(frozen=True)
class Piece:
    """``width`` bits at bit ``word_low`` of the word are bits ``value_low``… of the field."""

    word_low: int
    width: int
    value_low: int


@dataclass(frozen=True)
class Field:
    """One operand of an encoding: where its bits are, and what they mean."""

    name: str
    pieces: tuple[Piece, ...]
    kind: str  # 'x' or 'f' for a register, 'imm' for a number
    signed: bool = False
    bias: int = 0  # added to the bits: 8 for the three-bit register fields
    excluded: tuple[int, ...] = ()  # values that belong to other instructions

    @cached_property
    def width(self) -> int:
        """Number of bits of the value, counting implied low zeros."""
        return max(p.value_low + p.width for p in self.pieces)

    @cached_property
    def alignment(self) -> int:
        """The value is a multiple of this (2 for branch offsets)."""
        return 1 << min(p.value_low for p in self.pieces)

    @property
    def low(self) -> int:
        """Smallest value that can be encoded."""
        return -(1 << (self.width - 1)) if self.signed else self.bias

    @property
    def high(self) -> int:
        """Largest value that can be encoded."""
        if self.signed:
            return (1 << (self.width - 1)) - self.alignment
        return (1 << self.width) - self.alignment + self.bias

    def extract(self, word: int) -> int:
        """The field's value in an instruction word."""
        value = 0
        for p in self.pieces:
            value |= ((word >> p.word_low) & ((1 << p.width) - 1)) << p.value_low
        if self.signed and value >> (self.width - 1):
            value -= 1 << self.width
        return value + self.bias

    def insert(self, value: int) -> int:
        """The bits of the word that hold ``value``; EncodingError if it does not fit."""
        if not self.low <= value <= self.high or value in self.excluded:
            raise EncodingError(
                f"{self.name} = {value} does not fit: {self.low} to {self.high}"
                + "".join(f", not {n}" for n in self.excluded)
            )
        if value % self.alignment:
            raise EncodingError(f"{self.name} = {value} is not a multiple of {self.alignment}")
        bits = (value - self.bias) & ((1 << self.width) - 1)
        word = 0
        for p in self.pieces:
            word |= ((bits >> p.value_low) & ((1 << p.width) - 1)) << p.word_low
        return word


@dataclass(frozen=True)
class Encoding:
    """A parsed pattern: ``word & mask == match`` and no excluded field value."""

    pattern: str
    size: int  # bytes: 2 or 4
    mask: int
    match: int
    fields: tuple[Field, ...]

    def matches(self, word: int) -> bool:
        """True if the instruction word has this encoding."""
        if word & self.mask != self.match:
            return False
        return not any(f.excluded and f.extract(word) in f.excluded for f in self.fields)

    def decode(self, word: int) -> dict[str, int]:
        """Field values of a word that matches."""
        return {f.name: f.extract(word) for f in self.fields}

    def encode(self, values: Mapping[str, int]) -> int:
        """The instruction word for the field values; EncodingError if one does not fit."""
        word = self.match
        for f in self.fields:
            word |= f.insert(values[f.name])
        return word

    def field(self, name: str) -> Field:
        """The field of that name; KeyError if the encoding has none."""
        for f in self.fields:
            if f.name == name:
                return f
        raise KeyError(name)


def parse_encoding(pattern: str) -> Encoding:
    """Read a pattern; EncodingError says which token is wrong."""
    tokens = pattern.split()
    parts: list[tuple[str, int, re.Match[str] | None, list[tuple[int, int]]]] = []
    for token in tokens:
        if set(token) <= {"0", "1"}:
            parts.append((token, len(token), None, []))
            continue
        found = _TOKEN.match(token)
        if not found:
            raise EncodingError(f"encoding {pattern!r}: cannot read {token!r}")
        spans = _spans(found, pattern)
        parts.append((token, sum(width for _, width in spans), found, spans))
    total = sum(width for _, width, _, _ in parts)
    if total not in (16, 32):
        raise EncodingError(f"encoding {pattern!r} has {total} bits; an instruction has 16 or 32")

    mask = match = 0
    pieces: dict[str, list[Piece]] = {}
    options: dict[str, tuple[bool, list[int]]] = {}
    position = total
    for token, width, found, spans in parts:
        if found is None:
            position -= width
            mask |= ((1 << width) - 1) << position
            match |= int(token, 2) << position
            continue
        name = found["name"]
        _prime, excluded = options.setdefault(name, (bool(found["prime"]), []))
        if found["ne"]:
            excluded.append(int(found["ne"]))
        for low, span in spans:
            position -= span
            pieces.setdefault(name, []).append(Piece(position, span, low))
    fields = tuple(
        Field(
            name,
            tuple(parts_of),
            "x" if name in X_REGISTERS else "f" if name in F_REGISTERS else "imm",
            name in SIGNED,
            8 if options[name][0] else 0,
            tuple(options[name][1]),
        )
        for name, parts_of in pieces.items()
    )
    return Encoding(pattern, total // 8, mask, match, fields)


def _spans(found: re.Match[str], pattern: str) -> list[tuple[int, int]]:
    """(lowest value bit, width) of each run of bits in a field token."""
    name = found["name"]
    if found["bits"] is None:
        if name in X_REGISTERS or name in F_REGISTERS:
            return [(0, 3 if found["prime"] else 5)]
        if name in WIDTHS:
            return [(0, WIDTHS[name])]
        raise EncodingError(f"encoding {pattern!r}: {name} needs its bits, as in {name}[11:0]")
    spans = []
    for run in found["bits"].split("|"):
        high, _, low = run.partition(":")
        first, last = int(high), int(low or high)
        if last > first:
            raise EncodingError(f"encoding {pattern!r}: {run!r} runs upward; write [high:low]")
        spans.append((last, first - last + 1))
    return spans
