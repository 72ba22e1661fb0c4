"""Damaged ELF files: each is loaded or refused with `ElfError`, fast and in little memory."""

import random
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbook.machine import elf_format as fmt
from vtbook.machine.elf import ElfError, Image, Segment, load_elf
from vtbook.machine.elf_write import write_elf

from . import elves

BASE = 0x8000_0000
MEMORY_LIMIT = 4 << 20
TIME_LIMIT = 20  # seconds for one file, which takes milliseconds: more is a loop without end


def written():
    code = Segment(BASE, bytes(range(64)), flags=5)
    data = Segment(BASE + 0x1000, b"data" * 4, 0x100, 6)
    symbols = {f"name_{n}": BASE + n for n in range(8)}
    return write_elf([code, data], BASE, symbols, arch="rv64imac")


@pytest.fixture(scope="module", params=["written", "compiled"])
def good(request):
    if request.param == "compiled" and elves.compiler() is None:
        pytest.skip("needs a RISC-V compiler")
    return written() if request.param == "written" else elves.build()


@pytest.fixture(autouse=True)
def watched_memory():
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEMORY_LIMIT


def attempt(data):
    """Load; True if it worked. Anything but an image or an ElfError fails the test."""
    start = time.perf_counter()
    image, message = None, ""
    try:
        image = load_elf(data)
    except ElfError as error:
        message = str(error)
    assert time.perf_counter() - start < TIME_LIMIT
    if image is None:
        assert ";" in message, "a message says what to do"
        return False
    assert isinstance(image, Image)
    check_image(image)
    return True


def check_image(image):
    """What every loaded image promises."""
    end = 0
    for segment in image.segments:
        assert end <= segment.address < segment.end <= 1 << 64
        assert len(segment.data) <= segment.size
        end = segment.end
    assert any(s.address <= image.entry < s.end for s in image.segments)
    assert image.entry % 2 == 0
    assert all(0 <= address < 1 << 64 for address in image.symbols.values())


def test_truncated_at_every_length(good):
    assert attempt(good)
    for length in range(len(good)):
        assert not attempt(good[:length]), f"{length} bytes of {len(good)}"


def places(data):
    """Every record in the file: its table, offset and name."""
    header = np.frombuffer(data, fmt.EHDR, 1)[0]
    yield fmt.EHDR, 0, "the header"
    for number in range(int(header["e_phnum"])):
        yield fmt.PHDR, int(header["e_phoff"]) + number * fmt.PHDR.itemsize, f"segment {number}"
    sections = np.frombuffer(data, fmt.SHDR, int(header["e_shnum"]), int(header["e_shoff"]))
    for number, section in enumerate(sections):
        at = int(header["e_shoff"]) + number * fmt.SHDR.itemsize
        yield fmt.SHDR, at, f"section {number}"
        if section["sh_type"] == fmt.SHT_SYMTAB:
            for symbol in range(int(section["sh_size"]) // fmt.SYM.itemsize):
                at = int(section["sh_offset"]) + symbol * fmt.SYM.itemsize
                yield fmt.SYM, at, f"symbol {symbol}"


def extremes(width, size):
    bits = 8 * width
    top = (1 << bits) - 1
    values = {0, 1, 2, 3, 7, 8, top, top - 1, top - 7, top >> 1, (top >> 1) + 1, top - 4095}
    values |= {size, size - 1, size + 1, size - 64, top - size, top - size + 1, top - BASE}
    values |= {1 << n for n in range(0, bits, 8)}
    return sorted(value & top for value in values)


def test_every_field_set_to_every_extreme(good):
    loaded = refused = 0
    for table, offset, _where in places(good):
        for field in table.names:
            at = offset + table.fields[field][1]
            width = table.fields[field][0].itemsize
            for value in extremes(width, len(good)):
                copy = bytearray(good)
                copy[at : at + width] = value.to_bytes(width, "little")
                if attempt(bytes(copy)):
                    loaded += 1
                else:
                    refused += 1
    assert loaded > 100
    assert refused > 300


def test_every_pair_of_fields_of_a_program_header(good):
    fields = ("p_offset", "p_vaddr", "p_paddr", "p_filesz", "p_memsz")
    start = int(np.frombuffer(good, fmt.EHDR, 1)[0]["e_phoff"])
    values = [0, 1, 4096, len(good), 2**63, 2**64 - 1, 2**64 - 4096, BASE]
    for first in fields:
        for second in fields:
            for one in values:
                for two in values:
                    copy = bytearray(good)
                    for field, value in ((first, one), (second, two)):
                        at = start + fmt.PHDR.fields[field][1]
                        copy[at : at + 8] = value.to_bytes(8, "little")
                    attempt(bytes(copy))


def test_damaged_bytes(good):
    generator = random.Random(20)
    interesting = [offset + at for table, offset, _ in places(good) for at in range(table.itemsize)]
    for _ in range(2000):
        copy = bytearray(good)
        for _ in range(generator.randint(1, 8)):
            at = generator.choice(interesting) if generator.random() < 0.8 else None
            at = generator.randrange(len(copy)) if at is None else at
            copy[at] = generator.choice([0, 1, 0x7F, 0x80, 0xFF, generator.randrange(256)])
        attempt(bytes(copy))


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_bytes_after_a_good_start(tail):
    data = written()
    for kept in (0, 4, 16, 64):
        attempt(data[:kept] + tail)


def test_attributes_truncated_and_damaged():
    data = written()
    start = data.index(b"A", data.index(b"name_7"))
    end = data.index(b"rv64imac") + 9
    for at in range(start, end):
        for value in (0, 1, 5, 0x7F, 0x80, 0xFF):
            copy = bytearray(data)
            copy[at] = value
            attempt(bytes(copy))


def test_names_that_overlap_do_not_multiply_memory():
    """Symbols may share the tails of names; thousands that share one huge name may not."""
    count = 20_000
    data = bytearray(write_elf([Segment(BASE, bytes(8))], BASE, {"n" * 60_000: BASE}))
    header = np.frombuffer(bytes(data), fmt.EHDR, 1)[0]
    first = int(header["e_shoff"])
    sections = np.frombuffer(bytes(data), fmt.SHDR, int(header["e_shnum"]), first).copy()
    number = int(np.flatnonzero(sections["sh_type"] == fmt.SHT_SYMTAB)[0])
    table = np.zeros(count, fmt.SYM)
    table["st_name"] = 1 + np.arange(count) % 50_000
    table["st_shndx"] = fmt.SHN_ABS
    sections[number]["sh_offset"], sections[number]["sh_size"] = len(data), table.nbytes
    data[first : first + sections.nbytes] = sections.tobytes()
    with pytest.raises(ElfError, match="overlap without bound"):
        load_elf(bytes(data) + table.tobytes())


def test_many_segments_that_share_the_file_are_not_copied():
    count = 5000
    data = bytearray(write_elf([Segment(BASE, bytes(100_000))], BASE))
    programs = np.zeros(count, fmt.PHDR)
    programs["p_type"], programs["p_filesz"], programs["p_memsz"] = fmt.PT_LOAD, 100_000, 100_000
    programs["p_paddr"] = programs["p_vaddr"] = BASE + np.arange(count) * 100_000
    header = np.frombuffer(data, fmt.EHDR, 1)
    header["e_phoff"], header["e_phnum"] = len(data), count
    assert attempt(bytes(data) + programs.tobytes())
