"""What the tests of the newer widgets show: one of each, with data made by the parts themselves."""

from __future__ import annotations

from tests.widgets.walks import sample_walks
from vtbook.widgets import CodeColumns, PageWalk, Timeline
from vtbook.widgets.codecolumns_schema import column, columns, compare, frame
from vtbook.widgets.timeline_schema import TimelineBuilder


def sample_timeline(turns: int = 3) -> dict:
    """A user program that calls its kernel some times; the kernel prints at the first."""
    b = TimelineBuilder(
        "Calls", [("user", "user"), ("kernel", "kernel"), ("uart", "device")], unit="instructions"
    )
    at = 0
    for n in range(turns):
        b.span("user", at, at + 30)
        b.event(at + 30, "user", "kernel", "trap", "ecall", f"Call {n + 1}.")
        b.span("kernel", at + 30, at + 40, "serve")
        if n == 0:
            b.event(at + 35, "kernel", "uart", "access", "write 0x0")
            b.span("uart", at + 35, at + 36)
        b.event(at + 40, "kernel", "user", "return")
        at += 40
    return b.build()


BEFORE = "csrr t0, mstatus\nli t1, 8\nor t0, t0, t1\ncsrw mstatus, t0\nmret"
AFTER = "li a7, 3\necall\nli t1, 8\nor t0, t0, t1\nmret\nnop"


def sample_diff() -> dict:
    """A short port as a diff: one frame of two columns."""
    both = compare(BEFORE, AFTER, titles=("original", "ported"), languages=("RISC-V", "RISC-V"))
    return columns("Porting", frame(both))


def sample_passes() -> dict:
    """Three frames: intermediate code and what two passes make of it."""
    lines = [("t0 = get x10", "", [0]), ("t1 = add t0, 0", "", [1]), ("put x11, t1", "", [2])]
    source = column("Guest", "RISC-V", [("addi a1, a0, 0", "", [0, 1, 2])], counts=[("bytes", 4)])

    def after(*kept):
        return column("Code", "IR", list(kept), counts=[("operations", len(kept))])

    folded = [lines[0], ("put x11, t0", "~", [2])]
    return columns(
        "Passes",
        frame([source, after(*lines)], "Lifted", "As it was traced."),
        frame([source, after(lines[0], ("t1 = add t0, 0", "-", [1]), folded[1])], "Fold"),
        frame([source, after(*folded)], "Done", "One operation less."),
    )


WIDGETS = {
    "timeline": lambda **how: Timeline(sample_timeline(), **how),
    "pagewalk": lambda **how: PageWalk(sample_walks(), title="Four accesses", **how),
    "codecolumns": lambda **how: CodeColumns(sample_diff(), **how),
    "passes": lambda **how: CodeColumns(sample_passes(), **how),
}
