"""Compiled code does what plain Python does: random programs, page borders, code that changes.

Code stands in memory that nobody can write, except where its change is the subject: plain Python
sees a store to code at once, compiled code after ``fence.i``, and both are right.
"""

from __future__ import annotations

import random

import pytest

from tests.cpu.twins import END, FUZZ, RAM, ROM, SKIP, Twins
from tests.translator.random_words import register_value, words
from vtbook.cpu.layout import BUDGET, READABLE, UNHANDLED, WRITABLE
from vtbook.isa.definition import Compressed
from vtbook.isa.disassembler import disassemble
from vtbook.isa.operations import wrap
from vtbook.isa.sets import RV64GC

HANDLER = ROM + 0x1E00
POINTERS = (RAM + 0x1000, RAM + 0xFF8, RAM + 0x2000, ROM, END, RAM, ROM + 0x1000)


@pytest.fixture(scope="module")
def twins() -> Twins:
    """Code in ROM; RAM holds data only."""
    return Twins(ram_flags=READABLE | WRITABLE)


@pytest.fixture(scope="module")
def free_twins() -> Twins:
    """RAM can be executed."""
    return Twins()


def is_short_hop(word: int) -> bool:
    """True for words that are not jumps or branches far away."""
    decoded = RV64GC.decode(word)
    if decoded is None or decoded.instruction.name not in ("jal", "beq", "bne", "blt", "bge"):
        return True
    return abs(decoded.operands.imm) < 64


def fill(twins: Twins, choose: random.Random, start: int, length: int) -> None:
    """Random code, a handler that skips what traps, registers that are numbers and pointers."""
    stream = filter(is_short_hop, words(RV64GC, choose))
    code = b"".join(
        w.to_bytes(4, "little")[: 2 if w & 3 != 3 else 4]
        for w in (next(stream) for _ in range(length))
    )
    twins.reset(at=start, mtvec=HANDLER, mode=choose.choice((3, 3, 0)), mcounteren=7)
    twins.write(start, code[: HANDLER - start])
    twins.write(HANDLER, SKIP)
    data = bytes(choose.randrange(256) for _ in range(256))
    for address in (RAM, RAM + 0xF80, RAM + 0x1F80):
        twins.write(address, data)
    for n in range(1, 32):
        pointer = choose.choice(POINTERS) + choose.randrange(-9, 9)
        twins.set(**{f"x{n}": choose.choice((pointer, register_value(choose)))})
        twins.set(**{f"f{n}": register_value(choose)})


@pytest.mark.parametrize("seed", range(40 * FUZZ))
def test_random_programs_agree_at_every_step(twins: Twins, seed: int) -> None:
    choose = random.Random(seed)
    fill(twins, choose, ROM + choose.choice((0, 0xFC0, 0xFC2)), 100)
    for _ in range(150):
        if twins.run(1).reason == UNHANDLED:
            break


@pytest.mark.parametrize("seed", range(300 * FUZZ))
def test_random_programs_agree_over_long_runs(twins: Twins, seed: int) -> None:
    choose = random.Random(10_000 + seed)
    fill(twins, choose, ROM + choose.choice((0, 0xF80, 0xF82)), 200)
    for budget in (1, 7, 100, 401):
        if twins.run(budget).reason == UNHANDLED:
            break


# --- borders of pages and regions ----------------------------------------------------------------

BORDERS = [RAM, RAM + 0x1000, ROM, ROM + 0x1000, END]
LOADS = [
    (n, s) for n, s in zip("lb lh lw ld lbu lhu lwu".split(), (1, 2, 4, 8, 1, 2, 4), strict=True)
]
STORES = [("sb", 1), ("sh", 2), ("sw", 4), ("sd", 8)]


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("warm", [False, True])
def test_accesses_around_a_border(twins: Twins, border: int, warm: bool) -> None:
    """Every size at every offset; ``warm``: the TLB has met the pages on both sides."""
    names = [*LOADS, *STORES]
    code = "".join(f"{name} a0, 0(a1)\n" for name, _ in names)
    twins.reset(".option norvc\n" + code, at=ROM + 0x800, trap_exits=1)
    twins.write(RAM, bytes(range(256)) * 64)
    twins.write(ROM, bytes(range(255, -1, -1)) * 8)
    for offset in range(-10, 4):
        for n, (_, size) in enumerate(names):
            twins.set(x10=0x0123456789ABCDEF, x11=border + offset, pc=ROM + 0x800 + 4 * n)
            if not warm:
                for hart in twins.harts:
                    hart.flush_tlbs()
                twins.compiled.flush()
            stop = twins.run(1)
            writes = n >= len(LOADS)
            low, high = border + offset, border + offset + size
            inside = (low >= RAM and high <= ROM) or (not writes and low >= ROM and high <= END)
            assert (stop.reason == BUDGET) == inside
            if not inside:
                assert (stop.trap.cause, stop.trap.value) == (7 if writes else 5, low)


@pytest.mark.parametrize("address", [0, 1, -1, -4, -8, -9, 1 << 63, -(1 << 63), (1 << 63) - 4])
def test_accesses_at_the_corners_of_the_address_space(twins: Twins, address: int) -> None:
    code = "".join(f"{name} a0, 0(a1)\n" for name, _ in [*LOADS, *STORES])
    twins.reset(".option norvc\n" + code, at=ROM, trap_exits=1)
    for n in range(len(LOADS) + len(STORES)):
        twins.set(x11=address, pc=ROM + 4 * n)
        assert twins.run(1).trap.cause == (5 if n < len(LOADS) else 7)


