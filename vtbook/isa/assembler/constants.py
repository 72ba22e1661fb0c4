"""``li``: the shortest sequence of instructions that makes a 64-bit constant.

A value that does not fit ``lui`` and ``addi`` is made from a shorter one by a last step that can
be undone: an addition of a 12-bit number, a shift, an inversion. The search goes backward from the
value and deepens one instruction at a time, so the first sequence found is a shortest one of these.
"""

from __future__ import annotations

from functools import lru_cache

from vtbook.isa.assembler.relocations import lower, upper

#: (mnemonic, immediate) steps; each but the first works on the register that the one before left.
Sequence = tuple[tuple[str, int], ...]

_MASK = (1 << 64) - 1


def signed(value: int) -> int:
    """A 64-bit pattern as a signed number."""
    value &= _MASK
    return value - (1 << 64) if value >> 63 else value


def load_constant(value: int) -> Sequence:
    """The shortest sequence for a 64-bit value, given as signed or unsigned.

    ``lui`` carries its 20-bit operand; ``addi`` as the first step adds to x0.
    """
    value = signed(value)
    for length in range(1, 9):
        found = _search(value, length)
        if found is not None:
            return found
    raise AssertionError("every 64-bit constant takes at most 8 instructions")


@lru_cache(maxsize=1 << 14)
def _search(value: int, length: int) -> Sequence | None:
    """A sequence of at most ``length`` instructions for the value."""
    if -2048 <= value < 2048:
        return (("addi", value),)
    if -(1 << 31) <= value < (1 << 31):
        if value & 0xFFF == 0:
            return (("lui", upper(value)),)
        if length < 2:
            return None
        return (("lui", upper(value)), ("addiw", lower(value)))
    if length < 2:
        return None
    for before, step in _undo(value):
        rest = _search(before, length - 1)
        if rest is not None:
            return (*rest, step)
    return None


def _undo(value: int) -> list[tuple[int, tuple[str, int]]]:
    """(simpler value, step from it to ``value``) for each useful last step."""
    steps: list[tuple[int, tuple[str, int]]] = []
    low = lower(value)
    zeros = (value & -value).bit_length() - 1
    if zeros:
        steps += [(value >> n, ("slli", n)) for n in _shifts(value >> zeros, zeros)]
    if low:
        steps.append((signed(value - low), ("addi", low)))
    if low > 0 and value & 0x1000:
        # Two additions that together go past 2048, so that more zeros are left to shift in.
        steps.append((signed(value - low + 0x800), ("addi", low - 0x800)))
    if value > 0:
        zeros = 64 - value.bit_length()
        steps.append((signed((value << zeros) | ((1 << zeros) - 1)), ("srli", zeros)))
        steps.append((signed(value << zeros), ("srli", zeros)))
    if value < 0:
        steps.append((~value, ("xori", -1)))
    return steps


def _shifts(odd: int, zeros: int) -> list[int]:
    """All of the low zeros, or all but the twelve that ``lui`` gives for free."""
    return [zeros - 12, zeros] if zeros > 12 and -(1 << 19) <= odd < (1 << 19) else [zeros]
