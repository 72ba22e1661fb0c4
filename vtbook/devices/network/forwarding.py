"""Host forwarding: a port of this computer that leads to a port of the guest."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vtbook.devices.network.ethernet import AddressError
from vtbook.devices.network.ip import ip_number
from vtbook.devices.network.policy import LOOPBACK
from vtbook.errors import VtbookError

if TYPE_CHECKING:
    from vtbook.devices.network.nat import Nat

Kind = Literal["tcp", "udp"]
RULE = re.compile(r"(?:(tcp|udp):)?([\d.]*):(\d+)-(?:>\s*)?([\d.]*):(\d+)", re.ASCII)
AT_ONCE = 16
"""Connections that are accepted, or datagrams taken, in one poll."""


class ForwardError(VtbookError):
    """A port of this computer cannot be forwarded as asked."""


@dataclass(frozen=True)
class Forward:
    """`host_address`:`host_port` of this computer leads to `guest_port` of the guest.

    `guest_address` is empty for the first guest. Host port 0 lets the system choose one.
    """

    kind: Kind
    host_address: str
    host_port: int
    guest_address: str
    guest_port: int

    @classmethod
    def parse(cls, rule: str) -> Forward:
        """Read QEMU's form, ``tcp:127.0.0.1:2222-:22``.

        Left out, the protocol is tcp and the guest's address that of the first guest. Unlike
        QEMU's, a rule without a host address listens on 127.0.0.1 only.

        Raises:
            ForwardError: `rule` is not so written.
        """
        match = RULE.fullmatch(rule.strip())
        if match is None:
            raise ForwardError(f"forward {rule!r}: write it as tcp:127.0.0.1:2222-:22")
        kind, host, host_port, guest, guest_port = match.groups()
        try:
            for address in filter(None, (host, guest)):
                ip_number(address)
        except AddressError as error:
            raise ForwardError(f"forward {rule!r}: {error}") from None
        if int(host_port) > 0xFFFF or not 0 < int(guest_port) <= 0xFFFF:
            raise ForwardError(f"forward {rule!r}: a port is a number up to 65535")
        return cls(
            "udp" if kind == "udp" else "tcp",
            host or LOOPBACK,
            int(host_port),
            guest,
            int(guest_port),
        )

    def __str__(self) -> str:
        return (
            f"{self.kind}:{self.host_address}:{self.host_port}"
            f"-{self.guest_address}:{self.guest_port}"
        )


class Listener:
    """The listening socket of one rule."""

    def __init__(self, network: Nat, rule: Forward, guest: int) -> None:
        self.network, self.guest = network, guest
        kind = socket.SOCK_STREAM if rule.kind == "tcp" else socket.SOCK_DGRAM
        self.socket = socket.socket(socket.AF_INET, kind)
        try:
            if rule.kind == "tcp" and os.name == "posix":  # elsewhere it means something else
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((rule.host_address, rule.host_port))
            if rule.kind == "tcp":
                self.socket.listen(AT_ONCE)
        except OSError as error:
            self.socket.close()
            raise ForwardError(f"forward {rule}: {error.strerror}; choose another port") from None
        self.socket.setblocking(False)
        port = self.socket.getsockname()[1]
        self.rule = Forward(rule.kind, rule.host_address, port, rule.guest_address, rule.guest_port)

    def on_ready(self, events: int) -> None:
        """Someone on the host calls."""
        for _ in range(AT_ONCE):
            try:
                if self.rule.kind == "tcp":
                    connection, _ = self.socket.accept()
                    self.network.call_guest(connection, self.guest, self.rule.guest_port)
                else:
                    data, sender = self.socket.recvfrom(0xFFFF)
                    self.network.datagram_for_guest(self, data, sender)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                return

    def close(self) -> None:
        """Listen no more."""
        self.socket.close()
