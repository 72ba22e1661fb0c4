"""Address translation: each conversation of a guest becomes one socket of the host."""

from __future__ import annotations

import errno
import random
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

from vtbook.devices.network import dns
from vtbook.devices.network.datagram_flows import CallFlow, IcmpFlow, UdpFlow
from vtbook.devices.network.forwarding import Listener
from vtbook.devices.network.gateway import Gateway
from vtbook.devices.network.ip import (
    ECHO_REQUEST,
    HOST_UNREACHABLE,
    NET_UNREACHABLE,
    PROTOCOL_ICMP,
    PROTOCOL_TCP,
    PROTOCOL_UDP,
    UNREACHABLE,
    Icmp,
    IPv4,
    Udp,
    error_about,
)
from vtbook.devices.network.policy import Policy
from vtbook.devices.network.sockets import Sockets, connecting
from vtbook.devices.network.tcp import Endpoint, State
from vtbook.devices.network.tcp_flow import TcpFlow
from vtbook.devices.network.tcp_segment import ACK, RST, SYN, Segment, reset_for

LIMITS = {PROTOCOL_TCP: 128, PROTOCOL_UDP: 64, PROTOCOL_ICMP: 16}
"""Conversations at a time. One more connection is refused; of the rest the oldest is forgotten."""
AT_ONCE = 16
"""So many segments of a busy guest wait for `Nat.work` before the guest is disturbed. It takes them
earlier when the guest waits, or has run for a while: one system call and one answer for all."""
FIRST_CALL_PORT, CALL_PORTS = 49152, 16384
"""Ports of the gateway from which forwarded conversations seem to come."""

Key = tuple[int, int, int, int, int]
"""Protocol; guest's address and port; the other end's, as the guest sees it. ICMP has no ports but
an identifier, and 0."""
Flow = TcpFlow | UdpFlow | IcmpFlow | CallFlow


