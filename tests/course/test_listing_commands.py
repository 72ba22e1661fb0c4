"""`vtbook disasm` and `vtbook asm`, against objdump and pyelftools."""

import io
import re
import shutil
import subprocess

import pytest
from elftools.elf.elffile import ELFFile

from tests.course.conftest import COMMAND, environment
from vtbook.guests import image, image_path

OBJDUMPS = ("riscv64-unknown-elf-objdump", "riscv64-linux-gnu-objdump")


@pytest.mark.parametrize("name", ["hello", "nbody"])
def test_the_listing_has_the_lines_and_bytes_of_objdump(vtbook, name):
    objdump = next(filter(None, map(shutil.which, OBJDUMPS)), None)
    if objdump is None:
        pytest.skip("needs objdump for RISC-V: apt install binutils-riscv64-unknown-elf")
    theirs = subprocess.run(
        [objdump, "-d", "-z", image_path(name)], capture_output=True, text=True, check=True
    ).stdout
    ours = vtbook("disasm", f"guest:{name}").stdout.decode()
    pattern = re.compile(r"^ *([0-9a-f]+):\s+([0-9a-f]{4}|[0-9a-f]{8})\s+(\S+)", re.MULTILINE)
    expected = [(a, code) for a, code, _ in pattern.findall(theirs)]
    found = [(a, code) for a, code, _ in pattern.findall(ours)]
    assert len(found) > 1000
    assert found == expected


def test_one_symbol_is_shown_to_its_end(vtbook):
    lines = vtbook("disasm", "guest:hello", "--symbol", "main").stdout.decode().splitlines()
    elf = ELFFile(io.BytesIO(image("hello")))
    [main] = elf.get_section_by_name(".symtab").get_symbol_by_name("main")
    rows = [line.split() for line in lines if re.match(r" +[0-9a-f]+:", line)]
    assert int(rows[0][0].rstrip(":"), 16) == main["st_value"]
    assert sum(len(row[1]) // 2 for row in rows) == main["st_size"]
    assert rows[-1][2:] == ["ret"]


def test_a_mistyped_symbol_is_told_with_the_near_one(vtbook):
    done = vtbook("disasm", "guest:hello", "--symbol", "mian")
    assert done.returncode == 1
    assert done.stderr.decode() == "vtbook: no symbol is called 'mian'; did you mean main?\n"


def test_pseudo_instructions_can_be_turned_off(vtbook, tmp_path):
    (tmp_path / "a.s").write_text("_start: ret\n")
    assert vtbook("disasm", "a.s").stdout.split()[-1] == b"ret"
    assert b"jalr zero, 0(ra)" in vtbook("disasm", "a.s", "--no-pseudo").stdout


def test_data_is_shown_as_bytes_when_asked_for(vtbook, answer):
    path = answer()
    assert b"message" not in vtbook("disasm", path).stdout.split(b"<_start>:")[0]
    shown = vtbook("disasm", path, "--all").stdout.decode()
    assert "<message>:" in shown
    assert "74 68 65 20 61 6e 73 77 65 72 0a 00" in shown
    assert "the answer.." in shown


def test_a_closed_pipe_ends_the_listing_silently(tmp_path):
    listing = subprocess.Popen(
        [*COMMAND, "disasm", "guest:nbody"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert listing.stdout.readline()
    listing.stdout.close()
    assert listing.stderr.read() == b""
    listing.stderr.close()
    listing.wait(timeout=60)


def test_asm_writes_an_elf_file_that_others_read(vtbook, answer, tmp_path):
    done = vtbook("asm", answer(), "-o", "out.elf")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    path = tmp_path / "out.elf"
    assert path.stat().st_mode & 0o100
    elf = ELFFile(io.BytesIO(path.read_bytes()))
    assert elf["e_machine"] == "EM_RISCV"
    assert elf["e_entry"] == 0x8000_0000
    symbols = elf.get_section_by_name(".symtab")
    [message] = symbols.get_symbol_by_name("message")
    data = elf.get_section(message["st_shndx"])
    assert data.data()[message["st_value"] - data["sh_addr"] :] == b"the answer\n\0"
    assert vtbook("run", "out.elf").returncode == 42


def test_the_output_is_named_after_the_source(vtbook, answer, tmp_path):
    answer(name="program.s")
    assert vtbook("asm", "program.s").returncode == 0
    assert (tmp_path / "program.elf").exists()


def test_every_error_of_the_source_is_shown_and_nothing_is_written(vtbook, tmp_path):
    (tmp_path / "wrong.s").write_text("frob a0\nnop\nadd a0, a1\n")
    done = vtbook("asm", "wrong.s")
    text = done.stderr.decode()
    assert done.returncode == 1
    assert "wrong.s:1:1:" in text
    assert "wrong.s:3:" in text
    assert not (tmp_path / "wrong.elf").exists()


def test_standard_input_needs_a_name_for_the_output(vtbook, tmp_path):
    assert vtbook("asm", "-", input=b"_start: nop\n").returncode == 2
    assert vtbook("asm", "-", "-o", "x.elf", input=b"_start: nop\n").returncode == 0
    assert (tmp_path / "x.elf").exists()
