"""The guest's side of a user network: frames in and out, and what the network answers by itself.

ARP, DHCP and the echo of the gateway need nothing from outside and no clock, so the same frames are
answered with the same frames each time. All other packets go to `on_packet`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from vtbook.devices.network import dhcp
from vtbook.devices.network.ethernet import (
    ARP_REPLY,
    ARP_REQUEST,
    BROADCAST,
    ETHERTYPE_ARP,
    ETHERTYPE_IPV4,
    Arp,
    Ethernet,
    Malformed,
    is_group,
)
from vtbook.devices.network.fragments import Reassembly, cut
from vtbook.devices.network.ip import (
    ANY,
    ECHO_REPLY,
    ECHO_REQUEST,
    EVERYONE,
    PROHIBITED,
    PROTOCOL_ICMP,
    PROTOCOL_UDP,
    TIME_EXCEEDED,
    UNREACHABLE,
    Icmp,
    IPv4,
    Udp,
    error_about,
)
from vtbook.devices.network.port import Port
from vtbook.devices.network.subnet import Subnet, is_routable

UNRESOLVED_LIMIT = 16
"""Packets that wait for the guest to tell its MAC address."""


def mac_of(address: int) -> bytes:
    """The MAC address of the gateway or the name server: 52:55 and its IP address, as in slirp."""
    return b"\x52\x55" + address.to_bytes(4, "big")


class Gateway:
    """The router that the guests of `subnet` see.

    Args:
        on_packet: called with each packet, whole and of a guest, that is not answered here.
        clock: seconds, for fragments that wait for the rest.
        counters: how often what happened.
    """

    def __init__(
        self,
        subnet: Subnet,
        on_packet: Callable[[IPv4], None],
        clock: Callable[[], float],
        counters: Counter[str],
    ) -> None:
        self.subnet, self.on_packet, self.clock, self.counters = subnet, on_packet, clock, counters
        self.dhcp = dhcp.DhcpServer(subnet)
        self.port: Port | None = None
        self._addresses = (mac_of(subnet.gateway), mac_of(subnet.name_server))
        self.forget()

    def forget(self) -> None:
        """Forget who is where; leases stay."""
        self._neighbours: dict[int, bytes] = {}
        self._unresolved: list[IPv4] = []
        self._reassembly = Reassembly(self.clock)

    # -- frames out -------------------------------------------------------------------------

    def output(self, packet: IPv4, mac: bytes | None = None) -> None:
        """Send `packet` to a guest, in pieces if it is long; ask for the guest's MAC if need be."""
        mac = mac or self._neighbours.get(packet.destination)
        if mac is None:
            if len(self._unresolved) < UNRESOLVED_LIMIT:
                self._unresolved.append(packet)
            here = self.subnet.gateway
            question = Arp(ARP_REQUEST, mac_of(here), here, bytes(6), packet.destination)
            self._emit(BROADCAST, ETHERTYPE_ARP, question.encode())
            return
        for piece in cut(packet):
            self._emit(mac, ETHERTYPE_IPV4, piece.encode())

    def refuse(self, packet: IPv4, kind: int = UNREACHABLE, code: int = PROHIBITED) -> None:
        """Answer `packet` with an ICMP error."""
        self.counters["refused"] += 1
        self.output(error_about(packet, kind, code, self.subnet.gateway))

    def _emit(self, mac: bytes, kind: int, payload: bytes) -> None:
        if self.port is not None:
            self.counters["out"] += 1
            self.port.offer(Ethernet(mac, self._addresses[0], kind, payload).encode())

    # -- frames in --------------------------------------------------------------------------

    def input(self, frame: bytes) -> None:
        """Take a frame of a guest. It may hold anything; what makes no sense is counted."""
        self.counters["in"] += 1
        try:
            self._on_frame(Ethernet.parse(frame))
        except Malformed:
            self.counters["malformed"] += 1

    def _ignore(self) -> None:
        self.counters["ignored"] += 1

    def _on_frame(self, frame: Ethernet) -> None:
        to_us = frame.destination in self._addresses or is_group(frame.destination)
        if is_group(frame.source) or not to_us:
            self._ignore()
        elif frame.kind == ETHERTYPE_IPV4:
            self._on_packet(IPv4.parse(frame.payload), frame.source)
        elif frame.kind == ETHERTYPE_ARP:
            self._on_arp(Arp.parse(frame.payload))
        else:
            self._ignore()

    def _on_arp(self, arp: Arp) -> None:
        if self.subnet.is_guest(arp.sender_ip) and not is_group(arp.sender_mac):
            self._meet(arp.sender_ip, arp.sender_mac)
        if arp.operation == ARP_REQUEST and self.subnet.is_ours(arp.target_ip):
            mac = mac_of(arp.target_ip)
            reply = Arp(ARP_REPLY, mac, arp.target_ip, arp.sender_mac, arp.sender_ip)
            self._emit(arp.sender_mac, ETHERTYPE_ARP, reply.encode())

    def _meet(self, address: int, mac: bytes) -> None:
        """The guest with `address` is at `mac`; send what waited for that."""
        if self._neighbours.get(address) == mac:
            return
        self._neighbours[address] = mac
        waiting, self._unresolved = self._unresolved, []
        for packet in waiting:
            if packet.destination == address:
                self.output(packet)
            else:
                self._unresolved.append(packet)

    def _on_packet(self, packet: IPv4, mac: bytes) -> None:
        if self.subnet.is_guest(packet.source):
            self._meet(packet.source, mac)
        elif packet.source != ANY:
            self._ignore()  # forged, or of another network
            return
        if packet.is_fragment:
            whole = self._reassembly.join(packet)
            if whole is None:
                return
            packet = whole
        there = packet.destination
        ours = self.subnet.is_ours(there)
        if packet.protocol == PROTOCOL_UDP and self._on_dhcp(packet):
            return
        if packet.source == ANY or not (ours or (is_routable(there) and there not in self.subnet)):
            self._ignore()
        elif packet.protocol == PROTOCOL_ICMP and ours:
            self._on_echo(packet, Icmp.parse(packet.payload))
        elif packet.ttl <= 1 and not ours:
            self.refuse(packet, TIME_EXCEEDED, 0)
        else:
            self.on_packet(packet)

    def _on_dhcp(self, packet: IPv4) -> bool:
        """Answer a message to the DHCP server; False if `packet` is none."""
        here = self.subnet.gateway
        if packet.destination not in (EVERYONE, self.subnet.broadcast, here):
            return False
        datagram = Udp.parse(packet)
        if datagram.destination_port != dhcp.SERVER_PORT:
            return False
        reply = self.dhcp.answer(datagram.payload)
        if reply is not None:
            data = Udp(dhcp.SERVER_PORT, dhcp.CLIENT_PORT, reply.data).encode(here, reply.ip)
            self.output(IPv4(here, reply.ip, PROTOCOL_UDP, data), reply.mac)
        return True

    def _on_echo(self, packet: IPv4, message: Icmp) -> None:
        if message.kind != ECHO_REQUEST:
            self._ignore()
            return
        reply = Icmp(ECHO_REPLY, 0, message.rest, message.payload).encode()
        self.output(IPv4(packet.destination, packet.source, PROTOCOL_ICMP, reply))
