"""``vtbook boot`` without a terminal: what a pipe or a file holds is typed, as the guest takes it.

A line is typed when the guest waits for input and has taken the one before, so nothing is typed
into a console that is not there yet, and no buffer of the guest overflows. While there is more to
type, or no more comes, the time in which the guest waits is skipped; so a script of commands runs
the same each time and as fast as it can. While a writer at the other end may still write, time
passes as on a clock.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from vtbook.course.keyboard import Keyboard
from vtbook.course.messages import BUDGET_ENDED, GUEST_STUCK, INTERRUPTED, say

if TYPE_CHECKING:
    from vtbook.machine import Exit, Machine

LOOK = 10_000_000
"""Instructions after which a guest that polls its console is looked at again."""
WAKE = 100_000
"""Instructions after which one is looked at again that waits for a timer."""
SHORT = 0.05
"""Seconds between two looks at what was typed."""
QUIET = 2_000_000_000
"""Nanoseconds of the guest's time. One that polls and writes nothing for so long waits for input,
also if it looks at a clock meanwhile."""
PATIENCE = 600_000_000_000
"""Nanoseconds of the guest's time that it may wait, and write nothing, after the end of input."""
POLLING = 60_000_000_000
"""The same for a guest that polls, which takes the host's time too."""
LONGEST = 128
"""Bytes typed at once, of a line that does not end."""


class Lines:
    """Standard input as lines."""

    def __init__(self, keyboard: Keyboard) -> None:
        self._keyboard = keyboard
        self._bytes = b""

    @property
    def ended(self) -> bool:
        """Whether nothing is left, and nothing will come."""
        return not self._bytes and self._keyboard.ended

    @property
    def ready(self) -> bool:
        """Whether there is something to type."""
        self._bytes += self._keyboard.take()
        return bool(self._bytes)

    def wait(self, seconds: float) -> None:
        """Wait until something has come, or for this long."""
        self._keyboard.wait(seconds)

    def take(self) -> bytes:
        """The next line, or as much as there is of it."""
        if not self.ready:
            return b""
        ends = [at + 1 for at in map(self._bytes.find, (b"\n", b"\r", b"\x04")) if at >= 0]
        size = min([*ends, LONGEST])
        if self._bytes[size - 1 : size] == b"\x04":
            size = max(size - 1, 1)  # Ctrl-D is a key of its own
        line, self._bytes = self._bytes[:size], self._bytes[size:]
        return line


class Out:
    """The guest's console on stdout; messages begin on a line of their own."""

    def __init__(self) -> None:
        self.written = 0
        self._last = b"\n"

    def __call__(self, data: bytes) -> None:
        self.written += len(data)
        self._last = data[-1:] or self._last
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def say(self, text: str) -> None:
        """Say something of vtbook's own."""
        if self._last not in b"\r\n":
            self(b"\n")
        say(text)

    def explain(self, machine: Machine, exit: Exit) -> int:
        """Say why a run ended, unless the guest ended it without a fault; returns the status."""
        if exit.reason in ("shutdown", "reset"):
            if exit.reason == "reset":
                self.say("the guest asks for a restart; this ends the run")
            elif exit.message:
                self.say(exit.message)
            return min(max(exit.code or 0, 0), 255)
        self.say(f"{exit.reason}: {_sentence(exit)}; {machine.instructions:,} instructions in all")
        return {"budget": BUDGET_ENDED, "interrupted": INTERRUPTED}.get(exit.reason, GUEST_STUCK)


def _sentence(exit: Exit) -> str:
    return str(exit).removeprefix(f"{exit.reason}: ").rpartition(" after ")[0]


def type_lines(machine: Machine) -> int:
    """Run a machine, and type standard input; return the exit status."""
    out = Out()
    machine.console.sink = out
    with Keyboard() as keyboard:
        return _Typist(machine, Lines(keyboard), out).run()


class _Typist:
    """Runs the guest until it ends, and types when it waits."""

    def __init__(self, machine: Machine, lines: Lines, out: Out) -> None:
        self.machine, self.lines, self.out = machine, lines, out
        self.live = machine.board.is_live
        self.written, self.since = 0, 0

    def run(self) -> int:
        machine = self.machine
        if not self.live:
            machine.pace = self._pace
        try:
            while True:
                exit = machine.run(until_input=not (self.live and self.lines.ended))
                end = self._wait(exit) if exit.reason in ("input", "wfi") else exit
                if end is not None:
                    return self._end(end)
        finally:
            machine.pace = None

    def _end(self, exit: Exit) -> int:
        if exit.reason not in ("input", "wfi"):
            return self.out.explain(self.machine, exit)
        self.out.say("the guest waits for input and there is no more")
        return GUEST_STUCK

    def _pace(self, seconds: float) -> float:
        """All harts wait for so long: skip it, or let it pass while more input may come."""
        if self.lines.ready or self.lines.ended:
            return seconds
        clock = time.monotonic()
        self.lines.wait(seconds)
        return time.monotonic() - clock

    def _wait(self, exit: Exit) -> Exit | None:
        """The guest asks for input: type it, or let it ask for longer.

        Returns an exit that ends the run, or None.
        """
        from vtbook.machine.idle import waits_for_input

        machine, lines = self.machine, self.lines
        asleep = all(hart.waiting for hart in machine.harts)
        stuck = exit.reason == "wfi" or (not asleep and waits_for_input(machine))
        if asleep or stuck or self._quiet(QUIET):
            if lines.ready:
                machine.console.feed(lines.take())
                self._quiet(-1)
                return None
            if lines.ended and (stuck or self._quiet(PATIENCE if asleep else POLLING)):
                return exit
        if stuck:
            lines.wait(SHORT)
            return None
        if asleep and not lines.ended:
            after = machine.run(seconds=SHORT)
        else:
            after = machine.run(WAKE if asleep else LOOK)
        return None if after.reason in ("budget", "time") else after

    def _quiet(self, nanoseconds: int) -> bool:
        """Whether the guest has written nothing for so long, and nothing was typed."""
        now = self.machine.board.nanoseconds()
        if self.out.written != self.written or nanoseconds < 0:
            self.written, self.since = self.out.written, now
        return now - self.since >= nanoseconds
