"""What `load_elf` finds in good files (against pyelftools and readelf), and how bad ones fail."""

import io
import shutil
import subprocess

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from vtbook.machine import elf_format as fmt
from vtbook.machine.elf import ElfError, Segment, load_elf
from vtbook.machine.elf_write import write_elf

from . import elves

needs_compiler = pytest.mark.skipif(elves.compiler() is None, reason="needs a RISC-V compiler")
needs_pie = pytest.mark.skipif(
    "unknown-elf" in "".join(elves.compiler() or ("unknown-elf",)),
    reason="needs a RISC-V compiler that links position-independent programs",
)
CODE = bytes.fromhex("13000000 6f000000")  # nop; j .
BASE = 0x8000_0000


def small(**changes):
    arguments = {
        "segments": [Segment(BASE, CODE, flags=5), Segment(BASE + 0x1000, b"data", 0x100, 6)],
        "entry": BASE,
        "symbols": {"_start": BASE, "value": BASE + 0x1000},
        "arch": "rv64gc",
    }
    return write_elf(**(arguments | changes))


@needs_compiler
@pytest.mark.parametrize(
    "flags", [(), ("-O2",), ("-Wl,-n",), ("-Wl,-s",)], ids=["plain", "O2", "nmagic", "stripped"]
)
def test_a_compiled_program_is_read_as_pyelftools_reads_it(flags):
    data = elves.build(*flags)
    image, oracle = load_elf(data), ELFFile(io.BytesIO(data))
    assert image.entry == oracle["e_entry"]
    assert image.flags == oracle["e_flags"]
    loads = [s for s in oracle.iter_segments("PT_LOAD") if s["p_memsz"]]
    assert [(s.address, s.size, s.flags, bytes(s.data)) for s in image.segments] == [
        (s["p_paddr"], s["p_memsz"], s["p_flags"], s.data()) for s in loads
    ]
    table = oracle.get_section_by_name(".symtab")
    expected = {
        symbol.name: symbol["st_value"]
        for symbol in (table.iter_symbols() if table else ())
        if symbol["st_info"]["type"] in ("STT_NOTYPE", "STT_FUNC", "STT_OBJECT")
        and symbol["st_shndx"] != "SHN_UNDEF"
        and symbol.name
        and not symbol.name.startswith(("$", ".L"))
    }
    assert dict(image.symbols) == expected
    assert ("helper" in expected) == ("-Wl,-s" not in flags)
    attributes = oracle.get_section_by_name(".riscv.attributes")
    if attributes:
        (tag,) = [
            attribute
            for section in attributes.iter_subsections()
            for part in section.iter_subsubsections()
            for attribute in part.iter_attributes("TAG_ARCH")
        ]
        assert image.arch == tag.value
    assert image.float_abi == "double"
    assert image.compressed


@needs_compiler
def test_symbols_describe_addresses():
    symbols = load_elf(elves.build()).symbols
    twice = symbols["twice"]
    assert symbols.describe(twice) == "twice"
    assert symbols.describe(twice + 6) == "twice+0x6"
    assert symbols.describe(5) == "0x5"
    with pytest.raises(KeyError, match="did you mean twice"):
        symbols["twic"]


@needs_pie
def test_a_position_independent_program_moves_to_its_base():
    flags = ("-static-pie", "-fpie", "-Wl,--no-dynamic-linker", "-Wl,-z,norelro")
    data = elves.build(*flags, source="void _start(void){for(;;);}", at=None)
    still, moved = load_elf(data), load_elf(data, base=BASE)
    assert still.position_independent
    shift = moved.entry - still.entry
    assert moved.segments[0].address // 4096 * 4096 == BASE
    assert [s.address + shift for s in still.segments] == [s.address for s in moved.segments]
    assert moved.symbols["_start"] == moved.entry
    with pytest.raises(ElfError, match="choose another base"):
        load_elf(data, base=2**64 - 4096)


@needs_pie
def test_programs_for_a_dynamic_linker_are_refused():
    flags = ("-static-pie", "-fpie", "-Wl,--no-dynamic-linker")
    pointer = "int x; int *p = &x; void _start(void){for(;;) ++*p;}"
    with pytest.raises(ElfError, match=r"relocations.*-static -no-pie"):
        load_elf(elves.build(*flags, source=pointer, at=None))
    with pytest.raises(ElfError, match=r"dynamic linker.*-static -no-pie"):
        load_elf(elves.build("-pie", "-fpie", source=pointer, at=None))


@needs_compiler
def test_an_object_file_is_refused():
    with pytest.raises(ElfError, match="not linked yet"):
        load_elf(elves.build("-c", at=None))


def test_a_written_file_reads_back():
    image = load_elf(small())
    assert [(s.address, bytes(s.data), s.size, s.permissions) for s in image.segments] == [
        (BASE, CODE, 8, "r-x"),
        (BASE + 0x1000, b"data", 0x100, "rw-"),
    ]
    assert dict(image.symbols) == {"_start": BASE, "value": BASE + 0x1000}
    assert (image.entry, image.arch, image.float_abi) == (BASE, "rv64gc", "double")


