"""The reader's hand on a machine: stops, single steps, and going back in time."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vtbook.cpu.hart import Hart
from vtbook.cpu.interpreter import Stop
from vtbook.cpu.layout import BREAKPOINTS, WATCH_PHYSICAL, WATCHES
from vtbook.cpu.traps import Trap
from vtbook.errors import VtbookError
from vtbook.isa.operations import MASK64, wrap
from vtbook.machine.board import WATCH_READ, WATCH_WRITE
from vtbook.machine.exits import Exit
from vtbook.machine.hardware import Hardware
from vtbook.machine.harts import Harts
from vtbook.machine.history import History
from vtbook.machine.interrupts import KeyboardWatch
from vtbook.machine.symbols import SymbolTable

if TYPE_CHECKING:
    from vtbook.machine.session import Session

Place = int | str
"""An address, or the name of a symbol."""
WATCH_KINDS = {"r": WATCH_READ, "w": WATCH_WRITE, "rw": WATCH_READ | WATCH_WRITE}


class MachineError(VtbookError):
    """The machine cannot do what was asked; the message says what to do."""


class Debugging:
    """The part of `Machine` that stops it, steps it and takes it back."""

    board: Hardware
    harts: list[Hart]
    engine: Harts
    history: History
    symbols: SymbolTable
    _breakpoints: list[int]
    _watchpoints: list[tuple[int, int, int]]
    is_off: Exit | None
    _session: Session | None = None

    # what `Machine` adds
    if TYPE_CHECKING:

        @property
        def hart(self) -> Hart: ...

        @property
        def instructions(self) -> int: ...

    _explain: Callable[[Stop, int], Exit | None]
    _exit: Callable[..., Exit]
    _serve_host: Callable[[tuple], None]
    check_free: Callable[[], None]

    def address(self, place: Place) -> int:
        """The address of a symbol, or the number itself.

        Raises:
            SymbolError: no symbol has this name.
            MachineError: it is neither a name nor a 64-bit address.
        """
        if isinstance(place, str):
            return self.symbols[place]
        try:
            number = operator.index(place)
        except TypeError:
            raise MachineError(f"{place!r:.40} is no address; give a number or a symbol") from None
        if not -(1 << 63) <= number < 1 << 64:
            raise MachineError(f"{number:#x} is no 64-bit address")
        return number & MASK64

    # -- breakpoints and watchpoints --------------------------------------------------------

    @property
    def breakpoints(self) -> list[int]:
        """Addresses at which a run stops."""
        return list(self._breakpoints)

    @property
    def watchpoints(self) -> list[tuple[int, int, str]]:
        """Address, length in bytes and kind (``r``, ``w``, ``rw``) of each watched range."""
        names = {value: name for name, value in WATCH_KINDS.items()}
        return [
            (first, end - first, names[kind & ~WATCH_PHYSICAL])
            for first, end, kind in self._watchpoints
        ]

    def add_breakpoint(self, place: Place) -> int:
        """Stop each run before the instruction there; returns its address.

        Raises:
            MachineError: there are too many.
        """
        address = self.address(place)
        if address not in self._breakpoints:
            if len(self._breakpoints) >= BREAKPOINTS:
                raise MachineError(f"at most {BREAKPOINTS} breakpoints; remove one")
            self._breakpoints.append(address)
            self.engine.set_breakpoints(self._breakpoints)
        return address

    def remove_breakpoint(self, place: Place) -> None:
        """Take a breakpoint away; it is no error if there is none."""
        address = self.address(place)
        if address in self._breakpoints:
            self._breakpoints.remove(address)
            self.engine.set_breakpoints(self._breakpoints)

    def add_watchpoint(
        self, place: Place, size: int = 8, kind: str = "w", *, physical: bool = False
    ) -> int:
        """Stop each run after an access to any of `size` bytes there; returns their address.

        Args:
            place: the first byte.
            size: how many, at least 1.
            kind: which accesses: ``r`` reads, ``w`` writes, ``rw`` both.
            physical: the address is a physical one, whatever page tables map to it.

        Raises:
            MachineError: the kind or the size makes no sense, or there are too many.
        """
        address = self.address(place)
        if kind not in WATCH_KINDS:
            raise MachineError(f"a watchpoint of kind {kind!r}; use 'r', 'w' or 'rw'")
        if not 1 <= size <= (1 << 64) - 1 - address:
            raise MachineError(f"a watchpoint of {size} bytes at {address:#x}; give at least 1")
        entry = (address, address + size, WATCH_KINDS[kind] | WATCH_PHYSICAL * physical)
        if entry not in self._watchpoints:
            room = WATCHES - len(self.board.htif_words())
            if len(self._watchpoints) >= room:
                raise MachineError(f"at most {room} watchpoints; remove one")
            self._watchpoints.append(entry)
            self._place_stops()
        return address

    def remove_watchpoint(self, place: Place) -> None:
        """Take away the watchpoints that start there; it is no error if there is none."""
        address = self.address(place)
        self._watchpoints = [entry for entry in self._watchpoints if entry[0] != address]
        self._place_stops()

    def clear_breakpoints(self) -> None:
        """Take away every breakpoint and watchpoint."""
        self._breakpoints, self._watchpoints = [], []
        self._place_stops()

    def _place_stops(self) -> None:
        """Tell hart and engine what to stop at, and drop what they derived from older state."""
        htif = WATCH_WRITE | WATCH_PHYSICAL
        rows = [(first, end, htif) for first, end in self.board.htif_words()]
        rows += self._watchpoints
        for hart in self.harts:
            for number, (first, end, kind) in enumerate(rows):
                hart.state["watches"][0, number] = (wrap(first), wrap(end), kind)
            hart.watch_count = len(rows)
            hart.flush_tlbs()
        history = self.history
        stops = history.replay_stops if history.replaying else self._breakpoints
        self.engine.set_breakpoints(stops)
        self.engine.flush()

    @contextmanager
    def only_watching(self, first: int, end: int) -> Iterator[None]:
        """Stop at writes to ``first <= address < end`` and at no other watchpoint."""
        before, self._watchpoints = self._watchpoints, [(first, end, WATCH_WRITE)]
        self._place_stops()
        try:
            yield
        finally:
            self._watchpoints = before
            self._place_stops()

    def _hits_watchpoint(self, addr: int, size: int, kind: int) -> bool:
        return any(
            kind & kinds and addr < end and first < addr + size
            for first, end, kinds in self._watchpoints
        )

    # -- stepping ---------------------------------------------------------------------------

    def step(self, count: int = 1) -> Exit:
        """Run `count` steps in plain Python: an instruction that retires, or a trap taken.

        Returns:
            An exit of reason ``step``, or of what stopped the machine before.
        """
        return self.step_with_trap(count)[0]

    def step_with_trap(self, count: int = 1) -> tuple[Exit, Trap | None]:
        """Like `step`; also the trap that the last step took or could not take, if any."""
        if self.is_off is not None:
            return self.is_off, None
        self.check_free()
        self.history.begin()
        start = self.instructions
        exit = trap = None
        with KeyboardWatch() as keyboard:
            for _ in range(count):
                stop = self.single_step()
                trap = stop.trap
                exit = self._explain(stop, start)
                if exit is None and keyboard.pressed:
                    exit = self._exit("interrupted", start)
                if exit is not None:
                    break
        self.history.end()
        return exit or self._exit("step", start), trap

    def record(
        self,
        steps: int,
        *,
        title: str = "",
        memory: Sequence[tuple[Place, int, str]] = (),
        csrs: Sequence[str] = (),
        floating: bool = False,
    ) -> dict[str, Any]:
        """Run up to `steps` steps in plain Python, and return them for the `Stepper` widget.

        Args:
            steps: how many; the recording ends early if the machine stops, or the turn of the hart
                ends where there are several.
            title: the heading; made from the program's name if empty.
            memory: regions to show: (address or symbol, bytes, name).
            csrs: names of the control and status registers to show.
            floating: show the floating-point registers too.

        Returns:
            A ``vtbook-trace`` (`vtbook.widgets.trace`), plain data.

        Raises:
            MachineError: a region, a CSR or the number of steps cannot be recorded.
        """
        from vtbook.machine.recording import record

        return record(
            self,  # type: ignore[arg-type]
            steps,
            title=title,
            memory=memory,
            csrs=csrs,
            floating=floating,
        )

    def single_step(self) -> Stop:
        """One step in plain Python, as a stop with its trap and events."""
        stop = self.engine.step()
        self._serve_host(stop.events)
        return stop

    def session(self) -> Session:
        """The session that runs this machine on a thread of its own; one for each machine."""
        from vtbook.machine.session import Session

        if self._session is None:
            self._session = Session(self)  # type: ignore[arg-type]
        return self._session

    # -- going back -------------------------------------------------------------------------

    def step_back(self, count: int = 1) -> Exit:
        """Undo `count` steps. What was printed and typed since is undone too.

        Returns:
            An exit of reason ``step``, or ``start`` if the recorded past is shorter.

        Raises:
            HistoryError: nothing is recorded.
        """
        reached = self.history.step_back(count)
        return self._exit("step" if reached else "start", self.instructions)

    def run_back_to(self, *places: Place) -> Exit:
        """Go back to the last time the pc was at one of `places` (the breakpoints if none given).

        Returns:
            An exit of reason ``breakpoint``, or ``start`` if it never was.

        Raises:
            HistoryError: nothing is recorded.
        """
        addresses = frozenset(self.address(place) for place in places or self._breakpoints)
        reached = self.history.run_back_to(addresses)
        return self._exit("breakpoint" if reached else "start", self.instructions)

    def run_back_to_write(self, place: Place, size: int = 8) -> Exit:
        """Go back to before the last instruction that wrote to any of `size` bytes at `place`.

        Returns:
            An exit of reason ``watchpoint`` that tells the access and, in ``where``, who did it;
            or ``start`` if nobody has written there.

        Raises:
            HistoryError: nothing is recorded.
        """
        address = self.address(place)
        access = self.history.run_back_to_write(address, address + size)
        if access is None:
            return self._exit("start", self.instructions)
        fields = dict(zip(("addr", "size", "value"), access, strict=True))
        fields["value"] &= MASK64
        return self._exit("watchpoint", self.instructions, kind="write", **fields)

    def go_to(self, instructions: int) -> Exit:
        """Go back to when so many instructions had retired since reset.

        Raises:
            HistoryError: that is not in the recorded past.
        """
        self.history.go_to(instructions)
        return self._exit("step", self.instructions)
