"""Devices: small classes with ``read(offset, size)`` and ``write(offset, size, value)``.

A device knows nothing of the CPU. `Bus` maps devices to addresses, `Console` is the line between
the guest and the reader, `Uart` the 16550A, `Finisher` and `Htif` the ways a guest ends the run.
The whole state of a device is plain data: ``state()`` gives it, ``load_state()`` takes it back.
"""

from vtbook.devices.bus import Bus, BusError, BusFault, Device, Region
from vtbook.devices.console import Console
from vtbook.devices.finisher import Finisher
from vtbook.devices.htif import Htif
from vtbook.devices.shutdown import Shutdown
from vtbook.devices.state import DeviceStateError
from vtbook.devices.uart import Uart

__all__ = [
    "Bus",
    "BusError",
    "BusFault",
    "Console",
    "Device",
    "DeviceStateError",
    "Finisher",
    "Htif",
    "Region",
    "Shutdown",
    "Uart",
]
