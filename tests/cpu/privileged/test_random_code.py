"""Random code under random page tables: the engines agree on all that a guest can see.

Code and page tables stand where nobody can write, so that no engine may remember what another has
forgotten: an old instruction, an old translation. All else is random: registers, CSRs, modes,
what the tables map, and where the pc goes.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from tests.cpu.privileged.csr_cases import NUMBERS
from tests.cpu.privileged.engines import ENGINES
from tests.cpu.privileged.paging_cases import USER, A, D, R, V, W, X, entry
from tests.cpu.privileged.protection_cases import entries
from tests.cpu.privileged.words import ECALL, MRET, SRET, WFI, csr_op, word
from tests.cpu.twins import FUZZ, state_of
from tests.translator.random_words import register_value, words
from vtbook.cpu.csr import BY_NAME
from vtbook.cpu.hart import Hart
from vtbook.cpu.interpreter import Stop
from vtbook.cpu.interrupts import pending
from vtbook.cpu.layout import BUDGET, EXECUTABLE, READABLE, UNHANDLED, WRITABLE
from vtbook.cpu.layout import WFI as WAIT
from vtbook.isa.assembler import assemble
from vtbook.isa.operations import wrap
from vtbook.isa.sets import RV64GC
from vtbook.machine.engines import make_engine

CODE, TABLES, DATA, END = 0x8000_0000, 0x8000_4000, 0x8000_A000, 0x8000_E000
DEVICE, DEVICE_SIZE = 0x1000_0000, 256
HANDLER, S_HANDLER = CODE + 0x3E00, CODE + 0x3F00
#: Go on two bytes behind the instruction that trapped; where nothing could be fetched, at s0.
TEXT = """
.option norvc
        csrr    t6, mcause
        addi    t5, t6, -1
        beqz    t5, away
        addi    t5, t6, -12
        beqz    t5, away
        csrr    t6, mepc
        addi    t6, t6, 2
        csrw    mepc, t6
        mret
away:   csrw    mepc, s0
        mret
