"""Runs a rig's cases on the engines of this package, with as much of a CLINT as they need."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tests.cpu.privileged.rig import (
    CLINT,
    LOG,
    RAM,
    REGISTERS,
    S_VECTORS,
    SIZE,
    VECTORS,
    Case,
    Result,
    Rig,
)
from vtbook.cpu import csr
from vtbook.cpu.hart import Hart
from vtbook.cpu.layout import BREAK, BUDGET, WFI
from vtbook.isa.operations import MASK64
from vtbook.isa.privileged import mret
from vtbook.isa.sets import RV64GC
from vtbook.machine.engines import make_engine

ENGINES = ("python", "interpreter", "ir")
MSIP, MTIMECMP = CLINT, CLINT + 0x4000
MPRV = 1 << 17
NUMBERS = {name: entry.number for name, entry in csr.BY_NAME.items()}
LIMIT = 20_000_000  # instructions: a run that takes more hangs


class Clint:
    """msip and mtimecmp of one hart."""

    def __init__(self, hart: Hart):
        self.hart = hart

    def read(self, address: int, size: int) -> int:
        raise LookupError(address)

    def write(self, address: int, size: int, value: int) -> None:
        if (address, size) == (MSIP, 4):
            self.hart.lines = (self.hart.lines & ~8) | (value & 1) << 3
        elif (address, size) == (MTIMECMP, 8):
            self.hart.mtimecmp = value
        else:
            raise LookupError(address)


class EngineMachine:
    """One hart with RAM, run by an engine."""

    def __init__(self, name: str):
        self.pace: Callable[[], int] | None = None
        self.ends: frozenset[int] = frozenset()
        self.hart = Hart(RV64GC)
        self.ram = np.zeros(SIZE, np.uint8)
        self.hart.map_memory(RAM, self.ram)
        self.hart.map_device(CLINT, CLINT + 0x1_0000)
        self.hart.bus = Clint(self.hart)
        self.hart.pmp_entries = 16
        self.engine = make_engine(name, self.hart, lambda text: None)

    def load(self, image: bytes) -> None:
        """Put an image into RAM, and reset the hart."""
        self.ram[:] = 0
        self.ram[: len(image)] = np.frombuffer(image, np.uint8)
        self.hart.reset()
        self.engine.flush()

    def stop_at(self, addresses: list[int]) -> None:
        """Where ``go`` ends."""
        self.engine.set_breakpoints(addresses)
        self.ends = frozenset(addresses)

    def go(self) -> None:
        """Run to an end, in runs of ``pace()`` instructions if it is set."""
        first = self.hart.instret
        while (left := LIMIT - (self.hart.instret - first)) > 0:
            stop = self.engine.run(min(left, self.pace()) if self.pace else left)
            if stop.reason == BREAK or self.hart.pc in self.ends:
                return
            assert stop.reason in (WFI, BUDGET), (stop, self.hart)
        raise AssertionError(f"{self.hart} hangs")


def run_driver(machine: EngineMachine, rig: Rig, cases: Sequence[Case], image: bytes) -> list:
    """The results of an image whose driver the engine runs too."""
    machine.load(image)
    machine.stop_at([rig.end])
    machine.hart.pc = RAM
    machine.go()
    log = machine.ram[LOG - RAM :][: rig.log_size(cases)]
    return rig.results(cases, log.tobytes())


def run_cases(machine: EngineMachine, rig: Rig, cases: Sequence[Case], image: bytes) -> list:
    """The same with the driver's work done from outside: for engines that are slow."""
    machine.load(image)
    machine.stop_at([VECTORS + 4 * n for n in range(64)])
    return [_run_case(machine, rig, case) for case in cases]


def _run_case(machine: EngineMachine, rig: Rig, case: Case) -> Result:
    h = machine.hart
    h.mode = 3
    h.csr_write(NUMBERS["mtvec"], VECTORS)
    h.bus.write(MSIP, 4, case.msip)
    h.bus.write(MTIMECMP, 8, case.mtimecmp)
    for address, value in case.pokes:
        h.store64(address, value)
    h.flush_tlbs()
    for name in (*rig.csrs, "mstatus"):
        h.csr_write(NUMBERS[name], case.csrs.get(name, 0))
    for n in range(1, 32):
        h.x[n] = case.x.get(n, 0)
    _return(h)
    traps = [_log(machine, rig)]
    while len(traps) < case.traps:
        _resume(h)
        traps.append(_log(machine, rig))
    h.csr_write(NUMBERS["mstatus"], h.mstatus & ~MPRV)
    for name in rig.csrs:
        if name.startswith("pmpcfg"):
            h.csr_write(NUMBERS[name], 0)
    return Result(traps, [h.load64(address) & MASK64 for address in case.peeks])


def _return(h: Hart) -> None:
    mret(h, None)
    h.pc = h.next_pc


def _log(machine: EngineMachine, rig: Rig) -> dict[str, int]:
    machine.go()
    h = machine.hart
    found = {"slot": (h.pc + 4) & MASK64}
    found |= {name: h.csr_read(NUMBERS[name]) & MASK64 for name in rig.logged}
    return found | {f"x{n}": h.x[n] & MASK64 for n in REGISTERS}


def _resume(h: Hart) -> None:
    """Go on behind what trapped, as the driver does."""
    if h.mcause >= 0:
        pc, cause = h.mepc, h.mcause
        if pc >> 12 == S_VECTORS >> 12:
            pc, cause = h.sepc, h.scause
            h.mstatus = (h.mstatus & ~(3 << 11)) | (h.mstatus & 1 << 8) << 3
        h.mepc = pc if cause < 0 else pc + 4
        if cause < 0:
            h.csr_write(NUMBERS["mie"], 0)
    else:
        h.csr_write(NUMBERS["mie"], 0)
    _return(h)
