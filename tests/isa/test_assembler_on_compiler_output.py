"""Real programs: what a C compiler writes assembles to what GNU as and ld make of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from vtbook.isa.assembler import AssemblyError, Program, assemble

from .assembler_oracles import GnuAssembler, usable

GCC = shutil.which("riscv64-unknown-elf-gcc")
GUESTS = Path(__file__).parents[2] / "vtbook" / "guests"
SOURCES = sorted([*GUESTS.glob("runtime/*.c"), *GUESTS.glob("benchmarks/*.c")])
ELSEWHERE = 0x8000_0000  # where symbols of other files are said to be

pytestmark = pytest.mark.skipif(
    GCC is None, reason="needs riscv64-unknown-elf-gcc (apt install gcc-riscv64-unknown-elf)"
)


def compiled(path: Path, march: str) -> str:
    assert GCC
    options = ["-O2", "-S", f"-march={march}", "-mabi=lp64d", "-mcmodel=medany", "-ffreestanding"]
    # A linker merges and moves the constants of mergeable sections.
    options += ["-fno-merge-constants", f"-I{GUESTS}/runtime/include", f"-I{path.parent}"]
    done = subprocess.run(
        [GCC, *options, "-o", "-", str(path)], capture_output=True, text=True, check=True
    )
    return done.stdout


def assemble_alone(source: str, compress: bool) -> tuple[Program, set[str]]:
    """The program, and the symbols that it wants from other files."""
    try:
        return assemble(source, compress=compress), set()
    except AssemblyError:
        pass
    defined = set(re.findall(r"^([\w.$]+):|^\s*\.comm\s+([\w.$]+)", source, re.MULTILINE))
    defined = {name for pair in defined for name in pair if name}
    used = set(re.findall(r"\b(?:call|tail|lla|la|l[bhwd]u?)\s+(?:\w+,)?([A-Za-z_]\w*)", source))
    used |= set(re.findall(r"\.dword\s+([A-Za-z_]\w*)", source))
    wanted = used - defined
    return assemble(source, compress=compress, symbols=dict.fromkeys(wanted, ELSEWHERE)), wanted


@pytest.mark.parametrize("compress", [False, True], ids=["full", "compressed"])
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_compiled_code_has_the_bytes_of_the_oracle(path, compress):
    source = compiled(path, "rv64gc" if compress else "rv64imafd_zicsr_zifencei")
    program, wanted = assemble_alone(source, compress)
    outside = "".join(f"\n.set {name}, {ELSEWHERE:#x}" for name in sorted(wanted))
    oracle = usable(GnuAssembler())
    places = {section.name: section.address for section in program.sections}
    result = oracle.assemble(source + outside + "\n", compress, places)
    compared = 0
    for section in program.sections:
        if section.name in result.sections:
            address, data = result.sections[section.name]
            assert (address, data[: len(section.data)]) == (section.address, section.data)
            compared += len(data)
    assert compared or not program.segments
