"""The machine: a board, an engine that runs its hart, and the reader's hand on both."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from vtbook.cpu.hart import Hart
from vtbook.cpu.interpreter import Stop
from vtbook.cpu.layout import ARCHITECTURAL, BREAK, HART, UNHANDLED, WFI, offset
from vtbook.cpu.traps import Trap, cause_name
from vtbook.devices import BusFault, Console, Shutdown
from vtbook.errors import VtbookError
from vtbook.isa.assembler.program import Program
from vtbook.isa.instruction_set import InstructionSet
from vtbook.isa.operations import MASK64
from vtbook.isa.sets import RV64GC
from vtbook.machine.board import WATCH_READ, Board
from vtbook.machine.debugging import Debugging, MachineError, Place
from vtbook.machine.elf import Image, Segment, Source, load_elf, read_file
from vtbook.machine.engines import make_engine
from vtbook.machine.exits import Exit
from vtbook.machine.history import History
from vtbook.machine.interrupts import KeyboardWatch
from vtbook.machine.progress import announce
from vtbook.machine.ram import Ram
from vtbook.machine.snapshot import Snapshot, SnapshotError
from vtbook.machine.symbols import SymbolTable
from vtbook.machine.units import parse_size

FIRST_SLICE, LONGEST_SLICE = 10_000, 1 << 26
SLICE_SECONDS = 0.05
"""Between slices of about this length a run looks for Ctrl-C and makes checkpoints."""


class Machine(Debugging):
    """A computer like QEMU's ``virt`` with one hart.

    Args:
        ram: its size, such as ``"128 MiB"``, or bytes. RAM starts at 0x8000_0000.
        engine: how instructions are run: ``interpreter`` (compiled), ``python``, or ``ir``
            (intermediate code).
        isa: the instruction set; RV64GC unless told.
        sink: called with each piece of console output as it comes.
        reverse: keep a history, so that the machine can go back in time.
        progress: called with a line of text when something takes long, such as compiling. Unless
            given, the reader sees it: in the notebook, else on stderr.

    Attributes:
        hart: registers and CSRs: ``hart.x[10]``, ``hart.pc``, ``hart.mode``, ``hart.mstatus`` …
        console: ``output`` is what the guest printed, ``feed`` types.
        symbols: names of the loaded program's addresses.
        board: RAM, devices and bus.

    Raises:
        VtbookError: the size, the engine or the memory cannot be had.
    """

    def __init__(
        self,
        ram: int | str = "128 MiB",
        engine: str = "interpreter",
        *,
        isa: InstructionSet = RV64GC,
        sink: Callable[[bytes], object] | None = None,
        reverse: bool = True,
        progress: Callable[[str], None] = announce,
    ) -> None:
        self.board = Board(isa, parse_size(ram, "RAM"), sink)
        self.hart: Hart = self.board.hart
        self.engine_name = engine
        self.engine = make_engine(engine, self.hart, progress)
        announce.finish()
        self.symbols = SymbolTable()
        self.image: Image | None = None
        self._breakpoints: list[int] = []
        self._watchpoints: list[tuple[int, int, int]] = []
        self.is_off: Exit | None = None
        self.slice = FIRST_SLICE
        self.runner: threading.Thread | None = None
        self._until_input = False
        self._deadline: float | None = None
        self._seconds = 0.0
        self._retired = 0
        self._exits: Counter[str] = Counter()
        self.history = History(self, reverse)
        self.console.on_feed = self.history.typed

    # -- parts ------------------------------------------------------------------------------

    @property
    def console(self) -> Console:
        """The line between the guest and the reader."""
        return self.board.console

    @property
    def position(self) -> tuple[int, int]:
        """Instructions retired since reset, and the pc (unsigned)."""
        return self.hart.instret, self.hart.pc & MASK64

    def __repr__(self) -> str:
        name = self.image.name if self.image else "nothing loaded"
        instructions, pc = self.position
        where = self.symbols.describe(pc)
        return f"<machine, {name}: at {where} after {instructions:,} instructions>"

    # -- loading ----------------------------------------------------------------------------

    def load(self, source: Source | Program | Image, *, at: Place | None = None) -> None:
        """Power the machine on with a program in RAM, and the hart at its entry.

        RAM is cleared and the devices are reset. The hart starts in M mode with its number in a0
        and 0 in a1. More can be put into RAM afterwards with `write`.

        Args:
            source: the path or the bytes of an ELF file, the result of ``assemble``, or an image.
            at: for bytes that are not ELF: the address they go to and start at.

        Raises:
            ElfError: the file cannot be used.
            MachineError: the program does not fit into RAM. The machine is unchanged.
        """
        image = self._image(source, at)
        ram = self.board.ram
        for segment in image.segments:
            if not ram.holds(segment.address, segment.size):
                raise MachineError(f"{image.name}: {_misfit(segment, ram)}")
        self.check_free()
        self.board.power_on()
        for segment in image.segments:
            ram.write(segment.address, segment.data)
        self.image, self.symbols = image, image.symbols
        if "tohost" in image.symbols and ram.holds(image.symbols["tohost"], 8):
            fromhost = image.symbols.get("fromhost")
            self.board.connect_htif(image.symbols["tohost"], fromhost)
        hart = self.hart
        hart.pc = image.entry
        hart.x[10], hart.x[11] = hart.mhartid, 0
        self.history.clear()
        self.is_off = None
        self.clear_breakpoints()

    def _image(self, source: Source | Program | Image, at: Place | None) -> Image:
        if isinstance(source, Image):
            return source
        if isinstance(source, Program):
            pieces = [(section.address, section.data) for section in source.sections]
            symbols = SymbolTable.of(source.symbols)
            return Image.of(source.filename, source.entry, pieces, symbols)
        if at is not None:
            address, name = self.address(at), "<bytes>"
            if not isinstance(source, bytes | bytearray | memoryview):
                name, source = os.path.basename(source), read_file(source)
            return Image.of(name, address, [(address, bytes(source))])
        return load_elf(source, base=self.board.ram.base)

    def reset(self) -> None:
        """Load the program again; break- and watchpoints stay.

        Raises:
            MachineError: nothing is loaded.
        """
        if self.image is None:
            raise MachineError("nothing is loaded; call load first")
        breakpoints, watchpoints = self._breakpoints, self._watchpoints
        self.load(self.image)
        self._breakpoints, self._watchpoints = breakpoints, watchpoints
        self._place_stops()

    # -- running ----------------------------------------------------------------------------

    def run(
        self,
        budget: int | None = None,
        *,
        seconds: float | None = None,
        until_input: bool = False,
    ) -> Exit:
        """Run until something stops the machine.

        Args:
            budget: stop after so many instructions; None means no limit.
            seconds: stop after about so much wall time: between two slices.
            until_input: stop when the guest asks for input again and again and none is there.

        Returns:
            Why it stopped. Ctrl-C stops it too, between two instructions, and nothing is lost.
        """
        if budget is not None and (isinstance(budget, bool) or int(budget) < 0):
            raise MachineError(f"a budget of {budget} instructions; give a number from 0, or None")
        if self.is_off is not None:
            return self.is_off
        self.check_free()
        self.history.begin()
        start, clock = self.hart.instret, time.perf_counter()
        self._until_input = until_input
        self._deadline = None if seconds is None else clock + seconds
        with KeyboardWatch() as keyboard:
            try:
                exit = self._run(start, None if budget is None else start + int(budget), keyboard)
            finally:
                self._seconds += time.perf_counter() - clock
                self._retired += self.hart.instret - start
                self.history.end()
        self._exits[exit.reason] += 1
        return exit

    def _run(self, start: int, target: int | None, keyboard: KeyboardWatch) -> Exit:
        first = True
        while True:
            instructions, pc = self.position
            if keyboard.pressed:
                return self._exit("interrupted", start)
            if target is not None and instructions >= target:
                return self._exit("budget", start)
            if not first and pc in self._breakpoints:
                return self._exit("breakpoint", start)
            if not first and self._deadline is not None and time.perf_counter() >= self._deadline:
                return self._exit("time", start)
            first = False
            size = self.slice if target is None else min(self.slice, target - instructions)
            exit = self._explain(self._timed(size), start)
            if exit is not None:
                return exit
            self.history.pause()

    def check_free(self) -> None:
        """Raise MachineError if a session runs this machine on another thread."""
        if self.runner is not None and self.runner is not threading.current_thread():
            raise MachineError(
                "the machine is running in the background; pause its console or session first"
            )

    def _timed(self, instructions: int) -> Stop:
        """Advance by one slice, and fit the length of the next to the speed of this one."""
        clock = time.perf_counter()
        stop = self.advance(instructions)
        announce.finish()
        seconds = time.perf_counter() - clock
        if seconds > 2 * SLICE_SECONDS:
            self.slice = max(self.slice // 2, 1)
        elif seconds < SLICE_SECONDS / 2 and stop.executed >= self.slice:
            self.slice = min(self.slice * 2, LONGEST_SLICE)
        return stop

    def advance(self, instructions: int) -> Stop:
        """Let the engine run once, at most so many instructions, and serve the host interface."""
        htif = self.board.htif
        if htif is not None and htif.reads and self.console.waiting:
            htif.poll()
        stop = self.engine.run(instructions)
        self._serve_host(stop.events)
        return stop

    def _serve_host(self, events: tuple) -> None:
        """Let HTIF look at its words if one of them was written."""
        if self.board.htif is not None and any(event[0] == "watch" for event in events):
            self.board.htif.poll()
            self.hart.events[:] = []

    def _explain(self, stop: Stop, start: int) -> Exit | None:
        """The exit that a stop of the engine means; None if the run goes on."""
        if self.board.request is not None:
            return self._shut_down(self.board.request, start)
        if stop.reason == UNHANDLED:
            assert stop.trap is not None
            return self._unhandled(stop.trap, start)
        for event in stop.events:
            if event[0] == "watch" and self._hits_watchpoint(*event[1:4]):
                _, addr, size, kind, value = event
                access = "read" if kind == WATCH_READ else "write"
                fields = {"addr": addr, "size": size, "kind": access, "value": value & MASK64}
                return self._exit("watchpoint", start, **fields)
        if stop.reason == BREAK:
            return self._exit("breakpoint", start)
        if self._until_input and ("poll",) in stop.events and not self.console.waiting:
            return self._exit("input", start)
        if stop.reason == WFI and not self.hart.mip & self.hart.mie:
            return self._exit("wfi", start)
        return None

    def _exit(self, reason: str, start: int, **fields: Any) -> Exit:
        instructions, pc = self.position
        return Exit(reason, pc, instructions - start, self.symbols.describe(pc), **fields)

    def _shut_down(self, request: Shutdown, start: int) -> Exit:
        self.board.request = None
        reason = "reset" if request.kind == "reset" else "shutdown"
        exit = self._exit(reason, start, code=request.code, message=request.message)
        self.is_off = self._exit(reason, self.hart.instret, code=request.code)
        return exit

    def _unhandled(self, trap: Trap, start: int) -> Exit:
        if self.hart.trap_exits:
            detail = "the machine was told to stop at traps"
        elif self.hart.mtvec == 0:
            detail = "mtvec was never set"
        else:
            detail = "the first instruction of the handler trapped itself"
        cause, tval = trap.cause, trap.value & MASK64
        fields = {"cause": cause, "tval": tval, "cause_name": cause_name(cause), "detail": detail}
        return self._exit("trap", start, **fields)

    # -- memory -----------------------------------------------------------------------------

    def read(self, addr: Place, size: int) -> bytes:
        """Copy `size` bytes of RAM.

        Raises:
            MachineError: part of them is outside RAM. Device registers are not read, since reading
                may change them; ``board.bus.read`` does it anyway.
        """
        try:
            return self.board.ram.read(self.address(addr), size)
        except BusFault as fault:
            raise MachineError(f"{fault}; device registers are at board.bus") from None

    def write(self, addr: Place, data: bytes) -> None:
        """Write `data` into RAM.

        Raises:
            MachineError: part of it would be outside RAM; nothing is written.
        """
        try:
            self.board.ram.write(self.address(addr), data)
        except BusFault as fault:
            raise MachineError(f"{fault}; device registers are at board.bus") from None
        self.history.edited = True
        self.engine.flush()

    # -- snapshots --------------------------------------------------------------------------

    def snapshot(self, *, like: Snapshot | None = None) -> Snapshot:
        """The whole state: hart, RAM and devices. Pages that equal those of `like` are shared."""
        hart = self.hart
        fields: dict[str, int | list[int]] = {}
        for name in map(str, ARCHITECTURAL):
            fields[name] = hart.state[name][0].tolist()
        fields["x"] = [*hart.x, 0]  # the last takes what is written to x0: no part of the state
        ram = self.board.ram
        pages = ram.capture(like.pages if like is not None else None)
        devices = self.board.device_states()
        return Snapshot(hart.isa.name, ram.base, ram.size, fields, devices, pages)

    def restore(self, snapshot: Snapshot) -> None:
        """Go to the state of a snapshot, of this machine or of another like it.

        The recorded past begins anew. Symbols, break- and watchpoints stay.

        Raises:
            SnapshotError: it is of a machine with other RAM or instructions, or damaged. The
                machine is unchanged.
        """
        self.check_free()
        self._check(snapshot)
        before = self.snapshot()
        try:
            self.put_state(snapshot)
        except VtbookError as error:
            self.put_state(before)
            raise SnapshotError(f"the snapshot does not fit: {error}") from None
        self.history.clear()

    def _check(self, snapshot: Snapshot) -> None:
        ram = self.board.ram
        for what, theirs, ours in (
            ("instruction set", snapshot.isa, self.hart.isa.name),
            ("RAM address", snapshot.ram_base, ram.base),
            ("RAM size", snapshot.ram_size, ram.size),
        ):
            if theirs != ours:
                raise SnapshotError(f"{what}: the snapshot has {theirs}, this machine {ours}")
        if not isinstance(snapshot.hart, dict) or snapshot.hart.keys() != set(ARCHITECTURAL):
            raise SnapshotError("the snapshot has other hart registers; it is of another version")
        for name, value in snapshot.hart.items():
            shape: tuple[int, ...] = HART[name].shape
            numbers = value if isinstance(value, list) else [value]
            fits = all(type(n) is int and -(1 << 63) <= n < 1 << 63 for n in numbers)
            if not fits or isinstance(value, list) != bool(shape) or len(numbers) != (*shape, 1)[0]:
                raise SnapshotError(f"the snapshot has no proper {name}; it is damaged")

    def put_state(self, snapshot: Snapshot) -> None:
        """Copy a snapshot's state into the board; the recorded past is not touched."""
        self.board.load_device_states(snapshot.devices)
        for name, value in snapshot.hart.items():
            self.hart.state[name][0] = value
        self.hart.events[:] = []
        self.board.ram.put_back(snapshot.pages)
        self.is_off = None
        self._place_stops()

    def hart_bytes(self) -> bytes:
        """The architectural part of the hart's record."""
        return self.hart.state.view(np.uint8)[: offset("zero")].tobytes()

    # -- what happened ----------------------------------------------------------------------

    @property
    def statistics(self) -> dict[str, Any]:
        """Instructions and seconds spent in `run`, their ratio in millions, and exits by reason."""
        rate = self._retired / self._seconds / 1e6 if self._seconds else 0.0
        return {
            "engine": self.engine_name,
            "instructions": self._retired,
            "seconds": self._seconds,
            "MIPS": rate,
            "exits": dict(self._exits),
        }


def _misfit(segment: Segment, ram: Ram) -> str:
    """Why a segment is not in RAM, and what to do."""
    text = f"segment {segment} is not in RAM ({ram.base:#x}-{ram.end - 1:#x}); "
    if segment.address < ram.base < segment.end and segment.data[:4] == b"\x7fELF":
        return text + "the linker put the file's headers before the code: link with -Wl,-n"
    if segment.address >= ram.base:
        need = -(-(segment.end - ram.base) // (1 << 20))
        return text + f"give Machine(ram='{need} MiB')"
    return text + f"link the program at {ram.base:#x}"
