"""IPv4 fragments: cutting packets that are too long, and joining them again (RFC 791 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from zlib import crc32

from vtbook.devices.network.ethernet import MTU, Malformed
from vtbook.devices.network.ip import HEADER, MORE_FRAGMENTS, IPv4

LONGEST = 0xFFFF - HEADER.size
"""Bytes of payload that a packet can have."""
PIECE = (MTU - HEADER.size) // 8 * 8
PATIENCE = 30.0
"""Seconds to wait for what is missing."""
DATAGRAMS, PIECES = 16, 64
"""At most so many datagrams are put together at a time, each of so many pieces."""


def cut(packet: IPv4) -> Iterator[IPv4]:
    """`packet`, in pieces if it is longer than a frame.

    A whole packet needs no identification (RFC 6864). That of pieces is made from what they carry:
    so the same answer is the same bytes, however many were sent before.
    """
    if len(packet.payload) <= MTU - HEADER.size:
        yield packet
        return
    number = crc32(packet.payload) & 0xFFFF
    for offset in range(0, len(packet.payload), PIECE):
        piece = packet.payload[offset : offset + PIECE]
        more = MORE_FRAGMENTS if offset + PIECE < len(packet.payload) else 0
        fragment = offset // 8 | more
        yield replace(packet, payload=piece, fragment=fragment, identification=number)


@dataclass
class _Datagram:
    since: float
    pieces: dict[int, bytes] = field(default_factory=dict)
    length: int | None = None


class Reassembly:
    """Joins fragments. Pieces that overlap make the whole datagram invalid (as RFC 5722 asks)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._datagrams: dict[tuple[int, int, int, int], _Datagram] = {}

    def join(self, packet: IPv4) -> IPv4 | None:
        """Take one fragment. The packet that it completes, or None while some are missing.

        Raises:
            Malformed: it cannot belong to a valid packet; its datagram is dropped.
        """
        key = (packet.source, packet.destination, packet.protocol, packet.identification)
        now = self.clock()
        datagram = self._datagrams.get(key)
        if datagram is None or now - datagram.since > PATIENCE:
            self._datagrams.pop(key, None)
            if len(self._datagrams) >= DATAGRAMS:
                del self._datagrams[next(iter(self._datagrams))]
            datagram = self._datagrams[key] = _Datagram(now)
        try:
            self._add(datagram, packet)
        except Malformed:
            del self._datagrams[key]
            raise
        payload = _joined(datagram)
        if payload is None:
            return None
        del self._datagrams[key]
        return replace(packet, payload=payload, fragment=0)

    def _add(self, datagram: _Datagram, packet: IPv4) -> None:
        size, start = len(packet.payload), packet.offset
        more = bool(packet.fragment & MORE_FRAGMENTS)
        end = start + size
        if size == 0 or end > LONGEST or (more and size % 8):
            raise Malformed(f"IPv4: a fragment of {size} bytes at {start}")
        known = datagram.pieces.get(start)
        if known == packet.payload:
            return  # the same again
        if any(at < end and start < at + len(piece) for at, piece in datagram.pieces.items()):
            raise Malformed("IPv4: fragments overlap")
        if not more:
            datagram.length = end
        datagram.pieces[start] = packet.payload
        if len(datagram.pieces) > PIECES:
            raise Malformed(f"IPv4: more than {PIECES} fragments")


def _joined(datagram: _Datagram) -> bytes | None:
    if datagram.length is None:
        return None
    payload = b"".join(piece for _, piece in sorted(datagram.pieces.items()))
    return payload if len(payload) == datagram.length else None
