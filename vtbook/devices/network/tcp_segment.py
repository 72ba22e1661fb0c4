"""TCP segments (RFC 9293 3.1) as records, and arithmetic on sequence numbers."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from vtbook.devices.network.ethernet import Malformed
from vtbook.devices.network.ip import PROTOCOL_TCP, IPv4, checksum, pseudo_header, sums_up

HEADER = struct.Struct("!HHIIHHHH")
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
MASK = 0xFFFF_FFFF

OPTION_END, OPTION_NOP, OPTION_MSS, OPTION_SCALE, OPTION_SACK_OK = 0, 1, 2, 3, 4
OPTION_SACK, OPTION_TIME = 5, 8
LARGEST_SCALE = 14


def after(a: int, b: int) -> int:
    """How far `a` lies after `b` on the circle of 32-bit sequence numbers; negative if before."""
    return ((a - b + 0x8000_0000) & MASK) - 0x8000_0000


@dataclass(slots=True)
class Segment:
    """A TCP segment. `options` are bytes as they stand in the header, padding included."""

    source_port: int
    destination_port: int
    seq: int
    ack: int
    flags: int
    window: int
    payload: bytes = b""
    options: bytes = b""

    @property
    def length(self) -> int:
        """Sequence numbers it takes: its bytes, and one each for SYN and FIN."""
        return len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN)

    @classmethod
    def parse(cls, packet: IPv4) -> Segment:
        """Take the payload of a packet apart.

        Raises:
            Malformed: a length is impossible, or the checksum is wrong.
        """
        data = packet.payload
        if len(data) < HEADER.size:
            raise Malformed(f"TCP: {len(data)} bytes; the header alone has {HEADER.size}")
        source, destination, seq, ack, fields, window, _, _ = HEADER.unpack_from(data)
        start = fields >> 12 << 2
        if not HEADER.size <= start <= len(data):
            raise Malformed(f"TCP: a header of {start} bytes in a segment of {len(data)}")
        before = pseudo_header(packet.source, packet.destination, PROTOCOL_TCP, len(data))
        if not sums_up(before + data):
            raise Malformed("TCP: the checksum is wrong")
        numbers = (source, destination, seq, ack, fields & 0x3F, window)
        return cls(*numbers, data[start:], data[HEADER.size : start])

    def encode(self, source: int, destination: int) -> bytes:
        """The bytes of the segment, for a packet between these addresses."""
        fields = (HEADER.size + len(self.options)) << 10 | self.flags
        numbers = (self.source_port, self.destination_port, self.seq, self.ack, fields, self.window)
        rest = self.options + self.payload
        before = pseudo_header(source, destination, PROTOCOL_TCP, HEADER.size + len(rest))
        total = checksum(before + HEADER.pack(*numbers, 0, 0) + rest)
        return HEADER.pack(*numbers, total, 0) + rest

    def each_option(self) -> Iterator[tuple[int, bytes]]:
        """The options, kind and value; what follows one that is cut off is passed over."""
        data, at = self.options, 0
        while at < len(data):
            kind = data[at]
            if kind in (OPTION_END, OPTION_NOP):
                yield kind, b""
                at += 1
                if kind == OPTION_END:
                    return
                continue
            length = data[at + 1] if at + 1 < len(data) else 0
            if length < 2 or at + length > len(data):
                return
            yield kind, data[at + 2 : at + length]
            at += length

    @property
    def mss(self) -> int | None:
        """The largest segment that the sender takes, if it says so."""
        return self._option(OPTION_MSS, 2)

    @property
    def scale(self) -> int | None:
        """How far the sender's windows are shifted, if it can scale them (RFC 7323)."""
        scale = self._option(OPTION_SCALE, 1)
        return None if scale is None else min(scale, LARGEST_SCALE)

    def _option(self, wanted: int, size: int) -> int | None:
        for kind, value in self.each_option():
            if kind == wanted and len(value) == size:
                return int.from_bytes(value, "big")
        return None


def syn_options(mss: int, scale: int | None) -> bytes:
    """The options of a SYN."""
    options = struct.pack("!BBH", OPTION_MSS, 4, mss)
    if scale is not None:
        options += bytes((OPTION_NOP, OPTION_SCALE, 3, scale))
    return options


def reset_for(segment: Segment) -> Segment | None:
    """The RST that answers a segment for which there is no connection (RFC 9293 3.10.7.1)."""
    if segment.flags & RST:
        return None
    ports = (segment.destination_port, segment.source_port)
    if segment.flags & ACK:
        return Segment(*ports, segment.ack, 0, RST, 0)
    return Segment(*ports, 0, (segment.seq + segment.length) & MASK, RST | ACK, 0)
