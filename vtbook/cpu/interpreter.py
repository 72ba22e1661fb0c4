"""The compiled interpreter: a hart driven by threaded code, one handler an instruction."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vtbook.cpu import building, compiler, plain
from vtbook.cpu.decode_tables import (
    ACROSS,
    BAD,
    END_SLOTS,
    FIRST,
    KINDS,
    ODD,
    PAGE_BYTES,
    PAGE_END,
    PROFILE,
    SLOT,
    SLOTS,
    STOP,
    UNDECODED,
    DecodeTables,
)
from vtbook.cpu.fusion import pairs_of
from vtbook.cpu.hart import Hart
from vtbook.cpu.layout import (
    BREAK,
    BREAKPOINTS,
    BUDGET,
    COMPILE,
    CROSS,
    CROSSINGS,
    DECODE,
    FENCE_I,
    FLUSH,
    ILLEGAL,
    LOOKUP,
    PYTHON,
    READABLE,
    UNHANDLED,
    WFI,
)
from vtbook.cpu.traits import traits_of
from vtbook.errors import VtbookError
from vtbook.isa.instruction_set import InstructionSet
from vtbook.isa.operations import MASK64, wrap

ARENA_PAGES = 4096
"""Pages of decoded records; memory is taken when they are filled."""
NO_LIMIT = 1 << 62
PLAIN_STEPS = 2000
"""A run comes back after so many instructions done in Python, so that it never takes seconds."""

#: Extensions that most programs never touch: compiled when one of their instructions is met.
LATE = frozenset({"F", "D", "A"})


@dataclass(frozen=True)
class Stop:
    """Why a run ended: ``reason`` is one of ``layout``'s codes."""

    reason: int
    executed: int
    trap: plain.Trap | None = None
    events: tuple = ()


