"""Compile C for a bare RISC-V machine: `compile_c`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vtbook.guests import support, toolchain
from vtbook.guests.compilers import Compiler, choose, find_compilers
from vtbook.guests.elf import slim
from vtbook.guests.support import GUEST_FLAGS, RAM_BASE, RAM_SIZE, RUNTIME


def compile_c(
    sources: str | Path | Iterable[str | Path],
    *,
    output: str | Path | None = None,
    optimize: str = "-O2",
    march: str = "rv64gc",
    compiler: str | Compiler = "auto",
    defines: Mapping[str, Any] | None = None,
    flags: Sequence[str] = (),
    include: Sequence[str | Path] = (),
    runtime: bool = True,
    ram_base: int = RAM_BASE,
    ram_size: int = RAM_SIZE,
    linker_script: str | Path | None = None,
    debug: bool = False,
) -> Path:
    """Compile and link C (and assembly) for a bare RV64 machine; return the path of the ELF file.

    sources: files (.c, .S, .s) or C text: a string with a line break, a brace or a semicolon.
    output: where to write the ELF file; else it stays in the user's cache folder, under a name
        made from all that went into it, so that compiling the same again only looks it up.
    march: the instruction set, as "rv64gc" or "rv64imac"; the calling convention follows from it.
    compiler: a name from find_compilers(), or "auto" for the first of them.
    defines: macros, as -Dname=value.
    flags: more flags for the compiler; they come after ours and so win.
    include: folders for #include.
    runtime: link vtbook's start code and small C library (vtbook/guests/runtime). Without it the
        sources must define _start.
    ram_base, ram_size: where the program lies, and how many bytes from there are for it and its
        heap.
    linker_script: another one than the runtime's, which alone heeds ram_base and ram_size.
    debug: keep line numbers for a debugger.

    Raises CompileError with the compiler's diagnostics, NoCompilerError when there is no
    compiler, MarchError. Warnings of the compiler become Python warnings (CompileWarning).
    """
    chosen = choose(compiler, find_compilers())
    script = Path(linker_script or support.linker_script(ram_base, ram_size)).resolve()
    objects = support.runtime_objects(chosen, march) if runtime else []
    library = support.compiler_library(chosen, march)
    command = [
        *chosen.bare_metal_flags(march),
        *GUEST_FLAGS,
        # with the runtime the compiler may rely on printf, memcpy and so on
        "-fhosted" if runtime else "-ffreestanding",
        optimize,
        "-g" if debug else "-g0",
        *([f"-I{RUNTIME / 'include'}"] if runtime else []),
        *(f"-I{Path(folder).resolve()}" for folder in include),
        *(f"-D{name}={value}" for name, value in (defines or {}).items()),
        *flags,
    ]
    link = [
        *(str(path) for path in objects),
        f"-Wl,-T,{script}",
        "-Wl,--gc-sections",
        "-Wl,--build-id=none",
        "-nostdlib",
        str(library),
    ]
    return toolchain.build(
        chosen,
        command,
        sources,
        link=link,
        suffix=".elf",
        output=output,
        depends=[script, *objects, library],
        finish=bytes if debug else slim,
    )
