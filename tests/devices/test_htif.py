"""HTIF as Spike's front-end server answers it."""

import errno
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbook.devices import BusFault, Console, DeviceStateError, Htif, Shutdown

BASE, SIZE = 0x8000_0000, 0x1000
TOHOST, FROMHOST, BLOCK, TEXT = BASE, BASE + 0x40, BASE + 0x80, BASE + 0x100


class Ram:
    def __init__(self):
        self.bytes = bytearray(SIZE)

    def span(self, addr, size, kind):
        if not BASE <= addr <= addr + size <= BASE + SIZE:
            raise BusFault(addr, size, kind)
        return slice(addr - BASE, addr - BASE + size)

    def read(self, addr, size):
        return bytes(self.bytes[self.span(addr, size, "read")])

    def write(self, addr, data):
        self.bytes[self.span(addr, len(data), "write")] = data

    def word(self, addr):
        return struct.unpack("<Q", self.read(addr, 8))[0]

    def put(self, addr, *words):
        self.write(addr, struct.pack(f"<{len(words)}Q", *(word % 2**64 for word in words)))


@pytest.fixture
def ram():
    return Ram()


@pytest.fixture
def htif(ram):
    return Htif(ram, TOHOST, FROMHOST, Console())


def send(htif, command):
    htif.memory.put(TOHOST, command)
    assert htif.poll() is True
    assert htif.memory.word(TOHOST) == 0, "the host takes the command"


def test_nothing_happens_while_tohost_is_zero(htif, ram):
    assert htif.poll() is False
    assert ram.bytes == bytes(SIZE)


@pytest.mark.parametrize(("word", "code"), [(1, 0), (3, 1), (0x539 << 1 | 1, 0x539)])
def test_an_odd_word_is_the_exit_code(htif, word, code):
    send(htif, word)
    assert htif.request == Shutdown("fail" if code else "pass", code, "htif")


def test_put_character_writes_and_is_not_answered(htif, ram):
    for byte in b"ok\n":
        send(htif, 1 << 56 | 1 << 48 | byte)
    assert htif.console.output == b"ok\n"
    assert ram.word(FROMHOST) == 0


def test_get_character_is_answered_once_there_is_input(htif, ram):
    send(htif, 1 << 56)
    htif.poll()
    assert ram.word(FROMHOST) == 0
    htif.console.feed(b"k")
    htif.poll()
    assert ram.word(FROMHOST) == 1 << 56 | 0x100 | ord("k")


def test_answers_wait_until_fromhost_is_zero(htif, ram):
    htif.console.feed(b"ab")
    send(htif, 1 << 56)
    send(htif, 1 << 56)
    assert ram.word(FROMHOST) & 0xFF == ord("a")
    htif.poll()
    assert ram.word(FROMHOST) & 0xFF == ord("a")
    ram.put(FROMHOST, 0)
    htif.poll()
    assert ram.word(FROMHOST) & 0xFF == ord("b")


def proxy(htif, *words):
    htif.memory.put(BLOCK, *words)
    send(htif, BLOCK)
    return htif.memory.word(BLOCK)


def test_proxied_write_reaches_the_console(htif, ram):
    ram.write(TEXT, b"hello")
    assert proxy(htif, 64, 1, TEXT, 5) == 5
    assert htif.console.output == b"hello"
    assert ram.word(FROMHOST) == 1, "the answer says that the block is done"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((7, TEXT, 5), errno.EBADF),
        ((1, BASE + SIZE - 2, 5), errno.EFAULT),
        ((1, 2**64 - 1, 2), errno.EFAULT),
        ((1, TEXT, 2**64 - 1), errno.EFAULT),
    ],
)
def test_a_bad_proxied_write_gets_an_error_number(htif, arguments, error):
    assert proxy(htif, 64, *arguments) == 2**64 - error
    assert htif.console.output == b""
    assert htif.request is None


def test_proxied_exit_ends_the_run(htif):
    proxy(htif, 93, 42)
    assert htif.request == Shutdown("fail", 42, "htif")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (BLOCK, "system call 0 is not proxied"),
        (0x10, "request block cannot be read"),
        (2 << 56, "device 2 has no command 0"),
        (1 << 56 | 7 << 48, "device 1 has no command 7"),
        (1 << 56 | 0xFF << 48, "name of device 1 cannot be written"),
    ],
)
def test_what_the_host_cannot_do_is_a_clear_request(htif, command, message):
    send(htif, command)
    assert htif.request.kind == "error"
    assert message in htif.request.message


def test_identify_names_devices_and_commands(htif, ram):
    for what, name in ((0xFF, b"bcd"), (1, b"write"), (9, b"")):
        ram.put(FROMHOST, 0)
        send(htif, 1 << 56 | 0xFF << 48 | TEXT << 8 | what)
        assert ram.read(TEXT, 64) == name.ljust(64, b"\0")
        assert ram.word(FROMHOST) == 1 << 56 | 0xFF << 48 | 1


def test_a_guest_that_never_reads_answers_is_told(htif, ram):
    htif.console.feed(bytes(2000))
    while htif.request is None:
        send(htif, 1 << 56)
    assert "fromhost" in htif.request.message
    assert len(htif.answers) <= 1024


def test_without_fromhost_answers_are_dropped(ram):
    htif = Htif(ram, TOHOST)
    ram.write(TEXT, b"x")
    assert proxy(htif, 64, 1, TEXT, 1) == 1
    assert htif.answers == []


def test_saved_state_goes_back(htif, ram):
    send(htif, 1 << 56)
    send(htif, 3)
    saved = htif.state()
    other = Htif(ram, TOHOST, FROMHOST)
    other.load_state(saved)
    assert other.state() == saved
    assert other.request == Shutdown("fail", 1, "htif")
    with pytest.raises(DeviceStateError):
        other.load_state({**saved, "answers": [-1]})


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.integers(0, 2**64 - 1),
                st.builds(
                    lambda device, command, payload: device << 56 | command << 48 | payload,
                    st.integers(0, 2),
                    st.sampled_from([0, 1, 2, 0xFF]),
                    st.one_of(st.integers(0, 2**48 - 1), st.integers(BASE - 64, BASE + SIZE + 64)),
                ),
            ),
            st.sampled_from([0, 64, 93, 2**64 - 1]),
            st.integers(0, 2**64 - 1),
        ),
        max_size=20,
    ),
    st.sampled_from([TOHOST, BASE + SIZE - 4, 0, 2**64 - 1]),
)
@settings(max_examples=150, deadline=None)
def test_hostile_commands_raise_nothing(commands, tohost):
    ram = Ram()
    htif = Htif(ram, tohost, FROMHOST)
    for command, number, argument in commands:
        ram.put(BLOCK, number, argument, argument >> 7, argument >> 13)
        ram.put(TOHOST, command)
        htif.poll()
        htif.load_state(htif.state())