class CompiledSet:
    """Handlers and decoder tables of one instruction set, shared by all harts that use it."""

    def __init__(self, isa: InstructionSet, progress: Callable[[str], None]):
        self.isa = isa
        self.progress = progress
        self.tables = DecodeTables(isa, {n: traits_of(i) for n, i in isa.instructions.items()})
        self.library = compiler.library()
        self.library.runtime(progress)
        address = self.library.address
        self.run = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(address("vt_run"))
        self.short = frozenset(c.target.name for c in isa.compressed.values())
        self.pairs = pairs_of(isa, self.short)
        self.names: dict[str, str] = {}
        self.handlers = np.zeros(FIRST + 4 * len(isa.instructions) + len(self.pairs), np.int64)
        for number, symbol in (
            (UNDECODED, f"vt_leave_{DECODE}"),
            (PAGE_END, "vt_page_end"),
            (STOP, f"vt_leave_{BREAK}"),
            (BAD, f"vt_leave_{ILLEGAL}"),
            (ODD, f"vt_leave_{PYTHON}"),
            (PROFILE, "vt_profile"),
            (ACROSS, f"vt_leave_{CROSS}"),
        ):
            self.handlers[number] = address(symbol)
        self.handlers[FIRST:] = address(f"vt_leave_{COMPILE}")
        self.restartable = frozenset(
            self.tables.numbers[name] + variant
            for name, traits in self.tables.traits.items()
            if traits.restartable
            for variant in range(4)
        )
        """Kinds of handlers whose definitions can begin again after one access."""
        self._waiting = {e.name: e for e in isa.extensions}
        for name in list(self._waiting):
            if name not in LATE:
                self.compile_extension(name)
        self.pairs = [p for p in self.pairs if {p.first.name, p.second.name} <= self.names.keys()]
        suffix = self.library.pairs(self.pairs, self.names, progress)
        first_pair = FIRST + 4 * len(isa.instructions)
        for n in range(len(self.pairs)):
            self.handlers[first_pair + n] = self.library.address(f"vt_pair_{suffix}_{n}")
        self.tables.set_pairs(self.pairs, first_pair)

    def compile_extension(self, name: str) -> None:
        """Compile (or load) the handlers of one extension."""
        extension = self._waiting.pop(name, None)
        if extension is None:
            return
        members = [i for n, i in self.isa.instructions.items() if i in extension.instructions]
        if not members:
            return
        suffix = self.library.group(
            name, members, frozenset(i.name for i in members) & self.short, self.progress
        )
        for instruction in members:
            first = self.tables.numbers[instruction.name]
            self.names[instruction.name] = f"{instruction.name}.{suffix}"
            for variant in building.variants_of(instruction, self.short):
                symbol = f"vt_{instruction.name}.{suffix}_{variant}"
                self.handlers[first + variant] = self.library.address(symbol)

    def extension_of(self, instruction_number: int) -> str:
        """The extension of a handler number."""
        name = list(self.isa.instructions)[(instruction_number - FIRST) // 4]
        return next(
            e.name for e in self.isa.extensions if any(i.name == name for i in e.instructions)
        )


_sets: dict[int, CompiledSet] = {}


def compiled_set(
    isa: InstructionSet, progress: Callable[[str], None] = lambda text: None
) -> CompiledSet:
    """The compiled form of an instruction set, made once a process."""
    if id(isa) not in _sets:
        _sets[id(isa)] = CompiledSet(isa, progress)
    return _sets[id(isa)]


class Interpreter:
    """Runs a hart in compiled code, falling back to plain Python for what needs a device.

    ``run`` returns for a reason of ``layout``: BUDGET, BREAK, WFI, UNHANDLED or PYTHON (an event
    that the caller must see, such as a watched address; it is in ``Stop.events``).
    """

    def __init__(self, hart: Hart, progress: Callable[[str], None] = lambda text: None):
        self.hart = hart
        self.compiled = compiled_set(hart.isa, progress)
        self._arena = np.zeros(ARENA_PAGES * PAGE_BYTES // 8 + 8, np.int64)
        self._scratch = np.zeros(SLOTS + 1, np.int64)
        self._across = np.zeros(CROSSINGS * PAGE_BYTES // 8 + 8, np.int64)
        self._directories: list[np.ndarray] = []
        self._profile: np.ndarray | None = None
        hart.decoder = self.compiled.tables.header.ctypes.data
        hart.handlers = self.compiled.handlers.ctypes.data
        hart.scratch = self._scratch.ctypes.data
        self._address = hart.state.ctypes.data
        hart.cross_slots = (self._across.ctypes.data + 63) // 64 * 64
        for number in range(CROSSINGS):
            page = hart.cross_slots + number * PAGE_BYTES
            for n in range(END_SLOTS):
                place = page + SLOT * (SLOTS + n)
                ctypes.c_int64.from_address(place).value = int(self.compiled.handlers[PAGE_END])
        self.flush()

    def flush(self) -> None:
        """Empty the decode cache, as ``fence.i`` does."""
        h = self.hart
        if len(self._directories) != len(h.memory):
            self._directories = [np.zeros(array.size // 4096, np.int64) for _, array, _ in h.memory]
        for row, directory in enumerate(self._directories):
            directory[:] = 0
            h.state["regions"][0, row, 4] = directory.ctypes.data
        start = (self._arena.ctypes.data + 63) // 64 * 64
        h.arena_next = start
        h.arena_end = self._arena.ctypes.data + self._arena.nbytes
        h.state["tlb_fetch"] = -1
        h.state["cross_words"] = -1

    def set_breakpoints(self, addresses: list[int]) -> None:
        """Stop before the instruction at each of these addresses; at most 64."""
        if len(addresses) > BREAKPOINTS:
            raise VtbookError(f"at most {BREAKPOINTS} breakpoints, not {len(addresses)}")
        for n, address in enumerate(addresses):
            self.hart.state["breakpoints"][0, n] = wrap(address)
        self.hart.breakpoint_count = len(addresses)
        self.flush()

    def count_instructions(self, on: bool) -> None:
        """Count executions of each instruction from now on (slower), or stop counting."""
        self._profile = np.zeros(len(self.compiled.handlers), np.int64) if on else None
        self.hart.profile = 0 if self._profile is None else self._profile.ctypes.data
        self.flush()

    @property
    def counts(self) -> dict[str, int]:
        """Executions by mnemonic since ``count_instructions(True)``."""
        if self._profile is None:
            return {}
        return {
            name: int(total)
            for name, first in self.compiled.tables.numbers.items()
            if (total := self._profile[first : first + 4].sum())
        }

    def run(self, budget: int | None = None) -> Stop:
        """Run at most ``budget`` instructions, exactly that many unless something else stops it."""
        h = self.hart
        start = h.instret
        target = min(start + (NO_LIMIT if budget is None else budget), NO_LIMIT)
        first = (h.pc, h.mode, start)  # a breakpoint here is where the last run stopped
        plain_steps = 0
        self._forget_device()
        events: tuple = ()  # of a device access whose instruction is not yet done
        while True:
            h.goal = h.instret + 1 if events else target
            # An instruction whose device access is done finishes before any interrupt.
            h.sync = 0 if h.device_ready else 1
            h.target = min(h.instret + 1, h.goal) if h.device_ready else h.goal
            h.left = h.target - h.instret
            h.next_pc = h.pc
            h.reason = LOOKUP
            reason = self.compiled.run(self._address)
            if self._profile is not None and reason in (PYTHON, COMPILE):
                self._uncount()
            if events and reason in (BUDGET, UNHANDLED):
                return Stop(PYTHON, h.instret - start, None, events)
            if reason in (FENCE_I, FLUSH):
                self.flush()
            elif reason == COMPILE:
                self._compile_current()
            elif reason == PYTHON and self._may_begin_again() and self._access_device():
                events, h.events[:] = tuple(h.events), []
            elif reason == PYTHON or (reason == BREAK and (h.pc, h.mode, h.instret) == first):
                self._forget_device()
                stop = self._plain_step(start)
                if stop:
                    return stop
                plain_steps += 1
                if plain_steps == PLAIN_STEPS and h.instret < target:
                    return Stop(PYTHON, h.instret - start)
            elif reason == UNHANDLED:
                trap = plain.Trap(h.trap_cause, h.trap_value)
                trap.unhandled = True
                return Stop(UNHANDLED, h.instret - start, trap)
            else:
                return Stop(reason, h.instret - start)

    def _forget_device(self) -> None:
        h = self.hart
        h.device_ready = h.device_wanted = 0

    def _may_begin_again(self) -> bool:
        """Whether compiled code asks for a device, and the instruction has no other access.

        Others are done from their start in plain Python, so that no access happens twice.
        """
        return bool(self.hart.device_wanted) and self._kind() in self.compiled.restartable

    def _access_device(self) -> bool:
        """Do the device access that compiled code asks for; False if nothing answers.

        The instruction then begins again, and finds it done.
        """
        h = self.hart
        wanted, address, size = h.device_wanted, h.device_address & MASK64, h.device_size
        h.device_wanted = 0
        try:
            if wanted == READABLE:
                value = h.bus.read(address, size)
                h.device_value = wrap(value) if size == 8 else value
            else:
                h.bus.write(address, size, h.device_value & ((1 << 8 * size) - 1))
        except LookupError:
            return False
        h.device_ready = wanted
        return True

    def _kind(self) -> int:
        """Number of the handler at which compiled code stopped.

        Decoded when the instruction was first reached: memory may hold another one by now.
        """
        h = self.hart
        index = (h.slot - h.page_slots) // SLOT
        return ctypes.c_uint16.from_address(h.page_slots + KINDS + 2 * index).value

    def _uncount(self) -> None:
        """Take back the count of the instruction at pc: it did not run, and will be run again."""
        assert self._profile is not None
        kind = self._kind()
        if kind >= FIRST:
            self._profile[kind] -= 1

    def _plain_step(self, start: int) -> Stop | None:
        """Run the instruction at pc in plain Python; a Stop if the caller must see its event."""
        h = self.hart
        trap, decoded = plain.step_instruction(h)
        if self._profile is not None and decoded is not None:
            self._profile[self.compiled.tables.numbers[decoded.instruction.name]] += 1
        events, h.events[:] = tuple(h.events), []
        if trap is not None:
            if trap.unhandled:
                return Stop(UNHANDLED, h.instret - start, trap, events)
            return None
        if ("fence.i",) in events:
            self.flush()
        if ("wfi",) in events:
            return Stop(WFI, h.instret - start, None, events)
        if any(event[0] not in ("fence.i", "wfi") for event in events):
            return Stop(PYTHON, h.instret - start, None, events)
        return None

    def _compile_current(self) -> None:
        """Compile the extension of the instruction at pc, now that the program has met it."""
        self.compiled.compile_extension(self.compiled.extension_of(self._kind()))
        self.flush()

    def __repr__(self) -> str:
        return f"<compiled interpreter of {self.hart!r} at {self.hart.pc & MASK64:#x}>"


__all__ = ["BUDGET", "Interpreter", "Stop", "compiled_set"]
