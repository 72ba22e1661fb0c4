"""The DHCP server of a user network (RFC 2131, RFC 2132).

```
 0       1       2       3       4                8       10      12
+-------+-------+-------+-------+----------------+-------+-------+
|  op   | htype | hlen  | hops  |       xid      | secs  | flags |
+-------+-------+-------+-------+----------------+-------+-------+
| ciaddr 12 | yiaddr 16 | siaddr 20 | giaddr 24 | chaddr 28 (16) |
+----------------------------------------------------------------+
| sname 44 (64) | file 108 (128) | cookie 236 | options 240 ...  |
+----------------------------------------------------------------+
```
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from vtbook.devices.network.ethernet import BROADCAST, MTU, Malformed, mac_text
from vtbook.devices.network.ip import ANY, EVERYONE, ip_text
from vtbook.devices.network.subnet import Subnet

SERVER_PORT, CLIENT_PORT = 67, 68
HEADER = struct.Struct("!BBBBIHHIIII16s64s128sI")
COOKIE = 0x63825363
REQUEST, REPLY = 1, 2
BROADCAST_FLAG = 0x8000
SHORTEST = 300
"""A BOOTP message is at least so long (RFC 1542 2.1)."""
LEASE_SECONDS = 24 * 3600

DISCOVER, OFFER, REQUEST_LEASE, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
NAMES = ("", "Discover", "Offer", "Request", "Decline", "ACK", "NAK", "Release", "Inform")

PAD, END = 0, 255
NETMASK, ROUTER, DNS, HOST_NAME, INTERFACE_MTU, WANTED_ADDRESS = 1, 3, 6, 12, 26, 50
LEASE_TIME, MESSAGE_TYPE, SERVER_ID = 51, 53, 54


@dataclass
class Message:
    """The fields of a DHCP message that count here; addresses are numbers."""

    op: int
    transaction: int
    flags: int
    client_ip: int
    your_ip: int
    mac: bytes
    options: dict[int, bytes]

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """Take the payload of a datagram apart.

        Raises:
            Malformed: it is no DHCP message for Ethernet.
        """
        if len(data) < HEADER.size:
            raise Malformed(f"DHCP: {len(data)} bytes; the header alone has {HEADER.size}")
        op, kind, size, _, xid, _, flags, client, your, _, _, chaddr, _, _, cookie = (
            HEADER.unpack_from(data)
        )
        if (kind, size, cookie) != (1, 6, COOKIE):
            raise Malformed("DHCP: not for Ethernet, or without the cookie")
        return cls(op, xid, flags, client, your, chaddr[:6], dict(_options(data[HEADER.size :])))

    @property
    def kind(self) -> int:
        """`DISCOVER`, `OFFER` and so on; 0 if it says nothing."""
        value = self.options.get(MESSAGE_TYPE, b"")
        return value[0] if len(value) == 1 else 0

    def address(self, option: int) -> int | None:
        """The address in an option, None if it is not there."""
        value = self.options.get(option, b"")
        return int.from_bytes(value, "big") if len(value) == 4 else None

    def encode(self, server: int) -> bytes:
        """The bytes of the message, sent by `server`."""
        fields = (self.op, 1, 6, 0, self.transaction, 0, self.flags, self.client_ip, self.your_ip)
        data = HEADER.pack(*fields, server, ANY, self.mac, b"", b"", COOKIE)
        for option, value in self.options.items():
            data += bytes((option, len(value))) + value
        return (data + bytes((END,))).ljust(SHORTEST, b"\0")


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The options up to the end mark; one that is cut off is left out."""
    at = 0
    while at < len(data) and data[at] != END:
        if data[at] == PAD:
            at += 1
            continue
        size = data[at + 1] if at + 1 < len(data) else 0
        if at + 2 + size > len(data):
            return
        yield data[at], data[at + 2 : at + 2 + size]
        at += 2 + size


@dataclass(frozen=True)
class Reply:
    """A message to send, and to whom."""

    data: bytes
    ip: int
    mac: bytes


@dataclass(frozen=True)
class Lease:
    """An address that a guest has."""

    mac: str
    ip: str
    name: str


class DhcpServer:
    """Gives addresses from the first guest's on, in the order in which guests ask.

    A guest that asks again gets its address again. When all are taken, the one that was asked
    for longest ago is given to the next guest.
    """

    def __init__(self, subnet: Subnet) -> None:
        self.subnet = subnet
        self._leases: dict[bytes, tuple[int, str]] = {}  # oldest first

    @property
    def leases(self) -> list[Lease]:
        """Who has which address, in order of address."""
        table = sorted((ip, mac, name) for mac, (ip, name) in self._leases.items())
        return [Lease(mac_text(mac), ip_text(ip), name) for ip, mac, name in table]

    def answer(self, data: bytes) -> Reply | None:
        """The reply to a client's message, None if it needs none.

        Raises:
            Malformed: `data` is no DHCP message.
        """
        message = Message.parse(data)
        server = message.address(SERVER_ID)
        if message.op != REQUEST or server not in (None, self.subnet.gateway):
            return None
        if message.kind == DISCOVER:
            return self._reply(message, OFFER, self._lease(message))
        if message.kind == REQUEST_LEASE:
            wanted = message.address(WANTED_ADDRESS) or message.client_ip
            given = self._lease(message)
            return self._reply(message, ACK if wanted == given else NAK, given)
        if message.kind == INFORM:
            return self._reply(message, ACK, ANY)
        if message.kind in (RELEASE, DECLINE):
            self._leases.pop(message.mac, None)
        return None

    def _lease(self, message: Message) -> int:
        name = message.options.get(HOST_NAME, b"")[:64].decode("ascii", "replace")
        known = self._leases.pop(message.mac, None)
        address = known[0] if known else self._free(message.address(WANTED_ADDRESS))
        self._leases[message.mac] = (address, name or (known[1] if known else ""))
        return address

    def _free(self, wanted: int | None) -> int:
        taken = {address for address, _ in self._leases.values()}
        pool = range(self.subnet.first_guest, self.subnet.broadcast)
        if wanted is not None and wanted in pool and wanted not in taken:
            return wanted
        for address in pool:
            if address not in taken:
                return address
        return self._leases.pop(next(iter(self._leases)))[0]

    def _reply(self, message: Message, kind: int, address: int) -> Reply:
        subnet = self.subnet
        options = {MESSAGE_TYPE: bytes((kind,)), SERVER_ID: subnet.gateway.to_bytes(4, "big")}
        if kind == NAK:
            address = ANY
        else:
            if address:
                options[LEASE_TIME] = LEASE_SECONDS.to_bytes(4, "big")
            options[NETMASK] = subnet.mask.to_bytes(4, "big")
            options[ROUTER] = subnet.gateway.to_bytes(4, "big")
            options[DNS] = subnet.name_server.to_bytes(4, "big")
            options[INTERFACE_MTU] = MTU.to_bytes(2, "big")
        client = message.client_ip if kind == ACK else ANY
        fields = (REPLY, message.transaction, message.flags, client, address, message.mac, options)
        data = Message(*fields).encode(subnet.gateway)
        if client and client in subnet:
            return Reply(data, client, message.mac)
        if kind == NAK or message.flags & BROADCAST_FLAG or not address:
            return Reply(data, EVERYONE, BROADCAST)
        return Reply(data, address, message.mac)
