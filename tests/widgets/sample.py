"""A small program, run by a few lines of Python, as the trace that the widget tests show.

It adds four numbers in a loop (U-mode), doubles the sum in floating point, prints ``OK``, and calls
the machine-mode handler, which switches the board off.
"""

from __future__ import annotations

import struct

from vtbook.widgets.trace import TraceBuilder

START = 0x8000_0000
DATA = 0x8000_1000
STACK = 0x8000_2000
LOOP = START + 0x08
HANDLER = START + 0x40
NUMBERS = (3, 1 << 40, -7, 0x6F6C_6C65_48)
MASK = (1 << 64) - 1

LISTING = [
    (0x00, "00001517", "auipc a0, 0x1", "_start"),
    (0x04, "4591", "li a1, 4", ""),
    (0x06, "4601", "li a2, 0", ""),
    (0x08, "6114", "ld a3, 0(a0)", "loop"),
    (0x0A, "9636", "add a2, a2, a3", ""),
    (0x0C, "0521", "addi a0, a0, 8", ""),
    (0x0E, "15fd", "addi a1, a1, -1", ""),
    (0x10, "fde5", "bnez a1, loop", ""),
    (0x12, "e110", "sd a2, 0(a0)", ""),
    (0x14, "d2267553", "fcvt.d.l fa0, a2", ""),
    (0x18, "02a575d3", "fadd.d fa1, fa0, fa0", ""),
    (0x1C, "100002b7", "lui t0, 0x10000", "print"),
    (0x20, "04f00313", "li t1, 79", ""),
    (0x24, "00628023", "sb t1, 0(t0)", ""),
    (0x28, "04b00313", "li t1, 75", ""),
    (0x2C, "00628023", "sb t1, 0(t0)", ""),
    (0x30, "4329", "li t1, 10", ""),
    (0x32, "00628023", "sb t1, 0(t0)", ""),
    (0x36, "00000073", "ecall", ""),
    (0x40, "342023f3", "csrr t2, mcause", "handler"),
    (0x44, "001002b7", "lui t0, 0x100", ""),
    (0x48, "6315", "lui t1, 0x5", ""),
    (0x4A, "55530313", "addi t1, t1, 1365", ""),
    (0x4E, "0062a023", "sw t1, 0(t0)", ""),
]
SIZES = {offset: len(raw) // 2 for offset, raw, _, _ in LISTING}


def _double(value: float) -> int:
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def sample_trace() -> dict:
    """Run the program and record every step."""
    x = [0] * 32
    x[2] = STACK + 0x40
    b = TraceBuilder(
        title="Sum of four numbers, then a call to the handler",
        listing=[(START + offset, *rest) for offset, *rest in LISTING],
        registers={"x": x, "f": [0] * 32},
        csrs=[
            ("mstatus", 0x2000),
            ("mcause", 0),
            ("mepc", 0),
            ("mtval", 0),
            ("mtvec", HANDLER),
            ("fcsr", 0),
        ],
        memory=[
            (DATA, struct.pack("<4q", *NUMBERS) + bytes(96), "data"),
            (STACK, bytes(range(64)) * 32, "stack"),
        ],
        mode="U",
        pc=START,
    )
    pc = START

    def step(*, to=None, **changes):
        nonlocal pc
        pc = pc + SIZES[pc - START] if to is None else to
        for i, value in changes.get("x", {}).items():
            x[i] = value & MASK
        b.step(pc=pc, **changes)

    step(x={10: pc + 0x1000})
    step(x={11: len(NUMBERS)})
    step(x={12: 0})
    for number in NUMBERS:
        step(x={13: number & MASK}, reads=[(x[10], 8)])
        step(x={12: (x[12] + x[13]) & MASK})
        step(x={10: x[10] + 8})
        step(x={11: x[11] - 1})
        step(to=LOOP if x[11] else None)
    step(writes=[(x[10], struct.pack("<Q", x[12]))])
    total = float(x[12])
    step(f={10: _double(total)}, csrs={"mstatus": 0x8000_0000_0000_6000})
    step(f={11: _double(total + total)})
    step(x={5: 0x1000_0000})
    for character in b"OK\n":
        step(x={6: character})
        step(writes=[(x[5], bytes([character]))], console=bytes([character]))
    step(
        to=HANDLER,
        mode="M",
        csrs={"mcause": 8, "mepc": pc},
        event={"kind": "trap", "cause": 8, "epc": pc, "tval": 0},
    )
    step(x={7: 8})
    step(x={5: 0x10_0000})
    step(x={6: 0x5000})
    step(x={6: 0x5555})
    step(
        writes=[(x[5], struct.pack("<I", x[6]))],
        event={"kind": "exit", "reason": "shutdown", "text": ""},
    )
    return b.build()


def long_trace(steps: int = 2000) -> dict:
    """A loop of three instructions, run long enough to test size and speed."""
    b = TraceBuilder(
        title="A long loop",
        listing=[
            (START, "0505", "addi a0, a0, 1", "loop"),
            (START + 2, "95aa", "add a1, a1, a0", ""),
            (START + 4, "bff5", "j loop", ""),
        ],
        registers={"x": [0] * 32, "f": None},
        pc=START,
    )
    a0 = a1 = 0
    for n in range(steps):
        if n % 3 == 0:
            a0 += 1
            b.step(pc=START + 2, x={10: a0})
        elif n % 3 == 1:
            a1 += a0
            b.step(pc=START + 4, x={11: a1})
        else:
            b.step(pc=START)
    return b.build()