class Nat:
    """The conversations of the guests behind `gateway`, and their timers."""

    def __init__(
        self,
        policy: Policy,
        sockets: Sockets,
        clock: Callable[[], float],
        counters: Counter[str],
    ) -> None:
        self.policy, self.sockets, self.clock, self.counters = policy, sockets, clock, counters
        self.gateway = Gateway(policy.subnet, self.on_packet, clock, counters)
        self.output = self.gateway.output
        self.flows: dict[Key, Flow] = {}
        self._forget()

    def _forget(self) -> None:
        self.flows.clear()
        self._random = random.Random(0)  # initial sequence numbers: nobody is there to guess them
        self._segments_for: dict[TcpFlow, None] = {}
        self._segments = 0
        self._next_tick: float | None = None
        self._calls = 0

    def reset(self) -> None:
        """Break all conversations."""
        for flow in self.flows.values():
            flow.abort()
        self._forget()
        self.gateway.forget()

    def count(self, what: str) -> None:
        """Count that something happened."""
        self.counters[what] += 1

    # -- timers and work --------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """Seconds until there is something to do; None if never."""
        if self._segments_for:
            return 0.0
        return None if self._next_tick is None else max(self._next_tick - self.clock(), 0.0)

    def work(self) -> None:
        """Carry on with the connections from which segments came, and run timers that are due."""
        self._segments = 0
        while self._segments_for:
            spoken, _ = self._segments_for.popitem()
            spoken.work()
            self.note(spoken)
        if self._next_tick is None or self.clock() < self._next_tick:
            return
        self._next_tick = None
        for flow in list(self.flows.values()):
            if flow.deadline is not None and self.clock() >= flow.deadline:
                flow.tick()
            self.note(flow)

    def note(self, owner: Flow | Listener) -> None:
        """After `owner` did something: is it over, and when must it be looked at again?"""
        if isinstance(owner, Listener):
            return
        if owner.finished:
            if self.flows.get(owner.key) is owner:
                del self.flows[owner.key]
        elif owner.deadline is not None and (
            self._next_tick is None or owner.deadline < self._next_tick
        ):
            self._next_tick = owner.deadline

    def _has_room(self, protocol: int) -> bool:
        """Whether one more conversation may begin; if not, the oldest datagrams are forgotten."""
        same: list[Flow] = [flow for key, flow in self.flows.items() if key[0] == protocol]
        if len(same) < LIMITS[protocol]:
            return True
        if protocol == PROTOCOL_TCP:
            return False
        same[0].abort()
        self.note(same[0])
        return True

    def _call_port(self, protocol: int, guest: int, port: int) -> int:
        """A port of the gateway that the guest does not talk to yet."""
        while True:
            number = FIRST_CALL_PORT + self._calls % CALL_PORTS
            self._calls += 1
            if (protocol, guest, port, self.policy.subnet.gateway, number) not in self.flows:
                return number

    # -- packets of guests ------------------------------------------------------------------

    def on_packet(self, packet: IPv4) -> None:
        """Take a packet that the gateway does not answer itself.

        Raises:
            Malformed: what it carries is no segment, datagram or message.
        """
        if packet.protocol == PROTOCOL_TCP:
            self._on_tcp(packet, Segment.parse(packet))
        elif packet.protocol == PROTOCOL_UDP:
            self._on_udp(packet, Udp.parse(packet))
        elif packet.protocol == PROTOCOL_ICMP:
            self._on_icmp(packet, Icmp.parse(packet.payload))
        else:
            self.count("ignored")

    def _on_icmp(self, packet: IPv4, message: Icmp) -> None:
        if message.kind != ECHO_REQUEST:
            self.count("ignored")
            return
        key = (PROTOCOL_ICMP, packet.source, message.rest >> 16, packet.destination, 0)
        flow = self.flows.get(key)
        if flow is None:
            try:
                if self.policy.target(packet.destination, 0) is None:
                    raise OSError(errno.EACCES, "not allowed")
                flow = IcmpFlow(self, key, packet)
            except OSError:
                self.gateway.refuse(packet)
                return
            self._has_room(PROTOCOL_ICMP)
            self.flows[key] = flow
        assert isinstance(flow, IcmpFlow)
        flow.echo(packet, message)
        self.note(flow)

    def _on_udp(self, packet: IPv4, datagram: Udp) -> None:
        there, port = packet.destination, datagram.destination_port
        key = (PROTOCOL_UDP, packet.source, datagram.source_port, there, port)
        flow = self.flows.get(key)
        if flow is None:
            target = self.policy.target(there, port)
            if target is None:
                self._refuse_udp(packet, datagram)
                return
            try:
                host = connecting(socket.SOCK_DGRAM, target)
            except OSError:
                self.gateway.refuse(packet, UNREACHABLE, NET_UNREACHABLE)
                return
            self._has_room(PROTOCOL_UDP)
            flow = self.flows[key] = UdpFlow(self, key, host, packet)
        assert isinstance(flow, UdpFlow | CallFlow)
        flow.transmit(packet, datagram.payload)
        self.note(flow)

    def _refuse_udp(self, packet: IPv4, datagram: Udp) -> None:
        """Answer a DNS query with a refusal, so that the guest does not wait; else with ICMP."""
        there, guest = packet.destination, packet.source
        asks = (there, datagram.destination_port) == (self.policy.subnet.name_server, dns.PORT)
        answer = dns.refusal(datagram.payload) if asks else None
        if answer is None:
            self.gateway.refuse(packet)
            return
        self.count("refused")
        reply = Udp(dns.PORT, datagram.source_port, answer)
        self.output(IPv4(there, guest, PROTOCOL_UDP, reply.encode(there, guest)))

    def _on_tcp(self, packet: IPv4, segment: Segment) -> None:
        there, port = packet.destination, segment.destination_port
        key = (PROTOCOL_TCP, packet.source, segment.source_port, there, port)
        flow = self.flows.get(key)
        opens = segment.flags & (SYN | ACK | RST) == SYN
        if isinstance(flow, TcpFlow) and opens and flow.endpoint.state is State.TIME_WAIT:
            flow.abort()  # the guest uses its port again
            self.note(flow)
            flow = None
        if isinstance(flow, TcpFlow):
            flow.on_segment(segment)
            self._segments_for[flow] = None
            self._segments += 1
            if self._segments >= AT_ONCE and self.gateway.port is not None:
                self.gateway.port.wake()
        elif opens:
            self._connect(key, segment)
        else:
            self.reply(key, reset_for(segment))

    def _connect(self, key: Key, syn: Segment) -> None:
        """The guest wants a connection."""
        target = self.policy.target(key[3], key[4])
        if target is None or not self._has_room(PROTOCOL_TCP):
            self.refuse_tcp(key, syn, errno.ECONNREFUSED)
            return
        try:
            host = connecting(socket.SOCK_STREAM, target)
        except OSError as error:
            self.refuse_tcp(key, syn, error.errno or 0)
            return
        self._begin(TcpFlow(self, key, self._endpoint(key), host, syn))

    def _begin(self, flow: TcpFlow) -> None:
        self.flows[flow.key] = flow
        flow.start()
        self.note(flow)

    def _endpoint(self, key: Key) -> Endpoint:
        first = self._random.getrandbits(32)
        return Endpoint(key[4], key[2], lambda s: self.reply(key, s), self.clock, first)

    def reply(self, key: Key, segment: Segment | None) -> None:
        """Send `segment` to the guest, if there is one, as coming from the other end."""
        if segment is not None:
            guest, there = key[1], key[3]
            self.output(IPv4(there, guest, PROTOCOL_TCP, segment.encode(there, guest)))

    def refuse_tcp(self, key: Key, syn: Segment, error: int) -> None:
        """The host cannot connect, for reason `error`: tell the guest in the same way."""
        self.count("refused")
        if error in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ETIMEDOUT):
            guest, there = key[1], key[3]
            packet = IPv4(guest, there, PROTOCOL_TCP, syn.encode(guest, there))
            code = NET_UNREACHABLE if error == errno.ENETUNREACH else HOST_UNREACHABLE
            self.output(error_about(packet, UNREACHABLE, code, self.policy.subnet.gateway))
        else:
            self.reply(key, reset_for(syn))

    # -- calls from the host ----------------------------------------------------------------

    def call_guest(self, host: socket.socket, guest: int, port: int) -> None:
        """A connection came in at a forwarded port."""
        if not self._has_room(PROTOCOL_TCP):
            self.count("refused")
            host.close()
            return
        host.setblocking(False)
        number = self._call_port(PROTOCOL_TCP, guest, port)
        key = (PROTOCOL_TCP, guest, port, self.policy.subnet.gateway, number)
        self._begin(TcpFlow(self, key, self._endpoint(key), host))

    def datagram_for_guest(self, listener: Listener, data: bytes, sender: Any) -> None:
        """A datagram came in at a forwarded port."""
        guest, port, here = listener.guest, listener.rule.guest_port, self.policy.subnet.gateway
        for known in self.flows.values():
            if isinstance(known, CallFlow) and known.comes_from(listener.socket, sender):
                flow = known
                break
        else:
            self._has_room(PROTOCOL_UDP)
            number = self._call_port(PROTOCOL_UDP, guest, port)
            key = (PROTOCOL_UDP, guest, port, here, number)
            flow = self.flows[key] = CallFlow(self, key, listener.socket, sender)
        flow.renew()
        datagram = Udp(flow.key[4], port, data).encode(here, guest)
        self.output(IPv4(here, guest, PROTOCOL_UDP, datagram))
        self.note(flow)
