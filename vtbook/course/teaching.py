"""What the chapters' cells lean on: figures for light and dark pages, tables, checks, bus logs."""

from __future__ import annotations

import html
import io
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from shutil import which
from types import TracebackType
from typing import TYPE_CHECKING, Any

from vtbook.errors import VtbookError

if TYPE_CHECKING:
    from vtbook.isa.assembler import Program
    from vtbook.machine import Machine

TABLE = 0x8010_0000
"""Where the sieve's table of bytes lies in guest RAM."""
_INK = "#1a2b3c"  # stands for the page's text colour while matplotlib draws
BLUE, ORANGE = "#2f7fc1", "#d9730d"
"""Colours that are told apart on white and on black, and by colour-blind readers."""


def material(name: str) -> str:
    """The text of a file in ``vtbook/course/material``."""
    return files("vtbook.course").joinpath("material", name).read_text(encoding="utf-8")


# --- the sieve -----------------------------------------------------------------------------------


def sieve_program() -> Program:
    """The sieve of Chapter 05, assembled; symbols ``count_primes`` and ``done``."""
    from vtbook.isa.assembler import assemble

    return assemble(material("sieve.s"), filename="sieve.s")


def load_sieve(machine: Machine, limit: int) -> None:
    """Load the sieve, as if somebody had just called ``count_primes(TABLE, limit)``."""
    machine.load(sieve_program())
    machine.hart.x[10], machine.hart.x[11] = TABLE, limit
    machine.hart.x[1] = machine.symbols["done"]
    machine.add_breakpoint("done")


_MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
long count_primes(unsigned char *crossed, long limit);
int main(int argc, char **argv) {
    long limit = atol(argv[1]), turns = atol(argv[2]), primes = 0;
    unsigned char *crossed = malloc(limit);
    struct timespec a, b;
    double best = 1e9;
    for (long n = 0; n < turns; n++) {
        memset(crossed, 0, limit);
        clock_gettime(CLOCK_MONOTONIC, &a);
        primes = count_primes(crossed, limit);
        clock_gettime(CLOCK_MONOTONIC, &b);
        double s = (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9;
        if (s < best) best = s;
    }
    printf("%ld %.9f\\n", primes, best);
    return 0;
}
"""


def outside_seconds(limit: int, turns: int = 5) -> dict[str, float]:
    """Seconds of wall time of one sieve outside this book: natively, and under qemu-riscv64.

    The best of `turns`. A runner whose compiler or program is missing is left out. qemu-riscv64
    runs the very instructions of ``sieve.s``.
    """
    from vtbook.guests import toolchain
    from vtbook.guests.compilers import find_linux_compilers, find_native_compilers

    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "sieve.s"
        source.write_text(material("sieve.s"), encoding="utf-8")
        qemu = which("qemu-riscv64")
        gcc = [c for c in find_linux_compilers() if c.family == "gcc"]
        builds: list[tuple[str, list[str], Any, list[str], str | Path]] = []
        if qemu and gcc:
            builds.append(("qemu-riscv64", [qemu], gcc[0], ["-O2", "-static"], source))
        native = find_native_compilers()[:1]
        builds += [("native", [], c, ["-O2"], material("sieve.c")) for c in native]
        for name, runner, compiler, flags, program in builds:
            try:
                made = toolchain.build(compiler, flags, [_MAIN, program])
                command = [*runner, str(made), str(limit), str(turns)]
                done = subprocess.run(command, capture_output=True, text=True, timeout=60)
                seconds[name] = float(done.stdout.split()[1])
            except (VtbookError, OSError, subprocess.SubprocessError, IndexError, ValueError):
                continue
    return seconds


# --- measuring -----------------------------------------------------------------------------------


def seconds_of(function: Callable[[], Any], turns: int = 1) -> tuple[float, Any]:
    """The shortest wall time of `turns` calls, in seconds, and the last result."""
    best, result = float("inf"), None
    for _ in range(turns):
        start = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - start)
    return best, result


class BusLog:
    """Notes each access to a device while the ``with`` block runs.

    ``rows`` holds (instructions retired, place, device, ``read`` or ``write``, offset, value).
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.rows: list[tuple[int, str, str, str, int, int]] = []

    def __enter__(self) -> BusLog:
        bus, self._bus = self.machine.board.bus, self.machine.hart.bus
        log = self

        class Tap:
            def read(self, address: int, size: int) -> int:
                value = bus.read(address, size)
                log._note("read", address, value)
                return value

            def write(self, address: int, size: int, value: int) -> None:
                log._note("write", address, value)
                bus.write(address, size, value)

        self.machine.hart.bus = Tap()
        return self

    def _note(self, kind: str, address: int, value: int) -> None:
        instructions, pc = self.machine.position
        region = self.machine.board.bus.find(address)
        place = self.machine.symbols.describe(pc)
        self.rows.append((instructions, place, region.name, kind, address - region.base, value))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.machine.hart.bus = self._bus


# --- showing -------------------------------------------------------------------------------------


class Table:
    """A table that a notebook shows; numbers to the right."""

    def __init__(self, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        self.headings, self.rows = list(headings), [[str(v) for v in row] for row in rows]

    def __repr__(self) -> str:
        lines = [self.headings, *self.rows]
        widths = [max(len(line[n]) for line in lines) for n in range(len(self.headings))]
        return "\n".join(
            "  ".join(v.ljust(w) for v, w in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{html.escape(h)}</th>' for h in self.headings)
        body = ""
        for row in self.rows:
            cells = ""
            for value in row:
                side = "right" if re.fullmatch(r"[-+~×]?[\d.,]+.{0,4}", value) else "left"
                cells += f'<td style="text-align:{side}">{html.escape(value)}</td>'
            body += f"<tr>{cells}</tr>"
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


class Figure:
    """A matplotlib figure as inline SVG in the page's own text colour, with a text alternative."""

    def __init__(self, figure: Any, alt: str) -> None:
        import matplotlib.pyplot as plt

        with plt.rc_context({"svg.fonttype": "none"}):
            text = io.StringIO()
            figure.savefig(text, format="svg", transparent=True)
        plt.close(figure)
        svg = text.getvalue()[text.getvalue().index("<svg") :]
        svg = re.sub("(?i)" + _INK, "currentColor", svg)
        name = html.escape(alt, quote=True)
        self.svg = svg.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)
        self.alt = alt

    def __repr__(self) -> str:
        return f"<figure: {self.alt}>"

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x:auto">{self.svg}</div>'


def bars(values: dict[str, float], *, unit: str, title: str, alt: str, log: bool = False) -> Figure:
    """Horizontal bars, the first on top, each with its value; `unit` labels the axis."""
    import matplotlib.pyplot as plt

    coloured = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    ink = {**dict.fromkeys(coloured, _INK), "font.size": 11, "font.family": "sans-serif"}
    with plt.rc_context(ink):
        figure, axes = plt.subplots(figsize=(7.5, 0.46 * len(values) + 1.2), layout="constrained")
        names = list(values)[::-1]
        numbers = [values[name] for name in names]
        drawn = axes.barh(names, numbers, color=BLUE, height=0.62)
        if log:
            axes.set_xscale("log")
            axes.set_xlim(min(numbers) / 2, max(numbers) * 6)
        else:
            axes.set_xlim(0, max(numbers) * 1.18)
        axes.bar_label(drawn, [f"{v:,.3g}" for v in numbers], padding=4)
        axes.set_xlabel(unit)
        axes.set_title(title, loc="left", fontsize=12)
        axes.spines[["top", "right"]].set_visible(False)
    return Figure(figure, alt)


def check(test: Callable[[], bool], *, well: str, hint: str) -> None:
    """Say whether an exercise is solved; an unsolved one is no error, so the notebook goes on."""
    try:
        solved = bool(test())
        why = ""
    except Exception as error:  # whatever the reader's code raises is an answer not yet right
        solved, why = False, f" ({type(error).__name__}: {error})"
    print(f"✔ {well}" if solved else f"✘ Not yet: {hint}{why}")
