"""``vtbook.cpu.translation`` against a reference in the words of the specification.

The reference is the algorithm of the privileged specification, 12.3.2 (4.3.2 in older editions),
step by step. The recorded walk of ``vtbook.mmu`` must come to the same end.
"""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.cpu.twins import FUZZ
from vtbook.cpu.hart import Hart
from vtbook.cpu.layout import READABLE
from vtbook.cpu.translation import translate
from vtbook.isa.operations import wrap
from vtbook.isa.sets import RV64GC
from vtbook.mmu import walk

RAM, ROM = 0x8000_0000, 0x8001_0000  # 64 KiB that can be written, 4 KiB that cannot
NOWHERE = (0x7FFF_F000, 0x8001_1000, 1 << 40, (1 << 56) - 4096)
V, R, W, X, U, G, A, D = (1 << n for n in range(8))
LOAD, STORE, FETCH = 1, 2, 4  # as the hart names them
NAMES = {LOAD: "load", STORE: "store", FETCH: "fetch"}
PAGE_FAULT = {LOAD: 13, STORE: 15, FETCH: 12}
ACCESS_FAULT = {LOAD: 5, STORE: 7, FETCH: 1}


class Memory:
    """A hart's memory as the reference sees it: a dictionary of 64-bit words."""

    def __init__(self) -> None:
        self.words: dict[int, int] = {}

    def read(self, address: int) -> int | None:
        inside = RAM <= address < ROM + 0x1000
        return self.words.get(address, 0) if inside else None


def reference(memory, satp, va, access, mode, sum_, mxr, svade):
    """``("ok", physical)`` or ``("trap", cause)``; sets A and D in ``memory`` where it may."""
    levels = {8: 3, 9: 4}[satp >> 60]
    bits = 12 + 9 * levels
    if va >> (bits - 1) not in (0, (1 << (65 - bits)) - 1):
        return "trap", PAGE_FAULT[access]
    a, i = (satp & (1 << 44) - 1) * 4096, levels - 1  # step 1
    while True:
        at = a + (va >> (12 + 9 * i) & 511) * 8
        pte = memory.read(at)  # step 2
        if pte is None:
            return "trap", ACCESS_FAULT[access]
        if not pte & V or (not pte & R and pte & W) or pte >> 54:  # step 3
            return "trap", PAGE_FAULT[access]
        if pte & (R | X):  # step 4
            break
        i -= 1
        if i < 0 or pte & (D | A | U):
            return "trap", PAGE_FAULT[access]
        a = (pte >> 10) * 4096
    ppn = pte >> 10
    if ppn & (1 << 9 * i) - 1:  # step 5 (of some editions, 6): a misaligned superpage
        return "trap", PAGE_FAULT[access]
    user = bool(pte & U)
    if user != (mode == 0) and not (user and sum_ and access != FETCH):
        return "trap", PAGE_FAULT[access]
    needed = {LOAD: R | (X if mxr else 0), STORE: W, FETCH: X}[access]
    if not pte & needed:
        return "trap", PAGE_FAULT[access]
    if not pte & A or (access == STORE and not pte & D):  # step 7
        if svade:
            return "trap", PAGE_FAULT[access]
        if at >= ROM:
            return "trap", ACCESS_FAULT[access]
        memory.words[at] = pte | A | (D if access == STORE else 0)
    return "ok", (ppn << 12 | va & 4095) & ~((1 << 12 + 9 * i) - 1) | va & (1 << 12 + 9 * i) - 1


