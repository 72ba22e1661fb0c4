"""IPv4, UDP and ICMP: headers as small records, and the checksum that they share.

Addresses are numbers, so that they compare and mask quickly; `ip_text` and `ip_number` convert.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from vtbook.devices.network.ethernet import AddressError, Malformed

PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP = 1, 6, 17
HEADER = struct.Struct("!BBHHHBBHII")
PSEUDO_HEADER = struct.Struct("!IIxBH")
DONT_FRAGMENT, MORE_FRAGMENTS = 0x4000, 0x2000
OFFSET_MASK = 0x1FFF
"""The fragment's place in its datagram, in units of eight bytes."""

ANY, EVERYONE = 0, 0xFFFF_FFFF


def ip_text(address: int) -> str:
    """``10.0.2.15`` for a number."""
    return ".".join(map(str, address.to_bytes(4, "big")))


def ip_number(text: str) -> int:
    """The number of an address written as ``10.0.2.15``.

    Raises:
        AddressError: `text` is not so written.
    """
    parts = text.split(".")
    if len(parts) == 4 and all(p.isascii() and p.isdigit() and int(p) <= 255 for p in parts):
        return int.from_bytes(bytes(map(int, parts)), "big")
    raise AddressError(f"{text!r} is no IPv4 address; write it as 10.0.2.15")


def checksum(data: bytes) -> int:
    """The Internet checksum of `data` (RFC 1071): the complement of the 16-bit sum with carries.

    A sum in which carries wrap around is a remainder by 0xffff, and Python divides a long number
    faster than it adds many short ones.
    """
    number = int.from_bytes(data, "big") << (len(data) % 2 * 8)
    return 0xFFFF - (number % 0xFFFF or (0xFFFF if number else 0))


def sums_up(data: bytes) -> bool:
    """Whether `data`, its checksum included, is undamaged."""
    return checksum(data) == 0


def pseudo_header(source: int, destination: int, protocol: int, length: int) -> bytes:
    """What the checksums of UDP and TCP cover besides their own bytes (RFC 9293 3.1)."""
    return PSEUDO_HEADER.pack(source, destination, protocol, length)


@dataclass(slots=True)
class IPv4:
    """A packet (RFC 791). `fragment` is the field of flags and offset as it stands there."""

    source: int
    destination: int
    protocol: int
    payload: bytes
    ttl: int = 64
    identification: int = 0
    fragment: int = 0
    service: int = 0

    @classmethod
    def parse(cls, data: bytes) -> IPv4:
        """Take a frame's payload apart; options are skipped, padding after the packet is cut off.

        Raises:
            Malformed: a length is impossible, or the header's checksum is wrong.
        """
        if len(data) < HEADER.size:
            raise Malformed(f"IPv4: {len(data)} bytes; the header alone has {HEADER.size}")
        first, service, length, identification, fragment, ttl, protocol, _, source, destination = (
            HEADER.unpack_from(data)
        )
        header = (first & 0xF) * 4
        if first >> 4 != 4 or header < HEADER.size or not header <= length <= len(data):
            raise Malformed(f"IPv4: version {first >> 4}, header {header}, {length} bytes")
        if not sums_up(data[:header]):
            raise Malformed("IPv4: the header's checksum is wrong")
        return cls(
            source,
            destination,
            protocol,
            data[header:length],
            ttl,
            identification,
            fragment,
            service,
        )

    @property
    def offset(self) -> int:
        """Where this fragment's payload begins in its datagram, in bytes."""
        return (self.fragment & OFFSET_MASK) * 8

    @property
    def is_fragment(self) -> bool:
        """Whether this is one piece of several."""
        return bool(self.fragment & (MORE_FRAGMENTS | OFFSET_MASK))

    def encode(self) -> bytes:
        """The bytes of the packet, without options."""
        fields = (
            0x45,
            self.service,
            HEADER.size + len(self.payload),
            self.identification,
            self.fragment,
            self.ttl,
            self.protocol,
        )
        header = HEADER.pack(*fields, 0, self.source, self.destination)
        return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + self.payload


UDP_HEADER = struct.Struct("!HHHH")


@dataclass(slots=True)
class Udp:
    """A datagram (RFC 768)."""

    source_port: int
    destination_port: int
    payload: bytes

    @classmethod
    def parse(cls, packet: IPv4) -> Udp:
        """Take the payload of a packet apart.

        Raises:
            Malformed: a length is impossible, or the checksum is wrong.
        """
        data = packet.payload
        if len(data) < UDP_HEADER.size:
            raise Malformed(f"UDP: {len(data)} bytes; the header alone has {UDP_HEADER.size}")
        source, destination, length, total = UDP_HEADER.unpack_from(data)
        if not UDP_HEADER.size <= length <= len(data):
            raise Malformed(f"UDP: says it has {length} bytes, has {len(data)}")
        data = data[:length]
        before = pseudo_header(packet.source, packet.destination, PROTOCOL_UDP, length)
        if total and not sums_up(before + data):
            raise Malformed("UDP: the checksum is wrong")
        return cls(source, destination, data[UDP_HEADER.size :])

    def encode(self, source: int, destination: int) -> bytes:
        """The bytes of the datagram, for a packet between these addresses."""
        length = UDP_HEADER.size + len(self.payload)
        ports = (self.source_port, self.destination_port, length)
        before = pseudo_header(source, destination, PROTOCOL_UDP, length)
        total = checksum(before + UDP_HEADER.pack(*ports, 0) + self.payload) or 0xFFFF
        return UDP_HEADER.pack(*ports, total) + self.payload


ICMP_HEADER = struct.Struct("!BBHI")
ECHO_REPLY, UNREACHABLE, ECHO_REQUEST, TIME_EXCEEDED = 0, 3, 8, 11
NET_UNREACHABLE, HOST_UNREACHABLE, PORT_UNREACHABLE, PROHIBITED = 0, 1, 3, 13


@dataclass(slots=True)
class Icmp:
    """A control message (RFC 792). For an echo, `rest` is identifier << 16 | sequence number."""

    kind: int
    code: int
    rest: int
    payload: bytes

    @classmethod
    def parse(cls, data: bytes) -> Icmp:
        """Take the payload of a packet apart.

        Raises:
            Malformed: it is too short, or its checksum is wrong.
        """
        if len(data) < ICMP_HEADER.size:
            raise Malformed(f"ICMP: {len(data)} bytes; the header alone has {ICMP_HEADER.size}")
        if not sums_up(data):
            raise Malformed("ICMP: the checksum is wrong")
        kind, code, _, rest = ICMP_HEADER.unpack_from(data)
        return cls(kind, code, rest, data[ICMP_HEADER.size :])

    def encode(self) -> bytes:
        """The bytes of the message."""
        blank = ICMP_HEADER.pack(self.kind, self.code, 0, self.rest) + self.payload
        return blank[:2] + checksum(blank).to_bytes(2, "big") + blank[4:]


def error_about(packet: IPv4, kind: int, code: int, sender: int) -> IPv4:
    """The ICMP error `kind`/`code` that `sender` returns for `packet` (RFC 792)."""
    quoted = packet.encode()[: HEADER.size + 8]
    return IPv4(sender, packet.source, PROTOCOL_ICMP, Icmp(kind, code, 0, quoted).encode())
