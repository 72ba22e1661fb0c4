"""Packets to bytes and back, checksums, fragments, and damage of every kind."""

import contextlib
import struct
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtbook.devices.network.dhcp import DhcpServer, Message
from vtbook.devices.network.dns import host_name_server, question, refusal
from vtbook.devices.network.ethernet import (
    AddressError,
    Arp,
    Ethernet,
    Malformed,
    mac_bytes,
    mac_text,
)
from vtbook.devices.network.fragments import DATAGRAMS, Reassembly, cut
from vtbook.devices.network.ip import Icmp, IPv4, Udp, checksum, ip_number, ip_text, sums_up
from vtbook.devices.network.subnet import Subnet, is_routable
from vtbook.devices.network.tcp_segment import Segment, after, reset_for, syn_options

ADDRESSES = st.integers(0, 0xFFFF_FFFF)
PORTS = st.integers(0, 0xFFFF)
PAYLOADS = st.binary(max_size=200)
PACKETS = st.builds(IPv4, ADDRESSES, ADDRESSES, st.integers(0, 255), PAYLOADS)


def rfc_1071(data):
    """The sum of the RFC, word by word."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@given(st.one_of(st.binary(max_size=100), st.sampled_from([b"", b"\0\0", b"\xff\xff", b"\xff"])))
def test_the_checksum_is_that_of_rfc_1071(data):
    assert checksum(data) == rfc_1071(data)


@given(ADDRESSES, st.binary(min_size=6, max_size=6))
def test_addresses_are_written_and_read(number, mac):
    assert ip_number(ip_text(number)) == number
    assert mac_bytes(mac_text(mac)) == mac


@pytest.mark.parametrize("text", ["", "10.0.2", "10.0.2.256", "10.0.2.-1", "a.b.c.d", "1.2.3.4.5"])
def test_what_is_no_ip_address_is_refused(text):
    with pytest.raises(AddressError, match=r"10\.0\.2\.15"):
        ip_number(text)


@pytest.mark.parametrize("text", ["", "52:54:00", "52:54:00:12:34:567", "g0:00:00:00:00:00"])
def test_what_is_no_mac_address_is_refused(text):
    with pytest.raises(AddressError, match="52:54:00:12:34:56"):
        mac_bytes(text)


@given(PACKETS, st.binary(max_size=20))
def test_packets_come_back_without_the_padding_of_the_frame(packet, padding):
    data = packet.encode()
    assert sums_up(data[:20])
    assert IPv4.parse(data + padding) == packet


@given(PACKETS, PORTS, PORTS)
def test_datagrams_come_back(packet, source, destination):
    datagram = Udp(source, destination, packet.payload)
    packet.payload = datagram.encode(packet.source, packet.destination)
    assert Udp.parse(packet) == datagram


@given(PACKETS, st.integers(0, 0xFFFF_FFFF), st.integers(0, 63), PORTS)
def test_segments_come_back(packet, number, flags, window):
    options = syn_options(1460, 3)
    segment = Segment(1, 2, number, ~number & 0xFFFF_FFFF, flags, window, packet.payload, options)
    packet.payload = segment.encode(packet.source, packet.destination)
    assert Segment.parse(packet) == segment
    assert (segment.mss, segment.scale) == (1460, 3)


@given(st.integers(0, 255), st.integers(0, 255), ADDRESSES, PAYLOADS)
def test_messages_come_back(kind, code, rest, payload):
    message = Icmp(kind, code, rest, payload)
    assert Icmp.parse(message.encode()) == message


PARSERS = (Ethernet.parse, Arp.parse, IPv4.parse, Icmp.parse, Message.parse)


@given(st.binary(max_size=400), st.sampled_from(PARSERS))
def test_anything_is_parsed_or_malformed(data, parse):
    with contextlib.suppress(Malformed):
        parse(data)


@given(PACKETS, st.sampled_from((Udp.parse, Segment.parse)))
def test_any_payload_is_parsed_or_malformed(packet, parse):
    with contextlib.suppress(Malformed):
        parse(packet)


@given(PACKETS, st.data())
def test_a_flipped_bit_in_a_header_is_found(packet, data):
    damaged = bytearray(packet.encode())
    damaged[data.draw(st.integers(0, 19))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Malformed):
        IPv4.parse(bytes(damaged))


@given(PACKETS, st.data())
def test_a_flipped_bit_in_a_segment_is_found(packet, data):
    segment = bytearray(Segment(1, 2, 3, 4, 16, 5, packet.payload).encode(6, 7))
    segment[data.draw(st.integers(0, len(segment) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Malformed):
        Segment.parse(IPv4(6, 7, 6, bytes(segment)))


@given(ADDRESSES, st.integers(-0x7FFF_FFFF, 0x7FFF_FFFF))
def test_sequence_numbers_are_compared_on_a_circle(number, distance):
    assert after(number + distance & 0xFFFF_FFFF, number) == distance


@pytest.mark.parametrize(
    "options",
    [b"\2", b"\2\4\1", b"\2\0", b"\3\1", b"\1\1\1", b"\0\2\4\5\xb4", b"\x08\x0a", b"\xff\xff"],
)
def test_options_that_are_cut_off_are_passed_over(options):
    assert Segment(1, 2, 3, 4, 2, 5, b"", options).mss is None


def test_a_segment_without_a_connection_is_answered_with_a_reset():
    assert reset_for(Segment(1, 2, 10, 20, 4, 0)) is None
    assert reset_for(Segment(1, 2, 10, 20, 16, 0)) == Segment(2, 1, 20, 0, 4, 0)
    assert reset_for(Segment(1, 2, 10, 20, 2, 0, b"abc")) == Segment(2, 1, 0, 14, 20, 0)


# -- fragments ----------------------------------------------------------------------------------


@given(st.integers(1481, 60000), st.integers(0))
def test_a_long_packet_is_cut_and_joined_in_any_order(size, seed):
    random = Random(seed)
    packet = IPv4(1, 2, 17, random.randbytes(size))
    pieces = list(cut(packet))
    assert all(len(piece.encode()) <= 1500 for piece in pieces)
    pieces = [IPv4.parse(piece.encode()) for piece in pieces]
    pieces += pieces[:1]  # and one twice
    random.shuffle(pieces)
    reassembly = Reassembly(lambda: 0.0)
    joined = [whole for piece in pieces if (whole := reassembly.join(piece)) is not None]
    assert (joined[0].payload, joined[0].fragment) == (packet.payload, 0)


def test_fragments_that_overlap_make_the_datagram_invalid():
    reassembly = Reassembly(lambda: 0.0)
    assert reassembly.join(IPv4(1, 2, 17, bytes(16), fragment=0x2000)) is None
    with pytest.raises(Malformed, match="overlap"):
        reassembly.join(IPv4(1, 2, 17, bytes(16), fragment=0x2001))
    assert reassembly.join(IPv4(1, 2, 17, bytes(8), fragment=2)) is None


@pytest.mark.parametrize(("size", "fragment"), [(0, 0x2000), (7, 0x2000), (800, 0x1FFF)])
def test_impossible_fragments_are_malformed(size, fragment):
    with pytest.raises(Malformed):
        Reassembly(lambda: 0.0).join(IPv4(1, 2, 17, bytes(size), fragment=fragment))


def test_fragments_that_wait_are_few_and_do_not_wait_for_ever():
    time = [0.0]
    reassembly = Reassembly(lambda: time[0])
    for number in range(DATAGRAMS + 1):
        first = IPv4(1, 2, 17, bytes(8), identification=number, fragment=0x2000)
        assert reassembly.join(first) is None
    last = IPv4(1, 2, 17, bytes(8), fragment=1)
    assert reassembly.join(last) is None  # the first datagram had to make room
    last.identification = 5
    time[0] = 31.0
    assert reassembly.join(last) is None  # too late


# -- DHCP, DNS, the subnet ----------------------------------------------------------------------


def ask(server, mac, kind, **options):
    numbers = {"wanted": 50, "chosen": 54, "name": 12}
    message = Message(1, 99, 0, 0, 0, mac, {53: bytes((kind,))})
    for name, value in options.items():
        message.options[numbers[name]] = value if name == "name" else value.to_bytes(4, "big")
    reply = server.answer(message.encode(0))
    return None if reply is None else Message.parse(reply.data)


def test_guests_get_addresses_in_turn_and_keep_them():
    server = DhcpServer(subnet := Subnet.parse("10.0.2.0/24"))
    macs = [bytes((2, 0, 0, 0, 0, n)) for n in range(3)]
    for n, mac in enumerate(macs):
        offer = ask(server, mac, 1, name=b"guest")
        assert (offer.kind, ip_text(offer.your_ip)) == (2, f"10.0.2.{15 + n}")
        assert offer.address(1) == 0xFFFF_FF00
        assert (offer.address(3), offer.address(6)) == (subnet.gateway, subnet.name_server)
        ack = ask(server, mac, 3, wanted=offer.your_ip, chosen=subnet.gateway)
        assert (ack.kind, ack.your_ip) == (5, offer.your_ip)
    assert ip_text(ask(server, macs[0], 1).your_ip) == "10.0.2.15"
    assert [lease.ip for lease in server.leases] == ["10.0.2.15", "10.0.2.16", "10.0.2.17"]
    assert server.leases[0].name == "guest"
    assert ask(server, macs[0], 7) is None  # it gives its address back
    assert ip_text(ask(server, bytes(6), 1).your_ip) == "10.0.2.15"


def test_an_address_that_is_not_the_guests_is_refused():
    server = DhcpServer(Subnet.parse("10.0.2.0/24"))
    assert ask(server, bytes(6), 3, wanted=ip_number("192.168.1.9")).kind == 6
    assert ask(server, bytes(6), 3, wanted=1, chosen=ip_number("10.0.2.99")) is None


def test_a_free_address_that_is_asked_for_is_given():
    server = DhcpServer(Subnet.parse("10.0.2.0/24"))
    wanted = ip_number("10.0.2.100")
    assert ask(server, bytes(6), 1, wanted=wanted).your_ip == wanted
    assert ip_text(ask(server, bytes(5) + b"\1", 1, wanted=wanted).your_ip) == "10.0.2.15"


def test_when_addresses_run_out_the_oldest_is_given_again():
    server = DhcpServer(subnet := Subnet.parse("10.0.2.0/27"))
    count = subnet.broadcast - subnet.first_guest
    given = [ask(server, n.to_bytes(6, "big"), 1).your_ip for n in range(count)]
    assert len(set(given)) == count
    assert ask(server, b"\2" + bytes(5), 1).your_ip == given[0]
    assert len(server.leases) == count


@pytest.mark.parametrize("text", ["10.0.2.0", "10.0.2.0/28", "10.0.2.5/24", "10.0.2.0/x", "x/24"])
def test_a_subnet_that_cannot_be_is_refused(text):
    with pytest.raises(AddressError):
        Subnet.parse(text)


@pytest.mark.parametrize(
    ("address", "routable"),
    [
        ("8.8.8.8", True),
        ("10.0.2.2", True),
        ("0.0.0.0", False),
        ("127.0.0.1", False),
        ("127.255.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.251", False),
        ("255.255.255.255", False),
    ],
)
def test_what_no_router_forwards(address, routable):
    assert is_routable(ip_number(address)) is routable


def test_the_hosts_name_server_is_read(tmp_path):
    path = tmp_path / "resolv.conf"
    assert host_name_server(path) is None
    path.write_text("# nameserver 9.9.9.9\nnameserver fe80::1\nnameserver 192.0.2.53 # x\n")
    assert host_name_server(path) == "192.0.2.53"


QUERY = bytes.fromhex("123401000001000000000000") + b"\7example\3com\0\0\1\0\1"


def test_a_query_is_refused_with_its_own_question():
    answer = refusal(QUERY + b"more")
    assert answer[:4] == bytes.fromhex("12348105")
    assert answer[12:] == question(QUERY) == QUERY[12:]
    assert refusal(answer) is None


@given(st.binary(max_size=60))
def test_any_query_can_be_refused(data):
    answer = refusal(data)
    assert answer is None or len(answer) <= max(len(data), 12)
