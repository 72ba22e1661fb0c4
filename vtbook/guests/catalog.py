"""The table of the C guests: programs that show something, and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vtbook.errors import VtbookError

HERE = Path(__file__).parent

Numbers = Literal["integer", "single", "double"]


class UnknownGuestError(VtbookError):
    """There is no guest program of that name."""


@dataclass(frozen=True)
class Program:
    """A program of vtbook/guests/programs: `typed` is what its test types on the console."""

    name: str
    shows: str
    typed: bytes = b""

    @property
    def source(self) -> Path:
        return HERE / "programs" / f"{self.name}.c"


@dataclass(frozen=True)
class BenchmarkProgram:
    """A program of vtbook/guests/benchmarks.

    `size` is its argument when none is given, for about a billion instructions; `small_size` is
    for about a million.
    """

    name: str
    exercises: str
    numbers: Numbers
    size: int
    small_size: int

    @property
    def source(self) -> Path:
        return HERE / "benchmarks" / f"{self.name}.c"


PROGRAMS = {
    program.name: program
    for program in [
        Program("hello", "the console: one sentence"),
        Program("echo", "input: sends back what is typed until Ctrl-D", b"one\rtwo\x04"),
        Program("fib", "recursion, and an argument"),
        Program("strings", "bytes in memory"),
        Program("counters", "the count of retired instructions"),
        Program("illegal", "a trap nobody handles"),
        Program("emulate", "an instruction done by the trap handler"),
        Program("misaligned", "a load across a word boundary, and an atomic that must trap"),
        Program(
            "monitor",
            "a machine monitor to talk to: memory, registers, colours, a game",
            b"help\rpeek 0x10000005\rdump 8\rpoke 1 2\recho one  two\x7f\x7fwo\r"
            b"colours\rwhat\rpeek\rexit 3\r",
        ),
        Program("user_mode", "going to U mode, system calls, and what U mode may not do"),
    ]
}

BENCHMARKS = {
    program.name: program
    for program in [
        BenchmarkProgram(
            "mix", "list, matrix, state machine, CRC (as CoreMark)", "integer", 16000, 16
        ),
        BenchmarkProgram("sha256", "32-bit logic in registers", "integer", 200_000, 200),
        BenchmarkProgram("matmul_int", "multiply, loads with a stride", "integer", 500, 48),
        BenchmarkProgram("sieve", "byte stores with a stride", "integer", 600, 1),
        BenchmarkProgram("quicksort", "compares, memory, recursion", "integer", 950, 1),
        BenchmarkProgram("bytecode", "indirect jumps: an interpreter", "integer", 45_000, 120),
        BenchmarkProgram("calls", "calls and returns: Takeuchi's function", "integer", 800, 1),
        BenchmarkProgram("chase", "dependent loads, cache misses", "integer", 150_000_000, 20_000),
        BenchmarkProgram("lz77", "bytes, hash tables, copies", "integer", 950, 1),
        BenchmarkProgram("matmul_double", "multiply and add, rows", "double", 500, 48),
        BenchmarkProgram("nbody", "double arithmetic, division, root", "double", 1_300_000, 1300),
        BenchmarkProgram("mandelbrot", "single precision, short loops", "single", 1800, 58),
    ]
}


def find(name: str) -> Program | BenchmarkProgram:
    """Return the guest of that name. Raises UnknownGuestError, which lists them."""
    found = PROGRAMS.get(name) or BENCHMARKS.get(name)
    if found is None:
        names = ", ".join([*PROGRAMS, *BENCHMARKS])
        raise UnknownGuestError(f"no guest program {name!r}; there are {names}")
    return found


def find_benchmark(name: str) -> BenchmarkProgram:
    """Return the benchmark of that name. Raises UnknownGuestError, which lists them."""
    if name not in BENCHMARKS:
        raise UnknownGuestError(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name]
