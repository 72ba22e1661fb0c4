"""The UART against its data sheet: interrupts, FIFOs, loopback, hostile accesses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from vtbook.devices import Console, DeviceStateError, Uart
from vtbook.devices import uart as names

RBR = THR = DLL = 0
IER = DLM = 1
IIR = FCR = 2
LCR, MCR, LSR, MSR, SCR = 3, 4, 5, 6, 7


@pytest.fixture
def uart():
    return Uart()


def get(uart, register):
    return uart.read(register, 1)


def put(uart, register, value):
    uart.write(register, 1, value)


def test_after_reset_the_transmitter_is_empty_and_nothing_is_pending(uart):
    assert [get(uart, r) for r in range(8)] == [0, 0, 1, 0, 0, 0x60, 0xB0, 0]
    assert uart.interrupt is False


def test_a_written_character_reaches_the_console(uart):
    for byte in b"hi\xff":
        put(uart, THR, byte)
    assert uart.console.output == b"hi\xff"
    assert get(uart, LSR) == names.THRE | names.TEMT


def test_typed_characters_are_read_in_order_and_none_is_lost(uart):
    typed = bytes(range(1, 101))
    uart.console.feed(typed)
    got = bytearray()
    while get(uart, LSR) & names.DR:
        got.append(get(uart, RBR))
    assert got == typed
    assert not get(uart, LSR) & names.OE


def test_divisor_latch_hides_behind_dlab(uart):
    put(uart, LCR, names.LCR_DLAB)
    put(uart, DLL, 0x34)
    put(uart, DLM, 0x12)
    assert (get(uart, DLL), get(uart, DLM), uart.divisor) == (0x34, 0x12, 0x1234)
    put(uart, LCR, 3)
    assert get(uart, IER) == 0
    assert uart.console.output == b""


@pytest.mark.parametrize(("fcr", "level"), [(0x01, 1), (0x41, 4), (0x81, 8), (0xC1, 14)])
def test_trigger_level_decides_between_received_and_timeout(uart, fcr, level):
    put(uart, FCR, fcr)
    put(uart, IER, names.ERBFI)
    for count in range(1, 17):
        uart.receive(b"x")
        expected = names.IIR_RECEIVED if count >= level else names.IIR_TIMEOUT
        assert get(uart, IIR) == 0xC0 | expected
        assert uart.interrupt


def test_overrun_in_fifo_mode_loses_the_new_character(uart):
    put(uart, FCR, 1)
    uart.receive(bytes(range(17)))
    assert get(uart, LSR) & names.OE
    assert not get(uart, LSR) & names.OE, "reading LSR clears OE"
    assert [get(uart, RBR) for _ in range(16)] == list(range(16))
    assert not get(uart, LSR) & names.DR


def test_overrun_without_fifo_replaces_the_old_character(uart):
    uart.receive(b"ab")
    assert get(uart, LSR) & (names.OE | names.DR) == names.OE | names.DR
    assert get(uart, RBR) == ord("b")


def test_interrupts_are_identified_in_order_of_priority(uart):
    put(uart, FCR, 1)
    put(uart, IER, 0x0F)
    put(uart, MCR, names.LOOP)  # drops CTS, DSR and DCD: modem status
    put(uart, MCR, 0)
    uart.receive(b"x", names.PE)
    assert get(uart, IIR) & 0x0F == names.IIR_LINE_STATUS
    assert get(uart, LSR) & (names.PE | names.FIFO_ERROR) == names.PE | names.FIFO_ERROR
    assert get(uart, IIR) & 0x0F == names.IIR_RECEIVED
    assert get(uart, RBR) == ord("x")
    assert get(uart, IIR) & 0x0F == names.IIR_THR_EMPTY
    assert get(uart, IIR) & 0x0F == names.IIR_MODEM_STATUS, "reading IIR clears THR empty"
    assert get(uart, MSR) == 0xB0 | names.DCTS | names.DDSR | names.DDCD
    assert get(uart, IIR) & 0x0F == names.IIR_NONE
    assert uart.interrupt is False


def test_errors_show_when_their_character_comes_to_the_top(uart):
    put(uart, FCR, 1)
    uart.receive(b"a")
    uart.receive_break()
    uart.receive(b"b", names.PE)
    assert get(uart, LSR) & names.LINE_ERRORS == 0
    assert get(uart, LSR) & names.FIFO_ERROR, "an error waits inside the FIFO"
    assert get(uart, RBR) == ord("a")
    assert get(uart, LSR) & names.LINE_ERRORS == names.FE | names.BI
    assert get(uart, RBR) == 0
    assert get(uart, LSR) & (names.LINE_ERRORS | names.FIFO_ERROR) == names.PE | names.FIFO_ERROR
    assert not get(uart, LSR) & names.FIFO_ERROR
    assert get(uart, RBR) == ord("b")


def test_thr_empty_is_raised_by_enabling_it_and_by_writing(uart):
    put(uart, IER, names.ETBEI)
    assert uart.interrupt
    assert get(uart, IIR) == names.IIR_THR_EMPTY
    assert not uart.interrupt
    put(uart, IER, names.ETBEI)
    assert not uart.interrupt, "it was enabled already"
    put(uart, THR, ord("x"))
    assert uart.interrupt
    put(uart, IER, 0)
    assert not uart.interrupt


def test_reading_iir_for_another_source_keeps_thr_empty_pending(uart):
    put(uart, IER, names.ETBEI | names.ERBFI)
    uart.receive(b"x")
    assert get(uart, IIR) == names.IIR_RECEIVED
    assert get(uart, RBR) == ord("x")
    assert get(uart, IIR) == names.IIR_THR_EMPTY


def test_interrupt_callback_sees_every_change_of_level():
    levels = []
    uart = Uart(on_interrupt=levels.append)
    put(uart, IER, names.ERBFI)
    uart.console.feed(b"ab")
    get(uart, RBR)
    get(uart, RBR)
    assert levels == [True, False]


def test_fifo_resets_and_switching_empty_the_receiver(uart):
    put(uart, FCR, 1)
    uart.receive(b"abc")
    put(uart, FCR, 1 | names.FCR_RESET_RECEIVER)
    assert not get(uart, LSR) & names.DR
    uart.receive(b"abc")
    put(uart, FCR, 0)
    assert not get(uart, LSR) & names.DR
    assert get(uart, IIR) & 0xC0 == 0


def test_loopback_cuts_the_line_and_wires_modem_outputs_to_inputs(uart):
    put(uart, MCR, names.LOOP | names.OUT2 | names.RTS)
    assert get(uart, MSR) & 0xF0 == names.DCD | names.CTS, "Linux's test for an 8250"
    put(uart, THR, ord("x"))
    uart.receive(b"lost")
    uart.console.feed(b"later")
    assert get(uart, RBR) == ord("x")
    assert not get(uart, LSR) & names.DR
    assert uart.console.output == b""
    put(uart, MCR, 0)
    assert get(uart, RBR) == ord("l")


def test_ring_indicator_is_reported_at_its_trailing_edge(uart):
    put(uart, MCR, names.LOOP | names.OUT1)
    get(uart, MSR)
    put(uart, MCR, names.LOOP | names.OUT1)
    assert not get(uart, MSR) & names.TERI
    put(uart, MCR, names.LOOP)
    assert get(uart, MSR) & 0x0F == names.TERI


def test_break_in_loopback_is_received_as_break(uart):
    put(uart, MCR, names.LOOP)
    put(uart, LCR, names.LCR_BREAK)
    put(uart, THR, ord("x"))
    assert get(uart, LSR) & (names.BI | names.FE | names.DR) == names.BI | names.FE | names.DR
    assert get(uart, RBR) == 0


@pytest.mark.parametrize("size", [1, 2, 3, 4, 8])
def test_a_wide_access_reaches_the_one_register_at_its_offset(uart, size):
    put(uart, SCR, 0x5A)
    assert uart.read(LSR, size) == 0x60
    uart.write(MCR, size, 0xFFFF_FF02)
    assert (get(uart, MCR), get(uart, SCR)) == (2, 0x5A)
    uart.write(THR, size, 0x4142_4344)
    assert uart.console.output == b"D"


def test_registers_show_everything_without_side_effects(uart):
    put(uart, FCR, 1)
    uart.receive(bytes(17))
    before = uart.state()
    shown = uart.registers()
    assert uart.state() == before
    assert shown["LSR"] == get(uart, LSR)
    assert shown["IIR"] == get(uart, IIR)


def test_saved_state_goes_on_like_the_original(uart):
    put(uart, FCR, 0x81)
    put(uart, IER, 5)
    uart.receive(b"abc", names.PE)
    copy = Uart()
    copy.load_state(uart.state())
    assert copy.state() == uart.state()
    for register in (IIR, LSR, RBR, IIR, LSR, RBR, MSR):
        assert get(copy, register) == get(uart, register)


@pytest.mark.parametrize(
    "change",
    [{"ier": 16}, {"ier": -1}, {"lcr": "3"}, {"received": [0] * 17}, {"received": None}, {"x": 1}],
)
def test_a_damaged_state_is_refused_and_changes_nothing(uart, change):
    before = uart.state()
    with pytest.raises(DeviceStateError, match="Uart"):
        uart.load_state(before | change)
    assert uart.state() == before


def test_a_state_that_lacks_a_field_is_refused(uart):
    saved = uart.state()
    del saved["divisor"]
    with pytest.raises(DeviceStateError, match="divisor missing"):
        uart.load_state(saved)


class Hostile(RuleBasedStateMachine):
    """Any access at any time: nothing is raised, and the invariants of the chip hold."""

    def __init__(self):
        super().__init__()
        self.level = False
        self.uart = Uart(Console(), on_interrupt=self.changed)

    def changed(self, level):
        assert level is not self.level
        self.level = level

    offsets = st.integers(-9, 0x110) | st.sampled_from(range(8))

    @rule(offset=offsets, size=st.integers(0, 16), value=st.integers(0, 2**64 - 1))
    def write(self, offset, size, value):
        self.uart.write(offset, size, value)

    @rule(offset=offsets, size=st.integers(0, 16))
    def read(self, offset, size):
        assert 0 <= self.uart.read(offset, size) < 1 << 8 * max(size, 1)

    @rule(data=st.binary(max_size=40), errors=st.integers(0, 0xFF))
    def receive(self, data, errors):
        self.uart.receive(data, errors)

    @rule(data=st.binary(max_size=40))
    def feed(self, data):
        self.uart.console.feed(data)

    @rule()
    def save_and_restore(self):
        saved = self.uart.state()
        self.uart.load_state(saved)
        assert self.uart.state() == saved

    @invariant()
    def output_follows_identification(self):
        assert self.uart.interrupt is self.level
        assert self.level == (self.uart.registers()["IIR"] & 1 == 0)
        assert all(0 <= value <= 0xFF for value in self.uart.registers().values())
        assert len(self.uart.received) <= (16 if self.uart.fcr & 1 else 1)


TestHostile = Hostile.TestCase
TestHostile.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.binary(max_size=200), st.sampled_from([0, 0x01, 0x41, 0x81, 0xC1]))
@settings(max_examples=50, deadline=None)
def test_interrupt_driven_reading_delivers_every_typed_byte(data, fcr):
    uart = Uart()
    put(uart, FCR, fcr)
    put(uart, IER, names.ERBFI)
    uart.console.feed(data)
    got = bytearray()
    while uart.interrupt:
        assert get(uart, IIR) & 0x0F in (names.IIR_RECEIVED, names.IIR_TIMEOUT)
        got.append(get(uart, RBR))
    assert got == data
