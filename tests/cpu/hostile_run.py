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
from vtbook.isa.assembler import assemble
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


class Device:
    """A device that answers most accesses, keeps a count, and gives what it likes."""

    def __init__(self, choose: random.Random):
        self.choose = choose
        self.accesses = 0

    def read(self, address: int, size: int) -> int:
        self.check(address, size)
        return self.choose.getrandbits(8 * size)

    def write(self, address: int, size: int, value: int) -> None:
        self.check(address, size)
        assert 0 <= value < 1 << 8 * size

    def check(self, address: int, size: int) -> None:
        assert size in (1, 2, 4, 8)
        if not DEVICE <= address < DEVICE + DEVICE_SIZE or address & 0x70 == 0x70:
            raise LookupError(address)
        self.accesses += 1


def entry(guest: Guest) -> int:
    """A page-table entry that points into RAM, to its borders, to the device, or anywhere."""
    choose = guest.choose
    frame = choose.choice(
        (
            RAM + choose.randrange(0, RAM_SIZE, 4096),
            RAM + choose.randrange(0, RAM_SIZE, 4096),
            RAM + choose.randrange(0, RAM_SIZE, 4096),
            choose.choice((RAM - 4096, RAM + RAM_SIZE, DEVICE, 0, (1 << 56) - 4096)),
            choose.randrange(0, 1 << 56, 4096),
        )
    )
    bits = choose.choice((0x01, 0x01, 0xDF, 0xCF, 0x0F, 0x1F, 0x5B, choose.getrandbits(10)))
    reserved = 1 << choose.randrange(54, 64) if choose.random() < 0.02 else 0
    return frame >> 12 << 10 | bits | reserved


def virtual(guest: Guest) -> int:
    """An address whose page tables are often there: few places of the root and below."""
    choose = guest.choose
    if choose.random() < 0.3:
        return guest.address()
    parts = [choose.choice((0, 1, 2, 255, 256, 511)) for _ in range(choose.choice((3, 4)))]
    value = 0
    for part in parts:
        value = value << 9 | part
    offset = choose.choice((0, 8, 0xFF8, 0xFFC, 0xFFE, 0xFFF, choose.randrange(4096)))
    bits = 12 + 9 * len(parts)
    value = value << 12 | offset
    return wrap(value - (1 << bits) if value >> (bits - 1) else value)


