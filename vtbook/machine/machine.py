"""The machine: a board, an engine that runs its hart, and the reader's hand on both."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from vtbook.cpu.hart import Hart
from vtbook.cpu.interpreter import Stop
from vtbook.cpu.layout import BREAK, IDLE, UNHANDLED, WFI, offset
from vtbook.cpu.traps import Trap, cause_name
from vtbook.devices import BusFault, Console, Shutdown
from vtbook.errors import VtbookError
from vtbook.isa.assembler.program import Program
from vtbook.isa.instruction_set import InstructionSet
from vtbook.isa.operations import MASK64
from vtbook.isa.sets import RV64GC
from vtbook.machine.board import ROM_BASE, WATCH_READ, Board
from vtbook.machine.boot import File, boot_files
from vtbook.machine.debugging import Debugging, MachineError, Place
from vtbook.machine.elf import Image, Segment, Source, load_elf, read_file
from vtbook.machine.exits import Exit
from vtbook.machine.firmware import BootPlan
from vtbook.machine.hardware import Hardware
from vtbook.machine.harts import Harts
from vtbook.machine.history import History
from vtbook.machine.interrupts import KeyboardWatch
from vtbook.machine.progress import announce
from vtbook.machine.ram import Ram
from vtbook.machine.saving import capture, check_fits, put_back
from vtbook.machine.snapshot import Snapshot, SnapshotError
from vtbook.machine.symbols import SymbolTable

FIRST_SLICE, LONGEST_SLICE = 10_000, 1 << 26
RECEIVE_INTERRUPT = 0x01  # of the UART's IER
INPUT_PATIENCE = 1_000_000_000
"""A guest that has waited for so many nanoseconds of its own time waits for input."""
SLICE_SECONDS = 0.05
"""Between slices of about this length a run looks for Ctrl-C and makes checkpoints."""


class Machine(Debugging):
    """A computer like QEMU's ``virt``.

    Args:
        ram: its size, such as ``"128 MiB"``, or bytes. RAM starts at 0x8000_0000. Or a `Board`,
            which says all of the hardware; without one there is one hart, without PMP.
        engine: how instructions are run: ``interpreter`` (compiled), ``python``, or ``ir``
            (intermediate code).
        isa: the instruction set; RV64GC unless told. A `Board` has its own.
        sink: called with each piece of console output as it comes.
        reverse: keep a history, so that the machine can go back in time.
        progress: called with a line of text when something takes long, such as compiling. Unless
            given, the reader sees it: in the notebook, else on stderr.

    Attributes:
        hart: registers and CSRs: ``hart.x[10]``, ``hart.pc``, ``hart.mode``, ``hart.mstatus`` …
            Of several harts, the one whose turn it is.
        harts: all of them.
        console: ``output`` is what the guest printed, ``feed`` types.
        symbols: names of the loaded program's addresses.
        board: RAM, devices and bus.
        pace: called with seconds when all harts wait and a timer is due after them; returns how
            many have passed. None: the guest's time jumps, unless the real world takes part.

    Raises:
        VtbookError: the size, the engine or the memory cannot be had.
    """

    def __init__(
        self,
        ram: int | str | Board = "128 MiB",
        engine: str = "interpreter",
        *,
        isa: InstructionSet = RV64GC,
        sink: Callable[[bytes], object] | None = None,
        reverse: bool = True,
        progress: Callable[[str], None] = announce,
    ) -> None:
        description = ram if isinstance(ram, Board) else Board(ram=ram, isa=isa, pmp=0)
        self.board = Hardware(description, sink)
        self.harts: list[Hart] = self.board.harts
        self.engine_name = engine
        self.engine = Harts(self.board, engine, progress)
        announce.finish()
        self.symbols = SymbolTable()
        self.image: Image | None = None
        self.plan: BootPlan | None = None
        self.pace: Callable[[float], float] | None = None
        self._breakpoints: list[int] = []
        self._watchpoints: list[tuple[int, int, int]] = []
        self.is_off: Exit | None = None
        self.slice = FIRST_SLICE
        self.runner: threading.Thread | None = None
        self._until_input = False
        self._has_waited = False
        """Whether the guest has waited for input for as long as `until_input` asks for."""
        self._deadline: float | None = None
        self._seconds = 0.0
        self._retired = 0
        self._exits: Counter[str] = Counter()
        can_go_back = all(disk.can_go_back for disk in self.board.disks.values())
        self.history = History(self, reverse and can_go_back)
        for name, (part, _) in self.board.inputs().items():
            part.on_feed = functools.partial(self.history.arrived, name)

    # -- parts ------------------------------------------------------------------------------

    @property
    def console(self) -> Console:
        """The line between the guest and the reader."""
        return self.board.console

    @property
    def hart(self) -> Hart:
        """The hart whose turn it is."""
        return self.board.running

    @property
    def instructions(self) -> int:
        """Instructions that all harts have retired since reset."""
        return self.engine.instructions

    @property
    def position(self) -> tuple[int, int]:
        """Instructions retired since reset, and the pc (unsigned)."""
        return self.engine.instructions, self.hart.pc & MASK64

    def __repr__(self) -> str:
        name = self.image.name if self.image else "nothing loaded"
        instructions, pc = self.position
        where = self.symbols.describe(pc)
        return f"<machine, {name}: at {where} after {instructions:,} instructions>"

    # -- loading ----------------------------------------------------------------------------

    def load(self, source: Source | Program | Image, *, at: Place | None = None) -> None:
        """Power the machine on with a program in RAM, and the hart at its entry.

        RAM is cleared and the devices are reset. Every hart starts in M mode with its number in a0
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
        self.image, self.symbols, self.plan = image, image.symbols, None
        if "tohost" in image.symbols and ram.holds(image.symbols["tohost"], 8):
            fromhost = image.symbols.get("fromhost")
            self.board.connect_htif(image.symbols["tohost"], fromhost)
        for hart in self.harts:
            hart.pc = image.entry
            hart.x[10], hart.x[11] = hart.mhartid, 0
        self._started()

    def boot(
        self,
        kernel: File | None = None,
        *,
        firmware: File | None = "vtbook",
        initrd: File | None = None,
        append: str | None = None,
    ) -> BootPlan:
        """Power the machine on as a real board: boot ROM, firmware, then the kernel.

        Args:
            kernel: the path or the bytes of a Linux image, an ELF file or a flat binary.
            firmware: ``vtbook`` is ours; ``opensbi``, ``opensbi-jump`` and ``u-boot-m`` are those
                of the distribution; else a path or bytes. None: the kernel runs in M mode.
            initrd: the RAM disk of Linux.
            append: the kernel's command line.

        Returns:
            What was put where; ``print`` shows it.

        Raises:
            FirmwareError: a file is missing, or something does not fit. The machine is unchanged.
        """
        plan = boot_files(self.board.description, kernel, firmware, initrd, append)
        self.check_free()
        self._start(plan)
        return plan

    def _start(self, plan: BootPlan) -> None:
        self.board.power_on()
        for piece in plan.pieces:
            self.board.ram.write(piece.address, piece.data)
        rom = np.frombuffer(plan.rom, np.uint8)
        self.board.rom[: rom.size] = rom
        self.image, self.symbols, self.plan = None, plan.symbols, plan
        for hart in self.harts:
            hart.pc = ROM_BASE
        self._started()

    def _started(self) -> None:
        self.engine.flush()
        self.history.clear()
        self.is_off = None
        self.clear_breakpoints()

    def close(self) -> None:
        """Let go of disks, networks and captures. The machine cannot be used any more."""
        self.check_free()
        self.board.close()

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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
        if self.image is None and self.plan is None:
            raise MachineError("nothing is loaded; call load or boot first")
        breakpoints, watchpoints = self._breakpoints, self._watchpoints
        if self.plan is not None:
            self.check_free()
            self._start(self.plan)
        else:
            assert self.image is not None
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
        until_output: str | bytes | None = None,
    ) -> Exit:
        """Run until something stops the machine.

        Args:
            budget: stop after so many instructions; None means no limit.
            seconds: stop after about so much wall time: between two slices.
            until_input: stop when the guest asks for input again and again and none is there, or
                all harts have waited for a second of the guest's time and the UART would interrupt.
            until_output: stop when the guest has written this.

        Returns:
            Why it stopped. Ctrl-C stops it too, between two instructions, and nothing is lost.
        """
        if budget is not None and (isinstance(budget, bool) or int(budget) < 0):
            raise MachineError(f"a budget of {budget} instructions; give a number from 0, or None")
        if self.is_off is not None:
            return self.is_off
        self.check_free()
        self.history.begin()
        start, clock = self.instructions, time.perf_counter()
        self._until_input, self._idle = until_input, 0
        if until_output is not None:
            text = until_output.encode() if isinstance(until_output, str) else until_output
            self.console.expect(text, lambda: self.hart.events.append(("output",)))
        self._deadline = None if seconds is None else clock + seconds
        with KeyboardWatch() as keyboard:
            try:
                exit = self._run(start, None if budget is None else start + int(budget), keyboard)
            finally:
                self.console.expect(None)
                self._seconds += time.perf_counter() - clock
                self._retired += self.instructions - start
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
            self.board.poll()
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
        clock, self._waited = time.perf_counter(), 0.0
        self._has_waited = False
        self.engine.wait, self.engine.after_wait = self._wait, self.history.time_passed
        self.engine.patient = self.board.is_live
        try:
            stop = self.advance(instructions)
        finally:
            self.engine.wait = self.engine.after_wait = None
            self.engine.patient = False
        announce.finish()
        seconds = time.perf_counter() - clock - self._waited
        if seconds > 2 * SLICE_SECONDS:
            self.slice = max(self.slice // 2, 1)
        elif seconds < SLICE_SECONDS / 2 and stop.executed >= self.slice:
            self.slice = min(self.slice * 2, LONGEST_SLICE)
        return stop

    def _wait(self, nanoseconds: int) -> int:
        """All harts wait for so long; how much of it has passed."""
        self.history.time_begins()
        if self._until_input:
            self._idle += nanoseconds
            waits = self.board.uart.ier & RECEIVE_INTERRUPT and not self.console.waiting
            if waits and self._idle > INPUT_PATIENCE:
                self._has_waited = True
                return 0
        if self.pace is None and not self.board.is_live:
            return nanoseconds
        clock = time.perf_counter()
        seconds = min(nanoseconds / 1e9, SLICE_SECONDS)
        if self.pace is not None:
            passed = self.pace(seconds)
        else:
            self.board.poll(seconds)
            passed = time.perf_counter() - clock
        self._waited += time.perf_counter() - clock
        return min(int(passed * 1e9), nanoseconds)

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
        if ("output",) in stop.events:
            return self._exit("output", start)
        if self._until_input and ("poll",) in stop.events and not self.console.waiting:
            return self._exit("input", start)
        if stop.reason == WFI:
            return self._exit("wfi", start)
        if stop.reason == IDLE and self._has_waited:
            return self._exit("input", start)
        return None

    def _exit(self, reason: str, start: int, **fields: Any) -> Exit:
        instructions, pc = self.position
        return Exit(reason, pc, instructions - start, self.symbols.describe(pc), **fields)

    def _shut_down(self, request: Shutdown, start: int) -> Exit:
        self.board.request = None
        reason = "reset" if request.kind == "reset" else "shutdown"
        exit = self._exit(reason, start, code=request.code, message=request.message)
        self.is_off = self._exit(reason, self.instructions, code=request.code)
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
        """The whole state: harts, RAM, devices, disks. Pages equal to those of `like` are shared.

        Raises:
            StorageError: a disk is a file that is written to; its past cannot be had again.
        """
        self.engine.synchronize()
        return capture(self.board, like)

    def restore(self, snapshot: Snapshot) -> None:
        """Go to the state of a snapshot, of this machine or of another like it.

        The recorded past begins anew. Symbols, break- and watchpoints stay.

        Raises:
            SnapshotError: it is of a machine with other RAM or instructions, or damaged. The
                machine is unchanged.
        """
        self.check_free()
        check_fits(self.board, snapshot)
        before = self.snapshot()
        try:
            self.put_state(snapshot)
        except VtbookError as error:
            self.put_state(before)
            raise SnapshotError(f"the snapshot does not fit: {error}") from None
        self.history.clear()

    def put_state(self, snapshot: Snapshot) -> None:
        """Copy a snapshot's state into the board; the recorded past is not touched."""
        put_back(self.board, snapshot)
        self.is_off = None
        self._place_stops()

    def hart_bytes(self) -> bytes:
        """The architectural part of the harts' records."""
        self.engine.synchronize()
        end = offset("zero")
        return b"".join(hart.state.view(np.uint8)[:end].tobytes() for hart in self.harts)

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
