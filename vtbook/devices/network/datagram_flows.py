"""UDP and ICMP echo of a user network: each conversation of the guest has one host socket."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from vtbook.devices.network.ethernet import Malformed
from vtbook.devices.network.ip import (
    ECHO_REPLY,
    ECHO_REQUEST,
    PORT_UNREACHABLE,
    PROTOCOL_ICMP,
    PROTOCOL_UDP,
    UNREACHABLE,
    Icmp,
    IPv4,
    Udp,
    error_about,
    ip_text,
)
from vtbook.devices.network.sockets import READ

if TYPE_CHECKING:
    from vtbook.devices.network.nat import Key, Nat

AT_ONCE = 64
"""Datagrams that are taken from one socket in one poll."""
LONGEST = 0xFFFF
UDP_IDLE, ICMP_IDLE = 60.0, 10.0
"""Seconds of silence after which a conversation is forgotten."""


class DatagramFlow:
    """What the two kinds share. `last` is the guest's last packet, `alive` until when it counts."""

    idle = UDP_IDLE

    def __init__(self, network: Nat, key: Key, host: socket.socket, packet: IPv4) -> None:
        self.network, self.key, self.last = network, key, packet
        self.socket: socket.socket | None = host
        self.alive = network.clock() + self.idle
        host.setblocking(False)
        network.sockets.watch(host, READ, self)

    @property
    def deadline(self) -> float | None:
        """When it is forgotten."""
        return self.alive

    @property
    def finished(self) -> bool:
        """Whether the flow can be forgotten."""
        return self.socket is None

    def transmit(self, packet: IPv4, data: bytes) -> None:
        """Send what the guest has sent; what the host cannot take now is lost, as UDP may be."""
        self.last = packet
        self.alive = self.network.clock() + self.idle
        if self.socket is not None:
            try:
                self.socket.send(data)
            except (BlockingIOError, InterruptedError):
                self.network.count("lost")
            except OSError:
                self._failed()

    def on_ready(self, events: int) -> None:
        """Datagrams have come from the host."""
        for _ in range(AT_ONCE):
            if self.socket is None:
                return
            try:
                data = self.socket.recv(LONGEST)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._failed()
                return
            self.alive = self.network.clock() + self.idle
            self._deliver(data)

    def tick(self) -> None:
        """Forget the conversation if it was silent for too long."""
        if self.network.clock() >= self.alive:
            self.close()

    def work(self) -> None:
        """Nothing waits to be done."""

    def close(self) -> None:
        """Close the socket."""
        if self.socket is not None:
            self.network.sockets.watch(self.socket, 0, self)
            self.socket.close()
            self.socket = None

    abort = close

    def _deliver(self, data: bytes) -> None:
        raise NotImplementedError

    def _failed(self) -> None:
        """The other end has said, by ICMP, that nobody listens there."""
        self.network.output(
            error_about(self.last, UNREACHABLE, PORT_UNREACHABLE, self.last.destination)
        )


class UdpFlow(DatagramFlow):
    """Datagrams between one port of the guest and one of another host."""

    def _deliver(self, data: bytes) -> None:
        _, guest, guest_port, remote, remote_port = self.key
        datagram = Udp(remote_port, guest_port, data).encode(remote, guest)
        self.network.output(IPv4(remote, guest, PROTOCOL_UDP, datagram))


class CallFlow:
    """Datagrams from one caller on the host to a forwarded port of the guest, and back."""

    def __init__(self, network: Nat, key: Key, listener: socket.socket, sender: Any) -> None:
        self.network, self.key, self.listener, self.sender = network, key, listener, sender
        self.finished = False
        self.renew()

    def comes_from(self, listener: socket.socket, sender: Any) -> bool:
        """Whether this is the conversation with that caller."""
        return self.listener is listener and self.sender == sender

    def renew(self) -> None:
        """Something was said."""
        self.alive = self.network.clock() + UDP_IDLE

    @property
    def deadline(self) -> float | None:
        """When it is forgotten."""
        return self.alive

    def transmit(self, packet: IPv4, data: bytes) -> None:
        """Give the caller what the guest answers."""
        self.renew()
        try:
            self.listener.sendto(data, self.sender)
        except OSError:
            self.network.count("lost")

    def tick(self) -> None:
        """Forget the caller if both were silent for too long."""
        if self.network.clock() >= self.alive:
            self.close()

    def work(self) -> None:
        """Nothing waits to be done."""

    def close(self) -> None:
        """Forget the caller; the listener's socket stays."""
        self.finished = True

    abort = close


class IcmpFlow(DatagramFlow):
    """Echoes of one identifier. The host's kernel puts an identifier of its own in their place."""

    idle = ICMP_IDLE

    def __init__(self, network: Nat, key: Key, packet: IPv4) -> None:
        # OSError where the host allows such sockets to nobody
        host = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
        try:
            host.connect((ip_text(packet.destination), 0))
        except OSError:
            host.close()
            raise
        super().__init__(network, key, host, packet)

    def echo(self, packet: IPv4, message: Icmp) -> None:
        """Send the guest's echo request."""
        self.transmit(packet, Icmp(ECHO_REQUEST, 0, message.rest, message.payload).encode())

    def _deliver(self, data: bytes) -> None:
        if data[:1] and data[0] >> 4 == 4:  # macOS gives the IP header as well
            data = data[(data[0] & 0xF) * 4 :]
        try:
            message = Icmp.parse(data)
        except Malformed:
            return
        if message.kind == ECHO_REPLY:
            rest = self.key[2] << 16 | message.rest & 0xFFFF
            reply = Icmp(ECHO_REPLY, 0, rest, message.payload).encode()
            self.network.output(IPv4(self.last.destination, self.last.source, PROTOCOL_ICMP, reply))
