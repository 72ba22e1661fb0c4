"""Ethernet frames and ARP: the bytes on the wire as small records, and back.

```
 0            6            12     14
+------------+------------+------+-----------------
| destination|   source   | type | payload ...
+------------+------------+------+-----------------
```

A frame here has no preamble and no check sequence, as every virtual network card hands it over.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from vtbook.errors import VtbookError

BROADCAST = b"\xff" * 6
HEADER = 14
MTU = 1500
"""Bytes of payload in a frame."""
LONGEST = HEADER + 4 + MTU
"""Bytes of a frame, with a VLAN tag."""

ETHERTYPE_IPV4, ETHERTYPE_ARP, ETHERTYPE_IPV6 = 0x0800, 0x0806, 0x86DD


class Malformed(VtbookError, ValueError):
    """Bytes that are no packet of the kind they say they are."""


class AddressError(VtbookError, ValueError):
    """A text that is no address."""


def mac_text(mac: bytes) -> str:
    """``52:54:00:12:34:56`` for six bytes."""
    return mac.hex(":")


def mac_bytes(text: str) -> bytes:
    """Six bytes from ``52:54:00:12:34:56`` (or with ``-``).

    Raises:
        AddressError: `text` is not so written.
    """
    parts = text.replace("-", ":").split(":")
    try:
        if len(parts) == 6 and all(1 <= len(part) <= 2 for part in parts):
            return bytes(int(part, 16) for part in parts)
    except ValueError:
        pass
    raise AddressError(f"{text!r} is no MAC address; write it as 52:54:00:12:34:56")


def is_group(mac: bytes) -> bool:
    """Whether `mac` addresses a group of stations: broadcast or multicast."""
    return bool(mac[0] & 1)


@dataclass(slots=True)
class Ethernet:
    """A frame: six-byte addresses, type (``ETHERTYPE_...``), payload."""

    destination: bytes
    source: bytes
    kind: int
    payload: bytes

    @classmethod
    def parse(cls, frame: bytes) -> Ethernet:
        """Take `frame` apart.

        Raises:
            Malformed: it is shorter than a header.
        """
        if len(frame) < HEADER:
            raise Malformed(f"a frame of {len(frame)} bytes; the header alone has {HEADER}")
        return cls(frame[:6], frame[6:12], frame[12] << 8 | frame[13], frame[HEADER:])

    def encode(self) -> bytes:
        """The bytes of the frame."""
        return self.destination + self.source + self.kind.to_bytes(2, "big") + self.payload


ARP = struct.Struct("!HHBBH6sI6sI")
ARP_REQUEST, ARP_REPLY = 1, 2
ARP_OVER_ETHERNET = (1, ETHERTYPE_IPV4, 6, 4)


@dataclass(slots=True)
class Arp:
    """An address resolution packet for IPv4 over Ethernet (RFC 826); IP addresses are numbers."""

    operation: int
    sender_mac: bytes
    sender_ip: int
    target_mac: bytes
    target_ip: int

    @classmethod
    def parse(cls, data: bytes) -> Arp:
        """Take a frame's payload apart.

        Raises:
            Malformed: it is too short, or for other kinds of addresses.
        """
        if len(data) < ARP.size:
            raise Malformed(f"ARP: {len(data)} bytes; a packet has {ARP.size}")
        *kind, operation, sender_mac, sender_ip, target_mac, target_ip = ARP.unpack_from(data)
        if tuple(kind) != ARP_OVER_ETHERNET:
            raise Malformed("ARP: not for IPv4 over Ethernet")
        return cls(operation, sender_mac, sender_ip, target_mac, target_ip)

    def encode(self) -> bytes:
        """The bytes of the packet."""
        return ARP.pack(
            *ARP_OVER_ETHERNET,
            self.operation,
            self.sender_mac,
            self.sender_ip,
            self.target_mac,
            self.target_ip,
        )
