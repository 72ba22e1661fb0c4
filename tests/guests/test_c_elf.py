"""Slimming ELF programs: pyelftools must still read them, and find the same in them."""

import io

import pytest
from elftools.elf.elffile import ELFFile

from tests.guests.c_oracles import needs_compiler
from vtbook.guests import compile_c, elf, image, list_images

SOURCE = '#include <stdio.h>\nint counter = 7;\nint main(void) { printf("%d", counter); return 0; }'


def loaded(program: bytes) -> dict[int, bytes]:
    """Return what a loader puts into memory: bytes by address."""
    return {
        s["p_vaddr"]: s.data() + bytes(s["p_memsz"] - s["p_filesz"])
        for s in ELFFile(io.BytesIO(program)).iter_segments("PT_LOAD")
    }


def functions_and_variables(program: bytes) -> set[tuple[str, int]]:
    table = ELFFile(io.BytesIO(program)).get_section_by_name(".symtab")
    kinds = ("STT_FUNC", "STT_OBJECT")
    return {
        (s.name, s["st_value"])
        for s in table.iter_symbols()
        if s["st_info"]["type"] in kinds and not s.name.startswith(".")  # the compiler's own
    }


@needs_compiler
def test_slim_program_loads_the_same_and_keeps_the_names():
    full = compile_c(SOURCE, debug=True).read_bytes()
    slim = elf.slim(full)
    assert loaded(slim) == loaded(full)
    assert functions_and_variables(slim) == functions_and_variables(full)
    assert len(slim) < len(full)
    assert elf.slim(slim) == slim


@pytest.mark.parametrize("name", list_images())
def test_sections_of_an_image_lie_in_its_segments(name):
    file = ELFFile(io.BytesIO(image(name)))
    segments = list(file.iter_segments("PT_LOAD"))
    for section in file.iter_sections():
        if section["sh_flags"] & 2:
            assert any(segment.section_in_segment(section) for segment in segments)


def test_symbols_are_those_that_pyelftools_finds():
    program = image("hello")
    table = ELFFile(io.BytesIO(program)).get_section_by_name(".symtab")
    expected = {symbol.name: symbol["st_value"] for symbol in table.iter_symbols() if symbol.name}
    assert elf.symbols(program) == expected


def test_patch_changes_what_is_loaded_at_an_address():
    program = image("hello")
    place = elf.symbols(program)["program_arguments"]
    before, after = loaded(program), loaded(elf.patch(program, place, b"abc"))
    (start,) = [a for a in before if a <= place < a + len(before[a])]
    changed = before[start][: place - start] + b"abc" + before[start][place - start + 3 :]
    assert after == before | {start: changed}


def test_patch_outside_of_the_file_is_refused():
    program = image("hello")
    with pytest.raises(elf.ElfError, match="0x80100000"):
        elf.patch(program, 0x8010_0000, b"abc")
    with pytest.raises(elf.ElfError, match="holds no"):  # in .bss
        elf.patch(program, elf.symbols(program)["stack"], b"abc")


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"\x7fELF\x01\x01" + bytes(80)])
def test_other_files_are_refused(content):
    with pytest.raises(elf.ElfError, match="not a 64-bit"):
        elf.slim(content)
