"""Devices: small classes with ``read(offset, size)`` and ``write(offset, size, value)``.

A device knows nothing of the CPU. `Bus` maps devices to addresses, `Console` is the line between
the guest and the reader, `Uart` the 16550A, `Clint` and `Plic` bring interrupts to the harts, `Rtc`
is the clock, `Finisher` and `Htif` are the ways a guest ends the run.
The whole state of a device is plain data: ``state()`` gives it, ``load_state()`` takes it back.
"""

from vtbook.devices.bus import Bus, BusError, BusFault, Device, Region
from vtbook.devices.clint import Clint
from vtbook.devices.console import Console
from vtbook.devices.deadlines import Timed
from vtbook.devices.finisher import Finisher
from vtbook.devices.htif import Htif
from vtbook.devices.memory import Memory, PlainMemory
from vtbook.devices.plic import Plic
from vtbook.devices.rtc import Rtc
from vtbook.devices.shutdown import Shutdown
from vtbook.devices.state import DeviceStateError
from vtbook.devices.uart import Uart

__all__ = [
    "Bus",
    "BusError",
    "BusFault",
    "Clint",
    "Console",
    "Device",
    "DeviceStateError",
    "Finisher",
    "Htif",
    "Memory",
    "PlainMemory",
    "Plic",
    "Region",
    "Rtc",
    "Shutdown",
    "Timed",
    "Uart",
]
