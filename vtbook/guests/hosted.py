"""The benchmarks as ordinary programs: for this computer, and for RISC-V Linux."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from vtbook.guests import toolchain
from vtbook.guests.catalog import find
from vtbook.guests.compilers import (
    Compiler,
    choose,
    find_linux_compilers,
    find_native_compilers,
)
from vtbook.guests.support import COMMON_FLAGS


def compile_native(
    name: str,
    *,
    compiler: str | Compiler = "auto",
    optimize: str = "-O2",
    flags: Sequence[str] = (),
) -> Path:
    """Compile a guest program for this computer; return the path of the executable.

    name: a benchmark, or another guest program that needs nothing but the C library.
    compiler: "cc", "gcc", "clang", "zig", or "auto" for the first of them that is here.

    The result stays in the user's cache folder. Raises UnknownGuestError, NoCompilerError and
    CompileError.
    """
    chosen = choose(compiler, find_native_compilers())
    command = [*COMMON_FLAGS, optimize, *flags]
    suffix = ".exe" if sys.platform == "win32" else ""
    return toolchain.build(chosen, command, find(name).source, link=["-lm"], suffix=suffix)


def compile_linux(
    name: str,
    *,
    compiler: str | Compiler = "auto",
    optimize: str = "-O2",
    flags: Sequence[str] = (),
) -> Path:
    """Compile a guest program for RISC-V Linux, static; return the path of the executable.

    It runs under qemu-riscv64, or under user-mode emulation of our own.
    compiler: "riscv64-linux-gnu-gcc", "zig", or "auto" for the first of them that is here.

    The result stays in the user's cache folder. Raises UnknownGuestError, NoCompilerError and
    CompileError.
    """
    chosen = choose(compiler, find_linux_compilers())
    target = ["-target", "riscv64-linux-musl"] if chosen.family == "clang" else []
    command = [*target, "-static", *COMMON_FLAGS, optimize, *flags]
    return toolchain.build(chosen, command, find(name).source, link=["-lm"], suffix=".linux")
