"""The network card against chapter 5.1 of the specification, through a driver of our own."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.devices.snapshots import through_a_file
from tests.devices.virtio import driver as d
from vtbook.devices.network import Cable, Port, mac_bytes
from vtbook.devices.virtio.net import (
    BACKLOG_LIMIT,
    F_CSUM,
    F_CTRL_MAC_ADDR,
    F_CTRL_RX,
    F_CTRL_RX_EXTRA,
    F_CTRL_VQ,
    F_MAC,
    F_MRG_RXBUF,
    F_STATUS,
    TABLE_LIMIT,
    VirtioNet,
)

MAC, PEER = mac_bytes("52:54:00:12:34:56"), mac_bytes("52:54:00:00:00:02")
RECEIVE, TRANSMIT, CONTROL = 0, 1, 2
ALL = ~0


class Card:
    """A card with its driver, and the other end of its cable."""

    def __init__(self, *, features=ALL, size=8, legacy=False, **options):
        self.far = Port("far")
        self.device = VirtioNet(**options)
        Cable(self.device.port, self.far)
        self.board = d.Board(self.device, legacy=legacy)
        self.driver = d.Driver(self.board, features=features, size=size, legacy=legacy)
        self.header = self.device.header_size

    def offer(self, *sizes):
        """Buffers to receive into."""
        for size in sizes:
            self.driver.rings[RECEIVE].add(writable=[size])
        self.driver.rings[RECEIVE].kick()

    def arrive(self, *frames):
        for frame in frames:
            self.far.send(frame)
        self.device.port.poll()

    def received(self):
        """What the driver gets: buffers joined to frames, headers taken off."""
        used = [data for _, _, data in self.driver.rings[RECEIVE].collect()]
        frames = []
        while used:
            first = used.pop(0)
            count = struct.unpack_from("<H", first, 10)[0] if self.header == 12 else 1
            frames.append(first[self.header :] + b"".join(used.pop(0) for _ in range(count - 1)))
        return frames

    def send(self, *frames, header=b""):
        ring = self.driver.rings[TRANSMIT]
        for frame in frames:
            ring.add(readable=[header.ljust(self.header, b"\0"), frame])
        ring.kick()
        assert len(ring.collect()) == len(frames)
        self.far.on_frame = (out := []).append
        self.far.poll()
        return out

    def command(self, group, command, data=b""):
        parts = [bytes((group, command)), *([data] if data else [])]
        return self.driver.rings[CONTROL].request(parts, [1])[1][0]


def frame(payload=b"hello", destination=MAC, source=PEER):
    return destination + source + b"\x88\xb5" + payload


def test_the_driver_finds_a_card_with_its_address_and_link():
    card = Card()
    assert card.driver.read(d.DEVICE_ID) == 1
    offered = card.driver.offered()
    for feature in (F_MAC, F_STATUS, F_MRG_RXBUF, F_CSUM, F_CTRL_VQ, F_CTRL_MAC_ADDR):
        assert offered & feature
    assert bytes(card.driver.config(i, 1) for i in range(6)) == MAC
    assert card.driver.config(6, 2) == 1


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("features", [d.VERSION_1, ALL, F_MAC | d.VERSION_1 | d.EVENT_IDX])
def test_frames_go_out_and_come_in(features, legacy):
    card = Card(features=features, legacy=legacy)
    assert card.header == (10 if legacy and not features & F_MRG_RXBUF else 12)
    frames = [frame(bytes([n]) * (50 + n)) for n in range(4)]
    assert card.send(*frames) == frames
    card.offer(2048, 2048, 2048)
    card.arrive(*frames)
    assert card.received() == frames[:3]
    card.offer(2048)
    assert card.received() == frames[3:]
    assert (card.device.sent, card.device.received, card.device.dropped) == (4, 4, 0)
    assert card.board.levels[0]


def test_a_long_frame_fills_several_buffers_where_they_may_be_merged():
    card = Card(features=F_MRG_RXBUF | d.VERSION_1)
    long = frame(bytes(range(256)) * 5)
    card.offer(512, 512)
    card.arrive(long)
    assert card.received() == []
    card.offer(512, 512)
    assert card.received() == [long]
    card.arrive(frame())
    assert card.received() == [frame()]


def test_with_event_idx_the_driver_is_asked_to_notify_when_buffers_are_too_few():
    card = Card(features=F_MRG_RXBUF | d.VERSION_1 | d.EVENT_IDX)
    card.offer(512, 512)
    card.arrive(frame(bytes(1400)))
    assert card.driver.rings[RECEIVE].avail_event == 2  # as soon as there is a third


def test_a_frame_that_fits_no_buffer_is_dropped_and_the_buffer_serves_the_next():
    card = Card(features=d.VERSION_1)
    card.offer(100)
    card.arrive(frame(bytes(200)), frame(b"short"))
    assert card.received() == [frame(b"short")]
    assert card.device.dropped == 1


def test_frames_wait_for_buffers_in_the_card_and_then_in_the_port():
    card = Card(size=256)
    frames = [frame(struct.pack("<I", n)) for n in range(BACKLOG_LIMIT + 5)]
    card.arrive(*frames)
    port = card.device.port
    assert (len(card.device.backlog), port.waiting) == (BACKLOG_LIMIT, 5)
    assert port.deadline() is None  # nothing to do until there are buffers
    woken = []
    port.on_wake = lambda: woken.append(1)
    card.offer(*[64] * 256)
    assert woken == [1]
    assert port.deadline() == 0
    assert card.received() == frames[:BACKLOG_LIMIT]
    card.driver.rewind()
    card.offer(*[64] * 5)
    port.poll()
    assert card.received() == frames[BACKLOG_LIMIT:]
    assert card.device.dropped == 0


def test_a_frame_that_is_pressed_in_all_the_same_is_dropped():
    card = Card()
    for _ in range(BACKLOG_LIMIT + 1):
        card.device.port.receive(frame())
    assert card.device.dropped == 1


def test_before_the_driver_is_ready_frames_are_lost():
    device = VirtioNet()
    device.port.receive(frame())
    d.Board(device)
    device.port.receive(frame())
    assert device.dropped == 2
    assert device.backlog == []


@pytest.mark.parametrize("size", [2, 13, 1519, 5000])
def test_what_is_no_frame_is_neither_sent_nor_received(size):
    card = Card()
    assert card.send(bytes(size)) == []
    card.offer(8192)
    card.device.port.receive(bytes(size))
    assert card.received() == []
    assert card.device.dropped == 2


def test_the_card_fills_in_the_checksum_that_the_driver_leaves_to_it():
    card = Card()
    # UDP 10.0.2.15:7 > 10.0.2.2:7, its field holding the sum of the pseudo header alone
    ip = bytes.fromhex("4500002100004000401122bb0a00020f0a000202")
    udp = bytes.fromhex("00070007000d182f") + b"hello"
    header = struct.pack("<BBHHHH", 1, 0, 0, 0, 34, 6)
    (out,) = card.send(MAC + PEER + b"\x08\0" + ip + udp, header=header)
    data = bytes.fromhex("0a00020f0a0002020011000d") + out[34:]
    words = struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF


def test_a_checksum_outside_the_frame_changes_nothing():
    card = Card()
    header = struct.pack("<BBHHHH", 1, 0, 0, 0, 0xFFFF, 0xFFFF)
    assert card.send(frame(), header=header) == [frame()]


def test_segmentation_that_was_not_offered_is_not_done():
    card = Card()
    assert card.send(frame(), header=struct.pack("<BBHHHH", 0, 1, 0, 100, 0, 0)) == []
    assert card.device.dropped == 1


def test_a_pulled_cable_is_told_and_nothing_passes():
    card = Card()
    card.offer(2048)
    card.device.port.set_link(False)
    assert card.driver.config(6, 2) == 0
    assert card.driver.acknowledge() & 2
    assert card.send(frame()) == []
    card.arrive(frame())
    assert card.received() == []
    card.device.port.set_link(True)
    card.arrive(frame())
    assert card.received() == [frame()]


def test_the_filter_lets_in_what_the_driver_asks_for():
    card = Card()
    card.offer(*[64] * 8)
    group, other = bytes.fromhex("333300000001"), bytes.fromhex("525400000009")
    broadcast = b"\xff" * 6

    def let_in():
        card.arrive(*(frame(destination=x) for x in (MAC, broadcast, group, other)))
        found = [x[:6] for x in card.received()]
        card.driver.rewind()
        card.offer(*[64] * len(found))
        return found

    assert let_in() == [MAC, broadcast, group, other]  # promiscuous until told otherwise
    assert card.command(0, 0, b"\0") == 0
    assert let_in() == [MAC, broadcast]
    assert card.command(0, 1, b"\1") == 0
    assert let_in() == [MAC, broadcast, group]
    assert card.command(0, 1, b"\0") == 0
    table = struct.pack("<I", 1) + other + struct.pack("<I", 1) + group
    assert card.command(1, 0, table) == 0
    assert let_in() == [MAC, broadcast, group, other]
    assert card.command(0, 3, b"\1") == 0
    assert card.command(0, 5, b"\1") == 0
    assert let_in() == [MAC, other]
    assert card.command(0, 4, b"\1") == 0
    assert let_in() == []
    assert card.command(1, 1, other) == 0
    assert bytes(card.driver.config(i, 1) for i in range(6)) == other
    assert card.device.filtered > 0


def test_a_table_that_is_too_long_lets_all_of_its_kind_in():
    card = Card()
    card.offer(64, 64)
    card.command(0, 0, b"\0")
    many = b"".join(struct.pack(">HI", 0x3333, n) for n in range(TABLE_LIMIT + 1))
    count = struct.pack("<I", TABLE_LIMIT + 1)
    assert card.command(1, 0, struct.pack("<I", 0) + count + many) == 0
    card.arrive(frame(destination=bytes.fromhex("3333ffffffff")), frame(destination=PEER))
    assert [x[:2].hex() for x in card.received()] == ["3333"]


@pytest.mark.parametrize(
    ("group", "command", "data"),
    [
        (0, 0, b""),
        (0, 0, b"\2"),
        (0, 0, b"\0\0"),
        (0, 6, b"\1"),
        (1, 0, b"\1\0\0\0"),
        (1, 0, struct.pack("<I", 0xFFFF_FFFF)),
        (1, 0, bytes(9)),
        (1, 1, bytes(5)),
        (1, 2, b""),
        (2, 0, bytes(2)),
        (9, 9, b"x"),
    ],
)
def test_commands_that_are_not_known_or_not_well_formed_fail(group, command, data):
    assert Card().command(group, command, data) == 1


def test_features_of_the_control_queue_need_the_control_queue():
    card = Card()
    for features in (F_CTRL_RX, F_CTRL_RX_EXTRA, F_CTRL_MAC_ADDR):
        assert not card.device.accepts(features | d.VERSION_1)
        assert card.device.accepts(features | F_CTRL_VQ | d.VERSION_1)


def test_a_driver_of_version_1_sets_the_address_in_the_configuration_space():
    card = Card(features=0, legacy=True)
    for at, byte in enumerate(PEER):
        card.driver.write(d.CONFIG + at, byte, 1)
    assert card.device.address == PEER
    card.driver.write(d.STATUS, 0)
    assert card.device.address == MAC


def test_the_state_comes_back_with_waiting_frames_and_filters():
    card = Card(features=F_MRG_RXBUF | F_CTRL_VQ | F_CTRL_RX | d.VERSION_1)
    card.offer(512)
    card.command(0, 0, b"\0")
    card.arrive(frame(bytes(900)), frame(b"second"))
    saved = through_a_file(card.board.slot.state())
    card.driver.write(d.STATUS, 0)
    assert card.device.promiscuous
    card.board.slot.load_state(saved)
    assert not card.device.promiscuous
    card.offer(512, 512)
    assert card.received() == [frame(bytes(900)), frame(b"second")]


def test_a_reset_forgets_frames_and_filters():
    card = Card()
    card.command(0, 0, b"\0")
    card.arrive(frame())
    assert card.device.backlog
    card.driver.start()
    assert card.device.promiscuous
    assert card.device.backlog == []


def test_what_arrives_is_logged_and_can_be_fed_again():
    card = Card()
    log = []
    card.device.port.on_feed = log.append
    card.offer(64, 64)
    card.arrive(frame())
    card.device.port.set_link(False)
    again = Card()
    again.offer(64, 64)
    again.device.port.muted = True
    for data in log:
        again.device.port.receive(data)
    assert again.received() == card.received() == [frame()]
    assert again.device.state() == card.device.state()
    assert again.send(frame()) == []  # muted, and the link is down


RINGS = st.binary(min_size=0, max_size=64)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_driver_makes_the_card_raise(data):
    """Rings, headers and commands full of anything; frames that arrive meanwhile."""
    card = Card(features=data.draw(st.sampled_from([ALL, d.VERSION_1, F_MRG_RXBUF | d.VERSION_1])))
    for _ in range(data.draw(st.integers(1, 6))):
        ring = card.driver.rings[data.draw(st.integers(0, 2))]
        if len(ring.free) >= 4:
            readable = data.draw(st.lists(RINGS.filter(bool), max_size=2))
            writable = data.draw(st.lists(st.integers(1, 600), max_size=2))
            if readable or writable:
                ring.add(readable, writable)
        at = data.draw(st.integers(ring.desc, ring.end))
        card.board.memory.write(at, data.draw(RINGS))
        ring.kick()
        card.device.port.receive(data.draw(st.binary(min_size=2, max_size=1600)))
        assert len(card.device.backlog) <= BACKLOG_LIMIT
    through = card.board.slot.state()
    card.board.slot.load_state(through)
