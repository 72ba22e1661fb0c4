"""Three engines side by side on equal harts: plain Python, compiled code, intermediate code."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from vtbook.cpu import plain
from vtbook.cpu.hart import Hart
from vtbook.cpu.interpreter import Interpreter, Stop
from vtbook.cpu.layout import (
    ARCHITECTURAL,
    BREAK,
    BUDGET,
    EXECUTABLE,
    PYTHON,
    READABLE,
    UNHANDLED,
    WFI,
    WRITABLE,
)
from vtbook.isa.instruction_set import InstructionSet
from vtbook.isa.operations import wrap
from vtbook.isa.sets import RV64GC
from vtbook.translator.engine import IrEngine

CODE = 0x8000_0000  # one page that can be read and executed
DATA = 0x8000_1000  # two pages that can be read and written
END = 0x8000_3000  # nothing here
SCRATCH = 0x9000_0000  # one page where everything is allowed
REGIONS = (
    (CODE, 0x1000, READABLE | EXECUTABLE),
    (DATA, 0x2000, READABLE | WRITABLE),
    (SCRATCH, 0x1000, READABLE | WRITABLE | EXECUTABLE),
)
DEVICE = 0x1000_0000  # 256 bytes of device
HANDLER = CODE + 0xC00  # where traps go, if they go anywhere


class Registers256:
    """A device of 256 bytes of memory that counts what is done to it."""

    def __init__(self) -> None:
        self.data = bytearray(range(256))
        self.accesses: list[tuple[Any, ...]] = []

    def _offset(self, address: int, size: int) -> int:
        offset = address - DEVICE
        if not 0 <= offset <= 256 - size:
            raise LookupError(address)
        return offset

    def read(self, address: int, size: int) -> int:
        offset = self._offset(address, size)
        self.accesses.append(("read", offset, size))
        return int.from_bytes(self.data[offset : offset + size], "little")

    def write(self, address: int, size: int, value: int) -> None:
        offset = self._offset(address, size)
        self.accesses.append(("write", offset, size, value))
        self.data[offset : offset + size] = value.to_bytes(size, "little")


class PlainEngine:
    """``plain.step`` in a loop, with the stops that the other engines have."""

    def __init__(self, hart: Hart):
        self.hart = hart
        self.breakpoints: frozenset[int] = frozenset()

    def flush(self) -> None:
        """Nothing is kept."""

    def set_breakpoints(self, addresses: list[int]) -> None:
        self.breakpoints = frozenset(wrap(a) for a in addresses)

    def run(self, budget: int) -> Stop:
        h = self.hart
        start, at_start = h.instret, True
        while h.instret - start < budget:
            if not at_start and h.pc in self.breakpoints:
                return Stop(BREAK, h.instret - start)
            at_start = False
            trap, _ = plain.step(h)
            events, h.events[:] = tuple(h.events), []
            if trap is not None and trap.unhandled:
                return Stop(UNHANDLED, h.instret - start, trap, events)
            if ("wfi",) in events:
                return Stop(WFI, h.instret - start, None, events)
            if any(event != ("fence.i",) for event in events):
                return Stop(PYTHON, h.instret - start, None, events)
        return Stop(BUDGET, h.instret - start)


ENGINES: dict[str, Callable[[Hart], Any]] = {
    "plain": PlainEngine,
    "compiled": Interpreter,
    "ir": IrEngine,
}


class Trio:
    """Three harts with equal state and memory, each run by its own engine.

    ``check`` compares everything a guest can see, and names the first difference.
    """

    def __init__(self, isa: InstructionSet = RV64GC):
        self.isa = isa
        self.memory: dict[str, list[np.ndarray]] = {}
        self.devices: dict[str, Registers256] = {}
        self.harts: dict[str, Hart] = {}
        self.engines: dict[str, Any] = {}
        for name, make in ENGINES.items():
            hart = Hart(isa)
            self.memory[name] = []
            for base, size, flags in REGIONS:
                array = np.zeros(size, np.uint8)
                self.memory[name].append(array)
                hart.map_memory(base, array, flags)
            self.devices[name] = hart.bus = Registers256()
            hart.map_device(DEVICE, DEVICE + 256)
            self.harts[name] = hart
            self.engines[name] = make(hart)

    def reset(self, pc: int = CODE, trap_exits: bool = True, seed: int = 0) -> None:
        """Registers and memory filled from a seed, all equal; traps leave, or go to HANDLER."""
        random = np.random.default_rng(seed)
        fill = random.integers(0, 256, (4 * 0x1000,), np.uint8)
        registers = random.integers(-(1 << 63), 1 << 63, (64,), np.int64)
        for name, hart in self.harts.items():
            hart.reset(pc)
            hart.events.clear()
            for array, start in zip(self.memory[name], (0, 0x1000, 0x3000), strict=True):
                array[:] = fill[start : start + array.size]
            self.devices[name].data[:] = bytes(range(256))
            self.devices[name].accesses.clear()
            hart.state["x"][0, 1:32] = registers[1:32]
            hart.state["f"][0] = registers[32:]
            hart.mstatus = 3 << 13
            hart.mtvec = HANDLER
            hart.trap_exits = int(trap_exits)
            self.write(HANDLER, [0x13] * 16)  # nop
            self.engines[name].set_breakpoints([])

    def write(self, address: int, words: Iterable[int]) -> None:
        """Put instruction words into memory, short ones as two bytes."""
        raw = b"".join(w.to_bytes(4, "little")[: 2 if w & 3 != 3 else 4] for w in words)
        self.write_bytes(address, raw)

    def write_bytes(self, address: int, raw: bytes) -> None:
        """Put bytes into memory, and have the engines forget the code they know."""
        for name, arrays in self.memory.items():
            for array, (base, size, _) in zip(arrays, REGIONS, strict=True):
                if base <= address < base + size:
                    at = address - base
                    array[at : at + len(raw)] = np.frombuffer(raw, np.uint8)
            self.engines[name].flush()

    def set(self, **fields: int) -> None:
        """Set x and f registers and CSR fields, as in ``set(x5=1, mstatus=0)``."""
        for hart in self.harts.values():
            for name, value in fields.items():
                if name[0] in "xf" and name[1:].isdigit():
                    getattr(hart, name[0])[int(name[1:])] = value
                else:
                    setattr(hart, name, value)

    def run(self, budget: int = 1) -> Stop:
        """Run all three and compare; returns the stop that they agree on."""
        stops = {name: engine.run(budget) for name, engine in self.engines.items()}
        return self.check(stops)

    def check(self, stops: dict[str, Stop]) -> Stop:
        """Compare stops and states."""
        seen = {name: self._seen(name, stops[name]) for name in self.harts}
        for name in ("compiled", "ir"):
            for key, value in seen["plain"].items():
                assert seen[name][key] == value, (
                    f"{key}: plain Python has {_text(value)}, {name} has {_text(seen[name][key])}"
                )
        return stops["plain"]

    def _seen(self, name: str, stop: Stop) -> dict[str, Any]:
        state = self.harts[name].state[0]
        found: dict[str, Any] = {}
        for field in ARCHITECTURAL:
            if state[field].shape:
                for n, value in enumerate(state[field][:32].tolist()):
                    found[f"{field}{n}"] = value
            else:
                found[field] = int(state[field])
        for n, array in enumerate(self.memory[name]):
            found[f"memory {n}"] = array.tobytes()
        found["device"] = bytes(self.devices[name].data)
        found["accesses"] = self.devices[name].accesses
        found["reason"] = stop.reason
        found["executed"] = stop.executed
        found["trap"] = (stop.trap.cause, wrap(stop.trap.value)) if stop.trap else None
        found["events"] = tuple(e for e in stop.events if e[0] == "watch")
        return found


def _text(value: Any) -> str:
    return hex(value) if isinstance(value, int) else repr(value)[:200]
