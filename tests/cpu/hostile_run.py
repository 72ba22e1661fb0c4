"""Runs hostile guests in this process; ``test_hostile`` starts it, so that a crash is only its end.

Usage: ``python -m tests.cpu.hostile_run SCENARIO SEED``. Prints one line of JSON.

RAM stands between two pages that the host may not touch: a host access one byte past its end kills
the process.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import random
import sys

import numpy as np

from vtbook.cpu.hart import Hart
from vtbook.cpu.interpreter import Interpreter
from vtbook.cpu.layout import BUDGET, PYTHON, UNHANDLED, WFI
from vtbook.isa.operations import wrap
from vtbook.isa.sets import RV64GC

RAM, RAM_SIZE = 0x8000_0000, 64 << 10
PAGE = mmap.PAGESIZE
HANDLER = RAM + RAM_SIZE - 4096
#: Go on two bytes after the instruction that trapped, and take registers from the trap.
SKIP = (0x34102FF3, 0x002F8F93, 0x341F9073, 0x34302F73, 0x30200073)
CORNERS = (0, 1, 2, 0xFFF, 1 << 31, 1 << 62, (1 << 63) - 8, 1 << 63, (1 << 64) - 1, (1 << 64) - 2)


def guarded(size: int) -> np.ndarray:
    """``size`` bytes (whole pages) with a forbidden page before and after."""
    whole = mmap.mmap(-1, size + 2 * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(whole))
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for page in (start, start + PAGE + size):
        if protect(page, PAGE, 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    return np.frombuffer(whole, np.uint8)[PAGE : PAGE + size]


class Guest:
    """A hart with guarded RAM of random bytes, and registers that point near its ends."""

    def __init__(self, seed: int):
        self.choose = random.Random(seed)
        self.ram = guarded(RAM_SIZE)
        self.hart = Hart(RV64GC)
        self.hart.map_memory(RAM, self.ram)
        self.interpreter = Interpreter(self.hart)
        self.reasons: dict[int, int] = {}
        self.executed = 0

    def fill(self) -> None:
        self.ram[:] = np.frombuffer(self.choose.randbytes(RAM_SIZE), np.uint8)
        at = HANDLER - RAM
        self.ram[at : at + 4 * len(SKIP)] = np.array(SKIP, "<u4").view(np.uint8)
        self.hart.reset(RAM + 2 * self.choose.randrange(RAM_SIZE // 2))
        self.interpreter.flush()
        for n in range(1, 32):
            self.hart.x[n] = self.address()
            self.hart.f[n] = wrap(self.choose.getrandbits(64))

    def address(self) -> int:
        kind = self.choose.randrange(4)
        if kind == 0:
            return wrap(self.choose.choice(CORNERS) + self.choose.randrange(-9, 9))
        if kind == 1:
            return self.choose.choice((RAM, RAM + RAM_SIZE)) + self.choose.randrange(-9, 9)
        if kind == 2:
            return RAM + self.choose.randrange(RAM_SIZE)
        return wrap(self.choose.getrandbits(64))

    def run(self, budget: int) -> int:
        stop = self.interpreter.run(budget)
        self.reasons[stop.reason] = self.reasons.get(stop.reason, 0) + 1
        self.executed += stop.executed
        assert stop.reason in (BUDGET, WFI, UNHANDLED, PYTHON), stop
        assert 0 <= stop.executed <= budget
        assert stop.reason != BUDGET or stop.executed == budget
        return stop.reason


def random_bytes(guest: Guest) -> None:
    """A handler that steps over every trap: the guest runs until it waits or runs wild."""
    for _ in range(40):
        guest.fill()
        guest.hart.mtvec = HANDLER
        guest.hart.mstatus = 3 << 13
        for _ in range(50):
            guest.run(10_000)
            guest.hart.pc = RAM + 2 * guest.choose.randrange(RAM_SIZE // 2)
            for _ in range(4):
                guest.hart.x[guest.choose.randrange(1, 32)] = guest.address()


def no_handler(guest: Guest) -> None:
    """The first trap ends each run."""
    for _ in range(400):
        guest.fill()
        for _ in range(3):
            guest.run(100_000)
            guest.hart.pc = guest.address()


def wild_registers(guest: Guest) -> None:
    """CSRs and the pc set to garbage between runs, trap vector and return address included."""
    for _ in range(100):
        guest.fill()
        for _ in range(20):
            h = guest.hart
            h.mode, h.mstatus = 3, 3 << 13
            h.csr_write(0x305, guest.address())
            h.csr_write(0x341, guest.address())
            h.csr_write(0x003, guest.choose.getrandbits(8))
            h.csr_write(0x300, wrap(guest.choose.getrandbits(64)))
            h.csr_write(0xB02, wrap(guest.choose.getrandbits(64)))
            h.pc = guest.address()
            h.mode = guest.choose.choice((0, 1, 3))
            guest.run(guest.choose.randrange(1, 5000))
            assert h.mode in (0, 1, 3)
            assert (h.mstatus >> 11) & 3 in (0, 1, 3)
            assert h.mtvec & 2 == 0


def code_over_itself(guest: Guest) -> None:
    """Random code whose stores hit RAM often, with fence.i strewn in: the cache empties a lot."""
    for _ in range(60):
        guest.fill()
        words = guest.ram.view("<u4")
        spots = np.array(guest.choose.sample(range(words.size - 1024), words.size // 12))
        words[spots] = 0x0000_100F
        guest.hart.mtvec = HANDLER
        guest.interpreter.flush()
        for _ in range(10):
            if guest.run(5_000) == UNHANDLED:
                break


SCENARIOS = {f.__name__: f for f in (random_bytes, no_handler, wild_registers, code_over_itself)}


def main() -> None:
    guest = Guest(int(sys.argv[2]))
    SCENARIOS[sys.argv[1]](guest)
    print(json.dumps({"executed": guest.executed, "reasons": guest.reasons}))


if __name__ == "__main__":
    main()