@pytest.mark.skipif(not shutil.which("riscv64-linux-gnu-objdump"), reason="needs binutils")
def test_a_written_file_is_understood_by_binutils(tmp_path):
    path = tmp_path / "small.elf"
    path.write_bytes(small())
    listing = subprocess.run(
        ["riscv64-linux-gnu-objdump", "-d", path], capture_output=True, text=True, check=True
    ).stdout
    assert "<_start>" in listing
    assert "nop" in listing
    report = subprocess.run(
        ["riscv64-linux-gnu-readelf", "-aW", path], capture_output=True, text=True, check=True
    )
    assert "arning" not in report.stdout + report.stderr
    assert 'Tag_RISCV_arch: "rv64gc"' in report.stdout


def test_virtual_entry_becomes_physical():
    segment = Segment(BASE, CODE, flags=5, virtual_address=0xFFFF_FFFF_8000_0000)
    image = load_elf(write_elf([segment], 0xFFFF_FFFF_8000_0004))
    assert image.entry == BASE + 4


def test_the_entry_of_a_kernel_may_be_physical_already():
    """A kernel linked high says where it begins before translation is on."""
    segment = Segment(BASE, CODE, flags=5, virtual_address=0xFFFF_FFFF_8000_0000)
    assert load_elf(write_elf([segment], BASE + 4)).entry == BASE + 4
    with pytest.raises(ElfError, match="in no loaded segment"):
        write_elf([segment], BASE + len(CODE))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"entry": 0}, "entry 0x0 is in no loaded segment"),
        ({"entry": BASE + 1}, "odd"),
        ({"entry": 2**64}, "outside 64 bits"),
        ({"segments": []}, "nothing to load"),
        ({"segments": [Segment(BASE, CODE), Segment(BASE + 7, CODE)]}, "overlap"),
        ({"segments": [Segment(2**64 - 4, CODE)]}, "64 bits"),
        ({"segments": [Segment(2**64, CODE)]}, "64 bits"),
        ({"segments": [Segment(BASE, CODE, 4)]}, "only 4 in memory"),
        ({"symbols": {"far": 2**64}}, "64 bits"),
    ],
)
def test_a_file_that_could_not_be_loaded_is_not_written(changes, message):
    with pytest.raises(ElfError, match=message):
        small(**changes)


def test_paths_are_read_and_named_in_errors(tmp_path):
    path = tmp_path / "program.elf"
    path.write_bytes(small())
    assert load_elf(path).name == "program.elf"
    assert load_elf(str(path)).entry == BASE
    path.write_bytes(small()[:100])
    with pytest.raises(ElfError, match=r"^program.elf: "):
        load_elf(path)
    for missing in (tmp_path / "nothing", tmp_path):
        with pytest.raises(ElfError, match="check the path"):
            load_elf(missing)
    with pytest.raises(ElfError, match="not a regular file"):
        load_elf("/dev/null")


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (0, b"MZ", "not an ELF file"),
        (4, b"\x01", "32-bit"),
        (5, b"\x02", "big-endian"),
        (18, b"\x3e\0", "x86-64"),
        (18, b"\xb7\0", "AArch64"),
        (16, b"\1\0", "not linked yet"),
        (16, b"\4\0", "core dump"),
    ],
)
def test_other_kinds_of_file_are_named(offset, value, message):
    data = bytearray(small())
    data[offset : offset + len(value)] = value
    with pytest.raises(ElfError, match=message):
        load_elf(data)


def test_an_empty_file_says_so():
    with pytest.raises(ElfError, match="it is empty"):
        load_elf(b"")


def test_announced_memory_is_not_taken():
    huge = [Segment(BASE, CODE, 1 << 62)]
    image = load_elf(write_elf(huge, BASE))
    assert image.segments[0].size == 1 << 62
    assert len(image.segments[0].data) == len(CODE)


def patched(data, table, offset, field, value):
    copy = bytearray(data)
    at = offset + table.fields[field][1]
    width = table.fields[field][0].itemsize
    copy[at : at + width] = value.to_bytes(width, "little")
    return bytes(copy)


def test_more_sections_than_16_bits_count_from_section_0():
    data = small()
    header = np.frombuffer(data, fmt.EHDR, 1)[0]
    first, count = int(header["e_shoff"]), int(header["e_shnum"])
    extended = patched(data, fmt.EHDR, 0, "e_shnum", 0)
    extended = patched(extended, fmt.SHDR, first, "sh_size", count)
    assert dict(load_elf(extended).symbols) == dict(load_elf(data).symbols)
    extended = patched(data, fmt.EHDR, 0, "e_phnum", fmt.PN_XNUM)
    extended = patched(extended, fmt.SHDR, first, "sh_info", 2)
    assert len(load_elf(extended).segments) == 2
