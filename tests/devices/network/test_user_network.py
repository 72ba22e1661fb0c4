"""The user network with a guest of our own: answers, where it lets nobody go, and damage."""

import contextlib
import errno
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.devices.network.guest import DNS, GATEWAY, GATEWAY_MAC, GUEST, MAC, OUTSIDE, Guest
from vtbook.devices.network import (
    AddressError,
    Forward,
    ForwardError,
    NetworkError,
    Port,
    UserNetwork,
    describe,
    policy,
)
from vtbook.devices.network.ethernet import Ethernet
from vtbook.devices.network.fragments import cut
from vtbook.devices.network.ip import Icmp, IPv4, Udp, ip_number, ip_text
from vtbook.devices.network.nat import AT_ONCE, LIMITS
from vtbook.devices.network.tcp import State
from vtbook.devices.network.tcp_segment import ACK, RST, Segment

QUERY = bytes.fromhex("123401000001000000000000") + b"\7example\3com\0\0\1\0\1"


@pytest.fixture
def guest(request):
    """A guest; parametrize it with the options of its network."""
    guest = Guest(**getattr(request, "param", {}))
    guest.arp(GATEWAY)
    guest.got()
    yield guest
    guest.close()


def with_options(**options):
    return pytest.mark.parametrize("guest", [options], indirect=True)


@pytest.fixture
def no_sockets(monkeypatch):
    """Any socket that is opened fails the test."""

    def forbidden(*arguments, **options):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", forbidden)


class Server:
    """A TCP server of the host on the loopback address, run on a thread."""

    def __init__(self, serve):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.errors = []
        self.thread = threading.Thread(target=self._run, args=(serve,), daemon=True)
        self.thread.start()

    def _run(self, serve):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                with connection:
                    try:
                        serve(connection)
                    except OSError as error:
                        self.errors.append(error.errno)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(10)


# -- what it answers by itself ------------------------------------------------------------------


def test_the_gateway_and_the_name_server_answer_arp_and_nobody_else_does(guest):
    for number in range(2, 6):
        guest.arp(ip_number(f"10.0.2.{number}"))
    guest.port.poll()
    lines = [describe(frame) for frame in guest.frames]
    assert lines == [
        "ARP, Reply 10.0.2.2 is-at 52:55:0a:00:02:02, length 28",
        "ARP, Reply 10.0.2.3 is-at 52:55:0a:00:02:03, length 28",
    ]


@pytest.mark.parametrize("there", [GATEWAY, DNS])
def test_the_gateway_and_the_name_server_answer_echoes(guest, there):
    guest.ping(there, b"payload", rest=0x1234_0007)
    (reply,) = guest.got()
    assert (reply.source, reply.destination) == (there, GUEST)
    assert Icmp.parse(reply.payload) == Icmp(0, 0, 0x1234_0007, b"payload")


