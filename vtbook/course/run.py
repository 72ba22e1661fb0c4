"""``vtbook run``: one program on one machine, until it ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtbook.course.keyboard import Keyboard
from vtbook.course.messages import (
    BUDGET_ENDED,
    GUEST_STUCK,
    INTERRUPTED,
    end_if_nobody_reads,
    say,
)
from vtbook.course.programs import load_program

if TYPE_CHECKING:
    from vtbook.machine import Exit, Machine

SLICE_SECONDS = 0.05  # between two looks at the keyboard
HIGHEST_STATUS = 255


@dataclass(frozen=True)
class Plan:
    """What to run and how.

    ``budget`` is in instructions; None is no limit. ``gdb`` is where to wait for gdb, if anywhere.
    """

    program: str
    arguments: Sequence[str] = ()
    engine: str = "interpreter"
    ram: str = "128 MiB"
    budget: int | None = None
    stats: bool = False
    typed: Path | None = None
    gdb: str | None = None


@dataclass
class Outcome:
    """How a run ended. ``seconds`` is wall time from the first instruction to the end."""

    plan: Plan
    exit: Exit
    instructions: int
    seconds: float
    console: str
    symbol: str = ""
    instruction: str = ""
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def mips(self) -> float:
        """Million instructions a second of wall time."""
        return self.instructions / self.seconds / 1e6 if self.seconds else 0.0

    @property
    def status(self) -> int:
        """The exit status: the guest's own, or what the reason says."""
        if self.exit.reason in ("shutdown", "reset"):
            return min(max(self.exit.code or 0, 0), HIGHEST_STATUS)
        return {"budget": BUDGET_ENDED, "interrupted": INTERRUPTED}.get(
            self.exit.reason, GUEST_STUCK
        )

    @property
    def where(self) -> str:
        """The pc in hexadecimal, and in words if a symbol is near."""
        pc = f"{self.exit.pc:#x}"
        return f"{pc} <{self.symbol}>" if self.symbol and self.symbol != pc else pc


def run_program(plan: Plan, sink: Callable[[bytes], object] | None) -> Outcome:
    """Run a program as planned; ``sink`` gets the console's output as it comes.

    Raises VtbookError if the program cannot be run.
    """
    from vtbook.machine import Machine

    program = load_program(plan.program, plan.arguments)
    machine = Machine(ram=plan.ram, engine=plan.engine, sink=sink, reverse=plan.gdb is not None)
    machine.load(program.content)
    counter: Any = machine.engine if hasattr(machine.engine, "count_instructions") else None
    if plan.stats and counter:
        counter.count_instructions(True)
    with Keyboard(plan.typed) as keyboard:
        started = time.perf_counter()
        last = _drive(machine, plan, keyboard)
        seconds = time.perf_counter() - started
    return Outcome(
        plan,
        last,
        instructions=machine.instructions,
        seconds=seconds,
        console=machine.console.text,
        symbol=machine.symbols.describe(last.pc),
        instruction=instruction_at(machine, last.pc),
        counts=counter.counts if plan.stats and counter else {},
    )


def _drive(machine: Machine, plan: Plan, keyboard: Keyboard) -> Exit:
    """Run in slices, and type what arrived between two of them; or let gdb do it."""
    from vtbook.machine.interrupts import KeyboardWatch

    if plan.gdb is not None:
        from vtbook.machine.gdb import serve

        return serve(machine, plan.gdb, announce=say, poll=lambda: _type(machine, keyboard))
    left = plan.budget
    with KeyboardWatch() as watch:
        while True:
            end_if_nobody_reads()
            _type(machine, keyboard)
            last = machine.run(left, seconds=SLICE_SECONDS)
            if left is not None:
                left -= last.instructions
            if last.reason == "wfi" and not keyboard.ended and not watch.pressed:
                keyboard.wait(SLICE_SECONDS)
            elif last.reason != "time":
                return last
            if watch.pressed:
                return replace(last, reason="interrupted")


def _type(machine: Machine, keyboard: Keyboard) -> None:
    data = keyboard.take()
    if data:
        machine.console.feed(data)


def instruction_at(machine: Machine, pc: int) -> str:
    """The instruction at a virtual address in words; "" if none can be fetched."""
    from vtbook.errors import VtbookError
    from vtbook.isa.disassembler import disassemble
    from vtbook.machine.gdb.memory import to_physical

    code = b""
    try:
        for half in (pc, pc + 2):  # the second may be in another page, or in none
            physical = to_physical(machine.hart, machine.board.ram, half)
            if physical is None:
                break
            code += machine.read(physical, 2)
        return disassemble(code, pc) if code else ""
    except VtbookError:
        return ""


def to_stdout(data: bytes) -> None:
    """Let the reader see the guest's output at once."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def explain(outcome: Outcome) -> None:
    """Say on stderr how a run ended, unless the guest ended it itself without a fault."""
    last = outcome.exit
    counted = f"{outcome.instructions:,} instructions"
    if last.reason == "shutdown":
        if last.message:
            say(last.message)
    elif last.reason == "budget":
        say(f"{outcome.plan.program}: still running at {outcome.where} after {counted}")
    elif last.reason == "interrupted":
        say(f"{outcome.plan.program}: interrupted at {outcome.where} after {counted}")
    elif last.reason == "trap":
        say(
            f"{outcome.plan.program}: {last.cause_name} (cause {last.cause}, tval {last.tval:#x}) "
            f"at {outcome.where}: {outcome.instruction or 'no instruction there'}"
        )
        say(f"no handler can take it: {last.detail}; {counted} were executed")
    else:
        say(f"{outcome.plan.program}: {last}")


def as_data(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain data, for ``--json``."""
    last = outcome.exit
    data: dict[str, Any] = {
        "program": outcome.plan.program,
        "arguments": list(outcome.plan.arguments),
        "engine": outcome.plan.engine,
        "reason": last.reason,
        "exit_code": last.code,
        "status": outcome.status,
        "instructions": outcome.instructions,
        "wall_seconds": round(outcome.seconds, 6),
        "mips": round(outcome.mips, 3),
        "pc": last.pc,
        "symbol": outcome.symbol,
        "console": outcome.console,
    }
    if last.reason == "trap":
        data["trap"] = {
            "cause": last.cause,
            "name": last.cause_name,
            "tval": last.tval,
            "detail": last.detail,
            "instruction": outcome.instruction,
        }
    if outcome.plan.stats:
        data["counts"] = outcome.counts
    return data


def print_stats(outcome: Outcome) -> None:
    """Write a table of executed instructions to stderr, most frequent first."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{outcome.plan.program} on the {outcome.plan.engine} engine")
    table.add_column("instruction")
    table.add_column("executed", justify="right")
    table.add_column("share", justify="right")
    total = max(sum(outcome.counts.values()), 1)
    for name, count in sorted(outcome.counts.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(name, f"{count:,}", f"{count / total:.1%}")
    screen = Console(stderr=True, highlight=False)
    if outcome.counts:
        screen.print(table)
    rate = f"{outcome.mips:,.1f}" if outcome.mips >= 1 else f"{outcome.mips:.3f}"
    screen.print(
        f"{outcome.instructions:,} instructions in {outcome.seconds:.3f} s of wall time: "
        f"{rate} MIPS{', slower than without counting' if outcome.counts else ''}"
    )
