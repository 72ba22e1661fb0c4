"""Networks that a virtual network card can be plugged into, inside this process.

A `Port` is one end of a cable. `Cable` joins two, `Switch` joins many by their MAC addresses, and
`UserNetwork` is a router with DHCP and DNS that leads outside through ordinary sockets, or nowhere.
"""

from vtbook.devices.network.ethernet import AddressError, mac_bytes, mac_text
from vtbook.devices.network.forwarding import Forward, ForwardError
from vtbook.devices.network.port import Cable, Network, Port
from vtbook.devices.network.switch import Switch, SwitchError
from vtbook.devices.network.tcp_flow import Connection
from vtbook.devices.network.user import NetworkError, UserNetwork

__all__ = [
    "AddressError",
    "Cable",
    "Connection",
    "Forward",
    "ForwardError",
    "Network",
    "NetworkError",
    "Port",
    "Switch",
    "SwitchError",
    "UserNetwork",
    "mac_bytes",
    "mac_text",
]