def test_a_large_echo_comes_in_fragments_and_goes_back_in_fragments(guest):
    message = Icmp(8, 0, 1, bytes(range(256)) * 12).encode()
    guest.packet(1, message[:1480], GATEWAY, fragment=0x2000, identification=9)
    assert guest.got() == []
    guest.packet(1, message[1480:], GATEWAY, fragment=1480 // 8, identification=9)
    pieces = guest.got()
    assert [len(piece.payload) for piece in pieces] == [1480, 1480, len(message) - 2960]
    assert Icmp.parse(b"".join(piece.payload for piece in pieces)).payload == message[8:]


def test_the_same_frames_are_answered_with_the_same_frames(no_sockets):
    def run():
        guest = Guest()
        guest.arp(GATEWAY)
        guest.ping(GATEWAY)
        guest.udp(QUERY, DNS, 53)
        guest.connect(OUTSIDE, 80)
        guest.udp(b"x", OUTSIDE, 9)
        guest.port.poll()
        assert guest.network.filenos() == guest.network.filenos()
        return guest.frames

    first = run()
    assert len(first) == 5
    assert run() == first


def test_an_answer_does_not_depend_on_those_before(guest):
    answers = []
    for _ in range(2):
        guest.arp(GATEWAY)
        guest.ping(GATEWAY, bytes(1400))
        guest.udp(QUERY, DNS, 53)
        guest.udp(b"x", OUTSIDE, 9)
        guest.port.poll()
        answers.append(guest.frames)
        guest.frames = []
    assert len(answers[0]) == 4
    assert answers[0] == answers[1]


# -- where nobody may go ------------------------------------------------------------------------


def test_what_is_restricted_opens_no_socket_and_says_no(guest, no_sockets):
    end = guest.connect(OUTSIDE, 80)
    guest.udp(b"x", OUTSIDE, 53)
    guest.ping(OUTSIDE)
    guest.udp(QUERY, DNS, 53)
    reset, *prohibited, refused = guest.got()
    assert Segment.parse(reset).flags == RST | ACK
    assert end.error == "refused"
    assert [Icmp.parse(x.payload).kind for x in prohibited] == [3, 3]
    assert [Icmp.parse(x.payload).code for x in prohibited] == [13, 13]
    assert Udp.parse(refused).payload[3] & 15 == 5
    assert guest.network.counters["refused"] == 4


@pytest.mark.parametrize(
    "guest", [{}, {"restrict": False, "name_server": "192.0.2.53"}], indirect=True
)
@pytest.mark.parametrize("there", [GATEWAY, DNS])
def test_the_hosts_loopback_is_closed_by_default(guest, there):
    with Server(lambda connection: connection.send(b"secret")) as server:
        end = guest.connect(there, server.port)
        guest.until(lambda: end.state is State.CLOSED)
        assert end.error == "refused"
        guest.udp(b"x", there, server.port)
        assert Icmp.parse(guest.got()[-1].payload).code == 13
        assert guest.network.connections == []


@with_options(restrict=False)
@pytest.mark.parametrize(
    "there", ["127.0.0.1", "0.0.0.0", "169.254.169.254", "224.0.0.251", "255.255.255.255"]
)
def test_addresses_that_no_router_forwards_are_ignored(guest, no_sockets, there):
    before = guest.network.counters["ignored"]
    guest.connect(ip_number(there), 80)
    guest.udp(b"x", ip_number(there), 5353)
    assert guest.got() == []
    assert guest.network.counters["ignored"] == before + 2


@with_options(restrict=False)
def test_an_address_of_this_computer_is_closed_too(guest):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("needs a network interface with an IPv4 route")
        here = probe.getsockname()[0]
    assert policy.is_this_host(ip_number(here))
    assert not policy.is_this_host(OUTSIDE)
    with socket.create_server((here, 0)) as server:
        end = guest.connect(ip_number(here), server.getsockname()[1])
        guest.port.poll()
        assert end.error == "refused"


def test_forged_sources_are_ignored(guest):
    for source in ("10.0.2.2", "10.0.2.3", "10.0.2.255", "10.0.3.1", "127.0.0.1"):
        guest.ping(GATEWAY, here=ip_number(source))
    assert guest.got() == []
    assert guest.network.counters["ignored"] == 5


def test_a_packet_that_has_lived_too_long_is_reported(guest):
    guest.ping(OUTSIDE, ttl=1)
    (error,) = guest.got()
    assert (error.source, Icmp.parse(error.payload).kind) == (GATEWAY, 11)


def test_frames_for_others_and_from_groups_are_ignored(guest):
    guest.frame(b"", destination=MAC)
    guest.port.send(Ethernet(GATEWAY_MAC, b"\xff" * 6, 0x0800, b"").encode())
    guest.frame(bytes(40), kind=0x86DD)
    assert guest.network.counters["ignored"] == 3


# -- TCP through sockets of the host ------------------------------------------------------------


def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data)


