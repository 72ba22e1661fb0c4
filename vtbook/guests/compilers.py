"""The C compilers on this computer that can make RISC-V or native programs."""

from __future__ import annotations

import functools
import importlib.util
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vtbook.errors import VtbookError

HOW_TO_GET_ONE = (
    "get one with `pip install ziglang` (any system), or on Debian and Ubuntu with "
    "`apt install gcc-riscv64-unknown-elf`; the prebuilt programs need none: vtbook.guests.image()"
)

# What "g" stands for (unprivileged specification, chapter 27 "ISA extension naming").
_GENERAL = ("i", "m", "a", "f", "d", "zicsr", "zifencei")
_SINGLE_LETTERS = "imafdqcbvh"  # in the order the specification wants


_OLDEST_ZIG = (0, 14)  # before it zig knew no -mcmodel=medany


class NoCompilerError(VtbookError):
    """No C compiler of the wanted kind is installed."""


class MarchError(VtbookError):
    """An instruction set name that cannot be used, such as "rv32i"."""


@dataclass(frozen=True)
class Compiler:
    """A C compiler: what it is called, its version, how to start it, and whose flags it takes."""

    name: str
    version: str
    command: tuple[str, ...]
    family: Literal["gcc", "clang"]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def bare_metal_flags(self, march: str) -> list[str]:
        """Flags for code that runs on a bare RV64 hart with the instruction set `march`."""
        extensions = parse_march(march)
        if self.family == "clang":
            features = "".join(f"+{name}" for name in extensions if name != "i")
            target = ["-target", "riscv64-freestanding-none", f"-mcpu=generic_rv64{features}"]
            # zig adds -DNDEBUG, frame pointers and, at -O0, tests for undefined behaviour
            plain = ["-UNDEBUG", "-fomit-frame-pointer", "-fno-sanitize=undefined"]
            return [*target, "-mcmodel=medany", *plain]
        return [
            f"-march={format_march(extensions)}",
            f"-mabi={abi(extensions)}",
            "-mcmodel=medany",
            "-nostartfiles",
        ]


def parse_march(march: str) -> tuple[str, ...]:
    """Split an instruction set name: "rv64gc" -> ("i", "m", "a", "f", "d", "c", "zicsr", ...).

    "zicsr" is always in the result, since no program can start or stop without it.
    Raises MarchError for a name that is not RV64 or has no base.
    """
    match = re.fullmatch(r"rv64([a-z]*)((?:_[a-z0-9]+)*)", march.lower())
    if match is None:
        raise MarchError(
            f"march {march!r}: not an RV64 instruction set; give one such as 'rv64gc' or 'rv64imac'"
        )
    found = {name for name in match[2].split("_") if name} | {"zicsr"}
    for letter in match[1]:
        if letter == "g":
            found.update(_GENERAL)
        elif letter in _SINGLE_LETTERS:
            found.add(letter)
        else:
            raise MarchError(f"march {march!r}: unknown extension {letter!r}")
    if "i" not in found:
        raise MarchError(f"march {march!r}: the base is missing; write 'rv64i...' or 'rv64g...'")
    letters = [letter for letter in _SINGLE_LETTERS if letter in found]
    return (*letters, *sorted(name for name in found if len(name) > 1))


def format_march(extensions: tuple[str, ...]) -> str:
    """Join what parse_march() split: ("i", "c", "zicsr") -> "rv64ic_zicsr"."""
    letters = "".join(name for name in extensions if len(name) == 1)
    return "_".join(["rv64" + letters, *(name for name in extensions if len(name) > 1)])


def abi(extensions: tuple[str, ...]) -> str:
    """Name the calling convention: floating-point arguments in f registers where they fit."""
    return "lp64d" if "d" in extensions else "lp64f" if "f" in extensions else "lp64"


@functools.cache
def find_compilers() -> tuple[Compiler, ...]:
    """List the compilers here that make bare-metal RISC-V programs, the preferred one first."""
    found = [_zig()]
    found += [_gcc(name) for name in ("riscv64-unknown-elf-gcc", "riscv64-linux-gnu-gcc")]
    return tuple(compiler for compiler in found if compiler is not None)


@functools.cache
def find_native_compilers() -> tuple[Compiler, ...]:
    """List the compilers here that make programs for this computer, the preferred one first."""
    found = [_gcc(name) for name in ("cc", "gcc", "clang")] + [_zig()]
    return tuple(compiler for compiler in found if compiler is not None)


@functools.cache
def find_linux_compilers() -> tuple[Compiler, ...]:
    """List the compilers here that make static RISC-V Linux programs, the preferred one first."""
    found = [_gcc("riscv64-linux-gnu-gcc"), _zig()]
    return tuple(compiler for compiler in found if compiler is not None)


def choose(compiler: str | Compiler, among: tuple[Compiler, ...]) -> Compiler:
    """Take the compiler of that name, or the first for "auto".

    Raises NoCompilerError when it is not there; the message says how to get one.
    """
    if isinstance(compiler, Compiler):
        return compiler
    for candidate in among:
        if compiler in ("auto", candidate.name):
            return candidate
    if compiler == "auto":
        raise NoCompilerError(f"no C compiler for this was found; {HOW_TO_GET_ONE}")
    names = ", ".join(candidate.name for candidate in among) or "none"
    raise NoCompilerError(f"no compiler {compiler!r} (there are: {names}); {HOW_TO_GET_ONE}")


def say(command: list[str]) -> str | None:
    """Return what a command prints, or None if it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _zig() -> Compiler | None:
    command = _zig_command()
    version = say([*command, "version"]) if command else None
    if not version or _numbers(version) < _OLDEST_ZIG:
        return None
    return Compiler("zig", version, (*command, "cc"), "clang")


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version for comparing: "0.14.1-dev.5" -> (0, 14)."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _zig_command() -> tuple[str, ...]:
    """Find zig: the ziglang package of this Python first, then the search path."""
    spec = importlib.util.find_spec("ziglang")
    if spec is not None and spec.submodule_search_locations:
        for folder in spec.submodule_search_locations:
            program = Path(folder) / ("zig.exe" if sys.platform == "win32" else "zig")
            if program.exists():
                return (str(program),)
    on_path = shutil.which("zig")
    return (on_path,) if on_path else ()


def _gcc(name: str) -> Compiler | None:
    program = shutil.which(name)
    version = say([program, "-dumpfullversion", "-dumpversion"]) if program else None
    if not program or not version:
        return None
    family: Literal["gcc", "clang"] = "clang" if name == "clang" else "gcc"
    return Compiler(name, version, (program,), family)
