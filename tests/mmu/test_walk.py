"""The page-table walk against a reference written from the specification's other side."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vtbook.mmu import FAULTS, SCHEMES, WalkError, pte, walk

ROOT, MIDDLE, LOW, PAGE = 0x8000_1000, 0x8000_2000, 0x8000_3000, 0x8765_4000
VA = 0x0000_0012_3456_7ABC
ALL = "VRWXUAD"


def reference(memory, root, va, levels, need, user, sum_, mxr):
    """The physical address, or None: the tables as nested divisions, no early reasons."""
    signed = va - (1 << 64) if va >> 63 else va
    half = 1 << (11 + 9 * levels)
    if not -half <= signed < half:
        return None
    size = 4096 * 512 ** (levels - 1)
    while size >= 4096:
        entry = memory.get(root + va // size % 512 * 8, 0)
        v, r, w, x, u, _, a, d = (bool(entry >> i & 1) for i in range(8))
        frame = entry // 1024 % 2**44 * 4096
        if not v or (w and not r) or entry >= 2**54:
            return None
        if r or x:
            can = {"load": r or (mxr and x), "store": w and d, "fetch": x}[need]
            mine = u if user else (not u or (sum_ and need != "fetch"))
            return frame + va % size if can and mine and a and frame % size == 0 else None
        if u or a or d:
            return None
        root, size = frame, size // 512
    return None


def index(va, level):
    return (va >> (12 + 9 * level)) & 511


def three_levels(leaf, va=VA):
    return {
        ROOT + 8 * index(va, 2): pte(MIDDLE, "V"),
        MIDDLE + 8 * index(va, 1): pte(LOW, "V"),
        LOW + 8 * index(va, 0): leaf,
    }


entries = st.one_of(
    st.builds(
        lambda frame, bits, extra: (frame << 10) | bits | extra,
        st.sampled_from([0x80002, 0x80003, 0x80200, 0x40000, 0x8000000]),
        st.integers(0, 1023),
        st.sampled_from([0, 0, 0, 0, 1 << 63, 1 << 61, 1 << 54, 1 << 53]),
    ),
    st.just(pte(MIDDLE, "V")),
    st.just(pte(LOW, "V")),
)
addresses = st.one_of(
    st.integers(0, (1 << 64) - 1),
    st.integers(0, (1 << 39) - 1),
    st.integers((1 << 64) - (1 << 38), (1 << 64) - 1),
)


@given(
    scheme=st.sampled_from(sorted(SCHEMES)),
    va=addresses,
    chain=st.lists(entries, min_size=4, max_size=4),
    need=st.sampled_from(["load", "store", "fetch"]),
    user=st.booleans(),
    flags=st.tuples(st.booleans(), st.booleans()),
)
@example("sv39", VA, [pte(0x8000_0000 + 4096, "VRWXAD")] * 4, "load", False, (False, False))
def test_the_walk_agrees_with_the_reference(scheme, va, chain, need, user, flags):
    levels = SCHEMES[scheme].levels
    memory, table = {}, ROOT
    for level, entry in zip(reversed(range(levels)), chain, strict=False):
        memory.setdefault(table + 8 * index(va, level), entry)
        table = entry // 1024 % 2**44 * 4096
    sum_, mxr = flags
    mode = "U" if user else "S"
    read = lambda at: memory.get(at, 0)  # noqa: E731
    got = walk(read, ROOT, va, scheme=scheme, access=need, mode=mode, sum=sum_, mxr=mxr)
    assert got.physical == reference(memory, ROOT, va, levels, need, user, sum_, mxr)
    assert (got.physical is None) == (got.fault in FAULTS) == (got.cause is not None)
    assert len(got.references) <= levels


def test_each_reference_is_recorded_with_its_table():
    memory = three_levels(pte(PAGE, ALL))
    got = walk(memory.get, ROOT, VA, mode="U")
    assert got.physical == PAGE | 0xABC
    assert [(r.level, r.table, r.outcome) for r in got.references] == [
        (2, ROOT, "pointer"),
        (1, MIDDLE, "pointer"),
        (0, LOW, "leaf"),
    ]
    assert [r.pte for r in got.references] == list(memory.values())
    assert got.page == 4096


@pytest.mark.parametrize(("level", "size"), [(1, 2 << 20), (2, 1 << 30)])
def test_a_leaf_above_the_last_level_is_a_superpage(level, size):
    frame = 0xC000_0000
    memory = three_levels(0)
    table = {2: ROOT, 1: MIDDLE}[level]
    memory[table + 8 * index(VA, level)] = pte(frame, "VRA")
    got = walk(memory.get, ROOT, VA)
    assert (got.page, got.physical) == (size, frame + VA % size)
    memory[table + 8 * index(VA, level)] = pte(frame + 4096, "VRA")
    assert walk(memory.get, ROOT, VA).fault == "misaligned"


@pytest.mark.parametrize(
    ("flags", "how", "why"),
    [
        ("RWXUAD", {}, "invalid"),
        ("VWAD", {}, "write_only"),
        ("V", {}, "no_leaf"),
        ("VXAD", {}, "not_readable"),
        ("VXAD", {"mxr": True}, None),
        ("VRAD", {"access": "store"}, "not_writable"),
        ("VRWAD", {"access": "fetch"}, "not_executable"),
        ("VRWAD", {"mode": "U"}, "not_user"),
        ("VRWUAD", {}, "user_page"),
        ("VRWUAD", {"sum": True}, None),
        ("VXUAD", {"sum": True, "access": "fetch"}, "user_code"),
        ("VRW", {}, "accessed"),
        ("VRWA", {"access": "store"}, "dirty"),
        ("VRWA", {}, None),
    ],
)
def test_a_fault_says_why(flags, how, why):
    got = walk(three_levels(pte(PAGE, flags)).get, ROOT, VA, **how)
    assert got.fault == why
    cause = {"load": 13, "store": 15, "fetch": 12}[how.get("access", "load")]
    assert got.cause == (cause if why else None)


def test_no_memory_is_an_access_fault_and_other_bits_are_page_faults():
    assert walk(lambda at: None, ROOT, VA, access="store").cause == 7
    assert walk({}.get, ROOT, 1 << 38).fault == "canonical"
    assert walk(lambda at: 1 << 54 | 1, ROOT, VA).fault == "reserved"
    pointer_with_a = {ROOT + 8 * index(VA, 2): pte(MIDDLE, "VA")}
    assert walk(pointer_with_a.get, ROOT, VA).fault == "reserved"


def test_a_hart_that_sets_a_and_d_writes_the_leaf_back():
    memory = three_levels(pte(PAGE, "VRW"))
    first = walk(memory.get, ROOT, VA, access="store", write64=memory.__setitem__)
    assert first.updated == pte(PAGE, "VRWAD") == memory[LOW + 8 * index(VA, 0)]
    again = walk(memory.get, ROOT, VA, access="store", write64=memory.__setitem__)
    assert (again.physical, again.updated) == (first.physical, None)


def test_a_hit_has_no_reference_and_a_fault_is_no_hit():
    got = walk(three_levels(pte(PAGE, ALL)).get, ROOT, VA, mode="U")
    assert (got.as_hit().references, got.as_hit().physical) == ((), got.physical)
    with pytest.raises(WalkError, match="not kept"):
        walk({}.get, ROOT, 1 << 38).as_hit()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"scheme": "sv32"}, "use sv39, sv48"),
        ({"access": "write"}, "use fetch, load, store"),
        ({"mode": "M"}, "use 'U' or 'S'"),
        ({"root": 8}, "not at a page"),
        ({"address": -1}, "mask it"),
    ],
)
def test_impossible_arguments_are_refused(how, message):
    given = {"root": ROOT, "address": VA, **how}
    with pytest.raises(WalkError, match=message):
        walk({}.get, given.pop("root"), given.pop("address"), **given)
