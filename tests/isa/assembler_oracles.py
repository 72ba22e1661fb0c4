"""Assemblers that nobody here wrote: GNU as, and LLVM's through zig (from PyPI)."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

ORIGIN = 0x8000_0000
NOWHERE: Mapping[str, int] = {}
_PREFIXES = ("riscv64-unknown-elf-", "riscv64-linux-gnu-")


class OracleError(Exception):
    """The oracle refused the text; the message is what it said."""


class Assembled:
    """What an oracle made: the loaded bytes of each section, and symbol values."""

    def __init__(self, elf: Path):
        with elf.open("rb") as stream:
            file = ELFFile(stream)
            self.sections = {
                s.name: (s["sh_addr"], s.data())
                for s in file.iter_sections()
                if s["sh_flags"] & 2 and s["sh_size"] and s["sh_type"] == "SHT_PROGBITS"
            }
            table = file.get_section_by_name(".symtab")
            self.symbols = {s.name: s["st_value"] for s in table.iter_symbols()}

    @property
    def text(self) -> bytes:
        """The bytes of ``.text``."""
        return self.sections[".text"][1]


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OracleError(f"{' '.join(command)}\n{done.stderr}{done.stdout}")


def _write_script(path: Path, places: Mapping[str, int]) -> None:
    """A linker script that puts each section at its address and leaves others where they fall."""
    known = {".text": ORIGIN, **places}
    lines = [f"  {name} {address:#x} : {{ *({name}) }}" for name, address in known.items()]
    path.write_text("SECTIONS {\n" + "\n".join(lines) + "\n}\n")


class GnuAssembler:
    """GNU as and ld of binutils."""

    name = "gas"
    missing = "GNU binutils for riscv64 (apt install binutils-riscv64-unknown-elf)"

    def __init__(self) -> None:
        found = [p for p in _PREFIXES if shutil.which(p + "as") and shutil.which(p + "ld")]
        self.prefix = found[0] if found else ""

    @property
    def available(self) -> bool:
        """True if it is installed."""
        return bool(self.prefix)

    def assemble(
        self, source: str, compress: bool = False, places: Mapping[str, int] = NOWHERE
    ) -> Assembled:
        """Assemble and link without relaxation, ``.text`` at the origin, others at their place."""
        march = "rv64imafd" + ("c" if compress else "") + "_zicsr_zifencei_zihintpause"
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            (work / "a.s").write_text(".option norelax\n" + source)
            flags = [f"-march={march}", "-mabi=lp64d", "-o", str(work / "a.o")]
            _run([self.prefix + "as", *flags, str(work / "a.s")])
            _write_script(work / "a.ld", places)
            place = ["-T", str(work / "a.ld"), "-e", f"{ORIGIN:#x}"]
            out = ["-o", str(work / "a.elf"), str(work / "a.o")]
            _run([self.prefix + "ld", "--no-relax", "-melf64lriscv", *place, *out])
            return Assembled(work / "a.elf")


class LlvmAssembler:
    """LLVM's assembler and linker, as the zig of PyPI carries them."""

    name = "llvm"
    missing = "ziglang (pip install ziglang)"

    @property
    def available(self) -> bool:
        """True if it is installed."""
        return importlib.util.find_spec("ziglang") is not None

    def assemble(
        self, source: str, compress: bool = False, places: Mapping[str, int] = NOWHERE
    ) -> Assembled:
        """Assemble and link without relaxation, ``.text`` at the origin, others at their place."""
        march = "generic_rv64+m+a+f+d+zihintpause" + ("+c" if compress else "")
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            (work / "a.s").write_text(".option norelax\n" + source)
            zig = [sys.executable, "-m", "ziglang"]
            target = ["-target", "riscv64-freestanding-none", f"-mcpu={march}", "-mabi=lp64d"]
            _run([*zig, "cc", *target, "-c", "-o", str(work / "a.o"), str(work / "a.s")])
            _write_script(work / "a.ld", places)
            place = ["-T", str(work / "a.ld"), "-e", f"{ORIGIN:#x}"]
            out = ["-o", str(work / "a.elf"), str(work / "a.o")]
            _run([*zig, "ld.lld", "--no-relax", *place, *out])
            return Assembled(work / "a.elf")


Oracle = GnuAssembler | LlvmAssembler
ORACLES = (GnuAssembler(), LlvmAssembler())


def text_of(lines: Sequence[str]) -> str:
    """A text of these lines, each 32 bytes after the one before, so that none moves another."""
    return "".join(f"line_{n}: {line}\nend_{n}: .balign 32\n" for n, line in enumerate(lines))


def split(code: bytes, symbols: Mapping[str, int], count: int) -> list[bytes]:
    """The bytes of each line of ``text_of``."""
    return [
        code[symbols[f"line_{n}"] - ORIGIN : symbols[f"end_{n}"] - ORIGIN] for n in range(count)
    ]


def by_line(oracle: Oracle, lines: Sequence[str], compress: bool) -> list[bytes]:
    """The bytes that an oracle makes of each line, all assembled in one text."""
    result = oracle.assemble(text_of(lines), compress)
    return split(result.text, result.symbols, len(lines))


def usable(oracle: Oracle) -> Oracle:
    """The oracle; the test is skipped where it is not installed."""
    if not oracle.available:
        pytest.skip(f"needs {oracle.missing}")
    return oracle
