"""Ports, cables and the switch: who gets which frame, in which order, and what is counted."""

import threading

import pytest

from vtbook.devices.network import Cable, Port, Switch, SwitchError, UserNetwork, mac_bytes
from vtbook.devices.network.port import LINK_DOWN
from vtbook.devices.network.switch import TABLE_LIMIT

BROADCAST = b"\xff" * 6


def mac(number):
    return bytes((0x52, 0x54, 0, 0, number >> 8, number & 0xFF))


def frame(destination, source, payload=b""):
    return destination + source + b"\x88\xb5" + payload


class Station(Port):
    """A machine: a port that keeps what it gets."""

    def __init__(self, number, network=None):
        super().__init__(f"station {number}")
        self.mac, self.got = mac(number), []
        self.on_frame = self.got.append
        if network is not None:
            network.attach(self)

    def say(self, to, payload=b""):
        self.send(frame(to, self.mac, payload))

    def hear(self):
        self.poll()
        heard, self.got[:] = list(self.got), []
        return heard


def stations(switch, count):
    return [Station(number, switch) for number in range(1, count + 1)]


# -- ports and cables ---------------------------------------------------------------------------


def test_a_frame_waits_in_the_port_until_it_is_polled():
    left, right = Station(1), Station(2)
    Cable(left, right)
    woken = []
    right.on_wake = lambda: woken.append(1)
    left.say(right.mac)
    assert right.got == []
    assert woken == [1]
    assert right.deadline() == 0
    assert right.poll() == 1
    assert len(right.got) == 1
    assert right.deadline() is None


def test_what_arrives_is_logged_before_the_device_sees_it():
    port = Port()
    seen = []
    port.on_feed = lambda data: seen.append(("log", data))
    port.on_frame = lambda data: seen.append(("device", data))
    port.offer(b"frame")
    port.poll()
    port.set_link(False)
    assert seen == [("log", b"frame"), ("device", b"frame"), ("log", LINK_DOWN)]


def test_a_muted_port_sends_nothing_and_shows_nothing():
    left, right = Station(1), Station(2)
    Cable(left, right)
    seen = []
    left.taps.append(lambda *what: seen.append(what))
    left.muted = True
    left.say(right.mac)
    left.receive(b"replayed")
    assert right.hear() == []
    assert left.got == [b"replayed"]  # the device gets what is replayed
    assert seen == []
    assert (left.sent, left.received) == (0, 0)


def test_a_port_holds_so_many_frames_and_drops_the_rest():
    port = Port(limit=3)
    for n in range(5):
        port.offer(bytes([n]) * 14)
    assert (port.waiting, port.dropped) == (3, 2)
    port.on_frame = (got := []).append
    port.poll()
    assert [x[0] for x in got] == [0, 1, 2]


def test_frames_wait_while_the_device_cannot_take_them():
    port = Station(1)
    room = [2]
    port.can_receive = lambda: len(port.got) < room[0]
    for n in range(5):
        port.offer(bytes([n]) * 14)
    assert port.poll() == 2
    assert (port.waiting, port.deadline()) == (3, None)
    room[0] = 4
    assert port.deadline() == 0
    assert port.poll() == 2
    port.reset()
    assert port.waiting == 0


def test_a_port_polls_what_arrives_while_it_polls_the_next_time():
    left, right = Station(1), Station(2)
    Cable(left, right)
    right.on_frame = lambda data: right.offer(data)  # a device that is never quiet
    left.say(right.mac)
    assert right.poll() == 1
    assert right.poll() == 1


def test_a_poll_waits_for_a_frame_of_another_thread():
    left, right = Station(1), Station(2)
    Cable(left, right)
    assert right.poll(0.001) == 0
    thread = threading.Timer(0.05, left.say, [right.mac])
    thread.start()
    assert right.poll(60) == 1
    thread.join()


def test_after_a_cable_is_pulled_nothing_passes():
    left, right = Station(1), Station(2)
    Cable(left, right)
    left.say(right.mac)
    right.unplug()
    left.say(right.mac)
    assert right.hear() == []
    right.say(left.mac)
    assert left.hear() == []


# -- the switch ---------------------------------------------------------------------------------


def test_unknown_and_group_addresses_are_flooded_and_known_ones_are_not():
    one, two, three = stations(switch := Switch(), 3)
    one.say(two.mac, b"unknown")
    assert [len(x.hear()) for x in (one, two, three)] == [0, 1, 1]
    two.say(one.mac, b"known")
    assert [len(x.hear()) for x in (one, two, three)] == [1, 0, 0]
    three.say(BROADCAST)
    assert [len(x.hear()) for x in (one, two, three)] == [1, 1, 0]
    three.say(bytes.fromhex("01005e000001"))
    assert [len(x.hear()) for x in (one, two, three)] == [1, 1, 0]
    assert [line.mac[-1] for line in switch.table] == ["1", "2", "3"]
    assert [line.port for line in switch.table] == ["station 1", "station 2", "station 3"]


def test_floods_go_out_in_the_order_in_which_ports_were_plugged_in():
    switch = Switch()
    order = []
    sender, *others = stations(switch, 5)
    for port in others:
        port.on_wake = lambda port=port: order.append(port.name)
    sender.say(BROADCAST)
    assert order == [port.name for port in others]


def test_a_station_that_moves_is_found_again():
    one, two, three = stations(Switch(), 3)
    one.say(BROADCAST)
    three.send(frame(BROADCAST, one.mac))
    for port in (one, two, three):
        port.hear()
    two.say(one.mac)
    assert [len(x.hear()) for x in (one, two, three)] == [0, 0, 1]


