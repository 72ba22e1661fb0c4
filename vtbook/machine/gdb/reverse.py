"""Going backwards: by a step, or to the last stop, a breakpoint or an access to what is watched.

The machine replays its past from one checkpoint after another, the newest first, with its
breakpoints and watchpoints set, and takes the last stop that it comes by (see
`vtbook.machine.history`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vtbook.cpu.hart import Hart
from vtbook.machine.board import WATCH_READ
from vtbook.machine.hardware import QUANTUM
from vtbook.machine.history import Checkpoint, Position

if TYPE_CHECKING:
    from vtbook.cpu.interpreter import Stop
    from vtbook.machine.machine import Machine

NEAR = 100_000
"""A step back replays at most twice as many instructions, but for the first of a series."""


@dataclass(frozen=True)
class Access:
    """A load or a store to a watched address: ``read`` or ``write``."""

    address: int
    size: int
    kind: str


Found = Access | Literal["breakpoint"]


def step_back(machine: Machine, hart: Hart) -> bool:
    """Undo one step of a hart, and what others did after it.

    Returns:
        False if there is none, and the machine is at the start of the recorded past.

    Raises:
        HistoryError: nothing is recorded.
    """
    history, here = machine.history, _state(hart)
    with history._replay():
        while True:
            _come_near(machine)
            if not history._step_back(1):
                return False
            if _state(hart) != here:
                return True
            if machine.hart is not hart:  # back to where the turn of the other one began
                used = QUANTUM - machine.board.turn_left
                history._reach(max(history.start, machine.instructions - used))


def _state(hart: Hart) -> tuple[int, int, int]:
    return hart.instret, hart.pc, hart.mode


def _come_near(machine: Machine) -> None:
    """Make a checkpoint not far before now, if there is none: the next steps back need it too."""
    history, before = machine.history, machine.instructions - 1
    index = bisect_right(history.checkpoints, before, key=lambda c: c.position)
    if index == 0 or before - history.checkpoints[index - 1].position <= 2 * NEAR:
        return
    like = history.checkpoints[index - 1].snapshot
    present, at = machine.snapshot(like=like), before - NEAR
    history._reach(at)
    fed = sum(entry.position <= at for entry in history.inputs)
    near = Checkpoint(machine.snapshot(like=like), fed, fixed=False)
    history.checkpoints.insert(index, near)
    machine.put_state(present)


def run_back(
    machine: Machine, interrupted: Callable[[], bool]
) -> Access | Literal["breakpoint", "start"]:
    """Go back to the last breakpoint before now, or to right after the last watched access.

    gdb then steps back over the access itself, and compares the values.

    Args:
        machine: its breakpoints and watchpoints are the ones that count.
        interrupted: asked now and then; if true the search ends.

    Returns:
        The access, or ``breakpoint``; ``start`` if there is neither in the recorded past, and the
        machine is at its start.

    Raises:
        HistoryError: nothing is recorded.
        KeyboardInterrupt: the search was interrupted; the machine is where it was.
    """
    history, end = machine.history, machine.position

    def find(position: Position, stop: Stop | None, begins: bool) -> Found | None:
        if interrupted():
            raise KeyboardInterrupt
        if begins and position != end and position[1] in machine.breakpoints:
            return "breakpoint"
        return _watched(machine, stop)

    with history._replay():
        history.replay_stops = machine.breakpoints
        found: tuple[Position, Found] | None = history._last(find, end)
        history.replay_stops = []
        if found is None:
            history._reach(history.start)
            return "start"
        position, what = found
        history._reach(position[0])
        if machine.position != position:
            machine.engine.prepare(0)  # the turn of the next hart
        if machine.position != position:
            history._single_step()  # the trap that led to a handler
        return what


def _watched(machine: Machine, stop: Stop | None) -> Access | None:
    """The last access to something watched that led to this stop."""
    for event in reversed(stop.events if stop else ()):
        if event[0] == "watch" and machine._hits_watchpoint(*event[1:4]):
            return Access(event[1], event[2], "read" if event[3] == WATCH_READ else "write")
    return None
