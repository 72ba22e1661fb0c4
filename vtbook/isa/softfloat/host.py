"""The host's floating-point unit, as functions on bit patterns.

Plain Python reaches it through `struct`. `vtbook.cpu.compiled_float` gives each of these
functions a compiled form of one or two machine instructions with the same results.
"""

import struct

from vtbook.isa.softfloat.core import RNE
from vtbook.isa.softfloat.fused import multiply_add


def bits_to_f64(bits: int) -> float:
    """Reinterpret a signed 64-bit pattern as a double."""
    return float(struct.unpack("<d", struct.pack("<q", bits))[0])


def f64_to_bits(value: float) -> int:
    """Reinterpret a double as a signed 64-bit pattern."""
    return int(struct.unpack("<q", struct.pack("<d", value))[0])


def f32_bits_to_f64(bits: int) -> float:
    """Convert the single with pattern 0..2**32-1 to a double, exactly; not for NaNs."""
    return float(struct.unpack("<f", struct.pack("<I", bits))[0])


def f64_to_f32_bits(value: float) -> int:
    """Round a double to nearest even single and return its pattern 0..2**32-1."""
    try:
        return int(struct.unpack("<I", struct.pack("<f", value))[0])
    except OverflowError:
        return 0xFF80_0000 if value < 0.0 else 0x7F80_0000


def host_f64_fma(a: int, b: int, c: int) -> int:
    """Return the pattern of a * b + c rounded once to nearest even, for doubles."""
    return multiply_add(a, b, c, RNE, 11, 52)[0]


def host_f32_fma(a: int, b: int, c: int) -> int:
    """Return the pattern of a * b + c rounded once to nearest even, for singles."""
    return multiply_add(a, b, c, RNE, 8, 23)[0]