def test_a_frame_for_a_station_at_the_same_port_goes_nowhere():
    one, two = stations(switch := Switch(), 2)
    one.say(BROADCAST)
    one.send(frame(mac(77), mac(78)))
    one.send(frame(mac(78), mac(79)))
    two.hear()
    one.send(frame(one.mac, mac(80)))
    assert two.hear() == []
    assert switch.statistics["station 1"].filtered == 2


def test_addresses_are_forgotten_by_the_clock_they_are_given():
    time = [0.0]
    one, two, three = stations(switch := Switch(clock=lambda: time[0], ageing=300), 3)
    one.say(BROADCAST)
    time[0] = 300.0
    two.say(one.mac)
    assert len(three.hear()) == 1  # the broadcast only
    time[0] = 300.1
    two.say(one.mac)
    assert len(three.hear()) == 1
    assert [line.port for line in switch.table] == ["station 2"]


def test_without_a_clock_frames_are_counted():
    one, two, three = stations(switch := Switch(ageing=10), 3)
    one.say(BROADCAST)
    for _ in range(10):
        two.say(one.mac)
    assert len(three.hear()) == 1
    two.say(one.mac)
    assert len(three.hear()) == 1
    assert switch.statistics["station 2"].flooded == 1


def test_invented_addresses_do_not_push_out_those_of_others():
    one, two, three = stations(switch := Switch(clock=lambda: 0.0), 3)
    one.say(BROADCAST)
    for number in range(TABLE_LIMIT + 10):
        two.send(frame(BROADCAST, mac(1000 + number)))
    three.hear()
    two.say(one.mac)
    assert three.hear() == []
    assert len(switch.table) == TABLE_LIMIT
    assert switch.overflows == 12  # the last two.say is one as well


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        bytes(13),
        frame(BROADCAST, mac(1), bytes(1505)),
        frame(mac(2), BROADCAST),
        frame(bytes.fromhex("0180c2000000"), mac(1)),
    ],
)
def test_what_a_bridge_must_not_forward_is_dropped(bad):
    one, two = stations(switch := Switch(), 2)
    one.send(bad)
    assert two.hear() == []
    assert switch.statistics["station 1"].dropped == 1
    assert switch.table == []


def test_an_unplugged_port_is_forgotten():
    one, two, three = stations(switch := Switch(), 3)
    one.say(BROADCAST)
    one.unplug()
    assert [port.name for port in switch.ports] == ["station 2", "station 3"]
    assert switch.table == []
    three.say(one.mac)
    assert one.hear() == []
    assert len(two.hear()) == 2
    switch.attach(one)
    three.say(one.mac)
    assert len(one.hear()) == 1


def test_a_name_or_a_port_is_not_plugged_in_twice():
    switch = Switch()
    port = switch.attach(Port("a"))
    with pytest.raises(SwitchError, match="unplug it first"):
        switch.attach(port)
    with pytest.raises(SwitchError, match="'a' already"):
        switch.attach(Port("a"))


def test_frames_are_counted_at_both_ends():
    one, two = stations(switch := Switch(), 2)
    one.say(two.mac)
    two.say(one.mac)
    assert switch.statistics["station 1"].received == switch.statistics["station 1"].sent == 1
    one.poll()
    assert (one.sent, one.received) == (1, 1)


def test_switches_can_be_joined():
    left, right = Switch(), Switch()
    (one, two), (three,) = stations(left, 2), [Station(3, right)]
    left.uplink(right)
    one.say(three.mac, b"hello")
    assert three.hear() == [frame(three.mac, one.mac, b"hello")]
    two.hear()
    three.say(one.mac, b"back")
    assert one.hear() == [frame(one.mac, three.mac, b"back")]
    assert two.hear() == []


def test_machines_on_threads_of_their_own_share_an_uplink():
    network, switch = UserNetwork(), Switch()
    switch.uplink(network)
    ports = stations(switch, 3)
    counts, errors = {}, []

    def run(number, port):
        """Ask the gateway for its MAC, and again as soon as it has answered."""
        request = bytes.fromhex("0001080006040001") + port.mac + bytes((10, 0, 2, 15 + number))
        request += bytes(6) + bytes.fromhex("0a000202")
        frame_ = BROADCAST + port.mac + b"\x08\x06" + request
        gateway = bytes.fromhex("52550a000202")
        answered, rounds = 0, 0
        try:
            while answered < 300 and rounds < 100_000:
                port.send(frame_)
                asked = answered
                while answered == asked and rounds < 100_000:
                    port.poll(0.01)
                    rounds += 1
                    answered += sum(x[:12] == port.mac + gateway for x in port.got)
                    port.got.clear()
        except Exception as error:
            errors.append(error)
        counts[number] = answered

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(ports)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert counts == {0: 300, 1: 300, 2: 300}
    network.close()


def test_an_uplink_leads_to_a_user_network_and_can_be_taken_away():
    switch = Switch()
    network = UserNetwork()
    uplink = switch.uplink(network)
    one, two = stations(switch, 2)
    gateway = mac_bytes("52:55:0a:00:02:02")
    request = bytes.fromhex("0001080006040001") + one.mac + bytes.fromhex("0a00020f")
    request += bytes(6) + bytes.fromhex("0a000202")
    one.send(BROADCAST + one.mac + b"\x08\x06" + request)
    (reply,) = one.hear()
    assert reply[:12] == one.mac + gateway
    assert len(two.hear()) == 1  # the question, but not the answer
    assert "uplink" in {line.port for line in switch.table}
    switch.detach(uplink)
    one.send(BROADCAST + one.mac + b"\x08\x06" + request)
    assert one.hear() == []
    network.close()
