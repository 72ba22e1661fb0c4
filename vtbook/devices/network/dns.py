"""What a user network needs of DNS (RFC 1035): where the host's server is, and how to refuse."""

from __future__ import annotations

from pathlib import Path

from vtbook.devices.network.ethernet import AddressError
from vtbook.devices.network.ip import ip_number

PORT = 53
HEADER = 12
RESPONSE, RECURSION_DESIRED = 0x80, 0x01
REFUSED = 5


def host_name_server(path: Path = Path("/etc/resolv.conf")) -> str | None:
    """The host's first IPv4 name server, None if it names none in `path`."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                ip_number(words[1])
            except AddressError:
                continue
            return words[1]
    return None


def refusal(query: bytes) -> bytes | None:
    """The answer that says no to `query`; None if it is no query."""
    if len(query) < HEADER or query[2] & RESPONSE:
        return None
    flags = bytes((RESPONSE | query[2] & ~0x06, REFUSED))
    asked = question(query)
    return query[:2] + flags + bytes((0, bool(asked))) + bytes(6) + asked


def question(message: bytes) -> bytes:
    """The first question of `message` as it stands there: name, type, class; empty if damaged."""
    at = HEADER
    while at < len(message) and message[at]:
        if message[at] > 63:
            return b""
        at += 1 + message[at]
    return message[HEADER : at + 5] if at + 5 <= len(message) else b""
