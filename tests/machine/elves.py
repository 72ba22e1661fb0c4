"""Real ELF files for the tests: a small C program, built by whichever compiler is there."""

import functools
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

PROGRAM = """
int initialised[4] = {1, 2, 3, 4};
int zeroed[1000];
static int helper(int n) { return n * 3 + initialised[n & 3]; }
int twice(int n) { return helper(n) + helper(n + 1); }
void run(void) {
    for (int n = 0; n < 100; n++) zeroed[n] = twice(n);
    *(volatile unsigned *)0x100000 = 0x5555;
    for (;;) ;
}
__asm__(".globl _start\\n_start: lla sp, zeroed\\n li t0, 4000\\n add sp, sp, t0\\n j run");
"""
FLAGS = ["-march=rv64gc", "-mabi=lp64d", "-mcmodel=medany", "-O1", "-nostdlib", "-ffreestanding"]
FLAGS += ["-fno-inline", "-g0"]


@functools.cache
def compiler():
    """The command of a RISC-V compiler, or None."""
    for name in ("riscv64-linux-gnu-gcc", "riscv64-unknown-elf-gcc"):
        if shutil.which(name):
            return (name,)
    if find_spec("ziglang"):
        return (sys.executable, "-m", "ziglang", "cc", "--target=riscv64-freestanding-none")
    return None


@functools.cache
def build(*flags, source=PROGRAM, at="0x80000000"):
    """Compile `source` to the bytes of an ELF file whose code starts at `at`."""
    command = [argument for argument in compiler() if not argument.startswith("-march")]
    machine = [] if "zig" in "".join(command) else FLAGS[:2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "program.c")
        path.write_text(source)
        place = [] if at is None else [f"-Wl,-Ttext={at}"]
        static = [] if any("pie" in flag for flag in flags) else ["-static"]
        target = [*machine, *FLAGS[2:], *static, "-Wl,--build-id=none", *place, *flags]
        subprocess.run([*command, *target, "-o", f"{folder}/program", path], check=True)
        return Path(folder, "program").read_bytes()
