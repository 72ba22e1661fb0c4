"""Networks that a virtual network card can be plugged into, inside this process.

A `Port` is one end of a cable. `Cable` joins two, `Switch` joins many by their MAC addresses, and
`UserNetwork` is a router with DHCP and DNS that leads outside through ordinary sockets, or nowhere.
`Capture` writes what passes to a file for Wireshark, `describe` says it in one line.
"""

from vtbook.devices.network.capture import Capture, CaptureError
from vtbook.devices.network.describe import describe
from vtbook.devices.network.ethernet import AddressError, mac_bytes, mac_text
from vtbook.devices.network.forwarding import Forward, ForwardError
from vtbook.devices.network.port import Cable, Network, Port
from vtbook.devices.network.switch import Switch, SwitchError
from vtbook.devices.network.tcp_flow import Connection
from vtbook.devices.network.user import NetworkError, UserNetwork

__all__ = [
    "AddressError",
    "Cable",
    "Capture",
    "CaptureError",
    "Connection",
    "Forward",
    "ForwardError",
    "Network",
    "NetworkError",
    "Port",
    "Switch",
    "SwitchError",
    "UserNetwork",
    "describe",
    "mac_bytes",
    "mac_text",
]
