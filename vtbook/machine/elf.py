"""Loading ELF files: what a board needs of one, and a clear error for everything else.

Accepted: 64-bit little-endian RISC-V, statically linked (``ET_EXEC``, or ``ET_DYN`` that needs no
relocation). `write_elf` makes such a file.

The file is not trusted. Every number in it is checked before it is used, and memory is taken only
for what the file holds, never for what it announces.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import numpy as np

from vtbook.errors import VtbookError
from vtbook.machine import elf_format as fmt
from vtbook.machine.elf_attributes import architecture_attribute
from vtbook.machine.symbols import Symbol, SymbolTable

ADDRESS_END = 1 << 64
FILE_LIMIT = 2 << 30
"""Larger files are refused before they are read."""
NAME_LIMIT = 1 << 16
"""A longer symbol name is taken for damage."""
PAGE = 4096

Source = str | os.PathLike[str] | bytes | bytearray | memoryview


class ElfError(VtbookError):
    """An ELF file cannot be loaded; the message says which, why and what to do."""


@dataclass(frozen=True)
class Segment:
    """A piece of memory that the file fills.

    Attributes:
        address: physical address of its first byte (``p_paddr``).
        data: its first bytes; not a copy, when it comes from a file.
        size: its length in memory in bytes; the part after `data` is zero. At least ``len(data)``.
        flags: permissions, the sum of 4 read, 2 write, 1 execute.
        virtual_address: where the program believes it is (``p_vaddr``); `address` unless told.
    """

    address: int
    data: bytes | memoryview = field(repr=False)
    size: int = -1
    flags: int = fmt.PF_R | fmt.PF_W | fmt.PF_X
    virtual_address: int = -1

    def __post_init__(self) -> None:
        if self.size < 0:
            object.__setattr__(self, "size", len(self.data))
        if self.virtual_address < 0:
            object.__setattr__(self, "virtual_address", self.address)

    @property
    def end(self) -> int:
        """The first address after the segment."""
        return self.address + self.size

    def holds(self, address: int) -> bool:
        """Whether this physical address is in the segment."""
        return self.address <= address < self.end

    @property
    def permissions(self) -> str:
        """``r-x`` and the like."""
        return "".join(
            letter if self.flags & bit else "-"
            for letter, bit in (("r", fmt.PF_R), ("w", fmt.PF_W), ("x", fmt.PF_X))
        )

    def __str__(self) -> str:
        return f"{self.address:#x}-{self.end - 1:#x} {self.permissions}"


@dataclass(frozen=True)
class Image:
    """A program ready to be put into memory.

    Attributes:
        name: the file, for messages.
        entry: physical address of the first instruction.
        segments: in order of address; they do not overlap, and none is empty.
        symbols: name -> virtual address, and back with `SymbolTable.describe`.
        flags: ``e_flags``.
        arch: the architecture string of the RISC-V attributes, such as ``rv64i2p1_m2p0``.
        position_independent: whether the file is ``ET_DYN``.
    """

    name: str
    entry: int
    segments: tuple[Segment, ...]
    symbols: SymbolTable = field(default_factory=SymbolTable)
    flags: int = 0
    arch: str | None = None
    position_independent: bool = False

    @property
    def compressed(self) -> bool:
        """Whether the code may hold compressed instructions."""
        return bool(self.flags & fmt.EF_RVC)

    @property
    def float_abi(self) -> str:
        """Which registers pass floating-point arguments: soft, single, double or quad."""
        return fmt.FLOAT_ABIS[(self.flags & fmt.EF_FLOAT_ABI) >> 1]

    @classmethod
    def of(
        cls,
        name: str,
        entry: int,
        pieces: Iterable[tuple[int, bytes]],
        symbols: SymbolTable | None = None,
    ) -> Image:
        """An image of (address, bytes) pieces that come from somewhere else than an ELF file."""
        placed = sorted((address, data) for address, data in pieces if data)
        segments = tuple(Segment(address, data) for address, data in placed)
        return cls(name, entry, segments, SymbolTable() if symbols is None else symbols)

    def __str__(self) -> str:
        lines = [f"{self.name}: entry {self.entry:#x}, {len(self.symbols)} symbols"]
        lines += [f"  {segment}" for segment in self.segments]
        return "\n".join(lines)


def load_elf(source: Source, *, base: int | None = None) -> Image:
    """Read an ELF file.

    Args:
        source: a path, or the bytes of the file.
        base: where to put a position-independent program: the page of its lowest segment goes
            there. Without it the program stays where it was linked. Other programs cannot move,
            and `base` does not touch them.

    Raises:
        ElfError: the file cannot be read, is damaged, or is not for this machine.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return _Reader(bytes(source), "<bytes>").image(base)
    path = Path(source)
    return _Reader(read_file(path, fmt.MAGIC), path.name).image(base)


