"""The PLIC: gateways, priorities, claim and completion, hostile accesses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.devices.snapshots import through_a_file
from vtbook.devices import DeviceStateError, Plic, Uart
from vtbook.devices import uart as uart_names

PENDING, M_ENABLE, S_ENABLE = 0x1000, 0x2000, 0x2080
M_THRESHOLD, M_CLAIM = 0x20_0000, 0x20_0004
S_THRESHOLD, S_CLAIM = 0x20_1000, 0x20_1004


class Hart:
    """A PLIC of one hart, contexts 0 (M) and 1 (S), and the interrupts that it saw."""

    def __init__(self, sources=95):
        self.seen = []
        self.plic = Plic(2, sources, lambda context, level: self.seen.append((context, level)))

    def enable(self, context, *sources, priority=1):
        for source in sources:
            self.plic.write(4 * source, 4, priority)
            word = M_ENABLE + 0x80 * context + source // 32 * 4
            self.plic.write(word, 4, self.plic.read(word, 4) | 1 << source % 32)

    def claim(self, context=1):
        return self.plic.read(M_CLAIM + 0x1000 * context, 4)

    def complete(self, source, context=1):
        self.plic.write(M_CLAIM + 0x1000 * context, 4, source)

    def is_pending(self, source):
        return bool(self.plic.read(PENDING + source // 32 * 4, 4) >> source % 32 & 1)


@pytest.fixture
def hart():
    return Hart()


def test_a_request_is_claimed_once_and_completed(hart):
    hart.enable(1, 10)
    hart.plic.set_line(10, True)
    assert hart.seen == [(1, True)]
    assert hart.is_pending(10)
    assert hart.claim() == 10
    assert hart.seen == [(1, True), (1, False)]
    assert not hart.is_pending(10)
    assert hart.claim() == 0
    hart.plic.set_line(10, False)
    hart.complete(10)
    assert hart.seen == [(1, True), (1, False)]


def test_a_line_that_stays_high_asks_again_after_completion(hart):
    hart.enable(1, 10)
    hart.plic.set_line(10, True)
    for _ in range(3):
        assert hart.claim() == 10
        assert hart.claim() == 0, "not while it is in service"
        hart.complete(10)
    assert hart.plic.outputs == [False, True]


def test_a_line_that_rises_again_in_service_asks_after_completion(hart):
    hart.enable(1, 10)
    hart.plic.set_line(10, True)
    hart.claim()
    hart.plic.set_line(10, False)
    hart.plic.set_line(10, True)
    assert not hart.is_pending(10)
    hart.complete(10)
    assert hart.is_pending(10)


def test_a_request_outlives_its_line_until_it_is_claimed(hart):
    """PLIC spec 1.3: the handler finds out that the device no longer needs anything."""
    hart.enable(1, 10)
    hart.plic.set_line(10, True)
    hart.plic.set_line(10, False)
    assert hart.is_pending(10)
    assert hart.claim() == 10
    hart.complete(10)
    assert not hart.is_pending(10)


def test_the_highest_priority_comes_first_then_the_lowest_number(hart):
    hart.enable(1, 3, 7, 40, priority=2)
    hart.enable(1, 90, priority=5)
    hart.enable(1, 1, priority=1)
    for source in (1, 3, 7, 40, 90):
        hart.plic.set_line(source, True)
    assert [hart.claim() for _ in range(6)] == [90, 3, 7, 40, 1, 0]


def test_priority_zero_never_interrupts(hart):
    hart.enable(1, 10, priority=0)
    hart.plic.set_line(10, True)
    assert hart.is_pending(10)
    assert hart.seen == []
    assert hart.claim() == 0
    hart.plic.write(40, 4, 1)
    assert hart.seen == [(1, True)]


def test_a_source_that_is_not_enabled_waits_for_it(hart):
    hart.plic.write(40, 4, 1)
    hart.plic.set_line(10, True)
    assert (hart.seen, hart.claim()) == ([], 0)
    hart.enable(1, 10)
    assert hart.seen == [(1, True)]
    hart.plic.write(S_ENABLE, 4, 0)
    assert hart.seen == [(1, True), (1, False)]


def test_a_threshold_masks_its_own_priority_and_below(hart):
    hart.enable(1, 10, priority=3)
    hart.plic.set_line(10, True)
    for threshold, expected in ((3, False), (7, False), (2, True), (0, True)):
        hart.plic.write(S_THRESHOLD, 4, threshold)
        assert hart.plic.outputs[1] is expected


def test_a_claim_does_not_ask_the_threshold(hart):
    """PLIC spec 1.10: a hart may set the threshold to the maximum and poll."""
    hart.enable(1, 10)
    hart.plic.write(S_THRESHOLD, 4, 7)
    hart.plic.set_line(10, True)
    assert hart.seen == []
    assert hart.claim() == 10


def test_each_context_has_its_own_enables_and_one_claim_wins(hart):
    hart.enable(0, 5)
    hart.enable(1, 5)
    hart.plic.set_line(5, True)
    assert hart.plic.outputs == [True, True]
    assert hart.claim(0) == 5
    assert hart.plic.outputs == [False, False]
    assert hart.claim(1) == 0


def test_completion_by_a_context_that_has_not_enabled_the_source_is_ignored(hart):
    hart.enable(0, 5)
    hart.plic.set_line(5, True)
    assert hart.claim(0) == 5
    hart.complete(5, context=1)
    assert not hart.is_pending(5)
    hart.complete(5, context=0)
    assert hart.is_pending(5)


@pytest.mark.parametrize("source", [0, 96, 1023, 2**32 - 1])
def test_completion_of_a_source_that_is_not_there_is_ignored(hart, source):
    hart.enable(1, 5)
    hart.plic.set_line(5, True)
    hart.claim()
    before = hart.plic.state()
    hart.complete(source)
    assert hart.plic.state() == before


def test_source_zero_and_those_past_the_last_do_not_exist(hart):
    for word in range(3):
        hart.plic.write(S_ENABLE + 4 * word, 4, 2**32 - 1)
        hart.plic.write(4 * 32 * word, 4, 7)
    assert hart.plic.read(S_ENABLE, 4) == 2**32 - 2
    assert hart.plic.read(S_ENABLE + 8, 4) == 2**32 - 1
    assert hart.plic.read(0, 4) == 0
    few = Hart(sources=10)
    few.plic.write(S_ENABLE, 8, 2**64 - 1)
    few.plic.write(4 * 11, 4, 7)
    assert few.plic.read(S_ENABLE, 8) == 0x7FE
    assert few.plic.read(4 * 11, 4) == 0


def test_pending_bits_cannot_be_written(hart):
    hart.plic.write(PENDING, 8, 2**64 - 1)
    assert hart.plic.read(PENDING, 8) == 0


def test_a_reset_forgets_everything_but_the_lines(hart):
    hart.enable(1, 10)
    hart.plic.set_line(10, True)
    hart.claim()
    hart.plic.write(S_THRESHOLD, 4, 3)
    hart.plic.reset()
    assert hart.plic.registers() == {"lines": 1 << 10, "pending": 1 << 10}
    assert hart.plic.outputs == [False, False]
    hart.enable(1, 10)
    assert hart.claim() == 10


@pytest.mark.parametrize("source", [0, -1, 96])
def test_a_board_that_connects_a_wrong_source_is_told(hart, source):
    with pytest.raises(ValueError, match="1 to 95"):
        hart.plic.set_line(source, True)


@pytest.mark.parametrize(("contexts", "sources"), [(0, 1), (1025, 1), (1, 0), (1, 1024)])
def test_a_plic_that_does_not_fit_its_window_is_refused(contexts, sources):
    with pytest.raises(ValueError, match="contexts"):
        Plic(contexts, sources)


def test_the_uart_interrupts_through_the_plic(hart):
    """As a driver uses them: the UART's line stays high until its receiver is empty."""
    uart = Uart(on_interrupt=hart.plic.line(10))
    hart.enable(1, 10)
    uart.write(1, 1, uart_names.ERBFI)
    uart.console.feed(b"abc")
    assert hart.seen == [(1, True)]
    got = bytearray()
    while source := hart.claim():
        assert source == 10
        assert uart.read(2, 1) & 0x0F == uart_names.IIR_RECEIVED
        got.append(uart.read(0, 1))
        hart.complete(source)
    assert got == b"abc"
    assert hart.seen == [(1, True), (1, False)] * 3
    uart.write(1, 1, uart_names.ETBEI)
    assert hart.claim() == 10
    assert uart.read(2, 1) == uart_names.IIR_THR_EMPTY
    hart.complete(10)
    assert hart.claim() == 0, "reading IIR took the request back"


