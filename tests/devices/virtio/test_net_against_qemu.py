"""Our network card and our user network against QEMU's: the same rings, the same frames."""

import contextlib
import socket
import struct
import time

import pytest

from tests.devices.qtest import needs_qemu
from tests.devices.virtio import driver as d
from tests.devices.virtio.qemu import DEADLINE, QemuBoard
from vtbook.devices.network import Cable, Port, UserNetwork, mac_bytes
from vtbook.devices.network.dhcp import Message
from vtbook.devices.network.ethernet import Arp, Ethernet
from vtbook.devices.network.ip import Icmp, IPv4, Udp, ip_number
from vtbook.devices.virtio import VirtioNet, net

pytestmark = needs_qemu

MAC, PEER = mac_bytes("52:54:00:12:34:56"), mac_bytes("52:54:00:00:00:02")
RECEIVE, TRANSMIT, CONTROL = 0, 1, 2
CONTROL_FEATURES = net.F_CTRL_VQ | net.F_CTRL_RX | net.F_CTRL_RX_EXTRA | net.F_CTRL_MAC_ADDR
FEATURES = d.VERSION_1 | net.F_MAC | net.F_STATUS | CONTROL_FEATURES


SLEEP = struct.pack("<II", 0x1050_0073, 0xFFDF_F06F)
"""``wfi`` and a jump back to it."""


class RunningQemu(QemuBoard):
    """QEMU's card on a machine that runs: a stopped one carries no frames. Its hart sleeps."""

    def __init__(self, netdev, folder, *, legacy=False):
        program = folder / "sleep.bin"
        program.write_bytes(SLEEP)
        card = f"virtio-net-device,bus=virtio-mmio-bus.0,netdev=net,mac={net.DEFAULT_MAC}"
        options = ["-netdev", f"{netdev},id=net", "-device", card]
        runs = ["-bios", str(program), "-nodefaults"]
        super().__init__(options, legacy=legacy, state=runs)
        self.device = VirtioNet()  # its QUEUES tell the driver how many to set up


class Ours:
    """Our card with a driver, and what is at the other end of its cable."""

    def __init__(self, features, legacy, folder):
        self.board = d.Board(VirtioNet(), legacy=legacy)
        self.driver = d.Driver(self.board, features=features, legacy=legacy)
        self.far = Port("far")
        Cable(self.board.device.port, self.far)
        self.out = []
        self.far.on_frame = self.out.append

    def arrive(self, frame):
        self.far.send(frame)
        self.board.device.port.poll()

    def sent(self):
        self.far.poll()
        frames, self.out[:] = list(self.out), []
        return frames

    def close(self):
        pass


class Theirs:
    """QEMU's card with a driver; its frames are datagrams."""

    def __init__(self, features, legacy, folder):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = probe.getsockname()
        netdev = f"socket,udp=127.0.0.1:{self.socket.getsockname()[1]}"
        netdev += f",localaddr=127.0.0.1:{self.address[1]}"
        self.board = RunningQemu(netdev, folder, legacy=legacy)
        self.driver = d.Driver(self.board, features=features, legacy=legacy)

    def arrive(self, frame):
        self.socket.sendto(frame, self.address)
        time.sleep(0.02)

    def sent(self):
        frames = []
        self.socket.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            while True:
                frames.append(self.socket.recv(65536))
                self.socket.settimeout(0.05)
        return frames

    def close(self):
        self.board.close()
        self.socket.close()


@pytest.fixture(params=[False, True], ids=["version 2", "version 1"])
def cards(request, tmp_path):
    """Both, by a function of the features to choose."""
    made = []

    def make(features):
        made.extend(kind(features, request.param, tmp_path) for kind in (Ours, Theirs))
        return made[-2:]

    yield make
    for card in made:
        card.close()


def frame(payload=bytes(50), destination=MAC, source=PEER):
    return destination + source + b"\x88\xb5" + payload


def same(cards, action):
    """What `action` gives for both cards, which must be the same."""
    ours, theirs = (action(card) for card in cards)
    assert ours == theirs
    return ours


@pytest.mark.parametrize("features", [FEATURES, FEATURES | net.F_MRG_RXBUF | d.EVENT_IDX])
def test_rings_and_frames_are_the_same(cards, features):
    pair = cards(features)
    assert same(pair, lambda card: card.driver.features) & net.F_CTRL_RX
    assert same(pair, lambda card: [card.driver.config(i, 1) for i in range(8)])[:6] == list(MAC)
    header = 12 if not pair[0].driver.legacy or features & net.F_MRG_RXBUF else 10

    def send(card):
        ring = card.driver.rings[TRANSMIT]
        for size in (46, 100, 1500):
            ring.add(readable=[bytes(header), frame(bytes(range(256)) * 6)[:14] + bytes(size)])
        ring.add(readable=[bytes(header) + frame(b"in one piece".ljust(50))])
        ring.kick()
        end = time.monotonic() + DEADLINE
        used = []
        while len(used) < 4:
            used += ring.collect()
            assert time.monotonic() < end
        return used, card.sent()

    _, frames = same(pair, send)
    assert [len(x) for x in frames] == [60, 114, 1514, 64]

    def receive(card):
        ring = card.driver.rings[RECEIVE]
        for _ in range(6):
            ring.add(writable=[512] if features & net.F_MRG_RXBUF else [1600])
        ring.kick()
        for size in (46, 400, 1000):
            card.arrive(frame(bytes(range(250)) * 4 if size == 1000 else bytes(size)))
        used = ring.collect()
        if header == 12 and not features & net.F_MRG_RXBUF:
            # num_buffers is 1 (5.1.6.4.1), but 0 on QEMU before 9.2
            assert all(data[10:12] in (b"\1\0", b"\0\0") for _, _, data in used)
            used = [(head, size, data[:10] + data[12:]) for head, size, data in used]
        return used

    received = same(pair, receive)
    assert len(received) == (5 if features & net.F_MRG_RXBUF else 3)


