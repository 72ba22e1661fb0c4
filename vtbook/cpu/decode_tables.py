"""The decoder of an instruction set as tables, for compiled code.

A decoded instruction is a record of 16 bytes, one for each halfword of a page:

    0   8 bytes  address of the handler
    8   6 bytes  operands, packed as ``operand_layout`` says
    14  2 bytes  instructions from here to the end of the chain, this one included

A chain is the run of instructions that follow each other without a jump; each slot has one
successor, so the count is well defined however chains merge. It makes exact instruction counts
free: only a taken branch does arithmetic on them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vtbook.cpu.traits import Traits
from vtbook.errors import VtbookError
from vtbook.isa.definition import Compressed, Instruction
from vtbook.isa.encoding import Encoding
from vtbook.isa.instruction_set import InstructionSet

if TYPE_CHECKING:
    from vtbook.cpu.fusion import Pair

SLOT = 16
SLOTS = 2048  # halfwords in a page
OPERANDS, COUNT = 8, 14
END_SLOTS = 2  # reached by running off the page: a 2-byte step, a 4-byte step
HEADER = (SLOTS + END_SLOTS) * SLOT  # host address of the page
KINDS = HEADER + 16  # handler number of each slot, 2 bytes each
PAGE_BYTES = (KINDS + 2 * (SLOTS + END_SLOTS) + 63) // 64 * 64

# Handlers that are not instructions.
UNDECODED, PAGE_END, STOP, BAD, ODD, PROFILE, ACROSS = range(7)
FIRST = 8  # number of the first instruction's first handler
SHORT, FAR = 1, 2  # variants: two bytes long; target in another page


@dataclass(frozen=True)
class Operand:
    """Where an operand stands in the decoded record."""

    name: str
    byte: int
    size: int  # 1, 2 or 4
    signed: bool


def operand_layout(encoding: Encoding, with_size: bool) -> dict[str, Operand]:
    """Pack the operands of an encoding into the six bytes of a record."""
    wanted: list[tuple[str, int, bool]] = []
    for f in encoding.fields:
        if f.kind != "imm":
            wanted.append((f.name, 1, False))
        else:
            low, high = f.low, f.high
            size = (
                1 if low >= 0 and high < 128 else 2 if low >= -(1 << 15) and high < 1 << 15 else 4
            )
            if not -(1 << 31) <= low <= high < 1 << 32:
                raise VtbookError(f"{f.name} in {encoding.pattern!r} needs more than 32 bits")
            wanted.append((f.name, size, high < 1 << 31))
    if with_size:
        wanted.append(("size", 1, True))
    layout: dict[str, Operand] = {}
    at = OPERANDS
    for name, size, signed in sorted(wanted, key=lambda w: -w[1]):
        layout[name] = Operand(name, at, size, signed)
        at += size
    if at > COUNT:
        raise VtbookError(f"the operands of {encoding.pattern!r} need more than six bytes")
    return layout


@dataclass
class DecodeTables:
    """Numpy tables for ``runtime.decode_chain``, and the numbering of handlers.

    ``header`` holds the addresses of the others, in the order of ``runtime``'s constants.
    """

    isa: InstructionSet
    traits: dict[str, Traits]
    arrays: list[np.ndarray] = field(default_factory=list)
    header: np.ndarray = field(init=False)
    numbers: dict[str, int] = field(init=False)  # instruction name -> first handler

    def __post_init__(self) -> None:
        self.numbers = {name: FIRST + 4 * n for n, name in enumerate(self.isa.instructions)}
        spellings = list(self.isa)
        fields: list[list[int]] = []
        pieces: list[list[int]] = []
        rows = [self._spelling(s, fields, pieces) for s in spellings]
        buckets, candidates = _bucket(spellings)
        operations = np.zeros((len(self.isa.instructions), 4), np.int64)
        for n, (name, instruction) in enumerate(self.isa.instructions.items()):
            traits = self.traits[name]
            layout = operand_layout(instruction.encoding, traits.uses_size)
            operations[n, 0] = traits.ends_chain
            if traits.offset_operand:
                operations[n, 1] = layout[traits.offset_operand].byte
                operations[n, 2] = layout[traits.offset_operand].size
            for operand in traits.reads_back:
                if operand in layout:
                    operations[n, 3] |= 1 << (layout[operand].byte - OPERANDS)
        self.arrays = [
            _short_table(spellings),
            buckets,
            candidates,
            np.array(rows, np.int64).reshape(-1, 8),
            np.array(fields, np.int64).reshape(-1, 8),
            np.array(pieces or [[0, 0, 0]], np.int64),
            operations,
        ]
        self.header = np.array([a.ctypes.data for a in self.arrays], np.int64)

    def set_pairs(self, pairs: list[Pair], first_handler: int) -> None:
        """Tell the decoder of handlers that cover two instructions.

        A table by the first instruction's handler: where its rows start; a row is the second's
        handler, the operand bytes that must be equal (or 0), and the handler of the pair.
        """
        by_first: dict[int, list[list[int]]] = {}
        for n, pair in enumerate(pairs):
            one = self.numbers[pair.first.name] + pair.variants[0]
            two = self.numbers[pair.second.name] + pair.variants[1]
            by_first.setdefault(one, []).append([two, *(pair.equal or (0, 0)), first_handler + n])
        starts = np.zeros(FIRST + 4 * len(self.isa.instructions) + 1, np.int64)
        rows: list[list[int]] = []
        for one in range(len(starts)):
            starts[one] = len(rows)
            rows.extend(sorted(by_first.get(one, []), key=lambda row: not row[1]))
        self.arrays[7:] = [starts, np.array(rows or [[0, 0, 0, 0]], np.int64)]
        self.header = np.array([a.ctypes.data for a in self.arrays], np.int64)

    def _spelling(
        self, spelling: Instruction | Compressed, fields: list, pieces: list
    ) -> list[int]:
        """One row: mask, match, instruction, size, first field, fields, excluded mask and value."""
        target = spelling.target if isinstance(spelling, Compressed) else spelling
        traits = self.traits[target.name]
        layout = operand_layout(target.encoding, traits.uses_size)
        start = len(fields)
        for operand in layout.values():
            source: str | int = operand.name
            if operand.name == "size":
                source = spelling.encoding.size
            elif isinstance(spelling, Compressed):
                source = spelling.expansion[operand.name]
            fields.append(self._field(operand, source, spelling.encoding, traits, pieces))
        encoding = spelling.encoding
        excluded = [(f, v) for f in encoding.fields for v in f.excluded]
        mask = value = 0
        if excluded and encoding.size == 4:
            if len(excluded) > 1:
                raise VtbookError(f"{spelling.name}: a 4-byte encoding may exclude one value")
            f, v = excluded[0]
            mask = sum(((1 << p.width) - 1) << p.word_low for p in f.pieces)
            value = sum(
                (((v - f.bias) >> p.value_low) & ((1 << p.width) - 1)) << p.word_low
                for p in f.pieces
            )
        number = (self.numbers[target.name] - FIRST) // 4
        row = [encoding.mask, encoding.match, number, encoding.size]
        return [*row, start, len(fields) - start, mask, value]

    @staticmethod
    def _field(
        operand: Operand, source: str | int, encoding: Encoding, traits: Traits, pieces: list
    ) -> list[int]:
        """One row: byte, size, first piece, pieces, sign bit or 0, value to add, x0 redirected."""
        redirect = int(operand.name == "rd" and traits.rd_only_written)
        if isinstance(source, int):
            return [operand.byte, operand.size, 0, 0, 0, source, redirect, 0]
        f = encoding.field(source)
        start = len(pieces)
        pieces.extend([p.word_low, p.width, p.value_low] for p in f.pieces)
        sign = 1 << (f.width - 1) if f.signed else 0
        return [operand.byte, operand.size, start, len(f.pieces), sign, f.bias, redirect, 0]


def _short_table(spellings: list[Instruction | Compressed]) -> np.ndarray:
    """Spelling number + 1 of each 16-bit word, 0 where it is illegal; shape (65536,) uint16."""
    words = np.arange(1 << 16, dtype=np.int64)
    table = np.zeros(1 << 16, np.uint16)
    order = sorted(
        (n for n, s in enumerate(spellings) if s.encoding.size == 2),
        key=lambda n: spellings[n].encoding.mask.bit_count(),
    )
    for n in order:  # encodings that fix more bits come later and win
        encoding = spellings[n].encoding
        hit = (words & encoding.mask) == encoding.match
        for f in encoding.fields:
            for value in f.excluded:
                bits = np.zeros_like(words)
                for p in f.pieces:
                    bits |= ((words >> p.word_low) & ((1 << p.width) - 1)) << p.value_low
                hit &= bits + f.bias != value
        table[hit] = n + 1
    table[(words & 3) == 3] = 0
    return table


def _bucket(spellings: list[Instruction | Compressed]) -> tuple[np.ndarray, np.ndarray]:
    """Candidates by opcode and funct3 (bits 6:2 and 14:12); starts have shape (257,)."""
    starts = np.zeros(257, np.int64)
    flat: list[int] = []
    long = [n for n, s in enumerate(spellings) if s.encoding.size == 4]
    long.sort(key=lambda n: -spellings[n].encoding.mask.bit_count())
    for key in range(256):
        starts[key] = len(flat)
        word = (key & 31) << 2 | (key >> 5) << 12 | 3
        for n in long:
            encoding = spellings[n].encoding
            if (word ^ encoding.match) & encoding.mask & 0x707F == 0:
                flat.append(n)
    starts[256] = len(flat)
    return starts, np.array(flat or [0], np.int64)