frames = st.sampled_from([RAM + 0x1000 * n for n in range(6)] + [ROM, 0x8000_0000])
good = st.sampled_from([V | R | W | X, V | R | W, V | R, V | X, V | R | X])
leaf = st.builds(
    lambda frame, bits, more: frame >> 12 << 10 | bits | more, frames, good, st.integers(0, 1023)
)
pointer = st.builds(lambda frame: frame >> 12 << 10 | V, frames)
odd = st.one_of(
    st.integers(0, (1 << 64) - 1),
    st.builds(lambda frame, bits: frame >> 12 << 10 | bits, frames, st.integers(0, 255)),
    st.builds(lambda frame, n: frame >> 12 << 10 | V | R | A | 1 << n, frames, st.integers(54, 63)),
    st.builds(lambda at: (at >> 12) << 10 | V, st.sampled_from(NOWHERE)),
    st.builds(lambda at: (at >> 12) << 10 | V | R | W | X, st.sampled_from(NOWHERE)),
)
entries = st.one_of(pointer, pointer, pointer, leaf, leaf, odd)
addresses = st.one_of(
    st.integers(0, (1 << 64) - 1),
    st.integers(0, (1 << 39) - 1),
    st.integers((1 << 64) - (1 << 47), (1 << 64) - 1),
)


@settings(max_examples=1500 * FUZZ)
@given(
    mode=st.sampled_from([8, 9]),
    root=st.one_of(frames, frames, st.sampled_from(NOWHERE)),
    va=addresses,
    chain=st.lists(entries, min_size=4, max_size=4),
    access=st.sampled_from([LOAD, STORE, FETCH]),
    user=st.booleans(),
    by_mprv=st.booleans(),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
@example(8, RAM, 0x1234, [RAM >> 12 << 10 | V] * 3 + [0], LOAD, False, False, (False,) * 3)
@example(8, ROM, 0, [RAM >> 12 << 10 | V | R | W] * 4, STORE, False, False, (False,) * 3)
def test_a_translation_is_that_of_the_reference(
    mode, root, va, chain, access, user, by_mprv, flags
):
    sum_, mxr, svade = flags
    memory = Memory()
    table, levels = root, 3 if mode == 8 else 4
    for level, value in zip(reversed(range(levels)), chain, strict=False):
        at = table + (va >> (12 + 9 * level) & 511) * 8
        if memory.read(at) is not None:
            memory.words.setdefault(at, value)
        table = (memory.words.get(at, 0) >> 10 & (1 << 44) - 1) << 12
    before = dict(memory.words)
    privilege = 0 if user else 1
    hart = made()
    for at, value in before.items():
        view(hart)[(at - RAM) // 8] = value
    hart.satp = mode << 60 | root >> 12
    hart.svade = svade
    hart.mstatus = sum_ << 18 | mxr << 19
    if by_mprv and access != FETCH:
        hart.mstatus |= 1 << 17 | privilege << 11
        hart.mode = 3
    else:
        hart.mode = privilege
    cause = translate(hart, wrap(va), access)
    satp = mode << 60 | root >> 12
    expected = reference(memory, satp, va, access, privilege, sum_, mxr, svade)
    assert (("trap", cause) if cause else ("ok", hart.walk_physical)) == expected
    after = {at: int(view(hart)[(at - RAM) // 8]) for at in before}
    assert after == memory.words

    recorded = walk(
        lambda at: before.get(at, 0) if RAM <= at < ROM + 0x1000 else None,
        root,
        va,
        scheme="sv39" if mode == 8 else "sv48",
        access=NAMES[access],
        mode="U" if user else "S",
        sum=sum_,
        mxr=mxr,
        write64=None if svade else lambda at, value: None,
    )
    if recorded.updated is None or svade or recorded.references[-1].address < ROM:
        assert (
            ("trap", recorded.cause) if recorded.cause else ("ok", recorded.physical)
        ) == expected


_harts: list[Hart] = []


def made() -> Hart:
    """A hart with empty memory."""
    if not _harts:
        hart = Hart(RV64GC)
        array = np.zeros(0x1_1000, np.uint8)
        hart.map_memory(RAM, array[: ROM - RAM])
        hart.map_memory(ROM, array[ROM - RAM :], READABLE)
        _harts.append(hart)
    hart = _harts[0]
    view(hart)[:] = 0
    hart.reset()
    return hart


def view(hart: Hart) -> np.ndarray:
    """All of the memory as 64-bit words."""
    whole = hart.memory[0][1].base
    assert whole is not None
    return whole.view("<u8")