def test_the_filter_is_the_same(cards):
    pair = cards(FEATURES)
    header = 10 if pair[0].driver.legacy else 12
    group, other = bytes.fromhex("333300000001"), bytes.fromhex("525400000009")
    table = struct.pack("<I", 1) + other + struct.pack("<I", 1) + group
    commands = [
        (0, 0, b"\0"),
        (0, 1, b"\1"),
        (0, 1, b"\0"),
        (1, 0, table),
        (0, 3, b"\1"),
        (0, 5, b"\1"),
        (0, 2, b"\1"),
        (0, 4, b"\1"),
        (1, 1, other),
        (1, 0, bytes(8)),
        (0, 0, b"\1"),
        (0, 9, b"\1"),
        (1, 1, b"x"),
        (7, 0, b"x"),
    ]

    def let_in(card):
        """Answers to the commands, and after each which frames come in."""
        found = []
        for group_, command, data in commands:
            card.driver.rewind()
            parts = [bytes((group_, command)), data]
            ring = card.driver.rings[CONTROL]
            ring.add(parts, [1])
            ring.kick()
            end = time.monotonic() + DEADLINE
            while not (used := ring.collect()):
                assert time.monotonic() < end
            receive = card.driver.rings[RECEIVE]
            while len(receive.free) > 0:
                receive.add(writable=[1600])
            receive.kick()
            for destination in (MAC, b"\xff" * 6, group, other, PEER):
                card.arrive(frame(destination=destination))
            came = [data[header : header + 6].hex() for _, _, data in receive.collect()]
            found.append((used[0][2], came))
        return found

    found = same(pair, let_in)
    assert [answer for answer, _ in found] == [b"\0"] * 11 + [b"\1"] * 3


# -- the user network ---------------------------------------------------------------------------

GUEST, GATEWAY, NAMES = map(ip_number, ("10.0.2.15", "10.0.2.2", "10.0.2.3"))


def exchange(card, request, answers=1):
    """Send a frame; the frames that come back."""
    ring, receive = card.driver.rings[TRANSMIT], card.driver.rings[RECEIVE]
    while receive.free:
        receive.add(writable=[1600])
    receive.kick()
    ring.add(readable=[bytes(12), request.ljust(60, b"\0")])
    ring.kick()
    got = []
    end = time.monotonic() + DEADLINE
    while len(got) < answers and time.monotonic() < end:
        if isinstance(card.board, d.Board):
            card.board.device.port.poll()
        got += [data[12:] for _, _, data in receive.collect()]
    ring.collect()
    return got


class Plugged:
    """A board and its driver."""

    def __init__(self, board):
        self.board, self.driver = board, d.Driver(board, features=FEATURES)


@pytest.fixture
def networks(tmp_path):
    """Our card at our user network, QEMU's card at QEMU's; nothing leaves either."""
    ours = d.Board(VirtioNet())
    network = UserNetwork()
    network.attach(ours.device.port)
    theirs = RunningQemu("user", tmp_path)
    yield Plugged(ours), Plugged(theirs)
    theirs.close()
    network.close()


def test_the_user_networks_answer_alike(networks):
    def ethernet(payload, kind, destination=b"\xff" * 6):
        return Ethernet(destination, MAC, kind, payload).encode()

    def both(request):
        return [[Ethernet.parse(x) for x in exchange(card, request)] for card in networks]

    # DHCP
    parameters = bytes((1, 3, 6, 51, 54))
    for options in ({53: b"\1"}, {53: b"\3", 50: GUEST.to_bytes(4, "big")}):
        message = Message(1, 0x1234_5678, 0, 0, 0, MAC, {**options, 55: parameters})
        datagram = Udp(68, 67, message.encode(0)).encode(0, 0xFFFF_FFFF)
        request = ethernet(IPv4(0, 0xFFFF_FFFF, 17, datagram).encode(), 0x0800)
        replies = []
        for (answer,) in both(request):
            reply = Message.parse(Udp.parse(IPv4.parse(answer.payload)).payload)
            kept = {n: reply.options.get(n) for n in (1, 3, 6, 51, 53, 54)}
            replies.append((reply.op, reply.transaction, reply.your_ip, reply.mac, kept))
        assert replies[0] == replies[1]
    # ARP
    for target in (GATEWAY, NAMES):
        arp = Arp(1, MAC, GUEST, bytes(6), target).encode()
        (ours,), (theirs,) = both(ethernet(arp, 0x0806))
        assert Arp.parse(ours.payload) == Arp.parse(theirs.payload)
        assert (ours.destination, ours.kind) == (theirs.destination, theirs.kind)
    # echo
    gateway_mac = Arp.parse(ours.payload).sender_mac
    message = Icmp(8, 0, 0x0007_0001, b"some payload").encode()
    request = ethernet(IPv4(GUEST, GATEWAY, 1, message).encode(), 0x0800, gateway_mac)
    (ours,), (theirs,) = both(request)
    ours, theirs = IPv4.parse(ours.payload), IPv4.parse(theirs.payload)
    assert (ours.source, ours.destination) == (theirs.source, theirs.destination)
    assert Icmp.parse(ours.payload) == Icmp.parse(theirs.payload)
