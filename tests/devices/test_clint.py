"""The CLINT: whom it tells what, halves of long registers, hostile accesses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.devices.snapshots import through_a_file
from vtbook.devices import Clint, DeviceStateError
from vtbook.devices.clint import MSIP, MTIME, MTIMECMP, NEVER


class Told:
    """A CLINT of `harts` harts, and what it told them."""

    def __init__(self, harts=2, time=0):
        self.time, self.software, self.timer = time, [], []
        self.clint = Clint(
            harts,
            lambda: self.time,
            lambda hart, level: self.software.append((hart, level)),
            lambda hart, mtimecmp: self.timer.append((hart, mtimecmp)),
            lambda value: setattr(self, "time", value),
        )


def test_a_software_interrupt_is_told_when_it_changes():
    told = Told()
    for value in (0, 1, 3, 0xFFFF_FFFE, 0):
        told.clint.write(MSIP + 4, 4, value)
    assert told.software == [(1, True), (1, False)]
    told.clint.write(MSIP, 8, 1 << 32 | 1)
    assert told.software[2:] == [(0, True), (1, True)], "eight bytes are two registers"
    assert told.clint.read(MSIP, 8) == 1 << 32 | 1


def test_every_write_of_mtimecmp_is_told_whole():
    told = Told()
    told.clint.write(MTIMECMP + 8, 8, 0x1_0000_0002)
    told.clint.write(MTIMECMP + 8, 4, 3)
    told.clint.write(MTIMECMP + 12, 4, 0)
    assert told.timer == [(1, 0x1_0000_0002), (1, 0x1_0000_0003), (1, 3)]
    assert told.clint.read(MTIMECMP + 8, 8) == 3
    assert told.clint.read(MTIMECMP, 8) == NEVER, "the other hart's is as after a reset"


def test_the_usual_way_to_set_mtimecmp_in_halves_never_shows_an_early_deadline():
    """Privileged spec, 3.2.1: all ones into the low half first."""
    told = Told()
    told.clint.write(MTIMECMP, 8, 0x0_FFFF_FF00)
    told.timer.clear()
    for offset, value in ((0, 0xFFFF_FFFF), (4, 1), (0, 5)):
        told.clint.write(MTIMECMP + offset, 4, value)
    assert [value for _, value in told.timer] == [0xFFFF_FFFF, 0x1_FFFF_FFFF, 0x1_0000_0005]


def test_mtime_is_the_machines_time_and_can_be_set():
    told = Told(time=0x1_2345_6789)
    assert told.clint.read(MTIME, 8) == 0x1_2345_6789
    assert told.clint.read(MTIME, 4) == 0x2345_6789
    assert told.clint.read(MTIME + 4, 4) == 1
    told.clint.write(MTIME + 4, 4, 7)
    assert told.time == 0x7_2345_6789
    told.clint.write(MTIME, 8, 42)
    assert told.time == 42


def test_without_write_time_mtime_can_only_be_read():
    clint = Clint(1, lambda: 5)
    clint.write(MTIME, 8, 42)
    assert clint.read(MTIME, 8) == 5


def test_a_reset_takes_back_what_was_asked_for():
    told = Told(time=9)
    told.clint.write(MSIP, 4, 1)
    told.clint.write(MTIMECMP, 8, 1)
    told.clint.reset()
    assert told.software == [(0, True), (0, False)]
    assert told.timer == [(0, 1), (0, NEVER), (1, NEVER)]
    assert told.time == 9


@pytest.mark.parametrize("offset", [2 * 4, MTIMECMP - 8, MTIMECMP + 2 * 8, MTIME - 8, MTIME + 8])
def test_registers_of_harts_that_are_not_there_read_zero(offset):
    told = Told(time=2**64 - 1)
    before = told.clint.state()
    told.clint.write(offset, 8, 2**64 - 1)
    assert told.clint.read(offset, 8) == 0
    assert (told.clint.state(), told.software, told.timer) == (before, [], [])


@pytest.mark.parametrize("harts", [0, -1, 4096])
def test_a_clint_without_room_for_its_harts_is_refused(harts):
    with pytest.raises(ValueError, match="harts"):
        Clint(harts, lambda: 0)
    Clint(4095, lambda: 0).write(MTIME - 8, 8, 1)


def test_registers_show_everything():
    told = Told(time=3)
    told.clint.write(MSIP + 4, 4, 1)
    told.clint.write(MTIMECMP, 8, 77)
    shown = {"msip0": 0, "msip1": 1, "mtimecmp0": 77, "mtimecmp1": NEVER, "mtime": 3}
    assert told.clint.registers() == shown


@pytest.mark.parametrize(
    "change",
    [{"msip": [True]}, {"msip": [1, 0]}, {"mtimecmp": [0, 1, 2]}, {"mtimecmp": [0, -1]}, {"x": 1}],
)
def test_a_damaged_state_is_refused_and_changes_nothing(change):
    clint = Told().clint
    clint.write(MTIMECMP, 8, 5)
    before = clint.state()
    with pytest.raises(DeviceStateError, match="Clint"):
        clint.load_state(before | change)
    assert clint.state() == before


class Hostile(RuleBasedStateMachine):
    """Any access at any time: nothing is raised, and the harts know what the registers say."""

    def __init__(self):
        super().__init__()
        self.levels, self.mtimecmp, self.time = [False] * 3, [NEVER] * 3, 0
        self.clint = Clint(3, lambda: self.time, self.software, self.timer, self.write_time)

    def software(self, hart, level):
        assert level is not self.levels[hart]
        self.levels[hart] = level

    def timer(self, hart, mtimecmp):
        assert 0 <= mtimecmp <= NEVER
        self.mtimecmp[hart] = mtimecmp

    def write_time(self, time):
        assert 0 <= time <= NEVER
        self.time = time

    offsets = st.one_of(
        st.integers(-16, 0x10010),
        st.sampled_from([MSIP, MTIMECMP, MTIME]).flatmap(lambda base: st.integers(base, base + 32)),
    )

    @rule(offset=offsets, size=st.integers(0, 16) | st.just(8), value=st.integers(0, 2**64 - 1))
    def write(self, offset, size, value):
        self.clint.write(offset, size, value)

    @rule(offset=offsets, size=st.integers(0, 16))
    def read(self, offset, size):
        assert 0 <= self.clint.read(offset, size) < 1 << 8 * max(size, 1)

    @rule(ticks=st.integers(0, 2**40))
    def time_passes(self, ticks):
        self.time += ticks

    @rule()
    def reset(self):
        self.clint.reset()

    @rule()
    def save_and_restore(self):
        saved = self.clint.state()
        self.clint = Clint(3, lambda: self.time, self.software, self.timer, self.write_time)
        self.clint.load_state(saved)
        assert self.clint.state() == saved

    @invariant()
    def the_harts_know(self):
        assert self.clint.msip == self.levels
        assert self.clint.mtimecmp == self.mtimecmp


TestHostile = Hostile.TestCase
TestHostile.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.lists(st.integers(0, NEVER), min_size=3, max_size=3),
)
@settings(max_examples=20, deadline=None)
def test_a_state_comes_back_from_a_snapshot(msip, mtimecmp):
    clint = Clint(3, lambda: 0)
    for hart in range(3):
        clint.write(MSIP + 4 * hart, 4, msip[hart])
        clint.write(MTIMECMP + 8 * hart, 8, mtimecmp[hart])
    other = Clint(3, lambda: 0)
    other.load_state(through_a_file(clint.state()))
    assert other.registers() == clint.registers()