@pytest.mark.parametrize("aliased", [1 << 22, 1 << 32, 1 << 63, -(1 << 40)])
def test_a_page_with_the_same_place_in_the_tlb_is_another_page(twins: Twins, aliased: int) -> None:
    """The TLB is indexed by a few bits of the address: the tag must decide."""
    twins.reset("ld a0, 0(a1)\nsd a0, 0(a1)\nld a0, 0(a2)\n", at=ROM, x11=RAM, x12=RAM + aliased)
    stop = twins.run(3)
    assert (stop.executed, stop.trap.cause) == (2, 5)
    assert stop.trap.value & ((1 << 64) - 1) == (RAM + aliased) & ((1 << 64) - 1)


@pytest.mark.parametrize("before", [0, 2, 4, 6])
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 9])
def test_an_instruction_across_two_pages(free_twins: Twins, before: int, steps: int) -> None:
    """Four bytes of which two stand at the end of a page; from before it and at once."""
    code = b"\x01\x00" * (before // 2) + (0x00150513).to_bytes(4, "little")  # addi a0, a0, 1
    back = RV64GC["jal"].encoding.encode({"rd": 0, "imm": -4 - before})
    code += back.to_bytes(4, "little")
    for end in (RAM + 0x1000, RAM + 0x2000):
        free_twins.reset(code, at=end - 2 - before)
        for _ in range(3):
            assert free_twins.run(steps).reason == BUDGET


@pytest.mark.parametrize("offset", [2, 4, 6, 8])
def test_an_instruction_at_the_end_of_memory(twins: Twins, offset: int) -> None:
    """Its second half is not there: the trap names the part that cannot be fetched (3.1.16)."""
    twins.reset((0x00150513).to_bytes(4, "little") * 2, at=END - offset)
    stop = twins.run(5)
    assert (stop.executed, stop.trap.cause, stop.trap.value) == (offset // 4, 1, END)
    assert twins.harts[1].pc == END - offset % 4


@pytest.mark.parametrize(
    "target", [0, 2, -2, -4, 1 << 63, (1 << 63) - 2, RAM, END, END + 4, 1 << 40]
)
def test_a_jump_to_where_nothing_can_be_fetched(twins: Twins, target: int) -> None:
    twins.reset("nop\njr (a0)\n", at=ROM, x10=target)
    stop = twins.run(5)
    assert (stop.executed, stop.trap.cause, stop.trap.value) == (
        2,
        1,
        wrap(target),
    )


# --- code that changes ---------------------------------------------------------------------------

PATCH = """
        lw      t0, 0(s0)
        sw      t0, 0(s1)
        fence.i
        addi    s0, s0, 4
        jalr    ra, 0(s1)
        addi    s2, s2, -1
        bnez    s2, PATCH
        wfi
"""


@pytest.mark.parametrize("slot", [0x800, 0xFFC, 0xFFE, 0x1000])
@pytest.mark.parametrize("seed", range(3))
def test_code_that_is_replaced_before_each_run(free_twins: Twins, slot: int, seed: int) -> None:
    """A loop writes the next word of a table over one instruction, and calls it."""
    choose = random.Random(seed)
    kinds = [
        s for s in RV64GC if not isinstance(s, Compressed) and s.extension in ("I", "M", "F", "D")
    ]
    pool = []
    while len(pool) < 40:
        spelling = choose.choice(kinds)
        fields = spelling.encoding.fields
        if (
            "(" in spelling.syntax
            or spelling.name[0] in "bje"
            or "d" not in {f.name[-1] for f in fields}
        ):
            continue
        values = {f.name: choose.randrange(10, 16) if f.kind != "imm" else 0 for f in fields}
        pool.append(spelling.encoding.encode(values))
    free_twins.reset(PATCH.replace("PATCH", "patch").replace("\n", "\npatch:\n", 1), x18=40)
    free_twins.write(RAM + 0x2000, b"".join(w.to_bytes(4, "little") for w in pool))
    free_twins.write(RAM + slot + 4, "ret\n")
    free_twins.set(x8=RAM + 0x2000, x9=RAM + slot)
    free_twins.set(**{f"x{n}": register_value(choose) for n in range(10, 16)})
    free_twins.set(**{f"f{n}": register_value(choose) for n in range(10, 16)})
    while free_twins.harts[1].x[18]:
        assert free_twins.run(choose.randrange(1, 30)).trap is None, [disassemble(w) for w in pool]


def test_an_instruction_that_is_overwritten_by_garbage_without_fence_i(free_twins: Twins) -> None:
    """The one decoded earlier may still run, or the new one; the host must not mind.

    It belongs to an extension that is compiled when it is first met: that must not look at memory.
    """
    for floating in (0x02B57553, 0x00B5302F, 0x0A0575D3):  # fadd.d, amoadd.d, fsub.d
        free_twins.reset(
            ".option norvc\nsw zero, 8(a0)\nnop\n.word " + hex(floating), x10=RAM, trap_exits=1
        )
        stop = free_twins.compiled.run(3)
        assert stop.executed in (2, 3)


# --- reservations --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "between", ["nop", "sd a1, 0(a0)", "ecall", "lr.w a2, (a3)", "sc.d a2, a1, (a3)"]
)
@pytest.mark.parametrize("size", ["w", "d"])
def test_a_reservation_and_what_stands_between(twins: Twins, between: str, size: str) -> None:
    twins.reset(
        f".option norvc\nlr.{size} a4, (a0)\n{between}\n"
        f"sc.{size} a5, a1, (a0)\nsc.{size} a6, a1, (a0)\n",
        at=ROM,
        mtvec=HANDLER,
        x10=RAM + 64,
        x11=77,
        x13=RAM + 128,
    )
    twins.write(HANDLER, SKIP)
    twins.run(4 if between != "ecall" else 18)
    lost = between.startswith(("lr", "sc"))
    assert twins.x[16] == 1  # the second time the reservation is gone
    assert twins.x[15] == int(lost)
