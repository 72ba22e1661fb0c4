"""The trace that the widget tests show is true: another emulator runs the same bytes alike."""

from __future__ import annotations

import struct

import pytest

from tests.widgets.sample import DATA, LISTING, NUMBERS, START, long_trace, sample_trace
from tests.widgets.test_trace import registers_at

unicorn = pytest.importorskip("unicorn", reason="needs the unicorn package as the oracle")
riscv = pytest.importorskip("unicorn.riscv_const")


def emulator(listing):
    uc = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV64)
    uc.mem_map(START, 0x10000)
    uc.mem_map(0x1000_0000, 0x1000)
    for address, raw, _, _ in listing:
        uc.mem_write(int(address, 16), int(raw, 16).to_bytes(len(raw) // 2, "little"))
    return uc


@pytest.mark.parametrize(("make", "steps"), [(sample_trace, 33), (lambda: long_trace(30), 30)])
def test_unicorn_reaches_the_same_registers_at_every_step(make, steps):
    trace = make()
    uc = emulator(trace["listing"])
    uc.mem_write(DATA, struct.pack("<4q", *NUMBERS))
    uc.reg_write(riscv.UC_RISCV_REG_MSTATUS, 0x2000)
    for i, value in enumerate(trace["initial"]["x"]):
        uc.reg_write(riscv.UC_RISCV_REG_X0 + i, int(value, 16))
    banks = {"x": (riscv.UC_RISCV_REG_X0, registers_at(trace, "x"))}
    if trace["initial"]["f"]:
        banks["f"] = (riscv.UC_RISCV_REG_F0, registers_at(trace, "f"))
    pc = START
    for n in range(1, steps + 1):
        uc.emu_start(pc, 0, count=1)
        pc = uc.reg_read(riscv.UC_RISCV_REG_PC)
        assert pc == int(trace["steps"][n - 1][0], 16), n
        for base, states in banks.values():
            assert [uc.reg_read(base + i) for i in range(32)] == states[n], n
    if make is sample_trace:
        assert trace["steps"][33][-1][0] == "event"
        stored = bytes.fromhex(next(change[2] for change in trace["steps"][23] if change[0] == "w"))
        assert uc.mem_read(DATA + 32, 8) == stored
        assert len(LISTING) == len(trace["listing"])
