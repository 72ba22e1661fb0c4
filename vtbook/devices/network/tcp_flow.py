"""One TCP connection of a user network: the guest's end (`Endpoint`) joined to a host socket."""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vtbook.devices.network.ip import ip_text
from vtbook.devices.network.sockets import READ, WRITE
from vtbook.devices.network.tcp import Endpoint, State
from vtbook.devices.network.tcp_segment import RST, Segment

if TYPE_CHECKING:
    from vtbook.devices.network.nat import Key, Nat

CHUNK = 64 << 10


@dataclass(frozen=True)
class Connection:
    """One line of a table of connections."""

    guest: str
    remote: str
    state: str
    to_host: int
    """Bytes that the host has taken."""
    to_guest: int
    """Bytes read from the host for the guest."""
    retransmissions: int


class TcpFlow:
    """A connection. Nothing is buffered but what the two windows allow.

    Args:
        syn: the guest's SYN, when the guest opens; it is answered once the host has connected.
            None when the host opens: then `endpoint` asks the guest.
    """

    def __init__(
        self,
        network: Nat,
        key: Key,
        endpoint: Endpoint,
        host: socket.socket,
        syn: Segment | None = None,
    ) -> None:
        self.network, self.key, self.endpoint = network, key, endpoint
        self.socket: socket.socket | None = host
        self.syn = syn
        self.to_host = self.to_guest = 0
        self._host_closed = self._shut_down = False
        host.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        """Begin: wait for the host to connect, or ask the guest."""
        if self.syn is None:
            self.endpoint.open()
        self.work()

    @property
    def connection(self) -> Connection:
        """The line of the table."""
        state = "connecting" if self.syn else self.endpoint.state.value
        guest, remote = (f"{ip_text(self.key[i])}:{self.key[i + 1]}" for i in (1, 3))
        again = self.endpoint.retransmissions
        return Connection(guest, remote, state, self.to_host, self.to_guest, again)

    @property
    def deadline(self) -> float | None:
        """When `tick` has something to do."""
        return self.endpoint.deadline if self.syn is None else None

    @property
    def finished(self) -> bool:
        """Whether the flow can be forgotten."""
        return self.socket is None and self.endpoint.state is State.CLOSED

    # -- what happens -----------------------------------------------------------------------

    def on_segment(self, segment: Segment) -> None:
        """A segment came from the guest; `work` must follow."""
        if self.syn is None:
            self.endpoint.on_segment(segment)
        elif segment.flags & RST:  # it does not want the connection any more
            self.abort()

    def on_ready(self, events: int) -> None:
        """The socket can be read or written."""
        if self.syn is not None:
            self._connected()
        elif events & READ:
            self._read()
        self.work()

    def tick(self) -> None:
        """Run the endpoint's timers."""
        self.endpoint.tick()
        self.work()

    def work(self) -> None:
        """Do all that can be done without waiting, then wait for the right things."""
        if self.syn is None:
            if self.endpoint.error:
                self._close_host(reset=True)
            self._write()
            self.endpoint.flush()
            done = self._host_closed and self._shut_down
            if self.socket is not None and (done or self.endpoint.state is State.CLOSED):
                self._close_host(reset=not done)
        self._watch()

    def abort(self) -> None:
        """Break the connection on both sides."""
        if self.syn is not None:
            self.syn = None
            self.endpoint.state = State.CLOSED
        self.endpoint.abort()
        self._close_host(reset=True)

    # -- the host's side --------------------------------------------------------------------

    def _connected(self) -> None:
        """The host's connection is there, or has failed."""
        assert self.socket is not None
        assert self.syn is not None
        error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        syn, self.syn = self.syn, None
        if error == 0:
            self.endpoint.accept(syn)
        else:
            self.endpoint.state = State.CLOSED
            self._close_host()
            self.network.refuse_tcp(self.key, syn, error)

    def _read(self) -> None:
        while self.socket is not None and not self._host_closed and (room := self.endpoint.room):
            try:
                data = self.socket.recv(min(room, CHUNK))
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._broken()
                return
            if data:
                self.to_guest += len(data)
                self.endpoint.write(data)
            else:
                self._host_closed = True
                self.endpoint.close()

    def _write(self) -> None:
        received = self.endpoint.received
        while received and self.socket is not None:
            try:
                count = self.socket.send(received)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._broken()
                return
            self.to_host += count
            self.endpoint.consume(count)
        if self.endpoint.peer_closed and not self._shut_down and self.socket is not None:
            self._shut_down = True
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                self._broken()

    def _broken(self) -> None:
        """The host's end has gone."""
        self._close_host()
        self.endpoint.abort()

    def _close_host(self, *, reset: bool = False) -> None:
        if self.socket is None:
            return
        self.network.sockets.watch(self.socket, 0, self)
        if reset:  # with no time to linger, closing sends a RST
            nothing = struct.pack("HH" if os.name == "nt" else "ii", 1, 0)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, nothing)
        self.socket.close()
        self.socket = None

    def _watch(self) -> None:
        if self.socket is None:
            return
        events = 0
        if self.syn is not None or self.endpoint.received:
            events |= WRITE
        if self.endpoint.is_open and not self._host_closed and self.endpoint.room:
            events |= READ
        self.network.sockets.watch(self.socket, events, self)
