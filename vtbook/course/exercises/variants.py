"""Variants: numbers that a seed decides, and the placeholders that they fill."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

PUBLISHED_SEED = 0
"""The seed of the exercises that are published with the book."""
PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*(?::([^{}\n]*))?\}\}")
_MASK = (1 << 64) - 1
_seed: ContextVar[int] = ContextVar("seed", default=PUBLISHED_SEED)


class Draw:
    """Choices that a seed decides: the same on every computer and in every version of Python.

    The generator is SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). `seed` is, if not given, that
    of the notebook being generated; in an open notebook it is 0.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = _seed.get() if seed is None else seed
        self._state = self.seed & _MASK

    def bits(self) -> int:
        """The next 64 random bits, as an unsigned integer."""
        self._state = (self._state + 0x9E37_79B9_7F4A_7C15) & _MASK
        z = self._state
        z = (z ^ z >> 30) * 0xBF58_476D_1CE4_E5B9 & _MASK
        z = (z ^ z >> 27) * 0x94D0_49BB_1331_11EB & _MASK
        return z ^ z >> 31

    def integer(self, low: int, high: int, *, step: int = 1, published: int | None = None) -> int:
        """One of ``low, low + step, ...`` up to `high`; with seed 0 `published`, if given.

        Raises ValueError: there is no such number, or `published` is none of them.
        """
        return self.choice(range(low, high + 1, step), published=published)

    def choice(self, options: Sequence[T], *, published: T | None = None) -> T:
        """One of the options; with seed 0 `published`, if given, which must be one of them.

        Raises ValueError otherwise, and for no options.
        """
        if not options:
            raise ValueError("there is nothing to choose from")
        if published is not None and published not in options:
            raise ValueError(f"published={published!r} is none of the options")
        drawn = options[self.bits() % len(options)]
        return published if published is not None and self.seed == PUBLISHED_SEED else drawn


def seed_of_student(student_id: str) -> int:
    """The seed of a student's variant, 1 to 2**32: a hash of the id, the same everywhere.

    Spaces around the id and the way its accents are encoded make no difference.
    """
    name = unicodedata.normalize("NFC", student_id.strip())
    digest = hashlib.sha256(f"vtbook {name}".encode()).digest()
    return 1 + int.from_bytes(digest[:4], "big")


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    token = _seed.set(seed)
    try:
        yield
    finally:
        _seed.reset(token)


def parameters(source: str, seed: int) -> dict[str, Any]:
    """Run the source of a ``variant`` cell with a seed; its public names and their values.

    Whatever the source raises is raised here. It is the author's code, and is trusted.
    """
    names: dict[str, Any] = {"__name__": "variant"}
    with _seeded(seed):
        exec(compile(source, "<variant>", "exec"), names)
    kept = (int, float, str)
    return {
        name: value
        for name, value in names.items()
        if not name.startswith("_") and isinstance(value, kept)
    }


def fill(text: str, values: Mapping[str, Any]) -> str:
    """Put values into ``{{ name }}`` and ``{{ name:format }}``, such as ``{{ limit:,}}``.

    Raises:
        LookupError: a placeholder has no value; the message is its name.
        ValueError: the format does not suit the value.
    """

    def value(found: re.Match[str]) -> str:
        name, form = found.groups()
        if name not in values:
            raise LookupError(name)
        return format(values[name], (form or "").strip())

    return PLACEHOLDER.sub(value, text)
