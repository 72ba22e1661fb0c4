"""What chapters use around a machine: listings, profiles, figures that suit both themes."""

from __future__ import annotations

import io
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vtbook.isa.disassembler import disassemble_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes

    from vtbook.machine import Machine

INK = "#7a7a7a"
"""Text and axes: contrast of more than 4 to 1 on white and on JupyterLab's dark background."""
BLUE, ORANGE = "#3b82c4", "#d97a1e"

_STYLE: dict[Any, Any] = {
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "font.size": 11,
}


def show_code(machine: Machine, place: int | str, size: int = 32) -> None:
    """Print the instructions in `size` bytes of a machine's RAM, from an address or a symbol.

    Columns: address, instruction word in hexadecimal, assembly; an arrow stands at the pc.

    Raises:
        VtbookError: the place is not known, or not in RAM.
    """
    start = machine.address(place)
    data = machine.read(start, size)
    pc = machine.position[1]
    for line in disassemble_range(data, start, machine.hart.isa, symbols=machine.symbols):
        word = int.from_bytes(line.raw, "little")
        arrow = "->" if line.address == pc else "  "
        print(f"{arrow} {line.address:08x}  {word:0{2 * len(line.raw)}x}".ljust(24) + line.text)


def profile(machine: Machine) -> Counter[str]:
    """Step a machine in plain Python to its end; instructions by function of the program."""
    where: Counter[str] = Counter()
    while True:
        name = machine.symbols.describe(machine.position[1]).partition("+")[0]
        before = machine.position[0]
        reason = machine.step().reason
        where[name] += machine.position[0] - before
        if reason != "step":
            return where


@contextmanager
def chart(width: float = 7.0, height: float = 2.8, *, text: str = "A chart") -> Iterator[Axes]:
    """An empty chart, in inches, to draw in; it is shown at the end of the ``with`` block.

    It is a transparent SVG: pyplot's own display would put it on white in a dark notebook.
    `text` stands where pictures are not shown.
    """
    import matplotlib
    from IPython.display import display
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure.subplots()
        picture = io.StringIO()
        figure.savefig(picture, format="svg")
    display({"image/svg+xml": picture.getvalue(), "text/plain": text}, raw=True)


def short(value: float) -> str:
    """A positive number with at least three digits, and no more after the point than needed."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def bar_chart(
    values: Mapping[str, float],
    *,
    label: str,
    log: bool = False,
    highlight: Sequence[str] = (),
) -> None:
    """Draw one horizontal bar for each value, the first on top, each with its number.

    Args:
        values: name -> length of the bar.
        label: what the axis measures, with its unit.
        log: a logarithmic axis; every value must be positive.
        highlight: names whose bars get the second colour.
    """
    lengths = "; ".join(f"{name}: {short(value)}" for name, value in values.items())
    with chart(height=0.7 + 0.42 * len(values), text=f"{label}. {lengths}") as axes:
        colours = [ORANGE if name in highlight else BLUE for name in values]
        bars: Any = axes.barh(list(values), list(values.values()), color=colours, height=0.62)
        axes.bar_label(bars, [short(v) for v in values.values()], padding=4, color=INK)
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(label)
        if log:
            axes.set_xscale("log")
        else:
            axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.margins(x=0.16)


STACK = (BLUE, ORANGE, "#5a9e6f", "#a06cc0", "#8a8a8a")
"""Colours of the parts of a stacked bar."""


def stacked_chart(values: Mapping[str, Mapping[str, float]], *, label: str) -> None:
    """Draw one horizontal bar for each entry, the first on top, made of parts.

    Args:
        values: name -> part -> length; a part has one colour in all bars, and at most five differ.
        label: what the axis measures, with its unit.
    """
    parts = list(dict.fromkeys(part for one in values.values() for part in one))
    text = "; ".join(
        f"{name}: " + ", ".join(f"{part} {short(length)}" for part, length in one.items())
        for name, one in values.items()
    )
    with chart(height=1.1 + 0.42 * len(values), text=f"{label}. {text}") as axes:
        starts = dict.fromkeys(values, 0.0)
        for part, colour in zip(parts, STACK, strict=False):
            lengths = [one.get(part, 0) for one in values.values()]
            axes.barh(
                list(values), lengths, 0.62, left=list(starts.values()), color=colour, label=part
            )
            for name, length in zip(values, lengths, strict=True):
                starts[name] += length
        for row, total in enumerate(starts.values()):
            axes.text(total, row, f" {short(total)}", va="center", color=INK)
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(label)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.margins(x=0.16)
        axes.legend(frameon=False, loc="best")


def run_elsewhere(source: str, argument: int) -> dict[str, tuple[str, float]]:
    """Compile a C program for this computer and for RISC-V Linux, and run it without a machine.

    Args:
        source: the text of the program.
        argument: of its ``main``.

    Returns:
        ``"native"`` and ``"qemu-riscv64"`` -> what it printed, and the seconds of wall time of
        the process. One that this computer has no compiler or no QEMU for is left out.
    """
    from vtbook.guests import CompileError, find_linux_compilers, find_native_compilers, toolchain

    found: dict[str, tuple[str, float]] = {}
    qemu = shutil.which("qemu-riscv64")
    for name, before, compilers in (
        ("native", [], find_native_compilers()),
        ("qemu-riscv64", [qemu], find_linux_compilers() if qemu else ()),
    ):
        for compiler in compilers[:1]:
            flags = ["-O2", *(["-static"] if before else [])]
            if before and compiler.family == "clang":
                flags += ["-target", "riscv64-linux-musl"]
            try:
                program = toolchain.build(compiler, flags, source, suffix=f".{name}.exe")
            except CompileError:  # a compiler without its C library, say
                continue
            start = time.perf_counter()
            command = [*map(str, before), str(program), str(argument)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
            found[name] = done.stdout.strip(), time.perf_counter() - start
    return found
