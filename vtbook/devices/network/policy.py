"""Where a guest of a user network may go. Everything that leaves passes `Policy.target`."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from vtbook.devices.network import dns
from vtbook.devices.network.ip import ip_text
from vtbook.devices.network.subnet import Subnet, is_routable

LOOPBACK = "127.0.0.1"
DISCARD_PORT = 9

Target = tuple[str, int]
"""An address and a port as the host knows them."""


@dataclass
class Policy:
    """The rules; `UserNetwork` says what each means."""

    subnet: Subnet
    restrict: bool
    host_loopback: bool
    name_server: str | None

    def target(self, there: int, port: int) -> Target | None:
        """The host's address for what the guest calls `there`; None if it may not go there."""
        if there == self.subnet.name_server:
            return (self.name_server, port) if self.name_server and port == dns.PORT else None
        if there == self.subnet.gateway:
            return (LOOPBACK, port) if self.host_loopback else None
        if self.restrict or there in self.subnet or not is_routable(there):
            return None
        if not self.host_loopback and is_this_host(there):
            return None
        return ip_text(there), port


def is_this_host(address: int) -> bool:
    """Whether `address` is one of this computer's own: such an address is its own way there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((ip_text(address), DISCARD_PORT))  # sends nothing
            return probe.getsockname()[0] == ip_text(address)
        except OSError:
            return False
