"""Compile the teaching kernel and programs for it.

Three steps: the programs of `user/`, each an ELF file; a RAM disk with all of them; the kernel of
`system/`, with the RAM disk in it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from vtbook.guests import toolchain
from vtbook.guests.compilers import Compiler, choose, find_compilers
from vtbook.guests.elf import slim
from vtbook.guests.kernel.images import HERE, RAMDISK_SIZE
from vtbook.guests.kernel.mkfs import make_file_system, read_folder
from vtbook.guests.manifest import hash_sources

MARCH = "rv64imac_zicsr_zifencei"
RAMDISK_INODES = 128

SYSTEM, USER, SHARED, FILES = (HERE / name for name in ("system", "user", "shared", "files"))

_FLAGS = (
    "-std=gnu11",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wframe-larger-than=1200",
    "-g0",
    "-ffreestanding",
    "-fno-builtin",
    "-static",
    "-fno-pie",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-strict-aliasing",
)
_ONLY_GCC = ("-fno-tree-loop-distribute-patterns",)  # memcpy() must not become a call of itself


def sources() -> list[Path]:
    """Return all files that the kernel is made from."""
    found = (path for folder in (SYSTEM, USER, SHARED, FILES) for path in folder.rglob("*"))
    return sorted(path for path in found if path.is_file())


def source_hash() -> str:
    """Hash all files that the kernel is made from (SHA-256, hexadecimal)."""
    return hash_sources(sources(), HERE)


def programs() -> list[str]:
    """Return the names of the programs."""
    return sorted(_programs())


def build_programs(compiler: Compiler) -> dict[str, bytes]:
    """Compile all programs; return their ELF files, without symbols, by name."""
    with tempfile.TemporaryDirectory(prefix="vtbook-") as folder:
        library = _library(compiler, Path(folder))
        return {
            name: _link_program(compiler, code, library, Path(folder))
            for name, code in sorted(_programs().items())
        }


def build_program(source: str | Path, *, compiler: Compiler | str = "auto") -> bytes:
    """Compile one program for the teaching kernel, from a file or from C text; return its ELF file.

    It includes <user.h>, the library of the programs. Put it on a disk with disk_image().

    Raises CompileError with the compiler's diagnostics, NoCompilerError.
    """
    chosen = choose(compiler, find_compilers())
    with tempfile.TemporaryDirectory(prefix="vtbook-") as name:
        folder = Path(name)
        path = folder / "program.c"
        text = str(source) if toolchain.is_text(source) else Path(source).read_text("utf-8")
        path.write_text(text, encoding="utf-8")
        return _link_program(chosen, [path], _library(chosen, folder), folder)


def build_ramdisk(built: dict[str, bytes]) -> bytes:
    """Return the RAM disk with these programs, and the files of `files/`."""
    return make_file_system(
        standard_files(built), size=RAMDISK_SIZE, inodes=RAMDISK_INODES, log=False
    )


def standard_files(built: dict[str, bytes]) -> dict[str, bytes]:
    """Return what every disk has on it: the programs in bin, the files of `files/`, and tmp."""
    return {f"bin/{name}": content for name, content in built.items()} | {
        "tmp/": b"",
        **read_folder(FILES),
    }


def build_kernel(compiler: Compiler, ramdisk: bytes) -> bytes:
    """Compile the kernel; return its ELF file, with the names of functions and variables."""
    code = [*sorted(SYSTEM.glob("*.[cS]")), *sorted(SHARED.glob("*.c"))]
    with tempfile.TemporaryDirectory(prefix="vtbook-") as name:
        folder = Path(name)
        image = folder / "ramdisk.img"
        image.write_bytes(ramdisk.rstrip(b"\0"))
        flags = [*_flags(compiler), "-O2", f'-DRAMDISK="{image.as_posix()}"']
        objects = _compile(compiler, flags, code, folder)
        return slim(_link(compiler, flags, objects, SYSTEM / "link.ld", folder))


def _flags(compiler: Compiler) -> list[str]:
    only = _ONLY_GCC if compiler.family == "gcc" else ()
    return [*compiler.bare_metal_flags(MARCH), *_FLAGS, *only]


def _library(compiler: Compiler, folder: Path) -> list[Path]:
    code = [*sorted((USER / "lib").glob("*.[cS]")), *sorted(SHARED.glob("*.c"))]
    return _compile(compiler, [*_flags(compiler), "-Os"], code, folder)


def _programs() -> dict[str, list[Path]]:
    """Find the sources of each program: NAME.c, but for the tests, which have a folder."""
    single = {path.stem: [path] for path in USER.glob("*.c")}
    return single | {"tests": sorted((USER / "tests").glob("*.c"))}


def _link_program(
    compiler: Compiler, code: Iterable[Path], library: list[Path], folder: Path
) -> bytes:
    flags = [*_flags(compiler), "-Os", f"-I{USER / 'lib'}", "-Wl,-s"]
    objects = _compile(compiler, flags, code, folder)
    return slim(_link(compiler, flags, [*objects, *library], USER / "lib" / "link.ld", folder))


def _compile(
    compiler: Compiler, flags: Sequence[str], code: Iterable[Path], folder: Path
) -> list[Path]:
    """Compile each file into an object file in `folder`."""
    objects = []
    for source in code:
        made = folder / f"{source.parent.name}-{source.name}.o"
        toolchain.run(compiler, [*flags, "-c", str(source), "-o", str(made)], folder)
        objects.append(made)
    return objects


def _link(
    compiler: Compiler, flags: Sequence[str], objects: Iterable[Path], script: Path, folder: Path
) -> bytes:
    made = folder / "linked.elf"
    link = ["-nostdlib", f"-Wl,-T,{script}", "-Wl,--gc-sections", "-Wl,--build-id=none"]
    toolchain.run(compiler, [*flags, *map(str, objects), *link, "-o", str(made)], folder)
    return made.read_bytes()
