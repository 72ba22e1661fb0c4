"""``vtbook disasm``: a program's code in words, as objdump prints it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vtbook.course.programs import ProgramError, load_program

if TYPE_CHECKING:
    from vtbook.machine.symbols import SymbolTable

EXECUTE = 1  # of a segment's permissions
SHF_ALLOC, SHF_EXECINSTR, SHT_NOBITS = 2, 4, 8
ROW = 16  # bytes in a line of data


class Piece(NamedTuple):
    """A range of bytes in memory."""

    address: int
    data: bytes
    is_code: bool


def listing(
    name: str, *, symbol: str | None = None, pseudo: bool = True, everything: bool = False
) -> Iterator[str]:
    """The lines of a program's disassembly.

    symbol: only this function or variable.
    pseudo: write pseudo-instructions such as ``ret``; else each definition's own form.
    everything: data as well as code.

    Raises VtbookError for a program that cannot be read, or has no such symbol.
    """
    from vtbook.isa.disassembler import disassemble_range

    pieces, symbols = _read(name, everything or symbol is not None)
    if symbol is not None:
        pieces = [_cut(name, pieces, symbols, symbol)]
    names: dict[int, list[str]] = {}
    for label, address in symbols.items():
        names.setdefault(address, []).append(label)
    targets = {label: address for label, address in symbols.items() if "$" not in label}
    width = max((len(f"{p.address + len(p.data):x}") for p in pieces), default=8)
    yield f"{name}: RISC-V, 64 bits"
    for piece in pieces:
        for start, data in _at_labels(piece, names):
            labels = names.get(start) or (
                [] if start > piece.address else [symbols.describe(start)]
            )
            yield from ("", *(f"{start:0{width}x} <{label}>:" for label in labels))
            if not piece.is_code:
                yield from _dump(start, data, width)
                continue
            for line in disassemble_range(data, start, pseudo=pseudo, symbols=targets):
                yield f"{line.address:{width + 4}x}:  {line.raw[::-1].hex():<8}  {line.text}"


def _read(name: str, with_data: bool) -> tuple[list[Piece], SymbolTable]:
    """The code (and data) of a program, and its symbols."""
    from vtbook.isa.assembler import Program
    from vtbook.machine.elf import load_elf
    from vtbook.machine.symbols import SymbolTable

    content = load_program(name).content
    if isinstance(content, Program):
        kept = [s for s in content.sections if s.data and (with_data or "x" in s.flags)]
        labels = {label: content.symbols[label] for label in content.labels}
        return [Piece(s.address, s.data, "x" in s.flags) for s in kept], SymbolTable.of(labels)
    image = load_elf(content)
    if isinstance(content, Path):
        content = content.read_bytes()
    whole = [
        Piece(s.virtual_address, bytes(s.data), bool(s.flags & EXECUTE)) for s in image.segments
    ]
    pieces = [part for piece in whole if piece.data for part in _by_section(piece, content)]
    return [piece for piece in pieces if with_data or piece.is_code], image.symbols


def _by_section(piece: Piece, content: bytes) -> Iterator[Piece]:
    """Tell code from constants in a segment that has both, if the file has sections."""
    from vtbook.guests.elf import sections

    end = piece.address + len(piece.data)
    kept = [
        (max(s.addr, piece.address), min(s.addr + s.size, end), bool(s.flags & SHF_EXECINSTR))
        for s in sections(content)
        if s.flags & SHF_ALLOC
        and s.type != SHT_NOBITS
        and s.addr < end
        and s.addr + s.size > piece.address
    ]
    if not kept:
        yield piece
    for start, stop, is_code in sorted(kept):
        yield Piece(start, piece.data[start - piece.address : stop - piece.address], is_code)


def _cut(name: str, pieces: list[Piece], symbols: SymbolTable, symbol: str) -> Piece:
    """The bytes that belong to one symbol: up to the next one, without padding."""
    start = symbols[symbol]
    for piece in pieces:
        end = piece.address + len(piece.data)
        if piece.address <= start < end:
            stop = min((a for a in symbols.values() if start < a < end), default=end)
            while stop > start + 1 and symbols.at(stop - 1) is None:
                stop -= 1
            part = piece.data[start - piece.address : stop - piece.address]
            return Piece(start, part, piece.is_code)
    raise ProgramError(f"{name}: {symbol} is at {start:#x}, where the file holds no bytes")


def _at_labels(piece: Piece, names: dict[int, list[str]]) -> Iterator[tuple[int, bytes]]:
    """Cut a piece at its labels, so that each part starts with an instruction."""
    end = piece.address + len(piece.data)
    cuts = sorted({piece.address, *(a for a in names if piece.address < a < end)})
    for start, stop in zip(cuts, [*cuts[1:], end], strict=True):
        yield start, piece.data[start - piece.address : stop - piece.address]


def _dump(address: int, data: bytes, width: int) -> Iterator[str]:
    """Data as bytes in hexadecimal and as characters."""
    for at in range(0, len(data), ROW):
        row = data[at : at + ROW]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"{address + at:{width + 4}x}:  {row.hex(' '):<{3 * ROW - 1}}  {text}"
