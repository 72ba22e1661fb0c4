"""CLINT, PLIC and clock against QEMU's, access by access, over QEMU's qtest protocol."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.devices.qtest import Qtest, device_path, needs_qemu
from vtbook.devices import Clint, Plic, Rtc
from vtbook.devices.rtc import START

pytestmark = needs_qemu

CLINT, PLIC, RTC = 0x0200_0000, 0x0C00_0000, 0x10_1000
HARTS = 2
WORDS = st.integers(0, 2**32 - 1) | st.sampled_from([0, 1, 7, 8, 2**32 - 1])
LONGS = st.integers(0, 2**64 - 1) | WORDS


class Both:
    """Our device and QEMU's; the same accesses go to both, and every answer is compared."""

    def __init__(self, device, qemu, base):
        self.device, self.qemu, self.base = device, qemu, base

    def read(self, offset, size=4):
        ours, theirs = self.device.read(offset, size), self.qemu.read(self.base + offset, size)
        assert ours == theirs, f"{size} bytes at {offset:#x}: {ours:#x}, on QEMU {theirs:#x}"
        return ours

    def write(self, offset, value, size=4):
        self.device.write(offset, size, value)
        self.qemu.write(self.base + offset, value, size)


@pytest.fixture(scope="module")
def qemu():
    machine = Qtest("-smp", str(HARTS))
    machine.watch(device_path("riscv.sifive.plic"))
    yield machine
    machine.close()


@pytest.fixture(scope="module")
def qemu_with_a_date():
    machine = Qtest("-rtc", "base=2025-01-01,clock=vm")
    machine.watch(device_path("riscv.sifive.plic"), "in")
    yield machine
    machine.close()


# -- CLINT ------------------------------------------------------------------------------------

