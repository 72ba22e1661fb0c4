"""Packets of gdb's remote serial protocol: ``$payload#checksum`` (gdb manual, E.1 "Overview").

In a payload ``}`` announces a byte that is sent with bit 5 flipped, since ``# $ } *`` have meanings
of their own. Between packets stand acknowledgements, ``+`` and ``-``, and 0x03, which stops a
running machine. All that comes from the other side may be wrong: nothing here raises for it but
`BadPacket`, which its callers turn into an error reply.
"""

from __future__ import annotations

import re
from enum import Enum

from vtbook.errors import VtbookError

PACKET_SIZE = 0x4000
"""Bytes of the longest payload, escapes included, that either side may send."""

_SPECIAL = re.compile(rb"[#$}*]")
_ESCAPE = re.compile(rb"(?s)}(.)")
_WHOLE = re.compile(rb"(?s)(?:[^}]|}.)*")
_NUMBER = re.compile(rb"[0-9a-fA-F]{1,16}")
_OCTETS = re.compile(rb"(?:[0-9a-fA-F]{2})*")


class BadPacket(VtbookError):
    """A packet says something that cannot be."""


class Mark(Enum):
    """What may come besides a whole packet."""

    ACK = "+"
    NACK = "-"
    INTERRUPT = "\x03"
    BAD = "bad"
    """A packet with a wrong checksum, a broken escape, or too many bytes."""


Event = bytes | Mark
"""A payload, its escapes resolved, or a mark."""


class Decoder:
    """Takes a stream of bytes apart, however it was cut into pieces.

    At most `PACKET_SIZE` bytes of an unfinished packet are kept.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skipping = False  # the rest of a packet that is too long

    def feed(self, data: bytes) -> list[Event]:
        """The packets and marks that `data` completes, in order."""
        self._buffer += data
        events: list[Event] = []
        while self._take(events):
            pass
        return events

    def _take(self, events: list[Event]) -> bool:
        """Take one piece off the buffer; False if it waits for more bytes."""
        buffer = self._buffer
        end = buffer.find(b"#")
        if self._skipping:  # up to the end of the packet; its checksum then passes as noise
            del buffer[: end + 1 if end >= 0 else len(buffer)]
            self._skipping = end < 0
            if end >= 0:
                events.append(Mark.BAD)
            return end >= 0
        if not buffer.startswith(b"$"):
            if buffer and (mark := _MARKS.get(buffer.pop(0))):
                events.append(mark)
            return bool(buffer)
        if end > PACKET_SIZE + 1 or (end < 0 and len(buffer) > PACKET_SIZE + 1):
            self._skipping = True
            return True
        if end < 0 or len(buffer) < end + 3:
            return False
        start = buffer.rfind(b"$", 0, end) + 1  # a packet that begins anew drops what was before
        body, digits = bytes(buffer[start:end]), bytes(buffer[end + 1 : end + 3])
        del buffer[: end + 3]
        is_whole = _OCTETS.fullmatch(digits) and sum(body) & 0xFF == int(digits, 16)
        events.append(_unescape(body) if is_whole else Mark.BAD)
        return True


_MARKS = {ord("+"): Mark.ACK, ord("-"): Mark.NACK, 0x03: Mark.INTERRUPT}


def _unescape(body: bytes) -> Event:
    if not _WHOLE.fullmatch(body):
        return Mark.BAD
    return _ESCAPE.sub(lambda found: bytes((found[1][0] ^ 0x20,)), body)


def encode(payload: bytes) -> bytes:
    """The bytes to send for a payload."""
    body = escape(payload)
    return b"$%b#%02x" % (body, sum(body) & 0xFF)


def escape(payload: bytes) -> bytes:
    """A payload with the bytes that have a meaning of their own escaped."""
    return _SPECIAL.sub(lambda found: bytes((ord("}"), found[0][0] ^ 0x20)), payload)


def number(digits: bytes) -> int:
    """A number of one to sixteen hexadecimal digits; raises BadPacket for anything else."""
    if not _NUMBER.fullmatch(digits):
        raise BadPacket(f"{digits!r:.40} is no number; give up to 16 hexadecimal digits")
    return int(digits, 16)


def octets(digits: bytes) -> bytes:
    """Bytes from two hexadecimal digits each; raises BadPacket for anything else."""
    if not _OCTETS.fullmatch(digits):
        raise BadPacket(f"{digits!r:.40} are no bytes; give two hexadecimal digits for each")
    return bytes.fromhex(digits.decode())