@with_options(host_loopback=True)
def test_bytes_go_out_and_come_back(guest):
    data = bytes(range(256)) * 4000
    with Server(echo) as server:
        end = guest.connect(GATEWAY, server.port)
        guest.until(lambda: end.is_open)
        assert [line.state for line in guest.network.connections] == ["ESTABLISHED"]
        left, got = data, bytearray()

        while len(got) < len(data):
            piece = left[: end.room]
            end.write(piece)
            left = left[len(piece) :]
            got += end.received
            end.consume(len(end.received))
            end.flush()
            guest.port.poll(0.01)
        assert got == data
        (line,) = guest.network.connections
        assert (line.to_host, line.to_guest) == (len(data), len(data))
        assert line.guest == "10.0.2.15:40000"
        end.close()
        guest.until(lambda: end.peer_closed)
        guest.until(lambda: end.state in (State.TIME_WAIT, State.CLOSED))
        guest.until(lambda: guest.network.connections == [])


@with_options(host_loopback=True)
def test_a_closed_port_of_the_host_refuses(guest):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    end = guest.connect(GATEWAY, port)
    guest.until(lambda: end.state is State.CLOSED)
    assert end.error == "refused"
    assert guest.network.connections == []


@with_options(host_loopback=True)
def test_the_guest_may_close_its_half_and_still_read(guest):
    def serve(connection):
        total = 0
        while data := connection.recv(65536):
            total += len(data)
        connection.sendall(b"%d bytes" % total)

    with Server(serve) as server:
        end = guest.connect(GATEWAY, server.port)
        guest.until(lambda: end.is_open)
        end.write(bytes(100_000))
        end.close()
        guest.until(lambda: end.peer_closed)
        assert end.received == b"100000 bytes"


@with_options(host_loopback=True)
def test_the_host_may_close_its_half_and_still_read(guest):
    got = []

    def serve(connection):
        connection.shutdown(socket.SHUT_WR)
        while data := connection.recv(65536):
            got.append(data)

    with Server(serve) as server:
        end = guest.connect(GATEWAY, server.port)
        guest.until(lambda: end.peer_closed)
        end.write(b"late")
        end.close()
        guest.until(lambda: end.state is State.CLOSED)
        guest.until(lambda: b"".join(got) == b"late")


@with_options(host_loopback=True)
def test_a_reset_of_the_guest_reaches_the_host(guest):
    with Server(echo) as server:
        end = guest.connect(GATEWAY, server.port)
        guest.until(lambda: end.is_open)
        end.abort()
        guest.until(lambda: server.errors == [errno.ECONNRESET])
        assert guest.network.connections == []


@with_options(host_loopback=True)
def test_a_reset_of_the_host_reaches_the_guest(guest):
    def serve(connection):
        connection.recv(1)
        linger = b"\1\0\0\0\0\0\0\0"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    with Server(serve) as server:
        end = guest.connect(GATEWAY, server.port)
        end.write(b"x")
        guest.until(lambda: end.state is State.CLOSED)
        assert end.error == "reset"


@with_options(host_loopback=True)
def test_a_host_that_does_not_read_closes_the_window_and_bounds_what_is_kept(guest):
    go = threading.Event()
    total = []

    def serve(connection):
        go.wait(30)
        count = 0
        while data := connection.recv(1 << 20):
            count += len(data)
        total.append(count)

    with Server(serve) as server:
        end = guest.connect(GATEWAY, server.port)
        guest.until(lambda: end.is_open)
        written = 0
        while end.room or end.snd_wnd:  # until the window is closed and our buffer full
            written += end.room
            end.write(bytes(end.room))
            end.flush()
            guest.port.poll(0.001)
            assert written < 64 << 20, "it buffers without bound"
        go.set()
        end.close()
        guest.until(lambda: end.peer_closed)
        assert total == [written]


@with_options(host_loopback=True)
def test_a_guest_that_does_not_read_bounds_what_is_read_from_the_host(guest):
    with Server(lambda connection: connection.sendall(bytes(20 << 20))) as server:
        end = guest.connect(GATEWAY, server.port)
        guest.until(lambda: end.is_open and end.window.tell() == 0)
        for _ in range(50):
            guest.port.poll(0.001)
        (line,) = guest.network.connections
        assert line.to_guest <= 1 << 20
        count = 0
        while not end.peer_closed or end.received:
            count += len(end.received)
            end.consume(len(end.received))
            end.flush()
            guest.port.poll(0.01)
        assert count == 20 << 20


