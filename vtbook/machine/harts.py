"""All harts of a board, run in turn by an engine each, as one engine.

There is one clock: it counts the instructions of all harts, and the time in which they wait. A hart
has the turn for `QUANTUM` counts; then the next one begins where the clock stands. A hart that
waits in ``wfi`` lets its turn pass. If all wait, the clock jumps to the next moment at which
something is due: no host waits for a guest that waits. So a run is the same every time, with any
number of harts; and since no two run at once, a store of one is seen by the others in order.

With one hart there are no turns, and the clock is the hart's count plus the time it has waited.
A hart's ``idle`` is the clock less its own instructions, so each computes the time by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from vtbook.cpu import plain
from vtbook.cpu.hart import Hart
from vtbook.cpu.interpreter import Stop
from vtbook.cpu.interrupts import FAR, NEVER, next_timer, pending
from vtbook.cpu.layout import BREAK, BUDGET, IDLE, PYTHON, UNHANDLED, WFI
from vtbook.isa.operations import MASK64
from vtbook.machine.board import NANOSECONDS_A_TICK
from vtbook.machine.engines import Engine, Progress, make_engine
from vtbook.machine.hardware import DEADLINE, QUANTUM, WAKE, Hardware

OWN = {DEADLINE, WAKE}
PATIENCE = 10_000_000
"""Ticks to wait at most while nothing is due: a second."""


class Harts:
    """The harts of `hardware`, run by engines called `engine`.

    Args:
        hardware: the board; its `running` and `turn_left` say whose turn it is.
        engine: a name as for `vtbook.machine.Machine`.
        progress: called with a line of text when something takes long, such as compiling.

    Raises:
        EngineError: there is none of this name.

    Attributes:
        engines: one for each hart.
        wait: called with nanoseconds when all harts wait and something is due after them; returns
            how many have passed. None: all of them, at once.
        after_wait: called when that time has passed on the clock, too.
        patient: wait also if nothing is due: something may come from outside.
    """

    def __init__(self, hardware: Hardware, engine: str, progress: Progress) -> None:
        self.hardware = hardware
        self.harts = hardware.harts
        self.engines: list[Engine] = [make_engine(engine, hart, progress) for hart in self.harts]
        self.wait: Callable[[int], int] | None = None
        self.after_wait: Callable[[], object] | None = None
        self.patient = False
        self._alone = len(self.harts) == 1
        self._breakpoints: frozenset[int] = frozenset()
        self._passed: dict[int, tuple[int, int]] = {}
        """By hart, instret and pc at which it was last found at a breakpoint."""
        self._stuck: tuple[int, int] | None = None
        """Instructions and clock at which nothing was due, and all harts waited."""

    def __repr__(self) -> str:
        return f"<{len(self.harts)} x {self.engines[0]!r}>"

    # -- what an engine offers --------------------------------------------------------------

    @property
    def instructions(self) -> int:
        """Instructions that all harts have retired since reset."""
        if self._alone:
            return self.harts[0].instret
        return sum(hart.instret for hart in self.harts)

    @property
    def current(self) -> Engine:
        """The engine of the hart whose turn it is."""
        return self.engines[self.harts.index(self.hardware.running)]

    def flush(self) -> None:
        """Forget everything derived from the guest's code."""
        for engine in self.engines:
            engine.flush()

    def set_breakpoints(self, addresses: list[int]) -> None:
        """Stop before the instructions at these addresses, whichever hart comes there."""
        self._breakpoints = frozenset(address & MASK64 for address in addresses)
        self.forget()
        for engine in self.engines:
            engine.set_breakpoints(addresses)

    def count_instructions(self, on: bool) -> None:
        """Count retired instructions by mnemonic from now on, or stop counting."""
        for engine in self.engines:
            engine.count_instructions(on)

    @property
    def counts(self) -> Counter[str]:
        """Instructions by mnemonic since ``count_instructions(True)``, of all harts."""
        return sum((Counter(engine.counts) for engine in self.engines), Counter())

    def forget(self) -> None:
        """The harts are at another moment now."""
        self._passed.clear()
        self._stuck = None

    # -- running ----------------------------------------------------------------------------

    def run(self, budget: int | None = None) -> Stop:
        """Run at most `budget` instructions in all; None is no limit. The reasons are those of an
        engine (`vtbook.cpu.layout`); `executed` counts the instructions of all harts.

        IDLE: all harts wait, and `wait` has let less time pass than until something is due. WFI:
        all wait and nothing is due; who runs them all the same makes their ``wfi`` a hint.
        """
        executed = 0
        if self._breakpoints:
            self._pass_breakpoint(self.hardware.running)
        while budget is None or executed < budget:
            stop = self.prepare(executed)
            if stop is not None:
                return stop
            hart, engine = self.hardware.running, self.current
            # An engine passes the breakpoint at which it begins.
            if self._breakpoints and self._pass_breakpoint(hart):
                return Stop(BREAK, executed)
            limit = self._room(hart)
            if budget is not None:
                limit = min(limit, budget - executed)
            stop = engine.run(limit)
            executed += stop.executed
            self.account(stop.executed)
            if stop.reason == WFI:
                hart.waiting = 1
            elif stop.reason == PYTHON and stop.events and OWN.issuperset(stop.events):
                self.hardware.poll()
            elif stop.reason != BUDGET:
                return Stop(stop.reason, executed, stop.trap, stop.events)
        return Stop(BUDGET, executed)

    def _pass_breakpoint(self, hart: Hart) -> bool:
        """Whether the hart has just come to a breakpoint; the next time it is where it was."""
        if hart.pc & MASK64 not in self._breakpoints:
            return False
        place, number = (hart.instret, hart.pc), self.harts.index(hart)
        is_new = self._passed.get(number) != place
        self._passed[number] = place
        return is_new

    def step(self) -> Stop:
        """One step of the hart whose turn it is, in plain Python: an instruction, or a trap."""
        stop = self.prepare(0)
        if stop is not None:
            return stop
        hart = self.hardware.running
        before = hart.instret
        trap, _ = plain.step(hart)
        events, hart.events[:] = tuple(hart.events), []
        if ("fence.i",) in events:
            self.current.flush()
        reason = BUDGET
        if trap is not None and trap.unhandled:
            reason = UNHANDLED
        elif ("wfi",) in events:
            reason, hart.waiting = WFI, 1
        executed = hart.instret - before
        self.account(executed)
        if WAKE in events:
            self.hardware.poll()
        return Stop(reason, executed, trap, events)

    # -- turns ------------------------------------------------------------------------------

    def prepare(self, executed: int) -> Stop | None:
        """Let time pass until the hart that has the turn can run; a stop if none will."""
        hardware = self.hardware
        while True:
            hardware.tick()
            hart = hardware.running
            if not hart.waiting:
                if self._alone or hardware.turn_left > 0:
                    return None
                self._next_turn(hart)
            elif pending(hart) & hart.mie:
                hart.waiting = 0
            elif self._all_wait():
                if hardware.ports and hardware.poll():
                    continue
                stop = self._wait_for_all(hart, executed)
                if stop is not None:
                    return stop
            else:
                hart.idle += hardware.turn_left
                hardware.turn_left = 0
                self._next_turn(hart)

    def _all_wait(self) -> bool:
        self.synchronize()
        return all(hart.waiting and not pending(hart) & hart.mie for hart in self.harts)

    def synchronize(self) -> None:
        """Let every hart see the clock as it is, also those that do not run."""
        clock = self.hardware.clock
        for hart in self.harts:
            hart.idle = clock - hart.instret

    def _next_turn(self, hart: Hart) -> None:
        """Give the turn to the next hart; the clock goes on from where it stands."""
        hardware = self.hardware
        clock = hart.instret + hart.idle
        hart.reservation = -1  # another hart may store there
        following = self.harts[(self.harts.index(hart) + 1) % len(self.harts)]
        following.idle = clock - following.instret
        hardware.running = following
        hardware.turn_left = QUANTUM

    def _room(self, hart: Hart) -> int:
        """Instructions until the turn ends, or a device has something to do."""
        room = NEVER if self._alone else self.hardware.turn_left
        deadline = self.hardware.next_deadline()
        if deadline is not None:
            ticks = -(-deadline // NANOSECONDS_A_TICK)
            room = min(room, max(ticks * hart.tick - self.hardware.clock, 1))
        return room

    def account(self, executed: int) -> None:
        """So many instructions of the turn are used up."""
        if not self._alone:
            self.hardware.turn_left -= executed

    def _wait_for_all(self, hart: Hart, executed: int) -> Stop | None:
        """Let the clock reach the next moment at which something is due."""
        clock = hart.instret + hart.idle
        due = self._next_due(clock)
        if due is None:
            moment = self.instructions, clock
            if self._stuck == moment:
                hart.waiting = 0  # it is run all the same: wfi has been a hint (3.3.3)
                return None
            if self.wait is None or not self.patient:
                self._stuck = moment
                return Stop(WFI, executed)
        per_tick = hart.tick
        counts = PATIENCE * per_tick if due is None else due - clock
        if self.wait is not None:
            nanoseconds = counts * NANOSECONDS_A_TICK // per_tick
            passed = self.wait(nanoseconds)
            if passed < nanoseconds:
                self._let_pass(hart, min(counts, passed * per_tick // NANOSECONDS_A_TICK))
                return Stop(IDLE, executed)
        self._let_pass(hart, counts)
        return None

    def _let_pass(self, hart: Hart, counts: int) -> None:
        hart.idle += counts
        if self.after_wait is not None:
            self.after_wait()

    def _next_due(self, clock: int) -> int | None:
        """When the clock reaches the first timer of any hart, or a device's deadline."""
        first = NEVER
        for each in self.harts:
            at = next_timer(each)
            if at != NEVER:
                first = min(first, at + each.idle)
        deadline = self.hardware.next_deadline()
        if deadline is not None:
            first = min(first, -(-deadline // NANOSECONDS_A_TICK) * self.harts[0].tick)
        is_far = first - clock > FAR * self.harts[0].tick
        return None if first >= NEVER or is_far else max(first, clock + 1)

    def advance_to(self, clock: int) -> None:
        """While all harts wait, let the clock reach `clock`: a replay comes to a moment at which
        something came from outside."""
        hart = self.hardware.running
        hart.idle = max(hart.idle, clock - hart.instret)
