"""Going back in time: checkpoints now and then, and deterministic replay between them.

A machine is deterministic: from one state, the same instructions follow. What comes from outside is
what the reader types, frames of a network, and time that a real clock has let pass while all harts
waited; that is logged with the number of instructions that had retired and with the clock. To be
again where the machine was after n instructions, take the last checkpoint before that, and run on
from it, giving it the same at the same moments. What the reader changes by hand (a register,
memory) is not logged: a checkpoint is made after it instead.

Going back makes the present the past's: what came after it, output and typed input, is undone.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from vtbook.cpu.interpreter import Stop
from vtbook.cpu.layout import BREAK, WFI
from vtbook.errors import VtbookError
from vtbook.machine.interrupts import KeyboardWatch
from vtbook.machine.ram import PAGE
from vtbook.machine.snapshot import Snapshot

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine

T = TypeVar("T")
Position = tuple[int, int]
"""Instructions retired, and the pc."""
Find = Callable[[Position, Stop | None, bool], T | None]
"""What is found at a position that this stop has led to, or None. The flag: whether what begins
at the position counts; if not, only what led there."""

CHECKPOINTS = 32
"""At most so many are kept; then every second one goes."""
FIRST_PAUSE = 0.2
"""Seconds of running between two checkpoints at first; doubled whenever they are thinned."""
SHARE = 20
"""A pause is also at least so many times what the last checkpoint took."""
MEMORY = 512 << 20
"""Bytes of pages that the checkpoints may hold before they are thinned."""
STEPS_AT_ONCE = 20_000
"""`step_back` recounts so many single steps from one restored state."""


class HistoryError(VtbookError):
    """The machine cannot go back as asked."""


class Input(NamedTuple):
    """What came from outside: at which count of instructions and of the clock, where, and what.

    The clock tells how long the harts had waited before.
    """

    position: int
    clock: int
    where: str
    data: bytes


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
        self.replay_stops: list[int] = []
        """Addresses at which a replay stops, in place of the machine's breakpoints."""
        self._keyboard = KeyboardWatch()
        self.clear()

    def clear(self) -> None:
        """Forget the past; the next run starts a new one."""
        self.checkpoints: list[Checkpoint] = []
        self.inputs: list[Input] = []
        self.edited = True
        self._pause = FIRST_PAUSE
        self._due = 0.0
        self._last_seen = b""
        self._before_wait = 0

    # -- recording --------------------------------------------------------------------------

    def begin(self) -> None:
        """Before a run: if anything was changed by hand since the last one, make a checkpoint."""
        if not self.enabled:
            return
        if self.edited or self.machine.hart_bytes() != self._last_seen:
            if self.checkpoints:
                self._cut(self.machine.instructions)
            self._add(fixed=True)
            self.edited = False

    def pause(self) -> None:
        """Between slices of a run: make a checkpoint if it is time for one."""
        if self.enabled and time.perf_counter() >= self._due:
            self._add(fixed=False)

    def end(self) -> None:
        """After a run: remember the registers, to see whether they are changed by hand.

        And note the clock, if the run ends while all harts wait: a replay would let it jump on.
        """
        if self.enabled:
            if self.machine.hart.waiting:
                self._note_clock()
            self._last_seen = self.machine.hart_bytes()

    def arrived(self, where: str, data: bytes) -> None:
        """From outside comes `data`, at one of the board's `inputs`."""
        if self.enabled and not self.replaying:
            machine = self.machine
            self.inputs.append(Input(machine.instructions, machine.board.clock, where, data))

    def _note_clock(self) -> None:
        inputs = self.inputs
        since = inputs[self.checkpoints[-1].inputs :]
        if since and since[-1][::2] == (self.machine.instructions, "clock"):
            inputs.pop()  # one is enough for a long wait
        self.arrived("clock", b"")

    def time_begins(self) -> None:
        """All harts wait, and time will pass at the pace of the real world."""
        self._before_wait = len(self.inputs)

    def time_passed(self) -> None:
        """So it has. What came meanwhile has come now: no hart has seen it yet."""
        clock = self.machine.board.clock
        for at in range(self._before_wait, len(self.inputs)):
            self.inputs[at] = self.inputs[at]._replace(clock=clock)

    def _add(self, fixed: bool) -> None:
        start = time.perf_counter()
        before = self.checkpoints[-1].snapshot if self.checkpoints else None
        snapshot = self.machine.snapshot(like=before)
        self.checkpoints.append(Checkpoint(snapshot, len(self.inputs), fixed))
        while len(self.checkpoints) > 2 and (
            len(self.checkpoints) > CHECKPOINTS or self._memory() > MEMORY
        ):
            self._thin()
        now = time.perf_counter()
        self._due = now + max(self._pause, SHARE * (now - start))

    def _memory(self) -> int:
        """Bytes of the pages that the checkpoints hold, each shared page once."""
        pages = {
            id(page)
            for checkpoint in self.checkpoints
            for _, memory in checkpoint.snapshot.memories
            for page in memory.values()
        }
        return len(pages) * PAGE

    def _thin(self) -> None:
        """Drop every second checkpoint that can be dropped; if few can, the oldest half."""
        many = len(self.checkpoints)
        kept = [c for n, c in enumerate(self.checkpoints) if c.fixed or n % 2 == 0]
        if len(kept) <= many * 3 // 4:
            self._pause *= 2
            self.checkpoints = kept
        else:
            self.checkpoints = self.checkpoints[many // 2 :]

    def _cut(self, position: int) -> None:
        """Forget what comes after `position`."""
        while len(self.checkpoints) > 1 and self.checkpoints[-1].position > position:
            self.checkpoints.pop()
        self.inputs = [entry for entry in self.inputs if entry.position <= position]

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
        now = self.machine.instructions
        if not self.start <= position <= now:
            raise HistoryError(
                f"cannot go back to {position:,} instructions: "
                f"the recorded past goes from {self.start:,} to {now:,}"
            )
        with self._replay():
            self._reach(position)

    def step_back(self, count: int) -> bool:
        """Undo `count` steps: instructions retired or traps taken. False if that is too many.

        Then the machine is at the start of the recorded past.
        """
        with self._replay():
            reached = True
            while count > 0 and reached:
                reached = self._step_back(min(count, STEPS_AT_ONCE))
                count -= STEPS_AT_ONCE
        return reached

    def _step_back(self, count: int) -> bool:
        """Count the steps from a moment early enough to here, then do all but `count` of them."""
        machine = self.machine
        here = machine.position
        self._reach(max(self.start, here[0] - count))
        restart = machine.snapshot(like=self.checkpoints[0].snapshot)
        steps = 0
        while machine.position != here and machine.instructions <= here[0]:
            before = machine.position
            self._single_step()
            self._check(before)
            steps += 1
        machine.put_state(restart)
        for _ in range(steps - count):
            self._single_step()
        return steps >= count

    def run_back_to(self, places: frozenset[int]) -> bool:
        """Go back to the last moment before now at which pc was in `places`.

        False if there was none; then the machine is at the start of the recorded past.
        """
        end = self.machine.position
        with self._replay():

            def visits(position: Position, stop: Stop | None, begins: bool) -> bool | None:
                return (begins and position[1] in places and position != end) or None

            self.replay_stops = list(places)
            found = self._last(visits, end)
            self.replay_stops = []
            self._reach(self.start if found is None else found[0][0])
            if found is not None and self.machine.position != found[0]:
                self._single_step()  # the trap that led to a handler
        return found is not None

    def run_back_to_write(self, first: int, end: int) -> tuple | None:
        """Go back to before the last instruction that wrote to ``first <= address < end``.

        Returns the access as (address, size, value); None if there was none, and then the machine
        is at the start of the recorded past.
        """
        machine = self.machine

        def writes(position: Position, stop: Stop | None, begins: bool) -> tuple | None:
            hits = [
                event
                for event in (stop.events if stop else ())
                if event[0] == "watch" and event[1] < end and first < event[1] + event[2]
            ]
            return hits[-1] if hits else None

        with self._replay():
            with machine.only_watching(first, end):
                found = self._last(writes, machine.position)
            if found is None:
                self._reach(self.start)
                return None
            (after, _), access = found
            self._reach(after - 1)
            while True:  # traps and the turns of other harts may come first
                before = machine.snapshot(like=self.checkpoints[0].snapshot)
                self._single_step()
                if machine.instructions == after:
                    break
            machine.put_state(before)
            machine.engine.prepare(0)  # the hart that writes has the turn
        _, address, size, _, value = access
        return address, size, value

    def _last(self, find: Find[T], end: Position) -> tuple[Position, T] | None:
        """The last stop up to `end` at which `find` finds something, and what it finds."""
        limit = end[0]
        for checkpoint in reversed(self.checkpoints):
            if checkpoint.position > limit:
                continue
            found = None
            for position, stop in self._stops_from(checkpoint, limit):
                # a later checkpoint answers for its own position, but not for what led there
                what = find(position, stop, position[0] < limit or limit == end[0])
                if what is not None:
                    found = position, what
                if position == end:
                    break
            if found is not None:
                return found
            limit = checkpoint.position
        return None

    def _stops_from(
        self, checkpoint: Checkpoint, limit: int
    ) -> Iterator[tuple[Position, Stop | None]]:
        """Run from a checkpoint to `limit`; every position at which the engine stops."""
        machine = self.machine
        machine.put_state(checkpoint.snapshot)
        fed = self._feed(checkpoint.inputs)
        yield machine.position, None
        while machine.instructions < limit:
            before = machine.position
            stop = machine.advance(self._next_stop(fed, limit))
            if stop.reason not in (WFI, BREAK):  # two harts may stand at the same place
                self._check(before)
            fed = self._feed(fed)
            yield machine.position, stop

    # -- replay -----------------------------------------------------------------------------

    @contextmanager
    def _replay(self) -> Iterator[None]:
        """Run without stops, printing nothing and logging nothing; afterwards the past is now.

        If it fails, or Ctrl-C is pressed, the machine is where it was before.
        """
        machine = self.machine
        machine.check_free()
        self.start  # noqa: B018  (raises if nothing is recorded)
        self.begin()
        present, off = machine.snapshot(like=self.checkpoints[-1].snapshot), machine.is_off
        self.replaying = True
        muted = machine.console.muted
        machine.board.mute(True)
        try:
            with KeyboardWatch() as self._keyboard:
                yield
        except BaseException:
            machine.put_state(present)
            machine.is_off = off
            raise
        else:
            self._cut(machine.instructions)
            machine.board.forget_outside()
        finally:
            self.replaying = False
            self.replay_stops = []
            machine.board.mute(False)
            machine.console.muted = muted
            machine.engine.set_breakpoints(machine.breakpoints)
            self.end()

    def _check(self, before: tuple[int, int]) -> None:
        """Stop the replay at Ctrl-C, or if it does not get on from `before`."""
        if self._keyboard.pressed:
            raise KeyboardInterrupt
        if self.machine.position == before:
            raise HistoryError(
                f"the replay stopped after {before[0]:,} instructions; "
                "a device or a sink that the reader supplied is not deterministic"
            )

    def _reach(self, position: int) -> None:
        """Restore the last checkpoint up to `position` and run on to it."""
        index = bisect_right(self.checkpoints, position, key=lambda c: c.position) - 1
        for _ in self._stops_from(self.checkpoints[index], position):
            pass

    def _next_stop(self, fed: int, position: int) -> int:
        """Instructions to run: to the next typed input, or `position`, or for one slice."""
        if fed < len(self.inputs):
            position = min(position, self.inputs[fed].position)
        return min(position - self.machine.instructions, self.machine.slice)

    def _feed(self, fed: int) -> int:
        """Type again what was typed up to this moment; returns the inputs fed so far."""
        machine = self.machine
        while fed < len(self.inputs) and self.inputs[fed].position <= machine.instructions:
            entry = self.inputs[fed]
            if entry.position == machine.instructions:
                machine.engine.advance_to(entry.clock)
            if entry.where != "clock":
                machine.board.inputs()[entry.where][1](entry.data)
            fed += 1
        return fed

    def _single_step(self) -> None:
        """One step, and what came from outside at the moment it led to."""
        before = self.machine.instructions
        stop = self.machine.single_step()
        if stop.reason == WFI and not stop.executed:  # nothing is due, and it was run on
            self.machine.single_step()
        now = self.machine.instructions
        if now != before:
            fed = sum(entry.position < now for entry in self.inputs)
            for checkpoint in self.checkpoints:
                if checkpoint.fixed and checkpoint.position == now:
                    self.machine.put_state(checkpoint.snapshot)
                    fed = checkpoint.inputs
            self._feed(fed)
