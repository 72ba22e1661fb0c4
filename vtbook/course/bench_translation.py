"""What address translation costs the interpreter: the same programs with and without it.

Each program runs its `main` to the end twice in turn: in M mode with physical addresses, as it is,
and in S mode under Sv39 page tables that map all memory by 4 KiB pages to where it is. Seconds are
processor time; instructions are counted, and must be equal.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from vtbook.errors import VtbookError
from vtbook.guests.suite import Benchmark, benchmark_suite
from vtbook.mmu.walk import PAGE

if TYPE_CHECKING:
    from vtbook.machine import Machine

RAM = 64 << 20
MEGAPAGE = 2 << 20
ENTRIES = 512
LEAF, POINTER = 0xCF, 0x01
"""Bits of an entry: dirty, accessed, executable, writable, readable, valid; or valid alone."""
SV39 = 8
SUPERVISOR = 1
EVERYTHING = 0x1F
"""A PMP entry: all rights, a power of two."""
LIMIT = 1 << 34
WAYS = ("physical", "Sv39")


class TranslationBenchError(VtbookError):
    """A program did not come to its end, or not to the same one."""


@dataclass
class Result:
    """One program: instructions of `main`, and processor seconds of each turn by way."""

    name: str
    instructions: int = 0
    seconds: dict[str, list[float]] = field(default_factory=lambda: {way: [] for way in WAYS})

    @property
    def share(self) -> float:
        """Speed under Sv39 as a share of that without translation, from the best turns."""
        return min(self.seconds["physical"]) / min(self.seconds["Sv39"])


def measure_translation(
    names: Sequence[str] | None = None, *, turns: int = 3, small: bool = False
) -> list[Result]:
    """Run the programs called `names`, or all.

    Raises:
        TranslationBenchError: there is no such program, or one does not come to its end.
    """
    suite = {benchmark.name: benchmark for benchmark in benchmark_suite()}
    if unknown := [name for name in names or () if name not in suite]:
        raise TranslationBenchError(f"no program {unknown[0]!r}; there are {', '.join(suite)}")
    results = []
    for name in names or suite:
        result = Result(name)
        for turn in range(turns + 1):  # the first compiles what no turn shall pay for
            for way in WAYS:
                seconds, instructions = _turn(suite[name], way, small)
                if result.instructions not in (0, instructions):
                    raise TranslationBenchError(
                        f"{name}: {instructions:,} instructions with {way} addresses, "
                        f"{result.instructions:,} before"
                    )
                result.instructions = instructions
                if turn:
                    result.seconds[way].append(seconds)
        results.append(result)
    return results


def mean_share(results: Sequence[Result]) -> float:
    """The geometric mean of the shares."""
    return math.exp(sum(math.log(result.share) for result in results) / len(results))


def as_data(results: Sequence[Result]) -> dict[str, Any]:
    """All of it for JSON."""
    programs = [{**asdict(result), "share": result.share} for result in results]
    return {"programs": programs, "mean_share": mean_share(results)}


def print_translation(results: Sequence[Result]) -> None:
    """Write a line for each program, and the mean, to stdout."""
    for result in results:
        rates = [result.instructions / min(result.seconds[way]) / 1e6 for way in WAYS]
        print(
            f"{result.name:15s} {result.instructions:14,} instructions; million a second: "
            f"physical {rates[0]:5.0f}, Sv39 {rates[1]:5.0f}; {result.share:.0%}"
        )
    print(f"geometric mean: {mean_share(results):.0%} of the speed without translation")


def _turn(benchmark: Benchmark, way: str, small: bool) -> tuple[float, int]:
    """Processor seconds and instructions of one `main`."""
    from vtbook.machine import Board, Machine

    machine = Machine(Board(ram=RAM), reverse=False)
    machine.load(benchmark.image(benchmark.small if small else benchmark.usual))
    machine.add_breakpoint("main")
    if machine.run(LIMIT).reason != "breakpoint":
        raise TranslationBenchError(f"{benchmark.name}: main was not reached")
    back = machine.hart.x[1]
    machine.board.htif = None  # whose words are watched: stores beside them would be slow
    machine.clear_breakpoints()
    if way == "Sv39":
        _translate(machine)
    machine.add_breakpoint(back)
    begin = time.process_time()
    exit = machine.run(LIMIT)
    seconds = time.process_time() - begin
    if exit.reason != "breakpoint":
        raise TranslationBenchError(f"{benchmark.name}, {way}: {exit}")
    return seconds, exit.instructions


def _translate(machine: Machine) -> None:
    """Go on in S mode, with all addresses mapped to themselves by tables at the end of RAM."""
    ram, hart = machine.board.ram, machine.hart
    count = ram.size // MEGAPAGE
    root = (ram.end - (count + 2) * PAGE) // MEGAPAGE * MEGAPAGE
    middle, leaves = root + PAGE, root + 2 * PAGE
    devices, memory = 0, ram.base >> 30
    machine.write(root + 8 * devices, _entry(0, LEAF))
    machine.write(root + 8 * memory, _entry(middle, POINTER))
    for number in range(count):
        table, first = leaves + number * PAGE, ram.base + number * MEGAPAGE
        machine.write(middle + 8 * number, _entry(table, POINTER))
        pages = (_entry(first + n * PAGE, LEAF) for n in range(ENTRIES))
        machine.write(table, b"".join(pages))
    hart.satp = SV39 << 60 | root // PAGE
    hart.pmpcfg[0], hart.pmpaddr[0] = EVERYTHING, (1 << 53) - 1
    hart.mcounteren = 7
    hart.mode = SUPERVISOR


def _entry(address: int, bits: int) -> bytes:
    return (address // PAGE << 10 | bits).to_bytes(8, "little")
