"""Unicorn's RISC-V (from QEMU 5.0) as an oracle: set a state, run some words, read the state."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import unicorn
from unicorn import riscv_const as names

from vtbook.cpu.hart import Hart
from vtbook.cpu.interpreter import Interpreter, Stop
from vtbook.cpu.layout import EXECUTABLE, READABLE, WRITABLE
from vtbook.isa.operations import MASK64, wrap
from vtbook.isa.sets import RV64GC

#: Room for any branch or jal from CODE in both directions.
REGION, REGION_SIZE = 0x8000_0000, 0x40_0000
CODE = REGION + REGION_SIZE // 2
DATA, DATA_SIZE = 0x9000_0000, 0x2000
NOWHERE = 0x7000_0000
CSRS = ("fflags", "frm", "mscratch", "mepc", "mcause", "mtval")

X = [names.UC_RISCV_REG_X0 + n for n in range(32)]
F = [names.UC_RISCV_REG_F0 + n for n in range(32)]
CSR = [getattr(names, f"UC_RISCV_REG_{name.upper()}") for name in CSRS]
SEEN = [*X, *F, *CSR, names.UC_RISCV_REG_PC]
#: What unicorn calls the outcomes that are our traps.
CAUSES = {
    unicorn.UC_ERR_READ_UNMAPPED: {5, 7},  # 7: an AMO; ``check`` tells them apart
    unicorn.UC_ERR_WRITE_UNMAPPED: {7},
    unicorn.UC_ERR_FETCH_UNMAPPED: {1},
    unicorn.UC_ERR_EXCEPTION: {2, 4, 6},
}


def code_bytes(words: Sequence[int]) -> bytes:
    """Instruction words as they stand in memory: two bytes or four each."""
    return b"".join(w.to_bytes(4, "little")[: 2 if w & 3 != 3 else 4] for w in words)


class Pair:
    """The compiled interpreter and unicorn, on equal states."""

    def __init__(self) -> None:
        self.oracle = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV64)
        self.oracle.mem_map(REGION, REGION_SIZE)
        self.oracle.mem_map(DATA, DATA_SIZE)
        status = self.oracle.reg_read(names.UC_RISCV_REG_MSTATUS)
        self.oracle.reg_write(names.UC_RISCV_REG_MSTATUS, status | 3 << 13)
        self.hart = Hart(RV64GC)
        self.code = np.zeros(REGION_SIZE, np.uint8)
        self.data = np.zeros(DATA_SIZE, np.uint8)
        self.hart.map_memory(REGION, self.code, READABLE | WRITABLE | EXECUTABLE)
        self.hart.map_memory(DATA, self.data, READABLE | WRITABLE)
        self.interpreter = Interpreter(self.hart)

    def set(
        self,
        words: Sequence[int],
        x: Mapping[int, int],
        f: Mapping[int, int],
        csrs: Mapping[str, int],
        data: bytes,
    ) -> None:
        """Code at CODE, memory at DATA, and registers; those not given are 0."""
        raw = code_bytes(words)
        self.oracle.mem_write(CODE, raw)
        self.oracle.ctl_remove_cache(CODE, CODE + len(raw) + 8)
        self.oracle.mem_write(DATA, data)
        values = [x.get(n, 0) & MASK64 if n else 0 for n in range(32)]
        values += [f.get(n, 0) & MASK64 for n in range(32)]
        values += [csrs.get(name, 0) & MASK64 for name in CSRS]
        self.oracle.reg_write_batch(list(zip(SEEN, [*values, CODE], strict=True)))
        h = self.hart
        h.reset(CODE)
        h.mstatus, h.trap_exits = 3 << 13, 1
        self.code[CODE - REGION : CODE - REGION + len(raw)] = np.frombuffer(raw, np.uint8)
        self.data[:] = np.frombuffer(data, np.uint8)
        h.state["x"][0, 1:32] = np.array(values[1:32], np.uint64).view(np.int64)
        h.state["f"][0] = np.array(values[32:64], np.uint64).view(np.int64)
        for name in CSRS:
            setattr(h, name, csrs.get(name, 0))
        self.interpreter.flush()

    def run(self, count: int) -> tuple[Stop, int]:
        """Run ``count`` instructions in both; our stop, and unicorn's error or 0."""
        stop = self.interpreter.run(count)
        error = 0
        try:
            self.oracle.emu_start(CODE, 0, count=count)
        except unicorn.UcError as problem:
            error = problem.errno
        return stop, error

    def check(self, stop: Stop, error: int, singles: frozenset[int] = frozenset()) -> None:
        """Compare outcomes and states.

        ``singles`` are the f registers that hold a single result: unicorn leaves their upper half
        as it was, but "Narrower n-bit results, n<FLEN, are written into the n least-significant
        bits of the destination f register, with all bits 1 in the remaining bits" (unprivileged
        specification, 21.2, NaN boxing).
        """
        if error:
            assert stop.trap is not None, f"unicorn stopped with error {error}"
            assert stop.trap.cause in CAUSES[error], (stop.trap.cause, error)
            if error == unicorn.UC_ERR_READ_UNMAPPED:
                # An AMO that may not read traps as a store/AMO, not as a load (privileged
                # specification, table of exception codes in 3.1.15).
                word = int.from_bytes(self.code[CODE - REGION :][:4].tobytes(), "little")
                atomic = word & 0x7F == 0x2F and word >> 27 != 2
                assert stop.trap.cause == (7 if atomic else 5)
        else:
            assert stop.trap is None, f"trap {stop.trap and stop.trap.cause}; none in unicorn"
        *registers, pc = self.oracle.reg_read_batch(SEEN)
        mine = [*self.hart.x, *self.hart.f, *(getattr(self.hart, name) for name in CSRS)]
        for number, (own, theirs) in enumerate(zip(mine, registers, strict=True)):
            label = f"x{number}" if number < 32 else f"f{number - 32}"
            if number >= 64:
                label = CSRS[number - 64]
            if number - 32 in singles:
                assert own >> 32 == -1, f"{label} is not boxed: {own & MASK64:#x}"
                own, theirs = own & 0xFFFF_FFFF, theirs & 0xFFFF_FFFF
            assert own == wrap(theirs), f"{label}: {own & MASK64:#x}, unicorn {theirs:#x}"
        if error != unicorn.UC_ERR_EXCEPTION:  # there unicorn's pc is already behind it
            assert self.hart.pc == wrap(pc), f"pc: {self.hart.pc:#x}, unicorn {pc:#x}"
        assert self.data.tobytes() == bytes(self.oracle.mem_read(DATA, DATA_SIZE))


def source_format(name: str) -> str:
    """``s`` or ``d``: the format of an instruction's floating-point operands."""
    return {"w": "s", "flw": "s", "fsw": "s", "s": "s"}.get(name.split(".")[-1], "d")


def result_format(name: str) -> str:
    """``s`` or ``d``: the format of an instruction's floating-point result."""
    parts = name.split(".")
    last = parts[1] if parts[0] in ("fcvt", "fmv") else parts[-1]
    return {"w": "s", "flw": "s", "s": "s"}.get(last, "d")


@contextlib.contextmanager
def naming(what: Any):
    """Say in a failure which instruction it was."""
    try:
        yield
    except AssertionError as problem:
        raise AssertionError(f"{what}: {problem}") from problem