def read_file(path: str | os.PathLike[str], magic: bytes = b"") -> bytes:
    """The bytes of a regular file; only its start, if it does not begin with `magic`.

    Raises:
        ElfError: the file cannot be read, or is too large.
    """
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ElfError(f"{path}: not a regular file; give the path of a program")
            head = file.read(len(magic))
            if head != magic:
                return head
            if status.st_size > FILE_LIMIT:
                raise ElfError(f"{path}: {status.st_size} bytes, more than {FILE_LIMIT}; strip it")
            return head + file.read()
    except OSError as error:
        raise ElfError(f"{path}: cannot be read ({error.strerror}); check the path") from None


class _Reader:
    """One ELF file being taken apart. Methods raise `ElfError` through `fail`."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self.data = memoryview(data)

    def fail(
        self, what: str, advice: str = "the file is damaged; build or copy it again"
    ) -> NoReturn:
        raise ElfError(f"{self.name}: {what}; {advice}")

    def span(self, offset: int, size: int, what: str) -> memoryview:
        """The bytes ``offset .. offset + size - 1`` of the file."""
        if offset + size > len(self.data):
            self.fail(
                f"{what} ({size} bytes at offset {offset:#x}) goes past the end of the file, "
                f"which has {len(self.data)} bytes"
            )
        return self.data[offset : offset + size]

    def table(self, offset: int, count: int, dtype: np.dtype, what: str) -> np.ndarray:
        """`count` records of `dtype` at `offset`."""
        return np.frombuffer(self.span(offset, count * dtype.itemsize, what), dtype)

    def image(self, base: int | None) -> Image:
        header = self.header()
        sections = self.sections(header)
        programs = self.program_headers(header, sections)
        segments = self.segments(programs)
        independent = int(header["e_type"]) == fmt.ET_DYN
        self.refuse_dynamic(programs)
        shift = 0
        if independent and base is not None:
            shift = base - segments[0].address // PAGE * PAGE
            segments = [self.moved(segment, shift) for segment in segments]
        return Image(
            self.name,
            self.entry(int(header["e_entry"]) + shift, segments),
            tuple(segments),
            SymbolTable(self.symbols(sections, shift)),
            int(header["e_flags"]),
            self.architecture(sections),
            independent,
        )

    # -- the header -------------------------------------------------------------------------

    def header(self) -> np.void:
        """The ELF header, if it is one that the board can run."""
        start = bytes(self.data[:4])
        if start != fmt.MAGIC[: len(start)] or not start:
            found = f"it starts with {start.hex(' ')}" if start else "it is empty"
            self.fail(f"not an ELF file ({found})", "give a linked RISC-V program")
        header = self.table(0, 1, fmt.EHDR, "the ELF header")[0]
        ident = bytes(header["e_ident"])
        if ident[fmt.EI_CLASS] == 1:
            self.fail("a 32-bit program", "build it for 64 bits, for instance -march=rv64gc")
        if ident[fmt.EI_DATA] == 2:
            self.fail("a big-endian program", "build it for little-endian RISC-V")
        for what, value, wanted in (
            ("EI_CLASS", ident[fmt.EI_CLASS], fmt.CLASS64),
            ("EI_DATA", ident[fmt.EI_DATA], fmt.LITTLE_ENDIAN),
            ("EI_VERSION", ident[fmt.EI_VERSION], fmt.CURRENT_VERSION),
            ("e_version", int(header["e_version"]), fmt.CURRENT_VERSION),
            ("e_ehsize", int(header["e_ehsize"]), fmt.EHDR.itemsize),
        ):
            if value != wanted:
                self.fail(f"{what} is {value}, not {wanted}")
        machine = int(header["e_machine"])
        if machine != fmt.EM_RISCV:
            other = fmt.MACHINES.get(machine, f"machine number {machine}")
            self.fail(f"a program for {other}", "build it for RISC-V, 64 bits")
        kind = int(header["e_type"])
        if kind not in (fmt.ET_EXEC, fmt.ET_DYN):
            found_kind = fmt.FILE_TYPES.get(kind, f"a file of type {kind}")
            self.fail(
                f"{found_kind}, not a program", "link it, for instance with gcc -static -nostdlib"
            )
        return header

    def sections(self, header: np.void) -> np.ndarray:
        """The section headers, their contents known to lie inside the file."""
        offset, count = int(header["e_shoff"]), int(header["e_shnum"])
        if offset == 0:
            if count:
                self.fail(f"{count} sections are announced but e_shoff is 0")
            return np.empty(0, fmt.SHDR)
        if int(header["e_shentsize"]) != fmt.SHDR.itemsize:
            self.fail(f"e_shentsize is {header['e_shentsize']}, not {fmt.SHDR.itemsize}")
        if count == 0:  # too many for 16 bits: the number is in section 0
            count = int(self.table(offset, 1, fmt.SHDR, "section header 0")[0]["sh_size"])
        sections = self.table(offset, count, fmt.SHDR, f"the table of {count} section headers")
        length = np.uint64(len(self.data))
        size = sections["sh_size"]
        outside = (size > length) | (sections["sh_offset"] > length - np.minimum(size, length))
        outside &= ~np.isin(sections["sh_type"], (fmt.SHT_NULL, fmt.SHT_NOBITS))
        for number in np.flatnonzero(outside)[:1]:
            section = sections[number]
            self.span(int(section["sh_offset"]), int(section["sh_size"]), f"section {number}")
        return sections

    # -- segments ---------------------------------------------------------------------------

    def program_headers(self, header: np.void, sections: np.ndarray) -> np.ndarray:
        count = int(header["e_phnum"])
        if count == fmt.PN_XNUM and len(sections):  # the number is in section 0
            count = int(sections[0]["sh_info"])
        if count == 0:
            self.fail("no program headers, so nothing to load", "link it; do not strip them")
        if int(header["e_phentsize"]) != fmt.PHDR.itemsize:
            self.fail(f"e_phentsize is {header['e_phentsize']}, not {fmt.PHDR.itemsize}")
        what = f"the table of {count} program headers"
        return self.table(int(header["e_phoff"]), count, fmt.PHDR, what)

    def segments(self, programs: np.ndarray) -> list[Segment]:
        """The loadable segments in order of physical address."""
        segments = []
        for number in np.flatnonzero(programs["p_type"] == fmt.PT_LOAD):
            _, flags, offset, vaddr, paddr, filesz, memsz, _ = programs[number].tolist()
            what = f"segment {number}"
            if filesz > memsz:
                self.fail(f"{what} has {filesz} bytes in the file but only {memsz} in memory")
            data = self.span(offset, filesz, what)
            for name, address in (("p_paddr", paddr), ("p_vaddr", vaddr)):
                if address + memsz > ADDRESS_END:
                    self.fail(f"{what}: {name} {address:#x} and {memsz:#x} bytes leave 64 bits")
            if memsz:
                segments.append(Segment(paddr, data, memsz, flags, vaddr))
        if not segments:
            self.fail("no loadable segment, so nothing to load", "check the linker script")
        segments.sort(key=lambda segment: segment.address)
        for below, above in pairwise(segments):
            if below.end > above.address:
                self.fail(f"segments {below} and {above} overlap", "check the linker script")
        return segments

    def moved(self, segment: Segment, shift: int) -> Segment:
        address, virtual = segment.address + shift, segment.virtual_address + shift
        if min(address, virtual) < 0 or max(address, virtual) + segment.size > ADDRESS_END:
            self.fail(
                f"segment {segment} moved by {shift:#x} leaves 64 bits", "choose another base"
            )
        return Segment(address, segment.data, segment.size, segment.flags, virtual)

    def entry(self, address: int, segments: list[Segment]) -> int:
        """The entry as a physical address: ``e_entry`` is a virtual one, or physical in kernels."""
        places = [part.address + address - part.virtual_address for part in segments]
        inside = [p for p, part in zip(places, segments, strict=True) if part.holds(p)]
        physical = inside[0] if inside else address
        if not any(part.holds(physical) for part in segments):
            self.fail(
                f"the entry {address:#x} is in no loaded segment",
                "name the first instruction _start, or link with -e",
            )
        if physical & 1:
            self.fail(f"the entry {physical:#x} is odd, but instructions are at even places")
        return physical

    def refuse_dynamic(self, programs: np.ndarray) -> None:
        advice = "link it with -static -no-pie"
        if (programs["p_type"] == fmt.PT_INTERP).any():
            self.fail("needs a dynamic linker, and bare metal has none", advice)
        for number in np.flatnonzero(programs["p_type"] == fmt.PT_DYNAMIC):
            offset, size = int(programs[number]["p_offset"]), int(programs[number]["p_filesz"])
            self.span(offset, size, f"segment {number}, dynamic,")
            entries = self.table(offset, size // fmt.DYN.itemsize, fmt.DYN, "the dynamic section")
            ends = np.flatnonzero(entries["d_tag"] == 0)
            used = entries[: ends[0]] if len(ends) else entries
            for tag, what in fmt.DYNAMIC_WORK.items():
                if used["d_val"][used["d_tag"] == tag].any():
                    self.fail(f"{what}, and nothing here applies them", advice)

    # -- symbols and attributes -------------------------------------------------------------

    def symbols(self, sections: np.ndarray, shift: int) -> Iterator[Symbol]:
        """Symbols that name addresses: globals first, then locals, each in the file's order."""
        for number in np.flatnonzero(sections["sh_type"] == fmt.SHT_SYMTAB):
            section = sections[number]
            what = f"section {number}, the symbol table,"
            size, link = int(section["sh_size"]), int(section["sh_link"])
            if int(section["sh_entsize"]) != fmt.SYM.itemsize or size % fmt.SYM.itemsize:
                self.fail(f"{what} does not have entries of {fmt.SYM.itemsize} bytes")
            if link >= len(sections) or int(sections[link]["sh_type"]) != fmt.SHT_STRTAB:
                self.fail(f"{what} has its names in section {link}, which is no string table")
            count = size // fmt.SYM.itemsize
            table = self.table(int(section["sh_offset"]), count, fmt.SYM, what)
            yield from self.named(table, sections[link], int(number), shift)

    def named(
        self, table: np.ndarray, strings: np.void, number: int, shift: int
    ) -> Iterator[Symbol]:
        offset, size = int(strings["sh_offset"]), int(strings["sh_size"])
        names = bytes(self.span(offset, size, "the string table of the symbols"))
        keep = np.isin(table["st_info"] & 15, fmt.ADDRESS_TYPES)
        keep &= (table["st_shndx"] != fmt.SHN_UNDEF) & (table["st_name"] != 0)
        is_local = table["st_info"] >> 4 == fmt.STB_LOCAL
        order = np.concatenate([np.flatnonzero(keep & ~is_local), np.flatnonzero(keep & is_local)])
        total = 0
        for row in order:
            start, _, _, _, value, length = table[row].tolist()
            end = names.find(b"\0", start, start + NAME_LIMIT)
            if end < 0:
                self.fail(f"symbol {row} of section {number} has a name that does not end")
            total += end - start
            if total > 16 * size + NAME_LIMIT:
                self.fail(f"the names of the symbols of section {number} overlap without bound")
            # $x and $d mark code and data, .L are labels inside functions: no one looks for them
            if names[start : start + 1] != b"$" and names[start : start + 2] != b".L":
                name = names[start:end].decode("utf-8", "backslashreplace")
                yield Symbol((value + shift) % ADDRESS_END, name, length)

    def architecture(self, sections: np.ndarray) -> str | None:
        """``Tag_RISCV_arch`` of the build attributes, if there are any (psABI, "Attributes")."""
        for section in sections[sections["sh_type"] == fmt.SHT_RISCV_ATTRIBUTES]:
            offset, size = int(section["sh_offset"]), int(section["sh_size"])
            data = bytes(self.span(offset, size, "the attributes"))
            try:
                return architecture_attribute(data)
            except (IndexError, ValueError):
                self.fail("the section of RISC-V attributes makes no sense")
        return None