@with_options(host_loopback=True)
def test_connections_are_limited(guest):
    with Server(lambda connection: connection.recv(1)) as server:
        ends = [guest.connect(GATEWAY, server.port, 1024 + n) for n in range(LIMITS[6] + 3)]
        guest.until(lambda: sum(end.error == "refused" for end in ends) == 3)
        assert len(guest.network.connections) == LIMITS[6]
        guest.port.reset()
        guest.port.poll()
        assert guest.network.connections == []
        assert {end.state for end in ends if end.error == "reset"} <= {State.CLOSED}


@with_options(host_loopback=True)
def test_a_busy_guest_is_not_disturbed_for_each_segment(guest):
    def drain(connection):
        while connection.recv(65536):
            pass

    with Server(drain) as server:
        end = guest.connect(GATEWAY, server.port)
        guest.until(lambda: end.is_open)
        guest.port.poll()
        woken = []
        guest.port.on_wake = lambda: woken.append(1)
        before = guest.network.counters["out"]
        for _ in range(AT_ONCE - 1):
            end.write(bytes(100))
            end.flush()
        assert woken == []
        assert guest.network.deadline() == 0  # an idle guest's machine does not wait, though
        end.write(bytes(100))
        end.flush()
        assert woken == [1]
        guest.network.poll()
        assert guest.network.counters["out"] == before + 1
        end.abort()
        guest.port.poll()


def test_a_segment_of_no_connection_is_reset(guest):
    segment = Segment(40000, 80, 5, 9, ACK, 100, b"x")
    guest.packet(6, segment.encode(GUEST, OUTSIDE), OUTSIDE)
    (reset,) = guest.got()
    assert Segment.parse(reset) == Segment(80, 40000, 9, 0, RST, 0)


# -- UDP and DNS --------------------------------------------------------------------------------


