"""Make the prebuilt images again: `python -m vtbook.guests.build`.

Needs the compiler, a native one for the checksums, and qemu-system-riscv64, on which every image
runs once with counted instructions. An image whose benchmark prints another checksum than the
native program is an error.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vtbook.errors import VtbookError
from vtbook.guests.catalog import BENCHMARKS, PROGRAMS, BenchmarkProgram, Program
from vtbook.guests.compile import compile_c
from vtbook.guests.compilers import Compiler, choose, find_compilers
from vtbook.guests.hosted import compile_native
from vtbook.guests.images import IMAGES, with_arguments
from vtbook.guests.manifest import NAME, hash_sources, read_manifest, write_manifest
from vtbook.guests.support import LINKER_SCRIPT, RUNTIME

OPTIMIZE = "-O2"
MARCH = "rv64gc"
QEMU = "qemu-system-riscv64"


class BuildError(VtbookError):
    """An image does not do what it must."""


def compile_image(program: Program | BenchmarkProgram, compiler: Compiler) -> bytes:
    """Compile a guest as the prebuilt images are."""
    path = compile_c(program.source, compiler=compiler, optimize=OPTIMIZE, march=MARCH)
    return path.read_bytes()


def source_hash(program: Program | BenchmarkProgram) -> str:
    """Hash all the files that an image is made from (SHA-256, hexadecimal)."""
    headers = program.source.parent.glob("*.h")
    runtime = (path for path in RUNTIME.rglob("*") if path.suffix in (".c", ".S", ".h"))
    return hash_sources([program.source, *sorted(headers), *sorted(runtime), LINKER_SCRIPT])


def run_on_qemu(
    program: bytes, folder: Path, *, typed: bytes = b"", timeout: float = 120
) -> tuple[int, str]:
    """Run an ELF program on QEMU's virt machine; return its exit code and what it printed.

    The instruction counter counts exactly (-icount). timeout: in seconds.
    """
    path = folder / "guest.elf"
    path.write_bytes(program)
    machine = ["-M", "virt", "-bios", "none", "-icount", "shift=0"]
    command = [QEMU, *machine, "-display", "none", "-serial", "stdio", "-kernel", str(path)]
    done = subprocess.run(command, input=typed, capture_output=True, timeout=timeout, check=False)
    return done.returncode, done.stdout.decode()


def describe_program(program: Program, content: bytes, folder: Path) -> dict[str, Any]:
    """Run a program and note what it did."""
    code, output = run_on_qemu(content, folder, typed=program.typed)
    return {"exit_code": code, "output": output}


def describe_benchmark(program: BenchmarkProgram, content: bytes, folder: Path) -> dict[str, Any]:
    """Run a benchmark in both sizes, here and on QEMU, and note checksum and instructions."""
    here = compile_native(program.name)
    runs = []
    for size in (program.size, program.small_size):
        done = subprocess.run([here, str(size)], capture_output=True, text=True, check=True)
        code, output = run_on_qemu(with_arguments(content, size, "+counters"), folder)
        found = re.fullmatch(r"(\w+: (\w+)\n)main: (\d+) instructions, \d+ cycles\n", output)
        if code != 0 or found is None or found[1] != done.stdout:
            raise BuildError(
                f"{program.name} {size}: prints {done.stdout!r} here, but {output!r} on QEMU "
                f"(exit code {code})"
            )
        runs.append({"size": size, "checksum": found[2], "instructions": int(found[3])})
    return {"runs": runs}


def build_images(compiler: Compiler, folder: Path, names: Iterable[str] = ()) -> None:
    """Write the images and the manifest into `folder`; `names` limits which are made anew."""
    folder.mkdir(parents=True, exist_ok=True)
    old = read_manifest(folder)["images"] if (folder / NAME).exists() else {}
    wanted = set(names)
    images: dict[str, Any] = {}
    every: list[Program | BenchmarkProgram] = [*PROGRAMS.values(), *BENCHMARKS.values()]
    for program in every:
        if wanted and program.name not in wanted and program.name in old:
            images[program.name] = old[program.name]
            continue
        content = compile_image(program, compiler)
        (folder / f"{program.name}.elf").write_bytes(content)
        print(f"{program.name}: {len(content)} bytes", flush=True)
        entry: dict[str, Any] = {
            "source_sha256": source_hash(program),
            "elf_sha256": hashlib.sha256(content).hexdigest(),
        }
        if isinstance(program, Program):
            entry |= describe_program(program, content, folder)
        else:
            entry |= describe_benchmark(program, content, folder)
        images[program.name] = entry
    (folder / "guest.elf").unlink(missing_ok=True)
    write_manifest(folder, compiler, flags=[OPTIMIZE, MARCH], images=images)


def main() -> None:
    """Compile the images and write their manifest."""
    parser = argparse.ArgumentParser(prog="python -m vtbook.guests.build", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these images")
    parser.add_argument("--compiler", default="auto", help="a name from find_compilers()")
    parser.add_argument("--output", type=Path, default=IMAGES, help="another folder")
    options = parser.parse_args()
    if shutil.which(QEMU) is None:
        parser.error(f"{QEMU} is not here; on Debian: apt install qemu-system-misc")
    build_images(choose(options.compiler, find_compilers()), options.output, options.names)


if __name__ == "__main__":
    main()
