"""The address map: who answers where, and what happens elsewhere."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbook.devices import Bus, BusError, BusFault, Finisher, Uart


class Recorder:
    """A device that remembers its accesses and answers all ones."""

    SIZE = 0x10

    def __init__(self):
        self.seen = []

    def read(self, offset, size):
        self.seen.append((offset, size))
        return -1

    def write(self, offset, size, value):
        self.seen.append((offset, size, value))

    def state(self):
        return {}

    def load_state(self, state):
        pass


def test_an_access_reaches_the_device_at_its_offset():
    bus, device = Bus(), Recorder()
    bus.add(0x1000, device, name="device")
    assert bus.read(0x1008, 4) == 0xFFFF_FFFF
    bus.write(0x100F, 1, 0x1FF)
    assert device.seen == [(8, 4), (15, 1, 0xFF)]


@pytest.mark.parametrize(
    ("addr", "size"), [(0xFFF, 1), (0x1010, 1), (0, 8), (2**64 - 1, 1), (0x100D, 4), (0xFFC, 8)]
)
def test_an_access_outside_or_across_an_end_faults(addr, size):
    bus, device = Bus(), Recorder()
    bus.add(0x1000, device, name="device")
    with pytest.raises(BusFault) as fault:
        bus.read(addr, size)
    assert (fault.value.addr, fault.value.size, fault.value.kind) == (addr, size, "read")
    with pytest.raises(BusFault, match="write of") as fault:
        bus.write(addr, size, 0)
    assert fault.value.kind == "write"
    assert device.seen == []


def test_regions_are_kept_in_order_of_address():
    bus = Bus()
    bus.add(0x3000, Recorder(), name="c")
    bus.add(0x1000, Recorder(), name="a")
    bus.add(0x2000, Recorder(), name="b", size=0x1000)
    assert [region.name for region in bus.regions] == ["a", "b", "c"]
    assert bus.find(0x2FFF).name == "b"
    assert str(bus).splitlines()[1] == "0x2000-0x2fff b"
    bus.read(0x2000, 4)
    bus.remove("b")
    for access in (bus.find, lambda addr: bus.read(addr, 4), lambda addr: bus.write(addr, 4, 0)):
        with pytest.raises(BusFault):
            access(0x2000)
    other = Recorder()
    bus.add(0x2000, other, name="b")
    bus.read(0x2008, 4)
    assert other.seen == [(8, 4)]


@pytest.mark.parametrize("base", [0xFF1, 0x1000, 0x100F, 0x800])
def test_overlapping_regions_are_refused(base):
    bus = Bus()
    bus.add(0x1000, Recorder(), name="first")
    with pytest.raises(BusError, match="overlaps"):
        bus.add(base, Recorder(), name="second", size=0x900 if base == 0x800 else None)
    bus.add(0xFF0, Recorder(), name="touches below")
    bus.add(0x1010, Recorder(), name="touches above")


def test_impossible_regions_are_refused():
    bus = Bus()
    with pytest.raises(BusError, match="at least 1"):
        bus.add(0, Recorder(), name="empty", size=0)
    with pytest.raises(BusError, match="64-bit"):
        bus.add(2**64 - 8, Recorder(), name="high")
    with pytest.raises(BusError, match="64-bit"):
        bus.add(-1, Recorder(), name="low")
    bus.add(0, Recorder(), name="device")
    with pytest.raises(BusError, match="taken"):
        bus.add(0x100, Recorder(), name="device")
    with pytest.raises(BusError, match="the map has device"):
        bus.remove("other")


@given(
    regions=st.lists(st.tuples(st.integers(0, 200), st.integers(1, 40)), max_size=12),
    accesses=st.lists(st.tuples(st.integers(0, 260), st.integers(1, 8)), max_size=30),
)
@settings(max_examples=100, deadline=None)
def test_find_agrees_with_a_map_of_every_byte(regions, accesses):
    bus, owner = Bus(), {}
    for number, (base, size) in enumerate(regions):
        span = range(base, base + size)
        if any(byte in owner for byte in span):
            with pytest.raises(BusError):
                bus.add(base, Recorder(), name=str(number), size=size)
        else:
            bus.add(base, Recorder(), name=str(number), size=size)
            owner.update(dict.fromkeys(span, str(number)))
    for addr, size in accesses:
        owners = {owner.get(byte) for byte in range(addr, addr + size)}
        if len(owners) == 1 and None not in owners:
            region = bus.find(addr, size)
            assert region.name == owners.pop()
            bus.read(addr, size)
            bus.write(addr, size, 0)
            offset = addr - region.base
            assert region.device.seen[-2:] == [(offset, size), (offset, size, 0)]
        else:
            for access in (bus.find, bus.read, lambda addr, size: bus.write(addr, size, 0)):
                with pytest.raises(BusFault):
                    access(addr, size)


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from([0x10_0000, 0x1000_0000]),
            st.integers(-4, 0x1010),
            st.integers(0, 9),
            st.integers(-1, 2**64),
        ),
        max_size=30,
    )
)
@settings(max_examples=100, deadline=None)
def test_hostile_accesses_raise_nothing_but_bus_faults(accesses):
    bus = Bus()
    bus.add(0x10_0000, Finisher(), name="finisher")
    bus.add(0x1000_0000, Uart(), name="uart")
    for is_write, base, offset, size, value in accesses:
        with contextlib.suppress(BusFault):
            if is_write:
                bus.write(base + offset, size, value)
            else:
                assert 0 <= bus.read(base + offset, size) < 1 << 8 * size
