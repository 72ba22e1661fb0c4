"""A network for a guest that needs no rights on the host, after QEMU's user network (slirp).

The guest sees a subnet with a router, a DHCP server and a DNS relay. There is no router: the
network answers in its place, and carries what the guest sends on in ordinary sockets.

```
  guest 10.0.2.15 ---- port ---- Gateway   10.0.2.2  ARP, DHCP, ICMP echo
                                    |      10.0.2.3  DNS, relayed to the host's server
                                   Nat
                                    |      TCP, UDP, ICMP echo, where Policy allows them
                                 Sockets
```

Nothing leaves by default, and no service of the host is reached.

Why the packets are taken apart by code of our own: scapy takes some 65 times as long for a packet,
dpkt has had no release for years, and binding libslirp would need a C library and show nothing of
how it is done.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable

from vtbook.devices.network import dns
from vtbook.devices.network.dhcp import DhcpServer
from vtbook.devices.network.forwarding import Forward, ForwardError, Listener
from vtbook.devices.network.ip import ip_number
from vtbook.devices.network.nat import Nat
from vtbook.devices.network.policy import Policy
from vtbook.devices.network.port import Port
from vtbook.devices.network.sockets import READ, Sockets
from vtbook.devices.network.subnet import Subnet
from vtbook.devices.network.tcp_flow import Connection, TcpFlow
from vtbook.errors import VtbookError


class NetworkError(VtbookError):
    """The user network cannot be wired as asked."""


class UserNetwork:
    """A router, DHCP server and DNS relay for the guests at one port.

    Args:
        restrict: nothing leaves this computer: TCP is refused, the rest answered with ICMP errors.
        host_loopback: the gateway's address leads to the services of this computer, those on
            127.0.0.1 among them. Without it no address of this computer is reached.
        forwards: ports of this computer that lead to the guest, in QEMU's form
            ``tcp:127.0.0.1:2222-:22``. They work under `restrict` too.
        subnet: addresses, ``10.0.2.0/24`` by default: gateway .2, DNS .3, guests from .15.
        name_server: where DNS queries go; the host's server unless told, none under `restrict`.
        clock: seconds, for timers; `time.monotonic` unless told. What answers by itself (ARP, DHCP,
            echo of the gateway, refusals) depends on no clock.

    Attributes:
        counters: how often what happened: frames ``in`` and ``out``, ``malformed``, ``ignored``,
            ``refused``, ``lost``.
        policy: the rules, which may be changed at any time.

    Raises:
        AddressError: an address is not well written.
        ForwardError: a port of this computer cannot be forwarded.
    """

    def __init__(
        self,
        *,
        restrict: bool = True,
        host_loopback: bool = False,
        forwards: Iterable[str] = (),
        subnet: str = "10.0.2.0/24",
        name_server: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if name_server is not None:
            ip_number(name_server)
        elif not restrict:
            name_server = dns.host_name_server()
        self.policy = Policy(Subnet.parse(subnet), restrict, host_loopback, name_server)
        self.counters: Counter[str] = Counter()
        self._sockets = Sockets()
        self._nat = Nat(self.policy, self._sockets, clock, self.counters)
        self._lock = threading.RLock()  # on a switch, machines may run on threads of their own
        self._listeners: list[Listener] = []
        try:
            for rule in forwards:
                self.forward(rule)
        except VtbookError:
            self.close()
            raise

    # -- wiring -----------------------------------------------------------------------------

    @property
    def port(self) -> Port | None:
        """What is plugged in."""
        return self._nat.gateway.port

    def attach(self, port: Port) -> Port:
        """Plug the card behind `port` in. For several machines, put a `Switch` between.

        Raises:
            NetworkError: something is plugged in already.
        """
        if self.port is not None or port.network is not None:
            name = self.port.name if self.port is not None else port.name
            raise NetworkError(f"port {name} is plugged in already; join machines by a Switch")
        self._nat.gateway.port, port.network = port, self
        return port

    def detach(self, port: Port) -> None:
        """Forget `port`, and break all connections."""
        if self.port is port:
            self.reset()
            self._nat.gateway.port = port.network = None

    def forward(self, rule: str) -> Forward:
        """Let a port of this computer lead to the guest; returns the rule with its real port.

        Raises:
            ForwardError: see `Forward.parse`, or the port is taken.
        """
        parsed = Forward.parse(rule)
        subnet = self.policy.subnet
        guest = ip_number(parsed.guest_address) if parsed.guest_address else subnet.first_guest
        if not subnet.is_guest(guest):
            raise ForwardError(f"forward {rule!r}: no guest has that address in {subnet}")
        with self._lock:
            listener = Listener(self._nat, parsed, guest)
            self._listeners.append(listener)
            self._sockets.watch(listener.socket, READ, listener)
        return listener.rule

    @property
    def forwards(self) -> list[Forward]:
        """The rules in force."""
        return [listener.rule for listener in self._listeners]

    def reset(self, port: Port | None = None) -> None:
        """Break all connections, as when the cable is pulled; leases and forwards stay.

        After a guest went back in time its connections are of another time than ours. `Port.reset`
        calls this.
        """
        with self._lock:
            self._nat.reset()

    def close(self) -> None:
        """Break all connections, stop listening, free the sockets. It cannot be used again."""
        with self._lock:
            if self.port is not None:
                self.port.unplug()
            self.reset()
            for listener in self._listeners:
                self._sockets.watch(listener.socket, 0, listener)
                listener.close()
            self._listeners.clear()
            self._sockets.close()

    def __enter__(self) -> UserNetwork:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- looking at it ----------------------------------------------------------------------

    @property
    def is_live(self) -> bool:
        """Whether anything outside can act at any time, at the pace of the real world.

        If not, all answers follow from the guest's frames alone.
        """
        policy = self.policy
        opens = not policy.restrict or policy.host_loopback or policy.name_server is not None
        return opens or bool(self._listeners)

    @property
    def dhcp(self) -> DhcpServer:
        """The DHCP server, with its ``leases``."""
        return self._nat.gateway.dhcp

    @property
    def connections(self) -> list[Connection]:
        """The TCP connections, in the order in which they were opened."""
        with self._lock:
            flows = self._nat.flows.values()
            return [flow.connection for flow in flows if isinstance(flow, TcpFlow)]

    # -- the network behind a port ----------------------------------------------------------

    waits = True

    def send(self, port: Port, frame: bytes) -> None:
        """Take a frame from the guest."""
        with self._lock:
            self._nat.gateway.input(frame)

    def poll(self, timeout: float = 0.0) -> None:
        """Do all work of sockets and timers, after at most `timeout` seconds of waiting for some.

        Frames for the guest then wait in its port.
        """
        with self._lock:
            self._nat.work()
            if timeout > 0:
                if self.port is not None and self.port.waiting:
                    timeout = 0.0
                elif (deadline := self.deadline()) is not None:
                    timeout = min(timeout, deadline)
        ready = self._sockets.wait(timeout)
        with self._lock:
            self._sockets.serve(ready, self._nat.note)
            self._nat.work()

    def filenos(self) -> list[int]:
        """Descriptors that become readable when `poll` has something to do.

        Where the system can watch many sockets through one descriptor (Linux, macOS) it is that
        one; elsewhere there is none, and the way to wait is `poll` with a timeout.
        """
        return self._sockets.filenos()

    def deadline(self) -> float | None:
        """Seconds until `poll` has something to do in any case; None if never."""
        return self._nat.deadline