CLINT_OFFSETS = st.one_of(
    st.sampled_from([0, 4, 8, 0x4000, 0x4004, 0x4008, 0x400C, 0x4010, 0xBFF8, 0xBFFC, 0xBFF4]),
    st.integers(0, 0xC004 // 4).map(lambda word: 4 * word),
)


@given(
    st.lists(
        st.tuples(st.booleans(), CLINT_OFFSETS, st.sampled_from([1, 2, 4, 8]), LONGS), max_size=40
    )
)
@settings(max_examples=150, deadline=None)
def test_the_clint_answers_as_on_qemu(qemu, accesses):
    now = [0]  # QEMU's clock stands, too
    both = Both(
        Clint(HARTS, lambda: now[0], write_time=lambda t: now.__setitem__(0, t)), qemu, CLINT
    )
    for offset in (0, 4, 0x4000, 0x4008, 0xBFF8):
        both.write(offset, 0, 4 if offset < 8 else 8)
    for is_write, offset, size, value in accesses:
        if is_write:
            both.write(offset, value, size)
        else:
            both.read(offset, size)
    for offset in (0, 0x4000, 0x4008, 0xBFF8):
        both.read(offset, 8)


# -- PLIC -------------------------------------------------------------------------------------

SOURCES = [1, 2, 10, 11, 31, 32, 33, 63, 64, 95]
CONTEXTS = range(2 * HARTS)
SOURCE, CONTEXT = st.sampled_from(SOURCES), st.sampled_from(CONTEXTS)
PLIC_STEPS = st.one_of(
    st.tuples(st.just("line"), SOURCE, st.booleans()),
    st.tuples(st.just("line"), SOURCE, st.just(True)),
    st.tuples(st.just("priority"), SOURCE, WORDS),
    st.tuples(st.just("enable"), CONTEXT, st.sets(SOURCE)),
    st.tuples(st.just("threshold"), CONTEXT, WORDS),
    st.tuples(st.just("threshold"), CONTEXT, st.integers(0, 2)),
    st.tuples(st.just("claim"), CONTEXT, st.none()),
    st.tuples(st.just("claim"), CONTEXT, st.none()),
    st.tuples(st.just("complete"), CONTEXT, SOURCE),
)


class BothPlics(Both):
    """QEMU's PLIC behind the gateways of the specification, which it does not have itself.

    A line reaches QEMU only while no request of its source is in service, and again at completion.
    """

    def __init__(self, qemu):
        super().__init__(Plic(2 * HARTS), qemu, PLIC)
        self.path = device_path("riscv.sifive.plic")
        self.bring_to_a_known_state()

    def bring_to_a_known_state(self):
        """The same accesses on both sides, since QEMU cannot be reset in the middle."""
        self.write(0x20_0000, 0)
        for source in SOURCES:
            self.write(4 * source, 7)
        for context in CONTEXTS:
            for word in range(3):
                self.qemu.write(PLIC + 0x2000 + 0x80 * context + 4 * word, 2**32 - 1 - (word == 0))
        for source in SOURCES:
            self.qemu.write(PLIC + 0x20_0004, source)
        while source := self.qemu.read(PLIC + 0x20_0004):
            self.qemu.write(PLIC + 0x20_0004, source)
        for context in CONTEXTS:
            self.enable(context, [])
            self.write(0x20_0000 + 0x1000 * context, 0)
        for source in SOURCES:
            self.write(4 * source, 0)

    def line(self, source, level):
        self.device.set_line(source, level)
        if not self.device.in_service >> source & 1:
            self.qemu.set_line(self.path, source, level)

    def enable(self, context, sources):
        mask = sum(1 << source for source in sources)
        for word in range(3):
            self.write(0x2000 + 0x80 * context + 4 * word, mask >> 32 * word)
        # QEMU looks at the enables when anything else is written
        self.qemu.write(PLIC + 0x20_0000, self.device.threshold[0])

    def claim(self, context):
        plic = self.device
        waiting = plic.pending & plic.enables[context]
        urgent = max(p for s, p in enumerate(plic.priority) if s == 0 or waiting >> s & 1)
        if not 0 < urgent <= plic.threshold[context]:  # which QEMU does not let claim
            self.read(0x20_0004 + 0x1000 * context)

    def complete(self, context, source):
        if not self.device.enables[context] >> source & 1:  # which QEMU does not ask
            return
        was_in_service = self.device.in_service >> source & 1
        self.write(0x20_0004 + 0x1000 * context, source)
        if was_in_service and self.device.lines >> source & 1:
            self.qemu.set_line(self.path, source, True)

    def compare(self):
        for word in range(3):
            self.read(0x1000 + 4 * word)
        for context, level in enumerate(self.device.outputs):
            hart, mode = divmod(context, 2)
            output = hart if mode else HARTS + hart  # QEMU numbers the outputs of S mode first
            assert level == self.qemu.levels.get(output, False), f"output of context {context}"


@given(st.lists(PLIC_STEPS, min_size=20, max_size=60))
@settings(max_examples=150, deadline=None)
def test_the_plic_interrupts_claims_and_completes_as_on_qemu(qemu, steps):
    both = BothPlics(qemu)
    for kind, number, argument in steps:
        if kind == "priority":
            both.write(4 * number, argument)
        elif kind == "threshold":
            both.write(0x20_0000 + 0x1000 * number, argument)
        elif kind == "claim":
            both.claim(number)
        else:
            getattr(both, kind)(number, argument)
        both.compare()
    for source in SOURCES:
        both.read(4 * source)
    for context in CONTEXTS:
        both.read(0x20_0000 + 0x1000 * context)
        for word in range(4):
            both.read(0x2000 + 0x80 * context + 4 * word)


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_the_plic_takes_accesses_of_the_sizes_that_qemu_takes(qemu, size):
    both = BothPlics(qemu)
    for offset in (4, 0x28, 0x2000, 0x2004, 0x2080, 0x20_0000, 0x20_1000):
        both.write(offset, 0x0101_0306_0203_0502, size)
    both.write(0x1000, 2**64 - 1, size)
    for offset in (
        0,
        4,
        8,
        0x28,
        0x1000,
        0x2004,
        0x2080,
        0x20_0000,
        0x20_1000,
        0x20_F008,
        0x40_0000,
    ):
        both.read(offset, size)


# -- clock ------------------------------------------------------------------------------------

DATES = st.sampled_from([0, START - 1, START, START + 1, START + 10**12])
RTC_STEPS = st.one_of(
    st.tuples(st.just("read"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("write"), st.integers(0, 8), WORDS.filter(lambda value: value < 2**31)),
    st.tuples(st.just("irq"), st.booleans(), st.none()),
    st.tuples(st.just("alarm"), DATES, st.none()),
    st.tuples(st.just("date"), DATES, st.none()),
)


@given(st.lists(RTC_STEPS, max_size=50))
@settings(max_examples=150, deadline=None)
def test_the_clock_answers_and_interrupts_as_on_qemu(qemu_with_a_date, steps):
    rtc = Rtc(lambda: 0)  # QEMU's clock stands, too
    both = Both(rtc, qemu_with_a_date, RTC)

    def put_long(offset, value):
        both.write(offset + 4, value >> 32)
        both.write(offset, value)

    put_long(0, START)
    put_long(8, 0)
    for offset in (0x10, 0x14, 0x1C):
        both.write(offset, 0)
    both.read(0)
    for kind, number, value in steps:
        if kind == "read":
            both.read(4 * number)
        elif kind == "write":
            both.write(4 * number, value)
        elif kind == "irq":
            both.write(0x10, number)
        elif kind == "alarm":
            put_long(8, number)
        else:
            put_long(0, number)
        assert rtc.interrupt == qemu_with_a_date.levels.get(11, False)
    for offset in (0, 8, 0x10, 0x18):
        both.read(offset, 8)


def test_an_alarm_rings_once_its_time_has_come_as_on_qemu():
    """QEMU on the host's clock, which runs while the machine stands still; ours on its own."""
    qemu = Qtest("-rtc", "clock=rt")
    try:
        qemu.watch(device_path("riscv.sifive.plic"), "in")
        now = [0]
        rtc = Rtc(lambda: now[0], start=qemu.read(RTC) | qemu.read(RTC + 4) << 32)
        both = Both(rtc, qemu, RTC)
        alarm = rtc.time + 50_000_000
        both.write(0x10, 1)
        both.write(0x0C, alarm >> 32)
        both.write(0x08, alarm)
        assert rtc.next_deadline() is not None
        while qemu.read(RTC + 0x18):
            time.sleep(0.01)
        now[0] = 50_000_000
        assert qemu.read(RTC) | qemu.read(RTC + 4) << 32 >= alarm
        rtc.tick()
        for offset in (0x08, 0x0C, 0x10, 0x18):
            both.read(offset)
        assert rtc.interrupt == qemu.levels[11] is True
        both.write(0x1C, 0)
        qemu.read(RTC)
        assert rtc.interrupt == qemu.levels[11] is False
    finally:
        qemu.close()
