"""A guest made of our own packets, for what Linux's stack cannot be made to send."""

import time

from vtbook.devices.network import Port, UserNetwork
from vtbook.devices.network.ethernet import (
    BROADCAST,
    ETHERTYPE_ARP,
    ETHERTYPE_IPV4,
    Arp,
    Ethernet,
    mac_bytes,
)
from vtbook.devices.network.ip import Icmp, IPv4, Udp, ip_number
from vtbook.devices.network.tcp import Endpoint
from vtbook.devices.network.tcp_segment import SYN, Segment

MAC = mac_bytes("52:54:00:12:34:56")
GATEWAY_MAC = mac_bytes("52:55:0a:00:02:02")
GUEST, GATEWAY, DNS = map(ip_number, ("10.0.2.15", "10.0.2.2", "10.0.2.3"))
OUTSIDE = ip_number("192.0.2.1")


class Guest:
    """A card at a `UserNetwork`, and TCP connections of it."""

    def __init__(self, network: UserNetwork | None = None, **options):
        self.network = network or UserNetwork(**options)
        self.port = self.network.attach(Port())
        self.port.on_frame = self._receive
        self.frames = []
        self.connections = {}
        self.listening = {}

    def close(self):
        self.network.close()

    # -- frames -----------------------------------------------------------------------------

    def frame(self, payload, kind=ETHERTYPE_IPV4, destination=GATEWAY_MAC):
        self.port.send(Ethernet(destination, MAC, kind, payload).encode())

    def packet(self, protocol, payload, there=OUTSIDE, *, here=GUEST, **fields):
        self.frame(IPv4(here, there, protocol, payload, **fields).encode())

    def udp(self, payload, there, port, *, source=5000):
        self.packet(17, Udp(source, port, payload).encode(GUEST, there), there)

    def ping(self, there, payload=b"x" * 56, rest=0x0001_0001, **fields):
        self.packet(1, Icmp(8, 0, rest, payload).encode(), there, **fields)

    def arp(self, target, operation=1):
        packet = Arp(operation, MAC, GUEST, bytes(6), target)
        self.frame(packet.encode(), ETHERTYPE_ARP, BROADCAST)

    def _receive(self, frame):
        self.frames.append(frame)
        ethernet = Ethernet.parse(frame)
        if ethernet.kind == ETHERTYPE_ARP and Arp.parse(ethernet.payload).operation == 1:
            self.arp(GATEWAY, operation=2)
        if ethernet.kind != ETHERTYPE_IPV4:
            return
        packet = IPv4.parse(ethernet.payload)
        if packet.protocol == 6:
            self._segment(packet, Segment.parse(packet))

    def got(self):
        """The packets that came since the last call."""
        self.port.poll()
        frames, self.frames = self.frames, []
        ethernets = map(Ethernet.parse, frames)
        return [IPv4.parse(x.payload) for x in ethernets if x.kind == ETHERTYPE_IPV4]

    def until(self, condition, seconds=30):
        """Poll until it holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it takes too long"
            self.port.poll(0.01)
            for connection in list(self.connections.values()):
                connection.tick()
                connection.flush()

    # -- TCP --------------------------------------------------------------------------------

    def connect(self, there, port, source=40000):
        """Open a connection; the guest's end of it."""
        end = self._end(there, port, source)
        end.open()
        return end

    def listen(self, port):
        """Take one connection at `port`."""
        self.listening[port] = None

    def _end(self, there, port, source):
        def emit(segment):
            self.packet(6, segment.encode(GUEST, there), there)

        end = Endpoint(source, port, emit, time.monotonic, 77)
        self.connections[there, port, source] = end
        return end

    def _segment(self, packet, segment):
        key = (packet.source, segment.source_port, segment.destination_port)
        end = self.connections.get(key)
        if end is not None:
            end.on_segment(segment)
            end.flush()
        elif segment.flags == SYN and segment.destination_port in self.listening:
            end = self.listening[segment.destination_port] = self._end(*key)
            end.accept(segment)
