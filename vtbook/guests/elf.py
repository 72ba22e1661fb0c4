"""Small work on 64-bit little-endian ELF programs: slim them, find symbols, change bytes.

The layouts are those of the System V ABI, chapters 4 and 5 (`man 5 elf`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from vtbook.errors import VtbookError

PT_LOAD = 1
SHT_SYMTAB, SHT_STRTAB, SHT_RISCV_ATTRIBUTES = 2, 3, 0x70000003
SHF_ALLOC = 2
SHN_UNDEF, SHN_ABS = 0, 0xFFF1
STB_LOCAL = 0
STT_FUNC = 2  # below it: 0 no type, 1 object

_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_ALIGN = 16  # of the parts in the file


class ElfError(VtbookError):
    """Not an ELF program of the expected kind, or something is missing in it."""


class Header(NamedTuple):
    """The ELF header, fields as in <elf.h> without the prefix e_."""

    ident: bytes
    type: int
    machine: int
    version: int
    entry: int
    phoff: int
    shoff: int
    flags: int
    ehsize: int
    phentsize: int
    phnum: int
    shentsize: int
    shnum: int
    shstrndx: int


class Segment(NamedTuple):
    """A program header, fields as in <elf.h> without the prefix p_."""

    type: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    align: int


class Section(NamedTuple):
    """A section header, fields as in <elf.h> without the prefix sh_."""

    name: int
    type: int
    flags: int
    addr: int
    offset: int
    size: int
    link: int
    info: int
    addralign: int
    entsize: int


class Symbol(NamedTuple):
    """An entry of the symbol table, fields as in <elf.h> without the prefix st_."""

    name: int
    info: int
    other: int
    shndx: int
    value: int
    size: int

    @property
    def binding(self) -> int:
        return self.info >> 4

    @property
    def type(self) -> int:
        return self.info & 15


def header(image: bytes) -> Header:
    """Read the ELF header. Raises ElfError if this is no 64-bit little-endian ELF file."""
    if len(image) < _HEADER.size or image[:6] != b"\x7fELF\x02\x01":
        raise ElfError("not a 64-bit little-endian ELF file")
    return Header(*_HEADER.unpack_from(image))


def segments(image: bytes) -> list[Segment]:
    """Read the program headers."""
    top = header(image)
    return [
        Segment(*_SEGMENT.unpack_from(image, top.phoff + i * _SEGMENT.size))
        for i in range(top.phnum)
    ]


def sections(image: bytes) -> list[Section]:
    """Read the section headers."""
    top = header(image)
    return [
        Section(*_SECTION.unpack_from(image, top.shoff + i * _SECTION.size))
        for i in range(top.shnum)
    ]


def symbols(image: bytes) -> dict[str, int]:
    """Return the addresses of the named symbols."""
    return {
        name.decode(): symbol.value
        for name, symbol in _symbols(image)
        if name and symbol.shndx != SHN_UNDEF
    }


def patch(image: bytes, address: int, content: bytes) -> bytes:
    """Return the program with `content` at a virtual address; the file must hold those bytes."""
    for segment in segments(image):
        start = address - segment.vaddr
        if segment.type == PT_LOAD and 0 <= start <= segment.filesz - len(content):
            offset = segment.offset + start
            return image[:offset] + content + image[offset + len(content) :]
    raise ElfError(f"the file holds no {len(content)} bytes for the address {address:#x}")


def slim(image: bytes) -> bytes:
    """Return the program with nothing but what runs and the names of functions and variables.

    What goes: debugging sections, notes, nameless symbols, padding to page boundaries.
    """
    top = header(image)
    old = sections(image)
    loads = [segment for segment in segments(image) if segment.type == PT_LOAD and segment.memsz]
    out = bytearray(_HEADER.size + _SEGMENT.size * len(loads))
    for number, segment in enumerate(loads):
        offset = _append(out, _content(image, segment.offset, segment.filesz))
        loads[number] = segment._replace(offset=offset, align=_ALIGN)

    kept = [Section(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)]
    names = bytearray(b"\0")
    index = {}  # old section number -> new

    def add(name: bytes, section: Section) -> None:
        kept.append(section._replace(name=len(names)))
        names.extend(name + b"\0")

    for number, section in enumerate(old):
        if section.flags & SHF_ALLOC and section.size:
            home = next(s for s in loads if s.vaddr <= section.addr < s.vaddr + s.memsz)
            offset = home.offset + section.addr - home.vaddr
        elif section.type == SHT_RISCV_ATTRIBUTES:
            offset = _append(out, _content(image, section.offset, section.size))
        else:
            continue
        index[number] = len(kept)
        add(_string(image, old[top.shstrndx], section.name), section._replace(offset=offset))

    table, strings, local_count = _symbol_table(image, index)
    strtab = len(kept) + 1
    offset, size = _append(out, table), len(table)
    add(b".symtab", Section(0, SHT_SYMTAB, 0, 0, offset, size, strtab, local_count, 8, 24))
    offset, size = _append(out, strings), len(strings)
    add(b".strtab", Section(0, SHT_STRTAB, 0, 0, offset, size, 0, 0, 1, 0))
    offset, size = len(out), len(names) + len(b".shstrtab\0")
    add(b".shstrtab", Section(0, SHT_STRTAB, 0, 0, offset, size, 0, 0, 1, 0))
    out += names

    shoff = _append(out, b"".join(_SECTION.pack(*section) for section in kept))
    new_top = top._replace(
        phoff=_HEADER.size,
        phnum=len(loads),
        shoff=shoff,
        shnum=len(kept),
        shstrndx=len(kept) - 1,
    )
    _HEADER.pack_into(out, 0, *new_top)
    for number, segment in enumerate(loads):
        _SEGMENT.pack_into(out, _HEADER.size + number * _SEGMENT.size, *segment)
    return bytes(out)


def _symbol_table(image: bytes, index: dict[int, int]) -> tuple[bytes, bytes, int]:
    """Return the symbols worth keeping, their names, and how many symbols are local.

    `index` gives the new number of each section that stays.
    """
    found = set()
    for name, symbol in _symbols(image):
        home = index.get(symbol.shndx, symbol.shndx if symbol.shndx == SHN_ABS else None)
        # $x and .L0 are marks of the assembler
        if name and home is not None and symbol.type <= STT_FUNC and name[:1] not in b"$.":
            found.add((name, symbol._replace(name=0, shndx=home)))
    # the local ones must come first (System V ABI)
    ordered = sorted(found, key=lambda pair: (pair[1].binding != STB_LOCAL, pair[1].value, pair))
    strings = bytearray(b"\0")
    table = bytearray(_SYMBOL.size)
    for name, symbol in ordered:
        table += _SYMBOL.pack(*symbol._replace(name=len(strings)))
        strings += name + b"\0"
    local_count = 1 + sum(symbol.binding == STB_LOCAL for _, symbol in ordered)
    return bytes(table), bytes(strings), local_count


def _symbols(image: bytes) -> Iterator[tuple[bytes, Symbol]]:
    every = sections(image)
    for section in every:
        if section.type == SHT_SYMTAB:
            for fields in _SYMBOL.iter_unpack(_content(image, section.offset, section.size)):
                symbol = Symbol(*fields)
                yield _string(image, every[section.link], symbol.name), symbol


def _string(image: bytes, table: Section, start: int) -> bytes:
    first = table.offset + start
    return image[first : image.index(b"\0", first)]


def _content(image: bytes, offset: int, size: int) -> bytes:
    content = image[offset : offset + size]
    if len(content) < size:
        raise ElfError(f"the file ends at {len(image):#x}, inside a part of {size} bytes")
    return content


def _append(out: bytearray, content: bytes) -> int:
    """Append to the file at the next boundary; return the offset."""
    out += bytes(-len(out) % _ALIGN)
    out += content
    return len(out) - len(content)
