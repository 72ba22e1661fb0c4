"""Taking floating-point numbers apart, and rounding and packing results.

A format is given by two numbers, the width of its exponent field `eb` and that of its
fraction field `fb`: (8, 23) is single, (11, 52) double. A bit pattern is split into

    sign            magnitude = all other bits, exponent field above fraction field
    bit eb + fb     bits eb + fb - 1 .. 0

Magnitudes of numbers are ordered as the numbers are: zero, subnormals, normals,
infinity, NaNs. A finite nonzero number unpacks to an unbiased exponent and a
significand of 62 bits whose highest bit is one:

    value = significand * 2**(exponent - 61),  2**61 <= significand < 2**62
"""

from vtbook.isa.softfloat.bits import leading_zeros, shift_right_jam

# Rounding modes, as in the rm field and in frm.
RNE = 0  # to nearest, ties to even
RTZ = 1  # towards zero
RDN = 2  # down
RUP = 3  # up
RMM = 4  # to nearest, ties to the larger magnitude

# Exception flags, as in fflags.
NX = 1  # inexact
UF = 2  # underflow
OF = 4  # overflow
DZ = 8  # division by zero
NV = 16  # invalid operation

TOP_BIT = 61
TOP = 1 << TOP_BIT


def infinity(eb: int, fb: int) -> int:
    """Return the magnitude of infinity; all greater magnitudes are NaNs."""
    return ((1 << eb) - 1) << fb


def canonical_nan(eb: int, fb: int) -> int:
    """Return the NaN that every operation produces (unprivileged spec, F, "NaN Generation")."""
    return infinity(eb, fb) | (1 << (fb - 1))


def sign_of(bits: int, eb: int, fb: int) -> int:
    """Return the sign bit, 1 for negative."""
    return (bits >> (eb + fb)) & 1


def magnitude_of(bits: int, eb: int, fb: int) -> int:
    """Return the bits below the sign bit."""
    return bits & (infinity(eb, fb) | ((1 << fb) - 1))


def pack(sign: int, magnitude: int, eb: int, fb: int) -> int:
    """Put a sign bit above a magnitude; a double becomes a signed 64-bit number."""
    if eb + fb == 63:
        return magnitude | (-sign << 63)
    return magnitude | (sign << (eb + fb))


def is_signalling(magnitude: int, eb: int, fb: int) -> bool:
    """Tell whether a magnitude is a signalling NaN: the fraction's top bit is clear."""
    return magnitude > infinity(eb, fb) and (magnitude >> (fb - 1)) & 1 == 0


def nan_result(magnitude_a: int, magnitude_b: int, eb: int, fb: int) -> tuple[int, int]:
    """Return the result of an operation of which one operand or both are NaNs."""
    signalling = is_signalling(magnitude_a, eb, fb) or is_signalling(magnitude_b, eb, fb)
    return canonical_nan(eb, fb), NV if signalling else 0


def normalise(exponent: int, significand: int) -> tuple[int, int]:
    """Shift a nonzero significand below 2**62 left until its top bit is one."""
    count = leading_zeros(significand)
    return exponent - count, significand << count


def unpack(magnitude: int, eb: int, fb: int) -> tuple[int, int]:
    """Return (exponent, significand) of a finite nonzero magnitude."""
    bias = (1 << (eb - 1)) - 1
    biased = magnitude >> fb
    if biased == 0:
        return normalise(1 - bias, magnitude << (TOP_BIT - fb))
    fraction = magnitude & ((1 << fb) - 1)
    return biased - bias, (fraction | (1 << fb)) << (TOP_BIT - fb)


def rounds_up(rm: int, sign: int, odd: int, rest: int, half: int) -> bool:
    """Tell whether rounding off `rest` takes a magnitude to the next greater one.

    `odd` is the lowest bit that is kept, `half` the value of `rest` for a tie.
    """
    if rm == RNE:
        return rest + odd > half
    if rm == RMM:
        return rest >= half
    if rm == RDN:
        return sign == 1 and rest != 0
    if rm == RUP:
        return sign == 0 and rest != 0
    return False


def overflow(sign: int, rm: int, eb: int, fb: int) -> tuple[int, int]:
    """Return infinity or the greatest finite number, whichever `rm` rounds to."""
    to_finite = rm == RTZ or (rm == RDN and sign == 0) or (rm == RUP and sign == 1)
    magnitude = infinity(eb, fb) - 1 if to_finite else infinity(eb, fb)
    return pack(sign, magnitude, eb, fb), OF | NX


def round_pack(
    sign: int, exponent: int, significand: int, rm: int, eb: int, fb: int
) -> tuple[int, int]:
    """Round a number to a format; return (bits, flags).

    The significand is normalised; its bit 0 may stand for any nonzero rest below it.
    Tininess is detected after rounding (unprivileged spec, F, fcsr): a result is tiny
    if rounding it with an unbounded exponent gives less than the least normal number.
    """
    bias = (1 << (eb - 1)) - 1
    dropped = TOP_BIT - fb
    half = 1 << (dropped - 1)
    mask = (1 << dropped) - 1
    if exponent > bias:
        return overflow(sign, rm, eb, fb)
    # The significand's own top bit adds the last one to the exponent field.
    field = exponent + bias - 1
    tiny = False
    if field < 0:
        kept = significand >> dropped
        carries = kept == (1 << (fb + 1)) - 1 and rounds_up(rm, sign, 1, significand & mask, half)
        tiny = field < -1 or not carries
        significand = shift_right_jam(significand, -field)
        field = 0
    kept = significand >> dropped
    rest = significand & mask
    magnitude = (field << fb) + kept
    if rest == 0:
        return pack(sign, magnitude, eb, fb), 0
    if rounds_up(rm, sign, kept & 1, rest, half):
        magnitude += 1
        if magnitude == infinity(eb, fb):
            return overflow(sign, rm, eb, fb)
    return pack(sign, magnitude, eb, fb), NX | UF if tiny else NX