class UdpServer:
    """A socket that answers each datagram with itself, upper case."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def serve(self):
        data, sender = self.socket.recvfrom(65536)
        self.socket.sendto(data.upper(), sender)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


@with_options(host_loopback=True)
def test_datagrams_go_out_and_come_back(guest):
    with UdpServer() as server:
        for size in (0, 5, 9000):
            datagram = Udp(5000, server.port, b"a" * size).encode(GUEST, GATEWAY)
            for piece in cut(IPv4(GUEST, GATEWAY, 17, datagram, identification=3)):
                guest.frame(piece.encode())
            server.serve()
            guest.until(lambda: guest.port.waiting or guest.frames)
            packets = guest.got()
            data = b"".join(packet.payload for packet in packets)
            assert data[8:] == b"A" * size
            assert (packets[0].source, packets[0].destination) == (GATEWAY, GUEST)


@with_options(host_loopback=True)
def test_a_closed_udp_port_of_the_host_is_reported(guest):
    with UdpServer() as server:
        port = server.port
    guest.udp(b"x", GATEWAY, port)
    guest.until(lambda: guest.port.waiting or guest.frames)
    (error,) = guest.got()
    assert (Icmp.parse(error.payload).kind, Icmp.parse(error.payload).code) == (3, 3)


def test_conversations_are_limited_and_forgotten():
    time = [0.0]
    guest = Guest(host_loopback=True, clock=lambda: time[0])
    with UdpServer() as server:
        for number in range(LIMITS[17] + 20):
            guest.udp(b"x", GATEWAY, server.port, source=1000 + number)
        flows = guest.network._nat.flows
        assert len(flows) == LIMITS[17]
        assert min(key[2] for key in flows) == 1020  # the oldest had to go
        assert guest.network.deadline() == 60
        time[0] = 61.0
        guest.port.poll()
        assert flows == {}
    guest.close()


def test_queries_are_relayed_to_the_name_server(monkeypatch):
    with UdpServer() as server:
        guest = Guest(name_server="127.0.0.1")
        target = policy.Policy.target
        monkeypatch.setattr(  # tests have no right to port 53 of the host
            policy.Policy,
            "target",
            lambda *asked: target(*asked) == ("127.0.0.1", 53) and ("127.0.0.1", server.port),
        )
        guest.udp(QUERY, DNS, 53)
        server.serve()
        guest.until(lambda: guest.port.waiting or guest.frames)
        assert [Udp.parse(x).payload for x in guest.got() if x.source == DNS] == [QUERY.upper()]
        guest.close()


# -- forwarding ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "meaning"),
    [
        ("tcp:127.0.0.1:2222-:22", ("tcp", "127.0.0.1", 2222, "", 22)),
        ("tcp::2222-:22", ("tcp", "127.0.0.1", 2222, "", 22)),
        (":0-:80", ("tcp", "127.0.0.1", 0, "", 80)),
        ("udp:0.0.0.0:53-10.0.2.16:5353", ("udp", "0.0.0.0", 53, "10.0.2.16", 5353)),
    ],
)
def test_rules_are_read_as_qemu_writes_them(rule, meaning):
    assert Forward.parse(rule) == Forward(*meaning)
    assert Forward.parse(str(Forward.parse(rule))) == Forward(*meaning)


@pytest.mark.parametrize(
    "rule",
    ["", "2222", "tcp:2222", "sctp::1-:2", "tcp::70000-:22", "tcp::1-:0", "tcp:300.1.1.1:1-:2"],
)
def test_rules_that_make_no_sense_are_refused(rule):
    with pytest.raises(ForwardError, match="forward"):
        Forward.parse(rule)


def test_a_port_that_is_taken_and_a_guest_elsewhere_are_refused():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(ForwardError, match="choose another port"),
    ):
        UserNetwork(forwards=[f"tcp::{server.getsockname()[1]}-:22"])
    with pytest.raises(ForwardError, match="no guest has that address"):
        UserNetwork(forwards=["tcp::0-10.0.3.1:22"])


@with_options(forwards=["tcp::0-:22"])
def test_a_forwarded_port_leads_to_the_guest(guest):
    guest.listen(22)
    (rule,) = guest.network.forwards
    with socket.create_connection((rule.host_address, rule.host_port), timeout=10) as host:
        host.sendall(b"hello")
        guest.until(lambda: guest.listening[22] is not None and guest.listening[22].received)
        end = guest.listening[22]
        assert end.received == b"hello"
        (line,) = guest.network.connections
        assert line.remote == "10.0.2.2:49152"
        end.write(b"welcome")
        end.close()
        guest.until(lambda: end.state is State.FIN_WAIT_2)
        assert host.recv(100) == b"welcome"
        assert host.recv(100) == b""
    guest.until(lambda: end.peer_closed)


def test_a_guest_that_is_not_known_yet_is_looked_for():
    guest = Guest(forwards=["tcp::0-:22"])  # it has not sent a frame
    guest.listen(22)
    (rule,) = guest.network.forwards
    with socket.create_connection((rule.host_address, rule.host_port), timeout=10):
        guest.until(lambda: guest.listening[22] is not None)
    assert describe(guest.frames[0]).startswith("ARP, Request who-has 10.0.2.15")
    guest.close()


@with_options(forwards=["tcp::0-:22"])
def test_a_guest_that_refuses_breaks_the_hosts_connection(guest):
    (rule,) = guest.network.forwards
    with socket.create_connection((rule.host_address, rule.host_port), timeout=10) as host:
        guest.until(lambda: guest.network.connections)
        (syn,) = [Segment.parse(x) for x in guest.got()]
        reset = Segment(22, syn.source_port, 0, syn.seq + 1, RST | ACK, 0)
        guest.packet(6, reset.encode(GUEST, GATEWAY), GATEWAY)
        guest.port.poll()
        with pytest.raises(ConnectionResetError):
            host.recv(1)


@with_options(forwards=["udp::0-:514"])
def test_forwarded_datagrams_are_answered(guest):
    (rule,) = guest.network.forwards
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
        host.settimeout(10)
        for text in (b"one", b"two"):
            host.sendto(text, (rule.host_address, rule.host_port))
            guest.until(lambda: guest.port.waiting or guest.frames)
            (packet,) = guest.got()
            datagram = Udp.parse(packet)
            assert (datagram.destination_port, datagram.payload) == (514, text)
            guest.udp(b"got " + text, GATEWAY, datagram.source_port, source=514)
            assert host.recv(100) == b"got " + text
        assert datagram.source_port == 49152  # one caller is one conversation


# -- wiring, damage -----------------------------------------------------------------------------


def test_a_network_has_one_port():
    network = UserNetwork()
    port = network.attach(Port("a"))
    with pytest.raises(NetworkError, match="Switch"):
        network.attach(Port("b"))
    port.unplug()
    network.attach(Port("b"))
    network.close()
    with pytest.raises(AddressError):
        UserNetwork(name_server="localhost")


@pytest.mark.parametrize(
    ("options", "live"),
    [
        ({}, False),
        ({"restrict": False}, True),
        ({"host_loopback": True}, True),
        ({"name_server": "192.0.2.53"}, True),
        ({"forwards": ["tcp::0-:22"]}, True),
    ],
)
def test_a_network_says_whether_anything_outside_can_act(options, live):
    with UserNetwork(**options) as network:
        assert network.is_live is live


def test_another_subnet_has_the_same_layout():
    guest = Guest(subnet="192.168.76.0/24")
    guest.arp(ip_number("192.168.76.2"))
    assert guest.port.poll() == 1
    assert ip_text(guest.network.policy.subnet.first_guest) == "192.168.76.15"
    guest.close()


def test_a_waiting_poll_ends_when_a_socket_is_ready():
    with UserNetwork(forwards=["tcp::0-:22"]) as network:
        port = network.attach(Port())
        (rule,) = network.forwards
        with socket.create_connection((rule.host_address, rule.host_port)):
            while not network.connections:
                port.poll(10)


FRAMES = st.one_of(
    st.binary(max_size=120),
    st.builds(
        lambda kind, payload: GATEWAY_MAC + MAC + kind + payload,
        st.sampled_from([b"\x08\0", b"\x08\x06", b"\x86\xdd"]),
        st.binary(max_size=100),
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(FRAMES, max_size=8))
def test_no_frame_raises(frames):
    with UserNetwork() as network:
        port = network.attach(Port())
        for frame in frames:
            port.send(frame)
            port.poll()
            assert isinstance(describe(frame), str)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_packets_with_good_checksums_and_any_content_open_nothing(data):
    """The layers below are right, so that the ones above see the nonsense."""
    guest = Guest()
    opened = []
    original, socket.socket = socket.socket, lambda *a, **k: opened.append(a)
    try:
        for _ in range(data.draw(st.integers(1, 8))):
            there = data.draw(
                st.one_of(
                    st.sampled_from([GATEWAY, DNS, OUTSIDE, 0, 0xFFFF_FFFF]),
                    st.integers(0, 2**32 - 1),
                )
            )
            ports = data.draw(st.tuples(*[st.sampled_from([22, 53, 67, 68, 80, 40000])] * 2))
            payload = data.draw(st.binary(max_size=300))
            protocol = data.draw(st.sampled_from([1, 2, 6, 17]))
            if protocol == 17:
                payload = Udp(*ports, payload).encode(GUEST, there)
            elif protocol == 6:
                flags = data.draw(st.integers(0, 63))
                options = data.draw(st.sampled_from([b"", b"\2\4\0\0", b"\3\3\xff\1", b"\xff" * 8]))
                segment = Segment(
                    *ports, data.draw(st.integers(0, 2**32 - 1)), 7, flags, 9, payload, options
                )
                payload = segment.encode(GUEST, there)
            elif protocol == 1:
                payload = Icmp(data.draw(st.integers(0, 20)), 0, 1, payload).encode()
            fragment = data.draw(st.sampled_from([0, 0, 0x2000, 1, 0x3FFF, 0x4000]))
            ttl = data.draw(st.integers(0, 255))
            guest.packet(protocol, payload, there, fragment=fragment, ttl=ttl)
            guest.got()
    finally:
        socket.socket = original
    assert opened == []
    guest.close()
