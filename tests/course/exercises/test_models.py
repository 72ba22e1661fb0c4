"""The models that answers are compared with."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtbook.course.exercises.models import Registers, StillRunning, direct_mapped_hits

ADDRESSES = st.lists(st.integers(0, 40).map(lambda n: 0x8000_0000 + 4 * n), max_size=60)


def test_hits_by_hand():
    a, b, c = 0, 4, 16  # with four slots a and c share one
    assert direct_mapped_hits([a, b, a, c, a, a, b], 4) == 3
    assert direct_mapped_hits([a, a, b, a], 1) == 1
    assert direct_mapped_hits([a, b, a, b], 4, shift=4) == 0


@given(ADDRESSES)
def test_with_room_for_all_each_address_misses_once(addresses):
    assert direct_mapped_hits(addresses, 64) == len(addresses) - len(set(addresses))


@given(ADDRESSES, st.integers(1, 6))
def test_with_one_slot_only_repeats_hit(addresses, power):
    repeats = sum(a == b for a, b in itertools.pairwise(addresses))
    assert direct_mapped_hits(addresses, 1) == repeats
    assert direct_mapped_hits(addresses, 2**power) >= direct_mapped_hits(addresses, 1)


def test_registers_end_a_run_that_does_not():
    x = Registers(3)
    assert len(x) == 32
    for _ in range(3):
        x[5] = 1
        x[0] = 0
    with pytest.raises(StillRunning, match="after 3 instructions"):
        x[0] = 0
