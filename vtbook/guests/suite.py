"""The benchmarks, ready to run and to compare: `benchmark_suite`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vtbook.guests import hosted
from vtbook.guests.catalog import BENCHMARKS, Numbers
from vtbook.guests.compilers import Compiler
from vtbook.guests.images import image, image_path, manifest


@dataclass(frozen=True)
class Run:
    """One way to run a benchmark, and what must come out.

    size: the argument. checksum: sixteen hexadecimal digits, the same on every machine.
    instructions: retired by main() of the prebuilt image.
    """

    size: int
    checksum: str
    instructions: int


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: `usual` runs about a billion instructions, `small` about a million."""

    name: str
    exercises: str
    numbers: Numbers
    usual: Run
    small: Run

    @property
    def source(self) -> Path:
        """The C file."""
        return BENCHMARKS[self.name].source

    @property
    def image_path(self) -> Path:
        """The prebuilt image, which runs the usual size."""
        return image_path(self.name)

    def image(self, run: Run | int | None = None) -> bytes:
        """Return the prebuilt image, set to a run or a size (None: the usual)."""
        size = run.size if isinstance(run, Run) else run
        return image(self.name) if size is None else image(self.name, size)

    def native(self, *, compiler: str | Compiler = "auto") -> Path:
        """Compile it for this computer; the size is the argument of the program."""
        return hosted.compile_native(self.name, compiler=compiler)

    def linux(self, *, compiler: str | Compiler = "auto") -> Path:
        """Compile it for RISC-V Linux, to run under qemu-riscv64; the size is the argument."""
        return hosted.compile_linux(self.name, compiler=compiler)

    def output(self, run: Run) -> str:
        """Return what the program must print, with the line break."""
        return f"{self.name}: {run.checksum}\n"


def benchmark_suite() -> list[Benchmark]:
    """Return the benchmarks with a prebuilt image, in the order of the catalogue."""
    suite = []
    for program in BENCHMARKS.values():
        usual, small = (Run(**run) for run in manifest()["images"][program.name]["runs"])
        suite.append(Benchmark(program.name, program.exercises, program.numbers, usual, small))
    return suite
