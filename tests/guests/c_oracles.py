"""What the tests of the C guests share: compilers and QEMU, found or skipped with a reason."""

import shutil
import subprocess
from pathlib import Path

import pytest

from vtbook.guests import find_compilers, find_native_compilers

QEMU = "qemu-system-riscv64"

needs_qemu = pytest.mark.skipif(
    shutil.which(QEMU) is None, reason=f"needs {QEMU} (Debian: qemu-system-misc)"
)
needs_qemu_user = pytest.mark.skipif(
    shutil.which("qemu-riscv64") is None, reason="needs qemu-riscv64 (Debian: qemu-user)"
)
needs_compiler = pytest.mark.skipif(
    not find_compilers(), reason="needs a RISC-V compiler (pip install ziglang)"
)
needs_native_compiler = pytest.mark.skipif(
    not find_native_compilers(), reason="needs cc, or pip install ziglang"
)
every_compiler = pytest.mark.parametrize("compiler", find_compilers(), ids=str)


def run_qemu(
    program: Path, *, typed: bytes = b"", machine: str = "virt", harts: int = 1, entry: bool = False
) -> tuple[int, str]:
    """Run an ELF file on a bare QEMU machine; return its exit code and what it printed.

    QEMU starts at 0x8000_0000, with `entry` where the ELF file says.
    """
    command = [QEMU, "-M", machine, "-smp", str(harts), "-bios", "none", "-icount", "shift=0"]
    command += ["-display", "none", "-serial", "stdio", "-monitor", "none"]
    if entry:
        command += ["-device", f"loader,file={program},cpu-num=0"]
    else:
        command += ["-kernel", str(program)]
    done = subprocess.run(command, input=typed, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout.decode()


def run_here(program: Path, *arguments: object) -> str:
    """Run a native program; return what it printed. It must succeed."""
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout
