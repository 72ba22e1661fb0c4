"""Frames in one line each, in the words of ``tcpdump -n -t -S``."""

from __future__ import annotations

from ipaddress import IPv6Address

from vtbook.devices.network import dhcp, dns
from vtbook.devices.network.ethernet import (
    ARP_REQUEST,
    ETHERTYPE_ARP,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    Arp,
    Ethernet,
    Malformed,
    mac_text,
)
from vtbook.devices.network.ip import (
    ECHO_REPLY,
    ECHO_REQUEST,
    ICMP_HEADER,
    PORT_UNREACHABLE,
    PROHIBITED,
    PROTOCOL_ICMP,
    PROTOCOL_TCP,
    PROTOCOL_UDP,
    TIME_EXCEEDED,
    UDP_HEADER,
    UNREACHABLE,
    Icmp,
    IPv4,
    Udp,
    ip_text,
)
from vtbook.devices.network.tcp_segment import (
    ACK,
    FIN,
    OPTION_END,
    OPTION_MSS,
    OPTION_NOP,
    OPTION_SACK,
    OPTION_SACK_OK,
    OPTION_SCALE,
    OPTION_TIME,
    PSH,
    RST,
    SYN,
    URG,
    Segment,
)

LETTERS = ((FIN, "F"), (SYN, "S"), (RST, "R"), (PSH, "P"), (ACK, "."), (URG, "U"))
IPV6_HEADER = 40
IPV6_NEXT = {0: "HBH", 6: "TCP", 17: "UDP", 58: "ICMP6"}
DNS_TYPES = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA"}
DNS_ERRORS = {1: " FormErr", 2: " ServFail", 3: " NXDomain", 4: " NotImp", 5: " Refused"}
RESPONSE, RECURSION, AUTHORITATIVE = 0x80, 0x01, 0x04
RECURSION_AVAILABLE = 0x80


def describe(frame: bytes) -> str:
    """One line about `frame`; it may be anything.

    >>> describe(bytes.fromhex("ffffffffffff525400123456" "0806" "0001080006040001"
    ...     "525400123456" "0a00020f" "000000000000" "0a000202"))
    'ARP, Request who-has 10.0.2.2 tell 10.0.2.15, length 28'
    """
    try:
        ethernet = Ethernet.parse(frame)
        if ethernet.kind == ETHERTYPE_ARP:
            return _arp(Arp.parse(ethernet.payload), len(ethernet.payload))
        if ethernet.kind == ETHERTYPE_IPV4:
            return _ip(IPv4.parse(ethernet.payload))
        if ethernet.kind == ETHERTYPE_IPV6 and len(ethernet.payload) >= IPV6_HEADER:
            return _ipv6(ethernet.payload)
    except Malformed as error:
        return f"malformed, length {len(frame)}: {error}"
    source, destination = mac_text(ethernet.source), mac_text(ethernet.destination)
    return (
        f"{source} > {destination}, ethertype Unknown ({ethernet.kind:#06x}), length {len(frame)}"
    )


def _arp(arp: Arp, length: int) -> str:
    sender, target = ip_text(arp.sender_ip), ip_text(arp.target_ip)
    if arp.operation == ARP_REQUEST:
        known = f" ({mac_text(arp.target_mac)})" if any(arp.target_mac) else ""
        return f"ARP, Request who-has {target}{known} tell {sender}, length {length}"
    return f"ARP, Reply {sender} is-at {mac_text(arp.sender_mac)}, length {length}"


def _ip(packet: IPv4) -> str:
    here, there = ip_text(packet.source), ip_text(packet.destination)
    if packet.offset:
        return f"IP {here} > {there}: {_protocol(packet.protocol)}"
    if packet.is_fragment:
        return _first_fragment(packet, here, there)
    if packet.protocol == PROTOCOL_ICMP:
        length = len(packet.payload)
        return f"IP {here} > {there}: ICMP {_icmp(Icmp.parse(packet.payload))}, length {length}"
    if packet.protocol == PROTOCOL_UDP:
        datagram = Udp.parse(packet)
        ports = (datagram.source_port, datagram.destination_port)
        return f"IP {here}.{ports[0]} > {there}.{ports[1]}: {_udp(datagram)}"
    if packet.protocol == PROTOCOL_TCP:
        segment = Segment.parse(packet)
        ports = (segment.source_port, segment.destination_port)
        return f"IP {here}.{ports[0]} > {there}.{ports[1]}: {_tcp(segment)}"
    return f"IP {here} > {there}:  ip-proto-{packet.protocol} {len(packet.payload)}"


def _first_fragment(packet: IPv4, here: str, there: str) -> str:
    """What the header says; checksum and length are those of the whole."""
    data = packet.payload
    if packet.protocol == PROTOCOL_ICMP and len(data) >= ICMP_HEADER.size:
        kind, code, _, rest = ICMP_HEADER.unpack_from(data)
        message = Icmp(kind, code, rest, data[ICMP_HEADER.size :])
        return f"IP {here} > {there}: ICMP {_icmp(message)}, length {len(data)}"
    if packet.protocol == PROTOCOL_UDP and len(data) >= UDP_HEADER.size:
        source, destination, length, _ = UDP_HEADER.unpack_from(data)
        length = max(length - UDP_HEADER.size, 0)
        return f"IP {here}.{source} > {there}.{destination}: UDP, length {length}"
    return f"IP {here} > {there}: {_protocol(packet.protocol)}"