def prepare(guest: Guest) -> None:
    """Pages of page tables among pages of random code, and a device."""
    guest.fill()
    words = guest.ram.view("<u8")
    for page in guest.choose.sample(range(RAM_SIZE // 4096 - 1), 6):
        spots = [0, 1, 2, 255, 256, 511, *(guest.choose.randrange(512) for _ in range(60))]
        for spot in spots:
            words[512 * page + spot] = entry(guest)
    h = guest.hart
    if not h.device_count:
        h.map_device(DEVICE, DEVICE + DEVICE_SIZE)
        h.bus = Device(guest.choose)
    h.mtvec = HANDLER
    h.stvec = HANDLER + 128
    for at, text in ((HANDLER, ELSEWHERE), (HANDLER + 128, ELSEWHERE.replace(" m", " s"))):
        code = bytes(assemble(text, origin=at))
        guest.ram[at - RAM : at - RAM + len(code)] = np.frombuffer(code, np.uint8)
    guest.interpreter.flush()


def rights(guest: Guest) -> None:
    """Another mode, address space, delegation, and what else decides about accesses."""
    choose, h = guest.choose, guest.hart
    h.mode = 3
    h.csr_write(0x300, wrap(choose.getrandbits(64)))
    h.mstatus |= 3 << 13
    inside = choose.randrange(0, RAM_SIZE, 4096)
    root = choose.choice((RAM + inside,) * 5 + (RAM + RAM_SIZE, DEVICE, 0))
    satp = choose.choice((0, 8, 8, 9)) << 60 | choose.getrandbits(2) << 44 | root >> 12
    if choose.random() < 0.8:  # most often there is code to run
        guest.ram.view("<u8")[inside // 8 + 2] = RAM >> 12 << 10 | choose.choice((0xCF, 0xDF))
    h.csr_write(0x180, wrap(satp))
    h.csr_write(0x302, choose.getrandbits(16))
    h.csr_write(0x303, choose.getrandbits(12))
    h.csr_write(0x304, choose.getrandbits(12))
    h.csr_write(0x344, choose.getrandbits(12))
    h.svade = choose.getrandbits(1)
    h.mode = choose.choice((0, 1, 1, 3))
    start = RAM + choose.randrange(0, RAM_SIZE, 2)
    h.pc = choose.choice((virtual(guest) & ~1, start, start, start))
    for n in range(1, 32):
        if choose.random() < 0.4:
            h.x[n] = choose.choice((virtual(guest), DEVICE + choose.randrange(-8, 0x100)))
    h.x[8], h.x[9] = start, 0x1232  # where ELSEWHERE goes to


def page_tables(guest: Guest) -> None:
    """Random code under random page tables, which its stores hit, in any mode."""
    for _ in range(60):
        prepare(guest)
        for _ in range(60):
            rights(guest)
            guest.run(guest.choose.randrange(1, 3000))
            if guest.choose.random() < 0.3:
                guest.hart.flush_translations(virtual(guest), guest.choose.random() < 0.5)
    assert guest.hart.bus.accesses > 100, guest.hart.bus.accesses


def protection(guest: Guest) -> None:
    """The same with random entries of the PMP, at the borders of RAM too."""
    h = guest.hart
    h.pmp_entries = 16
    for _ in range(10):
        prepare(guest)
        for _ in range(20):
            rights(guest)
            mode, h.mode = h.mode, 3
            for n in range(16):
                h.csr_write(0x3B0 + n, guest.choose.getrandbits(64) % (1 << 62) >> 8)
                if guest.choose.random() < 0.8:
                    h.csr_write(0x3B0 + n, (RAM + guest.choose.randrange(-64, RAM_SIZE + 64)) >> 2)
            for number in (0x3A0, 0x3A2):
                h.csr_write(number, guest.choose.getrandbits(63) & 0x1F1F_1F1F_1F1F_1F1F)
            if guest.choose.random() < 0.5:
                h.csr_write(0x3BF, (1 << 54) - 1)
                h.csr_write(0x3A2, 0x1F << 56)
            h.mode = mode
            guest.run(guest.choose.randrange(1, 1000))


def halves(guest: Guest) -> None:
    """Instructions across two pages whose halves change without ``fence.i``."""
    places = [RAM + 4096 * n - 2 for n in range(1, 8)]
    for _ in range(200):
        guest.fill()
        h = guest.hart
        h.mtvec = HANDLER
        loop = assemble(HALVES, origin=RAM + 0x9000)
        guest.ram[0x9000 : 0x9000 + len(bytes(loop))] = np.frombuffer(bytes(loop), np.uint8)
        guest.interpreter.flush()
        for n in range(8, 16):
            h.x[n] = wrap(guest.choose.getrandbits(64))
        h.x[5], h.x[6] = guest.choose.choice(places), guest.choose.choice(places)
        h.pc = RAM + 0x9000
        for _ in range(5):
            guest.run(guest.choose.randrange(1, 500))


#: Store random halves around a page's end and go there; the handler steps over what traps, and
#: sooner or later the guest runs wild.
HALVES = """
.option norvc
loop:   mul     a0, a0, a1
        addi    a0, a0, 77
        srli    a2, a0, 17
        sh      a2, 0(t0)
        srli    a2, a0, 33
        andi    a2, a2, 1
        beqz    a2, keep
        sh      a0, 2(t0)
        lui     a3, 0x8
        addi    a3, a3, 0x67
        sw      a3, 4(t0)
keep:   la      ra, loop
        jr      (t0)
"""

#: Go on two bytes after the instruction that trapped; where nothing could be fetched, elsewhere.
ELSEWHERE = """
.option norvc
        csrr    t6, mcause
        addi    t5, t6, -1
        beqz    t5, away
        addi    t5, t6, -12
        beqz    t5, away
        csrr    t6, mepc
        addi    t6, t6, 2
        csrw    mepc, t6
        csrr    t5, mtval
        mret
away:   add     s0, s0, s1
        slli    t6, s0, 48
        srli    t6, t6, 48
        lui     t5, 1
        slli    t5, t5, 19
        add     t6, t6, t5
        csrw    mepc, t6
        mret
"""
DEVICE, DEVICE_SIZE = 0x1000_0000, 0x2000
SCENARIOS = {
    f.__name__: f
    for f in (
        *(random_bytes, no_handler, wild_registers, code_over_itself),
        *(page_tables, protection, halves),
    )
}


def main() -> None:
    guest = Guest(int(sys.argv[2]))
    SCENARIOS[sys.argv[1]](guest)
    print(json.dumps({"executed": guest.executed, "reasons": guest.reasons}))


if __name__ == "__main__":
    main()