@pytest.mark.parametrize(
    "change",
    [
        {"priority": [0] * 95},
        {"priority": [8] + [0] * 95},
        {"enables": [0, 1]},
        {"enables": [0]},
        {"pending": 1 << 96},
        {"lines": -2},
        {"outputs": [0, 1]},
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(hart, change):
    hart.plic.set_line(4, True)
    before = hart.plic.state()
    with pytest.raises(DeviceStateError, match="Plic"):
        hart.plic.load_state(before | change)
    assert hart.plic.state() == before


class Hostile(RuleBasedStateMachine):
    """Any access and any line at any time: nothing is raised, and the outputs are as specified."""

    SOURCES = 40

    def __init__(self):
        super().__init__()
        self.levels = [False] * 3
        self.plic = Plic(3, self.SOURCES, self.changed)

    def changed(self, context, level):
        assert level is not self.levels[context]
        self.levels[context] = level

    offsets = st.one_of(
        st.integers(-16, Plic.SIZE + 16),
        st.sampled_from([0, PENDING, M_ENABLE, S_ENABLE, M_THRESHOLD, S_THRESHOLD]).flatmap(
            lambda base: st.integers(0, 8).map(lambda word: base + 4 * word)
        ),
    )

    @rule(offset=offsets, size=st.integers(0, 16) | st.just(4), value=st.integers(0, 2**64 - 1))
    def write(self, offset, size, value):
        self.plic.write(offset, size, value)

    @rule(offset=offsets, size=st.integers(0, 16) | st.just(4))
    def read(self, offset, size):
        assert 0 <= self.plic.read(offset, size) < 1 << 8 * max(size, 1)

    @rule(source=st.integers(1, SOURCES), level=st.booleans())
    def line(self, source, level):
        self.plic.set_line(source, level)

    @rule(source=st.integers(1, SOURCES), priority=st.integers(0, 7), context=st.integers(0, 2))
    def let_it_interrupt(self, source, priority, context):
        self.plic.write(4 * source, 4, priority)
        self.plic.write(M_ENABLE + 0x80 * context + source // 32 * 4, 4, 1 << source % 32)

    @rule(context=st.integers(0, 2))
    def serve(self, context):
        waiting = [
            (-self.plic.priority[source], source)
            for source in range(1, self.SOURCES + 1)
            if self.plic.pending & self.plic.enables[context] & 1 << source
            and self.plic.priority[source]
        ]
        claimed = self.plic.read(M_CLAIM + 0x1000 * context, 4)
        assert claimed == (min(waiting)[1] if waiting else 0)
        self.plic.write(M_CLAIM + 0x1000 * context, 4, claimed)
        assert not claimed or self.plic.pending >> claimed & 1 == self.plic.lines >> claimed & 1

    @rule()
    def reset(self):
        self.plic.reset()

    @rule()
    def save_and_restore(self):
        saved = self.plic.state()
        self.plic = Plic(3, self.SOURCES, self.changed)
        self.plic.load_state(saved)
        assert self.plic.state() == saved

    @invariant()
    def outputs_are_as_specified(self):
        plic = self.plic
        for context, threshold in enumerate(plic.threshold):
            expected = any(
                plic.pending & plic.enables[context] & 1 << source
                and plic.priority[source] > threshold
                for source in range(1, self.SOURCES + 1)
            )
            assert plic.outputs[context] is self.levels[context] is expected

    @invariant()
    def a_high_line_is_pending_or_in_service(self):
        plic = self.plic
        assert plic.lines & ~(plic.pending | plic.in_service) == 0
        assert plic.pending & plic.in_service == 0


TestHostile = Hostile.TestCase
TestHostile.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)


@given(st.lists(st.tuples(st.integers(1, 95), st.integers(0, 7), st.booleans()), max_size=20))
@settings(max_examples=20, deadline=None)
def test_a_state_comes_back_from_a_snapshot(sources):
    hart = Hart()
    for source, priority, is_claimed in sources:
        hart.enable(1, source, priority=priority)
        hart.plic.set_line(source, True)
        if is_claimed:
            hart.claim()
    other = Hart()
    other.plic.load_state(through_a_file(hart.plic.state()))
    assert other.plic.registers() == hart.plic.registers()
    assert other.seen == [], "the hart has a state of its own"
    assert [other.claim() for _ in range(4)] == [hart.claim() for _ in range(4)]
