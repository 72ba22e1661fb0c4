"""The benchmark programs on every engine there is, in turn."""

from __future__ import annotations

import math
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from vtbook.errors import VtbookError
from vtbook.guests.compilers import NoCompilerError
from vtbook.guests.suite import Benchmark, Run, benchmark_suite

LIMIT_SECONDS = 600
LEAST_NATIVE_SECONDS = 0.02
"""A native run shorter than this is mostly the start of a process: no ratio is made of it."""


class BenchError(VtbookError):
    """A benchmark cannot be run, or its result is wrong."""


@dataclass
class Result:
    """One program: seconds of wall time of each contestant's turns, by contestant."""

    benchmark: Benchmark
    run: Run
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def best(self, contestant: str) -> float | None:
        """The shortest turn, or None if the contestant is not here."""
        return min(self.seconds[contestant]) if self.seconds.get(contestant) else None

    def times_native(self, contestant: str) -> float | None:
        """The contestant's time as a multiple of the native time."""
        mine, native = self.best(contestant), self.best("native")
        return mine / native if mine and native and native >= LEAST_NATIVE_SECONDS else None


def measure(
    names: list[str] | None = None, *, turns: int = 3, small: bool = False, slow: bool = False
) -> list[Result]:
    """Run the programs; each turn runs every contestant once, one after the other.

    names: benchmarks, None for all. small: the small sizes. slow: the engines that step through
    Python too. Raises BenchError for an unknown name or a wrong checksum.
    """
    suite = {b.name: b for b in benchmark_suite()}
    for name in names or ():
        if name not in suite:
            raise BenchError(f"there is no benchmark {name!r}; there are {', '.join(suite)}")
    results = []
    for name in names or suite:
        benchmark = suite[name]
        run = benchmark.small if small else benchmark.usual
        result = Result(benchmark, run)
        contestants = _contestants(benchmark, run, slow)
        for turn in range(turns):
            for contestant, runner in contestants.items():
                if turn and contestant in ("python", "ir"):
                    continue  # minutes long; one turn says enough
                output, seconds = runner()
                check(contestant, benchmark, run, output)
                result.seconds.setdefault(contestant, []).append(seconds)
        results.append(result)
    return results


def check(contestant: str, benchmark: Benchmark, run: Run, output: str) -> None:
    """Raise BenchError unless the program printed what it must."""
    if output != benchmark.output(run):
        raise BenchError(
            f"{contestant}, {benchmark.name}: printed {output[-60:]!r},"
            f" expected {benchmark.output(run)!r}"
        )


Runner = Callable[[], tuple[str, float]]


def _contestants(benchmark: Benchmark, run: Run, slow: bool) -> dict[str, Runner]:
    """What can run the program on this computer."""
    engines = ("interpreter", "python", "ir") if slow else ("interpreter",)
    found: dict[str, Runner] = {e: _machine(benchmark, run, e) for e in engines}
    with suppress(NoCompilerError):
        found["native"] = _process([str(benchmark.native()), str(run.size)])
    qemu = shutil.which("qemu-riscv64")
    if qemu:
        with suppress(NoCompilerError):
            found["qemu"] = _process([qemu, str(benchmark.linux()), str(run.size)])
    return found


def _machine(benchmark: Benchmark, run: Run, engine: str) -> Runner:
    from vtbook.machine import Machine

    image = benchmark.image(run)

    def runner() -> tuple[str, float]:
        machine = Machine("64 MiB", engine, reverse=False)
        if engine == "interpreter":  # what it needs is compiled before the clock starts
            machine.load(benchmark.image(benchmark.small))
            machine.run()
        machine = Machine("64 MiB", engine, reverse=False)
        machine.load(image)
        begin = time.perf_counter()
        machine.run()
        seconds = time.perf_counter() - begin
        return machine.console.output.decode(errors="replace"), seconds

    return runner


def _process(command: list[str]) -> Runner:
    def runner() -> tuple[str, float]:
        begin = time.perf_counter()
        done = subprocess.run(command, capture_output=True, timeout=LIMIT_SECONDS, check=False)
        seconds = time.perf_counter() - begin
        return done.stdout.decode(errors="replace"), seconds

    return runner


def geometric_mean(values: list[float]) -> float:
    """The geometric mean of positive numbers; at least one."""
    return math.exp(sum(map(math.log, values)) / len(values))


def summary(results: list[Result]) -> dict[str, dict[str, float]]:
    """Geometric mean of time as a multiple of native, by group of programs and contestant."""
    groups: dict[str, dict[str, float]] = {}
    for label, wanted in (("integer", True), ("floating point", False)):
        group = [r for r in results if (r.benchmark.numbers == "integer") == wanted]
        for contestant in ("interpreter", "qemu", "python", "ir"):
            ratios = [r.times_native(contestant) for r in group]
            known = [ratio for ratio in ratios if ratio is not None]
            if known and len(known) == len(group):
                groups.setdefault(label, {})[contestant] = geometric_mean(known)
    return groups


def as_data(results: list[Result]) -> dict[str, Any]:
    """Everything measured, as plain data."""
    return {
        "programs": [
            {
                "name": r.benchmark.name,
                "exercises": r.benchmark.exercises,
                "numbers": r.benchmark.numbers,
                "instructions": r.run.instructions,
                "seconds": r.seconds,
                "times_native": {
                    c: ratio for c in r.seconds if (ratio := r.times_native(c)) is not None
                },
            }
            for r in results
        ],
        "geometric_mean_times_native": summary(results),
    }


def print_table(results: list[Result]) -> None:
    """Write the results as a table, with a line about each group of programs."""
    from rich.console import Console
    from rich.table import Table

    contestants = [
        c
        for c in ("interpreter", "python", "ir", "qemu", "native")
        if any(c in r.seconds for r in results)
    ]
    title = "Seconds of wall time, best of the turns; times native in brackets; MIPS: interpreter"
    table = Table(title=title)
    table.add_column("program", no_wrap=True)
    for heading in ("M instr.", *contestants, "MIPS"):
        table.add_column(heading, justify="right", no_wrap=True)
    for r in results:
        cells = [r.benchmark.name, f"{r.run.instructions / 1e6:.0f}"]
        for contestant in contestants:
            best, ratio = r.best(contestant), r.times_native(contestant)
            cell = "-" if best is None else f"{best:.3f}"
            if ratio is not None and contestant != "native":
                cell += f" ({ratio:.1f})"
            cells.append(cell)
        own = r.best("interpreter")
        cells.append(f"{r.run.instructions / own / 1e6:.0f}" if own else "-")
        table.add_row(*cells)
    console = Console(width=max(Console().width, 120))  # a table is better wide than cut
    console.print(table)
    means_of = summary(results)
    if not means_of and any("native" in r.seconds for r in results):
        console.print("No ratios: the native runs are shorter than the start of a process.")
    for label, means in means_of.items():
        parts = ", ".join(f"{name} {value:.1f}" for name, value in means.items())
        console.print(f"Geometric mean over the {label} programs, times native: {parts}")
    missing = [c for c in ("qemu", "native") if not any(c in r.seconds for r in results)]
    for contestant in missing:
        console.print(f"{contestant}: not here; vtbook doctor says how to get it")
