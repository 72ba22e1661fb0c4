"""A single in a 64-bit register counts only if the upper half is all ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtbook.isa.softfloat import box32, f32_to_f64, unbox32

from .operations import BY_NAME
from .oracles import missing_for_qemu, qemu_oracle

CANONICAL_NAN = 0x7FC0_0000
REGISTERS = [-(1 << 32) + 0x3F80_0000, 0x3F80_0000, -(2 << 32) + 0x3F80_0000, -1, 0, 1 << 62]


@given(st.integers(0, (1 << 32) - 1))
def test_boxed_single_reads_back(bits: int) -> None:
    register = box32(bits)
    assert -(1 << 32) <= register < 0
    assert unbox32(register) == bits


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_only_an_upper_half_of_ones_is_a_box(register: int) -> None:
    boxed = (register >> 32) & 0xFFFF_FFFF == 0xFFFF_FFFF
    assert unbox32(register) == (register & 0xFFFF_FFFF if boxed else CANONICAL_NAN)


@pytest.mark.skipif(missing_for_qemu() != "", reason=f"needs {missing_for_qemu()} on the PATH")
def test_reading_a_register_as_single_agrees_with_qemu() -> None:
    results = qemu_oracle().run_registers(
        BY_NAME["f32_to_f64"], [((register,), 0) for register in REGISTERS]
    )
    assert [f32_to_f64(unbox32(register)) for register in REGISTERS] == results