def _ipv6(data: bytes) -> str:
    """An IPv6 packet, of which only the first header is looked at."""
    here, there = IPv6Address(data[8:24]), IPv6Address(data[24:40])
    kind = IPV6_NEXT.get(data[6], f"next header {data[6]}")
    return f"IP6 {here} > {there}: {kind}, length {len(data) - IPV6_HEADER}"


def _protocol(number: int) -> str:
    names = {PROTOCOL_ICMP: "icmp", PROTOCOL_TCP: "tcp", PROTOCOL_UDP: "udp"}
    return names.get(number, f"ip-proto-{number}")


def _icmp(message: Icmp) -> str:
    if message.kind in (ECHO_REQUEST, ECHO_REPLY):
        what = "request" if message.kind == ECHO_REQUEST else "reply"
        return f"echo {what}, id {message.rest >> 16}, seq {message.rest & 0xFFFF}"
    if message.kind == TIME_EXCEEDED:
        return "time exceeded in-transit"
    if message.kind == UNREACHABLE:
        return _unreachable(message)
    return f"type-#{message.kind}"


def _unreachable(message: Icmp) -> str:
    """What of the quoted packet could not be reached. Of it only the beginning is there."""
    quoted = message.payload
    there = ip_text(int.from_bytes(quoted[16:20], "big"))
    if message.code == PORT_UNREACHABLE and len(quoted) >= 24:
        kind = {PROTOCOL_TCP: "tcp", PROTOCOL_UDP: "udp"}.get(quoted[9], "protocol")
        return f"{there} {kind} port {int.from_bytes(quoted[22:24], 'big')} unreachable"
    if message.code == PROHIBITED:
        return f"host {there} unreachable - admin prohibited filter"
    if message.code < 2:
        return f"{('net', 'host')[message.code]} {there} unreachable"
    return f"{there} unreachable - code {message.code}"


def _udp(datagram: Udp) -> str:
    ports = {datagram.source_port, datagram.destination_port}
    length = len(datagram.payload)
    try:
        if ports & {dhcp.SERVER_PORT, dhcp.CLIENT_PORT}:
            return _dhcp(dhcp.Message.parse(datagram.payload), length)
    except Malformed:
        pass
    if dns.PORT in ports and length >= dns.HEADER:
        return _dns(datagram.payload)
    return f"UDP, length {length}"


def _dhcp(message: dhcp.Message, length: int) -> str:
    if message.op == dhcp.REQUEST:
        return f"BOOTP/DHCP, Request from {mac_text(message.mac)}, length {length}"
    return f"BOOTP/DHCP, Reply, length {length}"


def _dns(message: bytes) -> str:
    """Number, flags, and the question of a query, or how many answers a response has."""
    number = int.from_bytes(message[:2], "big")
    flags, more = message[2], message[3]
    if flags & RESPONSE:
        counts = "/".join(str(int.from_bytes(message[at : at + 2], "big")) for at in (6, 8, 10))
        error = DNS_ERRORS.get(more & 15, "")
        marks = ("*" if flags & AUTHORITATIVE else "") + ("" if more & RECURSION_AVAILABLE else "-")
        return f"{number}{error}{marks} {counts} ({len(message)})"
    question = dns.question(message)
    kind = int.from_bytes(question[-4:-2], "big")
    labels, at = [], 0
    while at < len(question) and question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode("ascii", "replace"))
        at += 1 + question[at]
    name = ".".join(labels) + "."
    plus = "+" if flags & RECURSION else ""
    return f"{number}{plus} {DNS_TYPES.get(kind, f'Type{kind}')}? {name} ({len(message)})"


def _tcp(segment: Segment) -> str:
    flags = "".join(letter for bit, letter in LETTERS if segment.flags & bit) or "none"
    length = len(segment.payload)
    text = f"Flags [{flags}]"
    if length or segment.flags & (SYN | FIN | RST):
        end = f":{segment.seq + length & 0xFFFF_FFFF}" if length else ""
        text += f", seq {segment.seq}{end}"
    if segment.flags & ACK:
        text += f", ack {segment.ack}"
    text += f", win {segment.window}"
    if segment.options:
        text += f", options [{','.join(_option(*option) for option in segment.each_option())}]"
    return f"{text}, length {length}"


def _option(kind: int, value: bytes) -> str:
    words = [int.from_bytes(value[at : at + 4], "big") for at in range(0, len(value), 4)]
    if kind == OPTION_TIME and len(words) == 2:
        return f"TS val {words[0]} ecr {words[1]}"
    if kind == OPTION_SACK and len(words) % 2 == 0:
        blocks = "".join(f"{{{a}:{b}}}" for a, b in zip(words[::2], words[1::2], strict=True))
        return f"sack {len(words) // 2} {blocks}"
    if kind == OPTION_MSS:
        return f"mss {int.from_bytes(value, 'big')}"
    if kind == OPTION_SCALE:
        return f"wscale {int.from_bytes(value, 'big')}"
    names = {OPTION_END: "eol", OPTION_NOP: "nop", OPTION_SACK_OK: "sackOK"}
    return names.get(kind, f"unknown-{kind}")
