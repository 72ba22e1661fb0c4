"""Writing ELF files: an assembled program that other tools can load, disassemble and debug."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from vtbook.machine import elf_format as fmt
from vtbook.machine.elf import ElfError, Segment, load_elf

PAGE = 4096


def write_elf(
    segments: Iterable[Segment],
    entry: int,
    symbols: Mapping[str, int] | None = None,
    *,
    flags: int = fmt.EF_RVC | 2 << 1,
    arch: str | None = None,
) -> bytes:
    """Make a statically linked RISC-V ELF file.

    Args:
        segments: what goes into memory; each becomes a program header and a section.
        entry: virtual address of the first instruction.
        symbols: name -> virtual address, written as global symbols.
        flags: ``e_flags``; RVC and the double-float ABI unless told.
        arch: architecture string for the RISC-V attributes, such as ``rv64gc``.

    Raises:
        ElfError: the parts do not make a file that `load_elf` accepts (they overlap, the entry is
            in none of them …).
    """
    writer = _Writer()
    placed = sorted(segments, key=lambda segment: segment.address)
    headers = np.zeros(len(placed), fmt.PHDR)
    writer.skip(fmt.EHDR.itemsize + headers.nbytes)
    try:
        for number, segment in enumerate(placed):
            headers[number] = writer.segment(segment)
        writer.symbols(symbols or {}, placed)
    except OverflowError:
        raise ElfError("write_elf: an address or a size is outside 64 bits; check them") from None
    if arch is not None:
        writer.attributes(arch)
    data = writer.finish(entry, headers, flags)
    load_elf(data)  # the loader knows every rule
    return data


class _Writer:
    """The file so far, and the sections in it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.names = bytearray(1)
        self.sections = [np.zeros((), fmt.SHDR)]

    def skip(self, size: int) -> None:
        self.data += bytes(size)

    def section(self, name: str, kind: int, data: bytes | memoryview, **fields: int) -> int:
        """Append a section; returns its number. `fields` are fields of its header."""
        header = np.zeros((), fmt.SHDR)
        header["sh_name"], header["sh_type"] = len(self.names), kind
        header["sh_offset"], header["sh_size"] = len(self.data), len(data)
        header["sh_addralign"] = 1
        for field, value in fields.items():
            header[field] = value
        self.names += name.encode() + b"\0"
        self.sections.append(header)
        self.data += data
        return len(self.sections) - 1

    def segment(self, segment: Segment) -> tuple[int, ...]:
        """Append a segment as a section, and its zeros as another; returns its program header."""
        # offset and address agree within a page, so that the file can be mapped
        self.skip((segment.virtual_address - len(self.data)) % PAGE)
        offset = len(self.data)
        code, write = segment.flags & fmt.PF_X, segment.flags & fmt.PF_W
        sh_flags = fmt.SHF_ALLOC | (fmt.SHF_EXECINSTR if code else 0)
        sh_flags |= fmt.SHF_WRITE if write else 0
        number = len(self.sections)
        name = ".text" if code else ".data" if write else ".rodata"
        name = name if number == 1 else f"{name}.{number}"
        where = segment.virtual_address
        self.section(name, fmt.SHT_PROGBITS, segment.data, sh_addr=where, sh_flags=sh_flags)
        zeros = segment.size - len(segment.data)
        if zeros > 0:
            where += len(segment.data)
            header = {"sh_addr": where, "sh_size": zeros, "sh_flags": sh_flags & ~fmt.SHF_EXECINSTR}
            self.section(f".bss.{number}", fmt.SHT_NOBITS, b"", **header)
        sizes = (len(segment.data), segment.size)
        addresses = (segment.virtual_address, segment.address)
        return (fmt.PT_LOAD, segment.flags, offset, *addresses, *sizes, PAGE)

    def symbols(self, symbols: Mapping[str, int], segments: list[Segment]) -> None:
        table = np.zeros(1 + len(symbols), fmt.SYM)
        strings = bytearray(1)
        for row, (name, address) in enumerate(symbols.items(), 1):
            info = fmt.STB_GLOBAL << 4
            table[row] = (len(strings), info, 0, self.section_of(address), address, 0)
            strings += name.encode() + b"\0"
        self.skip(-len(self.data) % 8)
        self.section(
            ".symtab",
            fmt.SHT_SYMTAB,
            table.tobytes(),
            sh_link=len(self.sections) + 1,
            sh_info=1,
            sh_entsize=fmt.SYM.itemsize,
            sh_addralign=8,
        )
        self.section(".strtab", fmt.SHT_STRTAB, bytes(strings))

    def section_of(self, address: int) -> int:
        for number, header in enumerate(self.sections):
            if header["sh_flags"] and 0 <= address - int(header["sh_addr"]) < int(
                header["sh_size"]
            ):
                return number
        return fmt.SHN_ABS

    def attributes(self, arch: str) -> None:
        pair = bytes([fmt.TAG_ARCH]) + arch.encode() + b"\0"
        file = bytes([fmt.TAG_FILE]) + (5 + len(pair)).to_bytes(4, "little") + pair
        vendor = b"riscv\0"
        length = (4 + len(vendor) + len(file)).to_bytes(4, "little")
        data = b"A" + length + vendor + file
        self.section(".riscv.attributes", fmt.SHT_RISCV_ATTRIBUTES, data)

    def finish(self, entry: int, headers: np.ndarray, flags: int) -> bytes:
        names = self.names + b".shstrtab\0"
        self.section(".shstrtab", fmt.SHT_STRTAB, bytes(names))
        self.skip(-len(self.data) % 8)
        header = np.zeros((), fmt.EHDR)
        ident = fmt.MAGIC + bytes([fmt.CLASS64, fmt.LITTLE_ENDIAN, fmt.CURRENT_VERSION])
        header["e_ident"] = np.void(ident.ljust(16, b"\0"))
        header["e_type"], header["e_machine"] = fmt.ET_EXEC, fmt.EM_RISCV
        header["e_version"], header["e_flags"] = fmt.CURRENT_VERSION, flags
        header["e_ehsize"], header["e_phentsize"] = fmt.EHDR.itemsize, fmt.PHDR.itemsize
        header["e_phoff"], header["e_phnum"] = fmt.EHDR.itemsize, len(headers)
        header["e_shentsize"], header["e_shnum"] = fmt.SHDR.itemsize, len(self.sections)
        header["e_shoff"], header["e_shstrndx"] = len(self.data), len(self.sections) - 1
        try:
            header["e_entry"] = entry
        except OverflowError:
            raise ElfError(f"write_elf: the entry {entry:#x} is outside 64 bits") from None
        start = header.tobytes() + headers.tobytes()
        self.data[: len(start)] = start
        return bytes(self.data + b"".join(section.tobytes() for section in self.sections))
