"""The virtio console against virtio 1.2, chapter 5.3."""

import pytest

from tests.devices.virtio import driver as d
from vtbook.devices import Console, Uart
from vtbook.devices.virtio import VirtioConsole
from vtbook.errors import VtbookError

RECEIVE, TRANSMIT = 0, 1


def terminal(console=None, **options):
    options.setdefault("features", ~0)
    legacy = options.get("legacy", False)
    return d.Driver(d.Board(VirtioConsole(console), legacy=legacy), **options)


@pytest.mark.parametrize("legacy", [False, True])
def test_output_reaches_the_console(legacy):
    driver = terminal(legacy=legacy)
    assert driver.rings[TRANSMIT].request([b"hel", b"lo\n"]) == (0, b"")
    assert driver.board.device.console.output == b"hello\n"


def test_typed_characters_fill_the_buffers_that_wait():
    driver = terminal()
    ring = driver.rings[RECEIVE]
    ring.add([], [4])
    ring.add([], [4])
    ring.kick()
    assert ring.used_idx == 0
    driver.board.device.console.feed(b"abcdef")
    assert [(n, data) for _, n, data in ring.collect()] == [(4, b"abcd"), (2, b"ef")]
    assert driver.board.levels == [True]


def test_typed_characters_wait_for_buffers():
    driver = terminal()
    console = driver.board.device.console
    console.feed(b"xyz")
    ring = driver.rings[RECEIVE]
    ring.add([], [2])
    ring.kick()
    assert [data for _, _, data in ring.collect()] == [b"xy"]
    assert console.waiting == 1
    ring.add([], [2])
    ring.kick()
    assert [data for _, _, data in ring.collect()] == [b"z"]


def test_typing_before_the_driver_is_there_is_kept():
    driver = terminal(start=False)
    driver.board.device.console.feed(b"early")
    driver.start()
    ring = driver.rings[RECEIVE]
    ring.add([], [16])
    ring.kick()
    assert [data for _, _, data in ring.collect()] == [b"early"]


@pytest.mark.parametrize("queue", [RECEIVE])
def test_a_buffer_that_cannot_be_received_into_breaks_the_device(queue):
    driver = terminal()
    driver.rings[queue].add([b"x"])
    driver.rings[queue].kick()
    driver.board.device.console.feed(b"a")
    assert driver.read(d.STATUS) & d.NEEDS_RESET
    assert driver.board.device.console.waiting == 1


def test_an_emergency_write_needs_nothing():
    """5.3.5.1: even on an unconfigured device."""
    driver = terminal(start=False)
    for width, value in ((4, 0x141), (1, 0x42), (2, 0x43)):
        driver.write(d.CONFIG + 8, value, width)
    assert driver.board.device.console.output == b"ABC"


def test_the_size_is_in_the_configuration_space():
    driver = terminal()
    assert (driver.config(0, 2), driver.config(2, 2)) == (80, 24)
    logged = []
    driver.board.device.on_feed = logged.append
    driver.board.device.resize(132, 50)
    assert driver.acknowledge() == 2
    assert (driver.config(0, 2), driver.config(2, 2)) == (132, 50)
    other = VirtioConsole()
    other.feed(*logged)
    assert (other.columns, other.rows) == (132, 50)
    driver.board.slot.reset()
    assert driver.config(0, 2) == 80


@pytest.mark.parametrize("size", [(-1, 24), (80, 65536)])
def test_a_size_that_does_not_fit_is_refused(size):
    with pytest.raises(VtbookError, match="0 to 65535"):
        VirtioConsole(columns=size[0], rows=size[1])
    with pytest.raises(VtbookError, match="0 to 65535"):
        VirtioConsole().resize(*size)


def test_a_uart_may_be_at_the_same_console():
    console = Console()
    uart = Uart(console)
    uart.write(1, 1, 1)
    driver = terminal(console)
    driver.rings[RECEIVE].add([], [2])
    driver.rings[RECEIVE].kick()
    console.feed(b"abc")
    assert [data for _, _, data in driver.rings[RECEIVE].collect()] == [b"ab"]
    assert uart.interrupt
    assert uart.read(0, 1) == ord("c")


def test_the_state_comes_back_with_half_of_the_input_taken():
    driver = terminal()
    console = driver.board.device.console
    ring = driver.rings[RECEIVE]
    ring.add([], [2])
    ring.kick()
    console.feed(b"abcd")
    ring.add([], [8])  # not yet notified
    saved = driver.board.slot.state(), console.state()
    other = d.Board(VirtioConsole(), memory=driver.board.memory)
    other.device.console.load_state(saved[1])
    other.slot.load_state(saved[0])
    driver.board = other
    ring.kick()
    assert [data for _, _, data in ring.collect()] == [b"ab", b"cd"]
