"""What gdb debugs: a machine, seen as threads with registers, memory and stops.

Everything the stub needs of a machine goes through `Target`, so that what a machine is, how many
harts it has and how it translates addresses, is known here only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vtbook.cpu.hart import Hart
from vtbook.cpu.layout import BREAKPOINTS, READABLE
from vtbook.cpu.layout import WATCHES as MOST_WATCHES
from vtbook.errors import VtbookError
from vtbook.isa.operations import MASK64
from vtbook.machine.exits import Exit
from vtbook.machine.gdb.memory import to_physical
from vtbook.machine.gdb.reverse import run_back, step_back
from vtbook.machine.gdb.undo import Undo
from vtbook.machine.hardware import QUANTUM
from vtbook.machine.history import HistoryError
from vtbook.mmu.walk import PAGE

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine

SLICE_SECONDS = 0.05
"""A run comes back after about so long, to see whether gdb wants it to stop."""

REACH = 1 << 20
"""Bytes after a symbol of unknown size that still are described by it."""

SIGINT, SIGILL, SIGTRAP, SIGBUS, SIGSEGV = 2, 4, 5, 10, 11
"""Signals by gdb's numbers (include/gdb/signals.def), which are not all Linux's."""
SIGNALS = {0: SIGBUS, 2: SIGILL, 3: SIGTRAP, 4: SIGBUS, 6: SIGBUS}
"""The signal for each cause of a trap that nobody handles; SIGSEGV for all others."""

WATCHES = {2: ("w", "watch"), 3: ("r", "rwatch"), 4: ("rw", "awatch")}
"""Type of a Z packet: the machine's kind of watchpoint, and how gdb calls a hit."""
BREAKS = {0: "swbreak", 1: "hwbreak"}


class TargetError(VtbookError):
    """The machine cannot do what gdb asks."""


@dataclass(frozen=True)
class Resume:
    """How to go on.

    Attributes:
        how: ``run``, ``step``, ``range`` (step until the pc leaves ``first <= pc < end``),
            ``back`` (run backwards) or ``step back``.
        thread: the one that steps, or runs alone.
        alone: the other threads stand still meanwhile.
    """

    how: str
    thread: int = 1
    first: int = 0
    end: int = 0
    alone: bool = False


@dataclass(frozen=True)
class Stopped:
    """The machine stands: the signal that says why, the thread, and a reason as gdb spells it."""

    signal: int
    reason: str = ""
    thread: int = 1


@dataclass(frozen=True)
class Ended:
    """The program is over, with this exit code."""

    code: int


Stop = Stopped | Ended


