"""The real-time clock: reading and setting the date, the alarm, hostile accesses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.devices.snapshots import through_a_file
from vtbook.devices import DeviceStateError, Rtc, Timed
from vtbook.devices.rtc import START

TIME_LOW, TIME_HIGH, ALARM_LOW, ALARM_HIGH = 0x00, 0x04, 0x08, 0x0C
IRQ_ENABLED, CLEAR_ALARM, ALARM_STATUS, CLEAR_INTERRUPT = 0x10, 0x14, 0x18, 0x1C


class Clock:
    """A clock on a machine whose time is set by hand, and what it told the machine."""

    def __init__(self, start=START):
        self.now, self.levels, self.deadlines = 0, [], []
        self.rtc = Rtc(lambda: self.now, start, self.levels.append)
        self.rtc.on_deadline = lambda: self.deadlines.append(self.rtc.next_deadline())

    def get(self, register):
        return self.rtc.read(register, 4)

    def put(self, register, value):
        self.rtc.write(register, 4, value)

    def get_time(self):
        low = self.get(TIME_LOW)
        return self.get(TIME_HIGH) << 32 | low

    def put_alarm(self, date):
        self.put(ALARM_HIGH, date >> 32)
        self.put(ALARM_LOW, date & 0xFFFF_FFFF)

    def run_to(self, now):
        self.now = now
        self.rtc.tick()


@pytest.fixture
def clock():
    return Clock()


def test_the_date_at_power_on_is_fixed_and_time_goes_on(clock):
    assert clock.get_time() == START == 1_735_689_600 * 10**9
    clock.now = 123
    assert clock.get_time() == START + 123


def test_the_high_half_belongs_to_the_low_half_read_before(clock):
    clock.now = 2**32 - START % 2**32 - 1
    low = clock.get(TIME_LOW)
    clock.now += 1
    assert clock.get(TIME_HIGH) << 32 | low == START + clock.now - 1
    assert clock.get_time() == START + clock.now


def test_the_date_can_be_set_in_halves(clock):
    clock.now = 5
    clock.put(TIME_HIGH, 1)
    clock.put(TIME_LOW, 2)
    clock.now = 8
    assert clock.get_time() == 0x1_0000_0005


def test_an_alarm_interrupts_when_its_time_has_come(clock):
    clock.put(IRQ_ENABLED, 1)
    clock.put_alarm(START + 1000)
    assert clock.deadlines == [1000]
    assert clock.get(ALARM_STATUS) == 1
    clock.run_to(999)
    assert clock.levels == []
    clock.run_to(1000)
    assert clock.levels == [True]
    assert clock.get(ALARM_STATUS) == 0
    assert clock.deadlines == [1000, None]
    clock.put(CLEAR_INTERRUPT, 0)
    assert clock.levels == [True, False]
    clock.run_to(5000)
    assert clock.levels == [True, False], "an alarm rings once"


def test_an_alarm_in_the_past_rings_at_once(clock):
    clock.put(IRQ_ENABLED, 1)
    clock.put_alarm(START)
    assert clock.levels == [True]
    assert clock.deadlines == []


def test_an_alarm_that_may_not_interrupt_is_remembered(clock):
    clock.put_alarm(START + 10)
    clock.run_to(10)
    assert clock.levels == []
    clock.put(IRQ_ENABLED, 1)
    assert clock.levels == [True]
    clock.put(IRQ_ENABLED, 0)
    assert clock.levels == [True, False]


def test_a_cleared_alarm_does_not_ring(clock):
    clock.put(IRQ_ENABLED, 1)
    clock.put_alarm(START + 10)
    clock.put(CLEAR_ALARM, 1)
    assert clock.get(ALARM_STATUS) == 0
    clock.run_to(100)
    assert clock.levels == []
    assert clock.deadlines == [10, None]


def test_an_access_after_the_deadline_sees_the_alarm_even_without_a_tick(clock):
    clock.put_alarm(START + 10)
    clock.now = 10
    assert clock.get(ALARM_STATUS) == 0


def test_setting_the_date_does_not_move_a_running_alarm(clock):
    clock.put_alarm(START + 10)
    clock.put(TIME_HIGH, 0)
    assert clock.rtc.next_deadline() == 10


def test_a_reset_shows_the_date_of_power_on_again(clock):
    clock.put(IRQ_ENABLED, 1)
    clock.put_alarm(START)
    clock.put_alarm(START + 10)
    clock.put(TIME_LOW, 0)
    clock.rtc.reset()
    assert clock.levels == [True, False]
    assert clock.rtc.next_deadline() is None
    assert clock.get_time() == START


def test_the_host_date_can_be_asked_for():
    assert Clock(start=1_800_000_000 * 10**9).get_time() == 1_800_000_000 * 10**9


def test_the_clock_is_a_timed_device(clock):
    timed: Timed = clock.rtc
    assert timed.next_deadline() is None
    timed.tick()


def test_registers_show_everything_without_side_effects(clock):
    clock.put_alarm(START + 2**33)
    clock.now = 2**33
    before = clock.rtc.state()
    shown = clock.rtc.registers()
    assert clock.rtc.state() == before
    assert shown["TIME_LOW"] == clock.rtc.time & 0xFFFF_FFFF
    assert shown["ALARM_HIGH"] << 32 | shown["ALARM_LOW"] == START + 2**33


@pytest.mark.parametrize(
    "change", [{"deadline": -1}, {"alarm": 2**64}, {"irq_enabled": 1}, {"start": None}]
)
def test_a_damaged_state_is_refused_and_changes_nothing(clock, change):
    before = clock.rtc.state()
    with pytest.raises(DeviceStateError, match="Rtc"):
        clock.rtc.load_state(before | change)
    assert clock.rtc.state() == before


class Hostile(RuleBasedStateMachine):
    """Any access at any time: nothing is raised, and the interrupt is as its registers say."""

    def __init__(self):
        super().__init__()
        self.now, self.level, self.deadline = 0, False, None
        self.make()

    def make(self):
        self.rtc = Rtc(lambda: self.now, on_interrupt=self.changed)
        self.rtc.on_deadline = self.moved

    def changed(self, level):
        assert level is not self.level
        self.level = level

    def moved(self):
        assert self.rtc.next_deadline() != self.deadline
        self.deadline = self.rtc.next_deadline()

    offsets = st.integers(-8, 0x28) | st.integers(0, 8).map(lambda word: 4 * word)
    values = st.integers(0, 2**64 - 1) | st.integers(0, 2) | st.just(START >> 32)

    @rule(offset=offsets, size=st.integers(0, 16) | st.just(4), value=values)
    def write(self, offset, size, value):
        self.rtc.write(offset, size, value)

    @rule(offset=offsets, size=st.integers(0, 16))
    def read(self, offset, size):
        assert 0 <= self.rtc.read(offset, size) < 1 << 8 * max(size, 1)

    @rule(wait=st.integers(0, 2**34))
    def time_passes(self, wait):
        self.now += wait
        self.rtc.tick()

    @rule()
    def time_passes_up_to_the_deadline(self):
        if self.deadline is not None:
            self.now = max(self.now, self.deadline)
            self.rtc.tick()
            assert self.deadline is None
            assert self.rtc.irq_pending

    @rule()
    def reset(self):
        self.rtc.reset()

    @rule()
    def save_and_restore(self):
        saved = self.rtc.state()
        self.make()
        self.rtc.load_state(saved)
        assert self.rtc.state() == saved

    @invariant()
    def interrupt_and_deadline_are_known(self):
        assert self.rtc.interrupt is self.level is (self.rtc.irq_enabled and self.rtc.irq_pending)
        assert self.rtc.next_deadline() == self.deadline
        assert self.deadline is None or self.deadline > self.now


TestHostile = Hostile.TestCase
TestHostile.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.integers(0, 1))
@settings(max_examples=20, deadline=None)
def test_a_state_comes_back_from_a_snapshot(now, wait, enabled):
    clock, other = Clock(), Clock(start=7)
    clock.now = other.now = now
    clock.put(IRQ_ENABLED, enabled)
    clock.put_alarm(START + now + wait)
    clock.get(TIME_LOW)
    other.rtc.load_state(through_a_file(clock.rtc.state()))
    for each in (clock, other):
        each.run_to(now + wait)
    assert other.rtc.registers() == clock.rtc.registers()
    assert other.get_time() == START + now + wait
