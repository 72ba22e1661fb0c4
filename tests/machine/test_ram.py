"""RAM by pages: what was touched, captured and put back."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbook.devices import BusFault
from vtbook.machine.ram import PAGE, Ram, RamError

BASE, PAGES = 0x8000_0000, 64
WRITES = st.lists(
    st.tuples(st.integers(0, PAGES * PAGE - 1), st.binary(min_size=1, max_size=5000)), max_size=6
)


def put(ram, writes):
    for offset, data in writes:
        ram.write(BASE + offset, data[: PAGES * PAGE - offset])


@given(WRITES, WRITES)
@settings(max_examples=40, deadline=None)
def test_capture_and_put_back_are_opposites(first, second):
    ram = Ram(BASE, PAGES * PAGE)
    put(ram, first)
    before, pages = ram.array.tobytes(), ram.capture()
    assert all(any(page) for page in pages.values()), "pages of zeros are left out"
    put(ram, second)
    later = ram.capture(pages)
    for number, page in later.items():
        at = number * PAGE
        assert page == ram.array[at : at + PAGE].tobytes()
        if page == pages.get(number):
            assert page is pages[number]
    assert set(later) <= set(ram.touched().tolist())
    ram.put_back(pages)
    assert ram.array.tobytes() == before


def test_clear_makes_everything_zero():
    ram = Ram(BASE, PAGES * PAGE)
    ram.write(BASE, b"x" * PAGES * PAGE)
    ram.clear()
    assert not ram.array.any()
    assert ram.capture() == {}
    ram.write(BASE, b"y")
    assert ram.read(BASE, 2) == b"y\0"


def test_untouched_pages_are_not_looked_at():
    ram = Ram(BASE, 1 << 30)
    ram.write(BASE + (1 << 29), b"x")
    if sys.platform == "linux":
        assert len(ram.touched()) <= 1024, "a huge page at most"
    assert list(ram.capture()) == [(1 << 29) // PAGE]


@pytest.mark.parametrize(("offset", "size"), [(-1, 1), (-1, 2), (PAGES * PAGE, 1), (8, -1)])
def test_outside_ram_is_a_bus_fault(offset, size):
    ram = Ram(BASE, PAGES * PAGE)
    with pytest.raises(BusFault, match="RAM is 0x80000000"):
        ram.read(BASE + offset, size)
    with pytest.raises(BusFault):
        ram.write(BASE + PAGES * PAGE - 1, b"xx")
    assert not ram.array.any()


@pytest.mark.parametrize("size", [0, -4096, 100, 4097])
def test_sizes_that_are_not_whole_pages_are_refused(size):
    with pytest.raises(RamError, match="multiple of 4 KiB"):
        Ram(BASE, size)
