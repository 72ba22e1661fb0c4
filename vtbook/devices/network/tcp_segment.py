"""TCP segments (RFC 9293 3.1) as records, and arithmetic on sequence numbers."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from vtbook.devices.network.ethernet import Malformed
from vtbook.devices.network.ip import PROTOCOL_TCP, IPv4, checksum, pseudo_header, sums_up

HEADER = struct.Struct("!HHIIHHHH")
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
MASK = 0xFFFF_FFFF

OPTION_END, OPTION_NOP, OPTION_MSS, OPTION_SCALE = 0, 1, 2, 3
LARGEST_SCALE = 14


def after(a: int, b: int) -> int:
    """How far `a` lies after `b` on the circle of 32-bit sequence numbers; negative if before."""
    return ((a - b + 0x8000_0000) & MASK) - 0x8000_0000


@dataclass(slots=True)
class Segment:
    """A TCP segment. `mss` and `scale` are options, None where they are not given."""

    source_port: int
    destination_port: int
    seq: int
    ack: int
    flags: int
    window: int
    payload: bytes = b""
    mss: int | None = None
    scale: int | None = None

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
        segment = cls(source, destination, seq, ack, fields & 0x3F, window, data[start:])
        if fields & SYN:
            segment.mss, segment.scale = _options(data[HEADER.size : start])
        return segment

    def encode(self, source: int, destination: int) -> bytes:
        """The bytes of the segment, for a packet between these addresses."""
        options = b""
        if self.mss is not None:
            options += struct.pack("!BBH", OPTION_MSS, 4, self.mss)
        if self.scale is not None:
            options += bytes((OPTION_NOP, OPTION_SCALE, 3, self.scale))
        fields = (HEADER.size + len(options)) << 10 | self.flags
        numbers = (self.source_port, self.destination_port, self.seq, self.ack, fields, self.window)
        rest = options + self.payload
        before = pseudo_header(source, destination, PROTOCOL_TCP, HEADER.size + len(rest))
        total = checksum(before + HEADER.pack(*numbers, 0, 0) + rest)
        return HEADER.pack(*numbers, total, 0) + rest


def _options(data: bytes) -> tuple[int | None, int | None]:
    """Largest segment and window scale out of the options; what cannot be read is passed over."""
    mss = scale = None
    at = 0
    while at < len(data) and data[at] != OPTION_END:
        if data[at] == OPTION_NOP:
            at += 1
            continue
        length = data[at + 1] if at + 1 < len(data) else 0
        if length < 2 or at + length > len(data):
            break
        if data[at] == OPTION_MSS and length == 4:
            mss = data[at + 2] << 8 | data[at + 3]
        elif data[at] == OPTION_SCALE and length == 3:
            scale = min(data[at + 2], LARGEST_SCALE)
        at += length
    return mss, scale


def reset_for(segment: Segment) -> Segment | None:
    """The RST that answers a segment for which there is no connection (RFC 9293 3.10.7.1)."""
    if segment.flags & RST:
        return None
    ports = (segment.destination_port, segment.source_port)
    if segment.flags & ACK:
        return Segment(*ports, segment.ack, 0, RST, 0)
    return Segment(*ports, 0, (segment.seq + segment.length) & MASK, RST | ACK, 0)
