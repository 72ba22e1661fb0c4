"""Going back in time: checkpoints now and then, and deterministic replay between them.

A machine is deterministic: from one state, the same instructions follow. The only thing that comes
from outside is what the reader types, so that is logged with the number of instructions that had
retired. To be again where the machine was after n instructions, take the last checkpoint before
that, and run on from it, typing the same at the same moments. What the reader changes by hand
(a register, memory) is not logged: a checkpoint is made after it instead.

Going back makes the present the past's: what came after it, output and typed input, is undone.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vtbook.errors import VtbookError
from vtbook.machine.snapshot import Snapshot

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine

CHECKPOINTS = 32
"""At most so many are kept; then every second one goes."""
FIRST_PAUSE = 0.2
"""Seconds of running between two checkpoints at first; doubled whenever they are thinned."""
SHARE = 20
"""A pause is also at least so many times what the last checkpoint took."""
STEPS_AT_ONCE = 20_000
"""`step_back` recounts so many single steps from one restored state."""


class HistoryError(VtbookError):
    """The machine cannot go back as asked."""


@dataclass
class Checkpoint:
    """A state to replay from.

    `inputs` typed pieces had been fed before it. A `fixed` one follows a change by hand, so no
    replay from an earlier one can pass it.
    """

    snapshot: Snapshot
    inputs: int
    fixed: bool

    @property
    def position(self) -> int:
        """Instructions retired before it."""
        return self.snapshot.instructions


class History:
    """The recorded past of one machine."""

    def __init__(self, machine: Machine, enabled: bool) -> None:
        self.machine = machine
        self.enabled = enabled
        self.replaying = False
        self.clear()

    def clear(self) -> None:
        """Forget the past; the next run starts a new one."""
        self.checkpoints: list[Checkpoint] = []
        self.inputs: list[tuple[int, bytes]] = []
        self.edited = True
        self._pause = FIRST_PAUSE
        self._due = 0.0
        self._last_seen = b""

    # -- recording --------------------------------------------------------------------------

    def begin(self) -> None:
        """Before a run: if anything was changed by hand since the last one, make a checkpoint."""
        if not self.enabled:
            return
        if self.edited or self.machine.hart_bytes() != self._last_seen:
            if self.checkpoints:
                self._cut(self.machine.hart.instret)
            self._add(fixed=True)
            self.edited = False

    def pause(self) -> None:
        """Between slices of a run: make a checkpoint if it is time for one."""
        if self.enabled and time.perf_counter() >= self._due:
            self._add(fixed=False)

    def end(self) -> None:
        """After a run: remember the registers, to see whether they are changed by hand."""
        if self.enabled:
            self._last_seen = self.machine.hart_bytes()

    def typed(self, data: bytes) -> None:
        """The reader types `data` now."""
        if self.enabled and not self.replaying:
            self.inputs.append((self.machine.hart.instret, data))

    def _add(self, fixed: bool) -> None:
        start = time.perf_counter()
        before = self.checkpoints[-1].snapshot if self.checkpoints else None
        snapshot = self.machine.snapshot(like=before)
        self.checkpoints.append(Checkpoint(snapshot, len(self.inputs), fixed))
        if len(self.checkpoints) > CHECKPOINTS:
            self._thin()
        now = time.perf_counter()
        self._due = now + max(self._pause, SHARE * (now - start))

    def _thin(self) -> None:
        """Drop every second checkpoint that can be dropped; if none can, the oldest half."""
        kept = [c for n, c in enumerate(self.checkpoints) if c.fixed or n % 2 == 0]
        if len(kept) <= CHECKPOINTS * 3 // 4:
            self._pause *= 2
            self.checkpoints = kept
        else:
            self.checkpoints = self.checkpoints[CHECKPOINTS // 2 :]

    def _cut(self, position: int) -> None:
        """Forget what comes after `position`."""
        while len(self.checkpoints) > 1 and self.checkpoints[-1].position > position:
            self.checkpoints.pop()
        self.inputs = [entry for entry in self.inputs if entry[0] <= position]

    # -- going back -------------------------------------------------------------------------

    @property
    def start(self) -> int:
        """The earliest moment the machine can go back to, in instructions retired.

        Raises:
            HistoryError: nothing is recorded.
        """
        if not self.checkpoints:
            reason = "nothing has run yet" if self.enabled else "the machine has reverse=False"
            raise HistoryError(f"cannot go back: {reason}")
        return self.checkpoints[0].position

    def go_to(self, position: int) -> None:
        """Be where the machine was when `position` instructions had retired.

        Raises:
            HistoryError: that is in the future, or before the recorded past.
        """
        now = self.machine.hart.instret
        if not self.start <= position <= now:
            raise HistoryError(
                f"cannot go back to {position:,} instructions: "
                f"the recorded past goes from {self.start:,} to {now:,}"
            )
        with self._replay():
            self._reach(position)
        self._settle()

    def step_back(self, count: int) -> bool:
        """Undo `count` steps: instructions retired or traps taken. False if that is too many.

        Then the machine is at the start of the recorded past.
        """
        with self._replay():
            reached = True
            while count > 0 and reached:
                reached = self._step_back(min(count, STEPS_AT_ONCE))
                count -= STEPS_AT_ONCE
        self._settle()
        return reached

    def _step_back(self, count: int) -> bool:
        hart = self.machine.hart
        start = self.start
        here = self.machine.position
        base = max(start, here[0] - count)
        self._reach(base)
        restart = self.machine.snapshot(like=self.checkpoints[0].snapshot)
        steps = 0
        while self.machine.position != here and hart.instret <= here[0]:
            self._single_step()
            steps += 1
        self.machine.put_state(restart)
        for _ in range(max(steps - count, 0)):
            self._single_step()
        return steps >= count

    def run_back_to(self, places: frozenset[int]) -> bool:
        """Go back to the last moment before now at which pc was in `places`.

        False if there was none; then the machine is at the start of the recorded past.
        """
        self.start  # noqa: B018  (raises if nothing is recorded)
        end = self.machine.position
        found: tuple[int, int] | None = None
        with self._replay():
            limit = end[0]
            for checkpoint in reversed(self.checkpoints):
                if checkpoint.position <= limit:
                    found = self._last_visit(checkpoint, limit, places, end)
                    if found:
                        break
                    limit = checkpoint.position
            self._reach(self.start if found is None else found[0])
            while found is not None and self.machine.position != found:
                self._single_step()  # the trap that led to a handler
        self._settle()
        return found is not None

    def _last_visit(
        self, checkpoint: Checkpoint, limit: int, places: frozenset[int], end: tuple[int, int]
    ) -> tuple[int, int] | None:
        """The last position between `checkpoint` and `limit` with its pc in `places`."""
        machine = self.machine
        machine.put_state(checkpoint.snapshot)
        machine.engine.set_breakpoints(list(places))
        fed, last = checkpoint.inputs, None
        if machine.position[1] in places and machine.position != end:
            last = machine.position
        while machine.hart.instret < limit:
            fed = self._feed(fed)
            machine.advance(self._next_stop(fed, limit))
            position = machine.position
            if position == end or position[0] > limit:
                break
            if position[1] in places:
                last = position
        return last

    # -- replay -----------------------------------------------------------------------------

    @contextmanager
    def _replay(self) -> Iterator[None]:
        """Run without breakpoints, printing nothing and logging nothing."""
        machine = self.machine
        self.replaying = True
        muted, machine.console.muted = machine.console.muted, True
        machine.engine.set_breakpoints([])
        try:
            yield
        finally:
            self.replaying = False
            machine.console.muted = muted
            machine.engine.set_breakpoints(machine.breakpoints)

    def _reach(self, position: int) -> None:
        """Restore the last checkpoint up to `position` and run on to it."""
        machine = self.machine
        index = bisect_right(self.checkpoints, position, key=lambda c: c.position) - 1
        checkpoint = self.checkpoints[index]
        machine.put_state(checkpoint.snapshot)
        fed = self._feed(checkpoint.inputs)
        while machine.hart.instret < position:
            before = machine.position
            machine.advance(self._next_stop(fed, position))
            if machine.position == before:
                raise HistoryError(
                    f"the replay stopped at {before[0]:,} instructions, short of {position:,}; "
                    "a device or a sink that the reader supplied is not deterministic"
                )
            fed = self._feed(fed)

    def _next_stop(self, fed: int, position: int) -> int:
        """Instructions to run to the next typed input, or to `position`."""
        if fed < len(self.inputs):
            position = min(position, self.inputs[fed][0])
        return position - self.machine.hart.instret

    def _feed(self, fed: int) -> int:
        """Type again what was typed at this moment; returns the inputs fed so far."""
        while fed < len(self.inputs) and self.inputs[fed][0] <= self.machine.hart.instret:
            self.machine.console.feed(self.inputs[fed][1])
            fed += 1
        return fed

    def _single_step(self) -> None:
        before = self.machine.hart.instret
        self.machine.single_step()
        if self.machine.hart.instret != before:
            for position, data in self.inputs:
                if position == self.machine.hart.instret:
                    self.machine.console.feed(data)

    def _settle(self) -> None:
        """The machine has gone back: what came after is undone."""
        self._cut(self.machine.hart.instret)
        self.edited = False
        self.end()