"""
NUMBERS_OF_ALL = [n for n in NUMBERS if n not in (0x305, 0x105)]


class Bytes:
    """A device of 256 bytes of memory; the last 16 do not answer."""

    def __init__(self) -> None:
        self.data = bytearray(range(256))
        self.accesses: list[tuple[Any, ...]] = []

    def place(self, address: int, size: int) -> int:
        place = address - DEVICE
        if not 0 <= place <= 240 - size:
            raise LookupError(address)
        return place

    def read(self, address: int, size: int) -> int:
        place = self.place(address, size)
        self.accesses.append((place, size))
        return int.from_bytes(self.data[place : place + size], "little")

    def write(self, address: int, size: int, value: int) -> None:
        place = self.place(address, size)
        self.accesses.append((place, size, value))
        self.data[place : place + size] = value.to_bytes(size, "little")


class Engines:
    """Harts with equal state, one an engine."""

    def __init__(self) -> None:
        self.harts = {}
        self.memory = {}
        self.engines = {}
        for name in ENGINES:
            hart = self.harts[name] = Hart(RV64GC)
            array = self.memory[name] = np.zeros(END - CODE, np.uint8)
            for start, end, rights in (
                (CODE, TABLES, READABLE | EXECUTABLE),
                (TABLES, DATA, READABLE),
                (DATA, END, READABLE | WRITABLE),
            ):
                hart.map_memory(start, array[start - CODE : end - CODE], rights)
            hart.map_device(DEVICE, DEVICE + DEVICE_SIZE)
            self.engines[name] = make_engine(name, hart, lambda text: None)

    def fill(self, choose: random.Random) -> None:
        """Everything anew."""
        memory = np.frombuffer(choose.randbytes(END - CODE), np.uint8).copy()
        place(memory, CODE, code(choose, 0x3E00))
        for at, text in ((HANDLER, TEXT), (S_HANDLER, TEXT.replace(" m", " s"))):
            place(memory, at, bytes(assemble(text, origin=at)))
        tables = memory[TABLES - CODE : DATA - CODE].view("<u8")
        tables[:] = [pte(choose) for _ in range(tables.size)]
        for root in range(0, tables.size, 512):
            tables[root + 2] = entry(CODE, V | R | W | X | A | D)
            tables[root + 3] = entry(CODE, V | R | W | X | A | D | USER)
        start = CODE + choose.randrange(0, 0x3000, 2)
        fields: dict[str, int] = {}
        for n in range(1, 32):
            fields[f"x{n}"] = choose.choice((pointer, pointer, register_value))(choose)
            fields[f"f{n}"] = register_value(choose)
        fields |= {"x8": start, "mstatus": 3 << 13 | choose.getrandbits(13), "mode": 3}
        writes = {
            0x300: choose.getrandbits(64),
            0x302: choose.getrandbits(16),
            0x303: choose.getrandbits(12),
            0x304: choose.getrandbits(12),
            0x306: 7,
            0x106: 7,
            0x30A: choose.getrandbits(1) << 63,
            0x180: satp(choose),
        }
        protected = {0x3B0: (1 << 54) - 1, 0x3A0: 0x1F}
        if choose.random() < 0.4:
            csrs, _ = entries(choose, DATA + choose.randrange(0, 0x1000, 4))
            protected = {BY_NAME[name].number: value for name, value in csrs.items()}
        writes |= protected
        svade = choose.getrandbits(1)
        mode = choose.choice((3, 1, 1, 0))
        if mode == 0 and writes[0x180] >> 60:
            start += 0x4000_0000  # there U has the code
            fields["x8"] = start
        for name, hart in self.harts.items():
            self.memory[name][:] = memory
            hart.reset(start)
            hart.events.clear()
            hart.pmp_entries, hart.svade = 16, svade
            hart.bus = Bytes()
            for field, value in fields.items():
                if field[0] in "xf" and field[1:].isdigit():
                    getattr(hart, field[0])[int(field[1:])] = value
                else:
                    setattr(hart, field, value)
            for number, value in writes.items():
                hart.csr_write(number, wrap(value))
            hart.mtvec, hart.stvec = HANDLER, S_HANDLER
            hart.mode = mode
            self.engines[name].flush()

    def run(self, budget: int) -> Stop:
        """Run all and compare."""
        stops = {name: self.go(name, budget) for name in ENGINES}
        seen = {name: self.seen(name, stops[name]) for name in ENGINES}
        for name in ENGINES[1:]:
            for key, value in seen["python"].items():
                assert seen[name][key] == value, (
                    f"{key}: {value!r:.200}, {name} {seen[name][key]!r:.200}"
                )
        return stops["python"]

    def go(self, name: str, budget: int) -> Stop:
        """Run one; after ``wfi`` with an interrupt pending some engines go on, some come back."""
        hart, executed = self.harts[name], 0
        while True:
            stop = self.engines[name].run(budget - executed)
            executed += stop.executed
            if stop.reason != WAIT or not pending(hart) & hart.mie:
                return Stop(stop.reason, executed, stop.trap)
            if executed == budget:
                return Stop(BUDGET, executed)

    def seen(self, name: str, stop: Stop) -> dict[str, Any]:
        hart = self.harts[name]
        return state_of(hart) | {
            "reason": stop.reason,
            "executed": stop.executed,
            "trap": stop.trap and (stop.trap.cause, wrap(stop.trap.value)),
            "memory": self.memory[name].tobytes(),
            "device": hart.bus.accesses,
        }


def place(memory: np.ndarray, address: int, data: bytes) -> None:
    memory[address - CODE : address - CODE + len(data)] = np.frombuffer(data, np.uint8)


def pointer(choose: random.Random) -> int:
    """An address that leads somewhere: physical, or by the page tables."""
    where = (DATA, DATA + 0x1000, END, TABLES, CODE, DEVICE, DEVICE + 240)
    base = choose.choice(where) + choose.choice((0, 0, 0x4000_0000))
    if choose.random() < 0.3:
        base = choose.choice((0, 1, 5, 255, 256, 511)) << 30 | choose.getrandbits(30)
        base -= (1 << 39) if base >> 38 else 0
    return wrap(base + choose.randrange(-9, 9))


def pte(choose: random.Random) -> int:
    """An entry: mostly a pointer to a table here, or a leaf for what is here."""
    if choose.random() < 0.5:
        return entry(TABLES + 0x1000 * choose.randrange(6), V)
    frame = choose.choice((*range(CODE, END, 0x1000), CODE, DEVICE, 0, END, 1 << 40))
    flags = V | R | W | X | A | D | choose.choice((0, USER))
    if choose.random() < 0.2:
        flags = choose.getrandbits(10)
    return entry(frame, flags) | (1 << choose.randrange(54, 64) if choose.random() < 0.02 else 0)


def satp(choose: random.Random) -> int:
    root = TABLES + 0x1000 * choose.randrange(6)
    return choose.choice((0, 8, 8, 9)) << 60 | choose.getrandbits(2) << 44 | root >> 12


def access(choose: random.Random) -> int:
    """A load or a store at a register."""
    where = {"rs1": choose.randrange(1, 32), "imm": choose.randrange(-8, 9)}
    if choose.random() < 0.5:
        return word(choose.choice(("lb", "lhu", "lw", "ld")), rd=choose.randrange(10, 16), **where)
    return word(choose.choice(("sb", "sh", "sw", "sd")), rs2=choose.randrange(32), **where)


def code(choose: random.Random, size: int) -> bytes:
    """Random instructions, of which one in three is privileged."""
    stream = words(RV64GC, choose)
    found = b""
    while len(found) < size:
        value = next(stream)
        if choose.random() < 0.3:
            value = choose.choice(
                (
                    csr_op(
                        choose.choice(NUMBERS_OF_ALL),
                        choose.choice((1, 2, 3, 5, 6, 7)),
                        choose.randrange(10, 16),
                        choose.randrange(32),
                    ),
                    csr_op(choose.choice(NUMBERS_OF_ALL), 2, choose.randrange(10, 16), 0),
                    word("sfence.vma", rs1=choose.randrange(32), rs2=choose.randrange(32)),
                    choose.choice((ECALL, MRET, SRET, WFI)),
                    access(choose),
                    access(choose),
                )
            )
        found += value.to_bytes(4, "little")[: 2 if value & 3 != 3 else 4]
    return found[:size]


@pytest.fixture(scope="module")
def engines() -> Engines:
    return Engines()


@pytest.mark.parametrize("seed", range(60 * FUZZ))
def test_engines_agree_on_random_code(engines: Engines, seed: int) -> None:
    choose = random.Random(seed)
    engines.fill(choose)
    for _ in range(25):
        if engines.run(choose.choice((1, 1, 2, 7, 30))).reason == UNHANDLED:
            break
