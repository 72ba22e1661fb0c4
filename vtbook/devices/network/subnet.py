"""The addresses of a user network, and those that it never lets a guest reach."""

from __future__ import annotations

from dataclasses import dataclass

from vtbook.devices.network.ethernet import AddressError
from vtbook.devices.network.ip import ip_number, ip_text

GATEWAY, NAME_SERVER, FIRST_GUEST = 2, 3, 15
"""Host numbers in the subnet, as QEMU's user network has them."""
LONGEST_PREFIX = 27

NEVER_ROUTED = tuple(
    (ip_number(base), (1 << 32) - (1 << 32 - length))
    for base, length in (
        ("0.0.0.0", 8),  # this network; Linux takes 0.0.0.0 for the host itself
        ("127.0.0.0", 8),  # loopback
        ("169.254.0.0", 16),  # one link only (RFC 3927 7), where clouds keep their secrets
        ("224.0.0.0", 4),  # groups
        ("240.0.0.0", 4),  # reserved, broadcast
    )
)
"""Destinations that no router forwards (RFC 1812 4.2.2.11, RFC 6890): address and mask."""


def is_routable(address: int) -> bool:
    """Whether a packet for `address` may leave its link."""
    return not any(address & mask == base for base, mask in NEVER_ROUTED)


@dataclass(frozen=True)
class Subnet:
    """A subnet in the layout of QEMU's user network; addresses are numbers.

    >>> print(Subnet.parse("10.0.2.0/24"))
    10.0.2.0/24: gateway 10.0.2.2, DNS 10.0.2.3, guests from 10.0.2.15
    """

    base: int
    prefix: int

    @classmethod
    def parse(cls, text: str) -> Subnet:
        """The subnet written as ``10.0.2.0/24``.

        Raises:
            AddressError: it is not so written, or has fewer than 32 addresses.
        """
        address, _, length = text.partition("/")
        if not (length.isascii() and length.isdigit() and 8 <= int(length) <= LONGEST_PREFIX):
            raise AddressError(f"subnet {text!r}: write it as 10.0.2.0/24, with /8 to /27")
        subnet = cls(ip_number(address), int(length))
        if subnet.base & ~subnet.mask:
            raise AddressError(f"subnet {text!r} names a host in it; clear the host's bits")
        return subnet

    def __str__(self) -> str:
        return (
            f"{ip_text(self.base)}/{self.prefix}: gateway {ip_text(self.gateway)}, "
            f"DNS {ip_text(self.name_server)}, guests from {ip_text(self.first_guest)}"
        )

    def __contains__(self, address: int) -> bool:
        return address & self.mask == self.base

    @property
    def mask(self) -> int:
        """The netmask."""
        return (1 << 32) - (1 << 32 - self.prefix)

    @property
    def broadcast(self) -> int:
        """The last address: everyone in the subnet."""
        return self.base | ~self.mask & 0xFFFF_FFFF

    @property
    def gateway(self) -> int:
        """The router, which is also the DHCP server, and stands for the computer itself."""
        return self.base + GATEWAY

    @property
    def name_server(self) -> int:
        """The DNS relay."""
        return self.base + NAME_SERVER

    @property
    def first_guest(self) -> int:
        """What DHCP gives the first guest."""
        return self.base + FIRST_GUEST

    def is_ours(self, address: int) -> bool:
        """Whether the network itself answers under `address`."""
        return address in (self.gateway, self.name_server)

    def is_guest(self, address: int) -> bool:
        """Whether a guest may have `address`."""
        edges = (self.base, self.broadcast)
        return address in self and address not in edges and not self.is_ours(address)
