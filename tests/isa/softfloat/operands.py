"""Operands that sit on the corners: near zero, ties, limits, NaNs and one another."""

import random

from hypothesis import strategies as st

FORMATS = {"f32": (8, 23), "f64": (11, 52)}


def signed(bits: int) -> int:
    """A 64-bit pattern as a signed number."""
    return bits - (1 << 64) if bits >> 63 else bits


def pattern(kind: str, sign: int, exponent: int, fraction: int) -> int:
    """Assemble a number's fields as the library takes it."""
    eb, fb = FORMATS[kind]
    return signed(sign << (eb + fb) | exponent << fb | fraction)


def random_number(rng: random.Random, kind: str) -> int:
    """A number with a corner in its exponent or its fraction more often than not."""
    eb, fb = FORMATS[kind]
    bias = (1 << (eb - 1)) - 1
    exponent = rng.choice(
        (
            rng.choice((0, 0, 1, 2, 2 * bias - 1, 2 * bias, 2 * bias + 1)),
            bias + rng.randint(-3, 3),
            bias + rng.choice((29, 30, 31, 32, 61, 62, 63, 64)),
            bias + rng.randint(-2 * fb, 2 * fb),
            rng.getrandbits(eb),
        )
    )
    ones = (1 << fb) - 1
    fraction = rng.choice(
        (
            0,
            rng.choice((1, 2, 3, ones, ones - 1, 1 << (fb - 1), (1 << (fb - 1)) - 1)),
            1 << rng.randrange(fb),
            ones ^ ((1 << rng.randrange(fb)) - 1),
            (1 << rng.randrange(fb)) | (1 << rng.randrange(fb)),
            rng.getrandbits(fb),
            rng.getrandbits(fb),
        )
    )
    return pattern(kind, rng.getrandbits(1), max(0, exponent) % (1 << eb), fraction)


def random_integer(rng: random.Random) -> int:
    """A 64-bit integer near a power of two, or with few significant bits, or any."""
    power = 1 << rng.randrange(64)
    value = rng.choice(
        (
            power + rng.randint(-2, 2),
            power | 1 << rng.randrange(64),
            power | rng.getrandbits(64) >> rng.randrange(64),
            ~(rng.getrandbits(64) >> rng.randrange(64)),
            rng.getrandbits(64),
        )
    )
    return signed(value & (1 << 64) - 1)


def random_operands(rng: random.Random, kinds: tuple[str, ...]) -> tuple[int, ...]:
    """Operands of an operation; sometimes equal, opposite or neighbours of one another."""
    if kinds == ("int",):
        return (random_integer(rng),)
    kind = kinds[0]
    eb, fb = FORMATS[kind]
    values = [random_number(rng, kind) for _ in kinds]
    if len(values) > 1 and rng.random() < 0.25:
        sign_bit = 1 << (eb + fb)
        near = values[0] ^ rng.choice((0, sign_bit)) ^ rng.choice((0, 1, 2, 1 << fb, 1 << fb - 1))
        values[rng.randrange(1, len(values))] = signed(near & 2 * sign_bit - 1)
    return tuple(values)


@st.composite
def numbers(draw: st.DrawFn, kind: str) -> int:
    """Numbers of a format, biased to corners; they shrink towards +0."""
    eb, fb = FORMATS[kind]
    bias = (1 << (eb - 1)) - 1
    ones = (1 << fb) - 1
    exponent = draw(
        st.sampled_from((0, 1, 2 * bias, 2 * bias + 1))
        | st.integers(bias - fb - 2, bias + fb + 2)
        | st.integers(0, 2 * bias + 1)
    )
    fraction = draw(
        st.sampled_from((0, 1, ones, 1 << (fb - 1), (1 << (fb - 1)) - 1))
        | st.integers(0, fb - 1).map(lambda n: 1 << n)
        | st.integers(0, fb - 1).map(lambda n: ones ^ ((1 << n) - 1))
        | st.integers(0, ones)
    )
    return pattern(kind, draw(st.integers(0, 1)), exponent, fraction)


def integers() -> st.SearchStrategy[int]:
    """Signed 64-bit integers, half of them near a power of two."""
    near = st.builds(
        lambda n, d, s: signed((s * (1 << n) + d) & (1 << 64) - 1),
        st.integers(0, 63),
        st.integers(-2, 2),
        st.sampled_from((1, -1)),
    )
    return near | st.integers(-(1 << 63), (1 << 63) - 1)


def operands(kinds: tuple[str, ...]) -> st.SearchStrategy[tuple[int, ...]]:
    """Operand tuples of an operation."""
    return st.tuples(*(integers() if kind == "int" else numbers(kind) for kind in kinds))