class Target:
    """A machine for gdb.

    Attributes:
        machine: the machine.
        last: why the machine last came back.
        at_end: ``exit``: when the program ends, gdb is told so. ``stop``: gdb is told that it
            stopped, so that it can go back from there.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.last: Exit | None = None
        self.at_end = "exit"
        self._wanted: frozenset[tuple[int, int, int]] = frozenset()  # Z type, address, size
        self._placed = self._wanted  # what the machine has of them
        self._resume: Resume | None = None  # what is being done, over several slices
        self._breaks: set[int] = set()  # those of the machine's stops that are gdb's alone
        self._watches: set[tuple[int, int, str]] = set()

    # -- threads ------------------------------------------------------------------------------

    @property
    def harts(self) -> list[Hart]:
        """The harts; gdb's thread n is the n-th of them."""
        return self.machine.harts

    @property
    def current(self) -> int:
        """The thread of the hart whose turn it is: the one that has stopped."""
        return next(n for n, hart in enumerate(self.harts, 1) if hart is self.machine.hart)

    @property
    def threads(self) -> range:
        """The numbers of the threads."""
        return range(1, len(self.harts) + 1)

    def hart(self, thread: int) -> Hart:
        """The hart of a thread."""
        return self.harts[thread - 1]

    def describe(self, thread: int) -> str:
        """A thread in words: its mode, and where it is."""
        hart = self.hart(thread)
        mode = {0: "user", 1: "supervisor", 3: "machine"}.get(hart.mode, "?")
        where = self.place(hart.pc & MASK64)
        waits = ", waits" if hart.waiting else ""
        return f"hart {hart.mhartid}, {mode} mode{waits}, at {where}"

    def place(self, address: int) -> str:
        """An address in words, as far as the loaded program's symbols reach."""
        found = self.machine.symbols.at(address)
        is_near = found is not None and found[1] < REACH
        return self.machine.symbols.describe(address) if is_near else f"{address:#x}"

    @property
    def has_past(self) -> bool:
        """Whether the machine can go back."""
        return self.machine.history.enabled

    def restart(self) -> None:
        """Load the program again: power off and on. Stops stay.

        Raises:
            MachineError: nothing is loaded.
        """
        self.machine.reset()
        self.last = None

    # -- memory -------------------------------------------------------------------------------

    def _pieces(self, thread: int, address: int, size: int) -> list[tuple[int, int]]:
        """Physical address and length of each piece of virtual memory, none of them over a page.

        Raises:
            TargetError: a page is not mapped.
        """
        hart, pieces = self.hart(thread), []
        while size > 0:
            length = min(size, PAGE - address % PAGE)
            physical = to_physical(hart, self.machine.board.ram, address)
            if physical is None:
                raise TargetError(f"{address:#x} is not mapped")
            pieces.append((physical, length))
            address, size = (address + length) % (1 << 64), size - length
        return pieces

    def read_memory(self, thread: int, address: int, size: int) -> bytes:
        """Read memory as the hart of `thread` sees it, whatever the page's permissions.

        Raises:
            TargetError: part of it is not memory. Device registers are not read, since that may
                change them.
        """
        hart, data = self.hart(thread), b""
        for physical, length in self._pieces(thread, address, size):
            found = hart.find(physical, length, READABLE)
            if found is None:
                raise TargetError(f"{physical:#x} is no memory")
            data += found.tobytes()
        return data

    def write_memory(self, thread: int, address: int, data: bytes) -> None:
        """Write memory as the hart of `thread` sees it, also where a page is read-only.

        Raises:
            VtbookError: part of it is not RAM; nothing is written.
        """
        pieces = self._pieces(thread, address, len(data))
        for physical, length in pieces:
            self.machine.read(physical, length)  # raises before anything has changed
        at = 0
        for physical, length in pieces:
            self.machine.write(physical, data[at : at + length])
            at += length

    # -- stops --------------------------------------------------------------------------------

    def insert(self, kind: int, address: int, size: int) -> None:
        """Want a break- or watchpoint; `kind` is the type of a Z packet.

        Raises:
            TargetError: there are too many, or the watched bytes go beyond the address space.
        """
        wanted = self._wanted | {(kind, address, size)}
        breaks, watches = self._reader_breaks(), self._reader_watches()
        breaks |= {one[1] for one in wanted if one[0] in BREAKS}
        watches |= {_watch(one) for one in wanted if one[0] in WATCHES}
        room = MOST_WATCHES - len(self.machine.board.htif_words())
        if len(breaks) > BREAKPOINTS or len(watches) > room:
            raise TargetError(f"at most {BREAKPOINTS} breakpoints and {room} watchpoints")
        if kind in WATCHES and not 1 <= size <= MASK64 - address:
            raise TargetError(f"{size} bytes at {address:#x} cannot be watched")
        self._wanted = wanted

    def remove(self, kind: int, address: int, size: int) -> bool:
        """No longer want a stop; False if there was none."""
        found = (kind, address, size) in self._wanted
        self._wanted = self._wanted - {(kind, address, size)}
        return found

    def clear_stops(self) -> None:
        """Take away all stops that gdb has set; the reader's own stay."""
        self._wanted = frozenset()
        self._place()

    def _reader_breaks(self) -> set[int]:
        return set(self.machine.breakpoints) - self._breaks

    def _reader_watches(self) -> set[tuple[int, int, str]]:
        return set(self.machine.watchpoints) - self._watches

    def _place(self) -> None:
        """Give the machine the stops that are wanted now.

        gdb takes all away at each stop and sets them again before it goes on. So this is done
        late, and usually has nothing to do.
        """
        if self._wanted == self._placed:
            return
        machine, breaks, watches = self.machine, self._reader_breaks(), self._reader_watches()
        self._breaks = {one[1] for one in self._wanted if one[0] in BREAKS} - breaks
        self._watches = {_watch(one) for one in self._wanted if one[0] in WATCHES} - watches
        machine.clear_breakpoints()
        for address in breaks | self._breaks:
            machine.add_breakpoint(address)
        for watched in watches | self._watches:
            machine.add_watchpoint(*watched)
        self._placed = self._wanted

    # -- waiting ------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether the guest waits for an interrupt that only something from outside can bring."""
        return self.last is not None and self.last.reason == "wfi"

    def can_go_on(self) -> bool:
        """Whether what an idle guest waits for has come."""
        return bool(self.machine.console.waiting)

    # -- running ------------------------------------------------------------------------------

    def advance(self, resume: Resume, interrupted: Callable[[], bool]) -> Stop | None:
        """Go on for about `SLICE_SECONDS`, or all the way where it goes backwards.

        Args:
            resume: how.
            interrupted: asked now and then whether gdb wants a stop; the caller looks at it too,
                after each slice.

        Returns:
            Where it stopped; None if it goes on.
        """
        self._place()
        is_new, self._resume = resume is not self._resume, resume
        if resume.how == "step back":
            return self._step_back(resume)
        if resume.how == "back":
            return self._run_back(interrupted)
        with Undo(self.machine, self.harts) as self._undo:
            if resume.alone or (is_new and resume.how != "run"):
                self._give_turn(resume.thread)
            if resume.how == "run":
                return self._run(resume)
            return self._step(resume, interrupted)

    def _give_turn(self, thread: int) -> None:
        """Let the hart of `thread` be the next that runs, if it is not.

        The harts would have come in another order: that is a change by hand, which the machine's
        history has to know of.
        """
        machine, hart = self.machine, self.hart(thread)
        if len(self.harts) == 1 or (hart is machine.hart and machine.board.turn_left > 0):
            return
        machine.engine.synchronize()
        machine.hart.reservation = -1
        machine.board.running, machine.board.turn_left = hart, QUANTUM
        machine.history.edited = True

    def starts_at_breakpoint(self, resume: Resume) -> Stopped | None:
        """The stop at a breakpoint where a run would begin: gdb steps over those that it knows."""
        if resume.how != "run":
            return None
        return self._at_breakpoint(resume.thread if resume.alone else self.current, mine=False)

    def _run(self, resume: Resume) -> Stop | None:
        is_one_of_several = resume.alone and len(self.harts) > 1
        budget = self.machine.board.turn_left if is_one_of_several else None
        self.last = exit = self.machine.run(budget, seconds=SLICE_SECONDS)
        if exit.reason in ("time", "wfi", "input", "budget"):
            return self._at_breakpoint()
        return self._explain(exit)

    def _step(self, resume: Resume, interrupted: Callable[[], bool]) -> Stop | None:
        end = time.perf_counter() + SLICE_SECONDS
        while True:
            self.last = exit = self.machine.step()
            if exit.reason not in ("step", "wfi"):
                return self._explain(exit)
            found = self._at_breakpoint()
            if self.current == resume.thread:  # else a turn has ended, and another hart has run
                if resume.how == "step" or not resume.first <= exit.pc < resume.end:
                    return found or self._stopped(SIGTRAP)
                if resume.alone:
                    self._give_turn(resume.thread)
            if found is not None:
                return found
            if interrupted() or time.perf_counter() >= end:
                return None

    def _step_back(self, resume: Resume) -> Stop:
        try:
            has_moved = step_back(self.machine, self.hart(resume.thread))
        except HistoryError:  # nothing has run yet
            has_moved = False
        reason = "" if has_moved else "replaylog:begin"
        return Stopped(SIGTRAP, reason, resume.thread)

    def _run_back(self, interrupted: Callable[[], bool]) -> Stop:
        try:
            found = run_back(self.machine, interrupted)
        except HistoryError:
            found = "start"
        except KeyboardInterrupt:
            return self.interrupt()
        if found == "start":
            return self._stopped(SIGTRAP, "replaylog:begin")
        if found == "breakpoint":
            return self._at_breakpoint() or self._stopped(SIGTRAP)
        return self._watch_hit(found.address, found.size, found.kind)  # gdb itself steps over it

    # -- why it stopped -----------------------------------------------------------------------

    def _stopped(self, signal: int, reason: str = "") -> Stopped:
        return Stopped(signal, reason, self.current)

    def interrupt(self) -> Stopped:
        """The stop that gdb, or the reader, has asked for."""
        return self._stopped(SIGINT)

    def _explain(self, exit: Exit) -> Stop:
        """What an exit of the machine means to gdb."""
        match exit.reason:
            case "shutdown" | "reset":
                if self.at_end == "stop":
                    return self._stopped(SIGTRAP, "replaylog:end")
                return Ended(exit.code or 0)
            case "breakpoint":
                return self._at_breakpoint() or self._stopped(SIGTRAP)
            case "watchpoint":
                if (hit := self._watch_hit(exit.addr or 0, exit.size or 0, exit.kind)).reason:
                    self._undo.take_back()
                return hit
            case "interrupted":
                return self.interrupt()
            case "trap":
                return self._stopped(SIGNALS.get(exit.cause or 0, SIGSEGV))
        return self._stopped(SIGTRAP)

    def _at_breakpoint(self, thread: int | None = None, mine: bool = True) -> Stopped | None:
        """The stop at a breakpoint where a hart is; None if there is none.

        `thread`: the hart's; of the one whose turn it is unless given. `mine`: the reader's
        breakpoints count too.
        """
        thread = self.current if thread is None else thread
        pc = self.hart(thread).pc & MASK64
        for kind, address, _ in sorted(self._wanted):
            if kind in BREAKS and address == pc:
                return Stopped(SIGTRAP, f"{BREAKS[kind]}:", thread)
        if mine and pc in self.machine.breakpoints:
            return Stopped(SIGTRAP, thread=thread)
        return None

    def _watch_hit(self, address: int, size: int, access: str) -> Stopped:
        """The stop at a watchpoint; gdb expects an address inside what it watches."""
        for kind, first, length in sorted(self._wanted):
            if kind not in WATCHES or first >= address + size or address >= first + length:
                continue
            kinds, name = WATCHES[kind]
            if access[0] in kinds:
                return self._stopped(SIGTRAP, f"{name}:{max(address, first):016x}")
        return self._stopped(SIGTRAP)


def _watch(stop: tuple[int, int, int]) -> tuple[int, int, str]:
    """A wanted watchpoint as the machine has it."""
    kind, address, size = stop
    return address, size, WATCHES[kind][0]
