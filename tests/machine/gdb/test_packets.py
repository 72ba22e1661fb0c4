"""The stream of packets, however it is cut and whatever is in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtbook.machine.gdb.packets import (
    PACKET_SIZE,
    BadPacket,
    Decoder,
    Mark,
    encode,
    number,
    octets,
)


def test_a_packet_is_its_payload_and_the_sum_of_its_bytes():
    assert encode(b"OK") == b"$OK#9a"
    assert Decoder().feed(b"+$OK#9a") == [Mark.ACK, b"OK"]


def test_bytes_with_a_meaning_are_escaped():
    assert encode(b"#$}*") == b"$}\x03}\x04}]}\n#%02x" % (sum(b"}\x03}\x04}]}\n") & 255)


def test_an_interrupt_counts_between_packets_only():
    assert Decoder().feed(b"\x03" + encode(b"X0,1:\x03")) == [Mark.INTERRUPT, b"X0,1:\x03"]


@pytest.mark.parametrize("wrong", [b"$g#00", b"$g#+7", b"$g#zz", b"$g}#e4"])
def test_a_wrong_checksum_or_a_lone_escape_is_bad(wrong):
    assert Decoder().feed(wrong + encode(b"?")) == [Mark.BAD, b"?"]


def test_a_packet_that_begins_anew_drops_what_was_before():
    assert Decoder().feed(b"$m80" + encode(b"?")) == [b"?"]


@pytest.mark.parametrize("cut", [1, 1000, 1 << 20])
def test_a_packet_that_is_too_long_is_bad_and_not_kept(cut):
    decoder, events = Decoder(), []
    stream = encode(b"a" * (PACKET_SIZE + 1)) + encode(b"?")
    for at in range(0, len(stream), cut):
        events += decoder.feed(stream[at : at + cut])
        assert len(decoder._buffer) <= PACKET_SIZE + 4 or cut > PACKET_SIZE
    assert events == [Mark.BAD, b"?"]


def test_the_longest_packet_is_taken():
    assert Decoder().feed(encode(b"a" * PACKET_SIZE)) == [b"a" * PACKET_SIZE]


@given(st.lists(st.binary(max_size=60), max_size=6), st.integers(1, 40))
def test_payloads_come_through_any_cutting(payloads, cut):
    stream, decoder, found = b"".join(map(encode, payloads)), Decoder(), []
    for at in range(0, len(stream), cut):
        found += decoder.feed(stream[at : at + cut])
    assert found == payloads


@given(st.lists(st.binary(max_size=50)), st.binary())
def test_no_stream_breaks_the_decoder_or_hides_a_later_packet(pieces, payload):
    decoder = Decoder()
    for piece in pieces:
        for event in decoder.feed(piece):
            assert isinstance(event, bytes | Mark)
    decoder.feed(b"#00")  # ends what was begun
    assert decoder.feed(encode(payload))[-1] == payload


@pytest.mark.parametrize("digits", [b"", b"g", b"+1", b" 1", b"1_0", b"0x1", b"1" * 17, b"1\n"])
def test_a_number_has_one_to_sixteen_digits_and_nothing_else(digits):
    with pytest.raises(BadPacket, match="16 hexadecimal digits"):
        number(digits)
    assert number(b"fFfFfFfFfFfFfFfF") == (1 << 64) - 1


@pytest.mark.parametrize("digits", [b"1", b"0g", b"00 ", b"0 1f", b"00\n"])
def test_octets_have_two_digits_each(digits):
    with pytest.raises(BadPacket, match="two hexadecimal digits"):
        octets(digits)
    assert octets(b"00fF") == b"\x00\xff"
