"""Guests that do anything: each run ends with a clear exit, and nothing outside RAM is touched."""

import mmap
import random

import numpy as np
import pytest

from vtbook.isa.assembler import assemble
from vtbook.machine import Machine, hardware
from vtbook.machine.exits import REASONS
from vtbook.machine.ram import Ram

ENGINES = ["python", "interpreter", "ir"]
BASE, SIZE = 0x8000_0000, 64 << 10
GUARD = 1 << 20
CANARY = 0xA5

# A handler that skips the instruction that trapped, so that random code goes on.
SKIP = """
_start: la t0, handler
        csrw mtvec, t0
        li t0, 0x6000
        csrs mstatus, t0
        j body
.balign 4
handler: csrw mscratch, t0
        csrr t0, mepc
        addi t0, t0, 2
        csrw mepc, t0
        csrr t0, mscratch
        mret
.balign 4
body:
"""


class GuardedRam(Ram):
    """RAM in the middle of a larger piece of host memory that must stay as it is."""

    def __init__(self, base, size):
        super().__init__(base, size)
        self._whole = np.frombuffer(mmap.mmap(-1, size + 2 * GUARD), np.uint8)
        self._whole[:] = CANARY
        self.array = self._whole[GUARD : GUARD + size]
        self._mapping = None
        self.array[:] = 0
        self._pages = self.array.reshape(-1, 4096)
        self._words = self.array.view(np.uint64).reshape(-1, 512)

    @property
    def intact(self):
        return bool(
            (self._whole[:GUARD] == CANARY).all() and (self._whole[-GUARD:] == CANARY).all()
        )


@pytest.fixture(params=ENGINES)
def machine(request, monkeypatch):
    monkeypatch.setattr(hardware, "Ram", GuardedRam)
    machine = Machine(SIZE, request.param)
    yield machine
    assert machine.board.ram.intact


def randomise(machine, generator):
    """Registers that are random, or addresses in and around RAM and the devices."""
    places = [BASE, BASE + SIZE, 0x1000_0000, 0x10_0000, 0, 1 << 63, (1 << 64) - 8]
    for number in range(1, 32):
        place = generator.choice(places) + generator.randint(-4096, 4096)
        inside = BASE + generator.randrange(SIZE)
        value = generator.choice([generator.getrandbits(64), place, inside, inside & ~7])
        machine.hart.x[number] = value


def check(exit):
    assert exit.reason in REASONS
    assert str(exit)
    assert exit._repr_html_()
    assert 0 <= exit.pc < 1 << 64


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes_for_many_instructions(machine, seed):
    total = 1_000_000 if machine.engine_name == "interpreter" else 20_000
    generator = random.Random(seed)
    machine.history.enabled = False
    seen = set()
    done = rounds = 0
    while done < total and rounds < 3000:
        rounds += 1
        if rounds % 50 == 1:
            machine.load(assemble(SKIP))
            body = machine.symbols["body"]
            machine.write(body, generator.randbytes(BASE + SIZE - body))
            machine.run(20)
        randomise(machine, generator)
        exit = machine.run(generator.choice([1, 100, 20_000]))
        check(exit)
        seen.add(exit.reason)
        done += exit.instructions
        if exit.reason != "budget":
            machine.is_off = None
            machine.hart.pc = machine.symbols["body"] + 2 * generator.randrange(16_000)
    assert "budget" in seen
    assert done >= total


@pytest.mark.parametrize(
    "pc",
    [
        *(BASE + SIZE - distance for distance in (1, 2, 3, 4, 5, 6, 8)),
        *(BASE + distance for distance in (-4, -2, -1, 3, SIZE, SIZE + 4096, 1 << 32)),
        *(0, 1, 2, 0x1000_0000, 0x10_0000, (1 << 63) - 2, 1 << 63, (1 << 64) - 2, (1 << 64) - 1),
    ],
)
def test_wild_jumps(machine, pc):
    machine.load(assemble(".option norvc\n_start: jr a0\n"))
    machine.write(BASE + SIZE - 4, bytes.fromhex("93000000"))  # a 32-bit instruction at the end
    machine.hart.x[10] = pc
    exit = machine.run(1000)
    check(exit)
    target = pc & ~1  # jalr clears the lowest bit
    inside = BASE <= target < BASE + SIZE
    assert exit.reason == "trap"
    assert exit.cause in ((1, 2) if inside else (1,))


@pytest.mark.parametrize("pc", [1, BASE + 1, BASE + SIZE - 1, (1 << 64) - 1])
def test_an_odd_pc_set_by_hand_traps(machine, pc):
    machine.load(assemble("_start: nop"))
    machine.hart.pc = pc
    exit = machine.run(100)
    assert (exit.reason, exit.cause, exit.instructions) == ("trap", 0, 0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("_start: j _start", "budget"),
        ("_start: wfi\n j _start", "wfi"),
        ("_start: ebreak", "trap"),
        ("_start: la t0, h\n csrw mtvec, t0\n ecall\n.balign 4\nh: ecall", "trap"),
        ("_start: la t0, h\n csrw mtvec, t0\n ecall\n.balign 4\nh: nop\n ecall", "budget"),
        ("_start: li t0, 4\n csrw mtvec, t0\n ecall", "trap"),
        ("_start: la t0, h\n csrw mtvec, t0\n csrw mepc, t0\n mret\n.balign 4\nh: .word 0", "trap"),
        ("_start: li t0, -1\n csrw mepc, t0\n csrw mstatus, zero\n mret", "trap"),
        ("_start: li t0, 0x10000000\n lr.d a0, (t0)", "trap"),
        ("_start: li t0, 0x10000000\n amoadd.d a0, a0, (t0)", "trap"),
        ("_start: li t0, 0x10000000\n jr t0", "trap"),
        ("_start: li t0, 0x100000\n li t1, 0x12345555\n sd t1, (t0)\nh: j h", "shutdown"),
        ("_start: la t0, _start\nh: sd t0, (t0)\n addi t0, t0, 8\n j h", "trap"),
        ("_start: fence.i\n j _start", "budget"),
    ],
)
def test_small_nuisances(machine, text, reason):
    machine.load(assemble(text))
    exit = machine.run(100_000 if machine.engine_name == "interpreter" else 5000)
    check(exit)
    assert exit.reason == reason, str(exit)


def test_devices_take_any_access(machine):
    text = """
    _start: la t0, handler
            csrw mtvec, t0
    loop:   add t1, t1, s1
            and t2, t1, s2
            add t2, t2, s0
            sb t1, (t2)
            sd t1, (t2)
            lw a0, (t2)
            lhu a1, 1(t2)
            sw t1, 3(t2)
            j loop
    .balign 4
    handler: csrr t0, mepc
            addi t0, t0, 2
            csrw mepc, t0
            mret
    """
    machine.load(assemble(text))
    machine.hart.x[8], machine.hart.x[9] = 0x1000_0000 - 64, 0x9E37_79B9_7F4A_7C15
    machine.hart.x[18] = 0x1FF
    machine.console.feed(bytes(range(256)))
    exit = machine.run(20_000)
    check(exit)
    assert exit.reason == "budget"


def test_console_sinks_that_fail_do_not_lose_the_machine(machine):
    def broken(data):
        raise OSError("the pipe is gone")

    machine.load(assemble("_start: li a1, 0x10000000\nloop: sb a0, (a1)\n addi a0, a0, 1\n j loop"))
    machine.console.sink = broken
    with pytest.raises(OSError, match="pipe"):
        machine.run(100)
    machine.console.sink = None
    assert machine.run(100).reason == "budget"
