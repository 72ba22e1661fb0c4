"""The kernel of the package: of the sources of today, small, and privileged in few places."""

import hashlib
import re
import shutil
import subprocess

import pytest

from vtbook.guests import elf, find_compilers
from vtbook.guests.kernel import (
    UnknownProgramError,
    compile,
    images,
    kernel_image,
    list_programs,
    program_image,
    standard_files,
)

MANIFEST = images.manifest()
LOW, HIGH = 0x8020_0000, 0xFFFF_FFC0_8020_0000


def test_image_is_the_one_of_the_manifest():
    assert hashlib.sha256(kernel_image().read_bytes()).hexdigest() == MANIFEST["elf_sha256"]


def test_image_was_made_from_the_sources_of_today():
    """When it fails: python -m vtbook.guests.kernel.build"""
    assert MANIFEST["source_sha256"] == compile.source_hash()


def _same_compiler():
    wanted = (MANIFEST["compiler"]["name"], MANIFEST["compiler"]["version"])
    return [c for c in find_compilers() if (c.name, c.version) == wanted]


@pytest.mark.skipif(
    not _same_compiler(), reason="needs the compiler of the manifest, see constraints.txt: ziglang"
)
def test_sources_make_the_image_again():
    (compiler,) = _same_compiler()
    ramdisk = compile.build_ramdisk(compile.build_programs(compiler))
    assert compile.build_kernel(compiler, ramdisk) == kernel_image().read_bytes()


@pytest.mark.skipif(
    shutil.which("riscv64-unknown-elf-gcc") is None,
    reason="needs riscv64-unknown-elf-gcc (Debian: gcc-riscv64-unknown-elf)",
)
def test_another_compiler_makes_it_without_a_warning():
    (gcc,) = (c for c in find_compilers() if c.name == "riscv64-unknown-elf-gcc")
    ramdisk = compile.build_ramdisk(compile.build_programs(gcc))
    assert elf.symbols(compile.build_kernel(gcc, ramdisk))["_start"] == LOW


def test_image_is_small():
    assert kernel_image().stat().st_size < 200_000


def test_kernel_lies_where_firmware_jumps_and_runs_at_high_addresses():
    image = kernel_image().read_bytes()
    assert elf.header(image).entry == LOW
    loads = elf.segments(image)
    assert (loads[0].paddr, loads[0].vaddr) == (LOW, HIGH)
    assert all(s.vaddr - s.paddr == HIGH - LOW for s in loads)
    assert [s.flags for s in loads] == [5, 4, 6]  # nothing can be both written and run


def test_symbols_are_in_the_image():
    symbols = elf.symbols(kernel_image().read_bytes())
    assert {"kernel_main", "trap", "syscall", "scheduler", "pte_set", "processes"} <= set(symbols)


def test_programs_can_be_taken_out():
    assert {"init", "sh", "tests", "cpu", "syscalls", "pages", "disk", "dirty"} <= set(
        list_programs()
    )
    assert program_image("sh") == standard_files()["bin/sh"]
    assert elf.header(program_image("sh")).entry >= 0x10000
    with pytest.raises(UnknownProgramError, match=r"it has .*sh"):
        program_image("vi")


PRIVILEGED = re.compile(r"\bcsr|sfence|\bsret\b|\bwfi\b|__asm__|\becall\b")
MAY = {"riscv.h", "sbi.c", "entry.S", "trap.S"}


def _code(path):
    return re.sub(r"//.*|#.*|/\*.*?\*/", "", path.read_text(encoding="utf-8"))


def test_privileged_instructions_stand_in_few_files():
    found = {
        path.name: len(PRIVILEGED.findall(_code(path)))
        for path in compile.SYSTEM.iterdir()
        if path.name not in MAY and path.suffix in (".c", ".h", ".S")
    }
    assert {name: count for name, count in found.items() if count} == {}


def test_page_tables_change_in_one_place():
    text = (compile.SYSTEM / "pagetable.c").read_text(encoding="utf-8")
    assert text.count("*(volatile pte *)place = value") == 1
    for name in ("pagetable.c", "space.c", "exec.c"):
        stores = r"(?<!pte )(?:\*place|\b(?:root|table|kernel_root)\[i\]) [|&^]?=[^=].*"
        assert not re.findall(stores, _code(compile.SYSTEM / name)), name


def test_the_kernel_is_short():
    code = [*compile.SYSTEM.iterdir(), *compile.SHARED.iterdir()]
    assert sum(len(p.read_text(encoding="utf-8").splitlines()) for p in code) < 5000


@pytest.mark.skipif(
    shutil.which("riscv64-unknown-elf-objdump") is None,
    reason="needs riscv64-unknown-elf-objdump (Debian: binutils-riscv64-unknown-elf)",
)
def test_no_floating_point_in_the_kernel_or_its_programs(tmp_path):
    for name, content in [("kernel", kernel_image().read_bytes())] + [
        (name, program_image(name)) for name in list_programs() if name != "tests"
    ]:
        path = tmp_path / name
        path.write_bytes(content)
        command = ["riscv64-unknown-elf-objdump", "-d", "-M", "no-aliases", str(path)]
        code = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert len(code) > 1000
        assert not re.findall(r"\t(f(?!ence)\w*\.[sd]|c?\.?f[ls][wd](?:sp)?)\t", code), name
