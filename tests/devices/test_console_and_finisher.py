"""The console keeps what the guest wrote; the finisher turns a write into a request."""

import pytest

from vtbook.devices import Console, DeviceStateError, Finisher, Shutdown


def test_sink_sees_each_piece_as_it_comes_unless_muted():
    pieces = []
    console = Console(pieces.append)
    console.write(b"a")
    console.muted = True
    console.write(b"b")
    console.muted = False
    console.write(b"c")
    assert pieces == [b"a", b"c"]
    assert console.output == b"abc"


def test_text_survives_any_bytes():
    console = Console()
    console.write("ação ".encode() + b"\xff")
    assert console.text == "ação \ufffd"


def test_an_endless_printer_does_not_fill_memory():
    console = Console(limit=100)
    for number in range(1000):
        console.write(b"%03d." % number)
    assert len(console.output) <= 100
    assert console.output.endswith(b"998.999.")
    assert console.dropped + len(console.output) == 4000


def test_typed_text_waits_until_taken():
    calls = []
    console = Console()
    console.on_input = lambda: calls.append(console.waiting)
    console.feed("é")
    console.feed(b"x")
    assert calls == [2, 3]
    assert [console.take() for _ in range(4)] == [0xC3, 0xA9, ord("x"), None]


def test_console_state_goes_back():
    console = Console()
    console.write(b"out")
    console.feed(b"in")
    saved = console.state()
    console.write(b"more")
    console.take()
    console.load_state(saved)
    assert (console.output, console.waiting) == (b"out", 2)
    with pytest.raises(DeviceStateError, match="output"):
        console.load_state({**saved, "output": "text"})
    assert console.output == b"out"


@pytest.mark.parametrize(
    ("size", "value", "request_"),
    [
        (4, 0x5555, Shutdown("pass", 0, "finisher")),
        (2, 0x5555, Shutdown("pass", 0, "finisher")),
        (4, 7 << 16 | 0x3333, Shutdown("fail", 7, "finisher")),
        (8, 0xFF_0007_3333, Shutdown("fail", 7, "finisher")),
        (2, 0x3333, Shutdown("fail", 0, "finisher")),
        (4, 0x7777, Shutdown("reset", 0, "finisher")),
        (1, 0x55, None),
        (4, 0x1234, None),
        (4, 0, None),
    ],
)
def test_commands_of_the_finisher(size, value, request_):
    seen = []
    finisher = Finisher(seen.append)
    finisher.write(4, size, value)
    assert finisher.request is None, "only offset 0 is a register"
    finisher.write(0, size, value)
    assert finisher.request == request_
    assert seen == ([request_] if request_ else [])
    assert finisher.read(0, 4) == 0


def test_finisher_state_goes_back():
    finisher = Finisher()
    finisher.write(0, 4, 3 << 16 | 0x3333)
    saved = finisher.state()
    other = Finisher()
    other.load_state(saved)
    assert other.request == Shutdown("fail", 3, "finisher")
    for damaged in ({}, {"request": ["fail"]}, {"request": ["no", 1, "", ""]}, {"request": 1}):
        with pytest.raises(DeviceStateError):
            other.load_state(damaged)
    assert other.request == Shutdown("fail", 3, "finisher")


def test_a_request_reads_as_a_sentence():
    assert str(Shutdown("pass", 0, "finisher")) == (
        "the guest powered the machine off through the finisher, code 0"
    )
    assert str(Shutdown("error", 1, "htif", "no")).endswith(": no")
