"""virtio: devices made for virtual machines (OASIS virtio 1.2; sections are named in the modules).

`VirtioMmio` (transport.py) is the slot on the bus: registers, status, interrupt.
`Virtqueue` and `Buffer` (queue.py) are the rings. A device (device.py) is a configuration space and
what it does with a buffer. One transport and one queue serve all of them::

    disk = VirtioBlock(storage)
    slot = VirtioMmio(disk, ram, on_interrupt)
    bus.add(0x1000_1000, slot, name="virtio1")

**To make a device**, derive from `VirtioDevice`:

- say NAME, DEVICE_ID, and QUEUES, one name for each queue;
- `device_features` gives the feature bits of its type; `config` the bytes of the configuration
  space, and `write_config` takes what the driver writes there;
- `serve(queue, buffer)` does one request: ``buffer.read(n)`` and ``buffer.write(data)``. The buffer
  is pushed afterwards. A device whose buffers wait for something, such as packets to receive,
  writes its own `handle(queue)` with `queue.pop()` and `queue.push(buffer)`;
- when something comes from outside, keep it and call ``self.service(number)``: `handle` then runs,
  and the driver is notified if it wants to be. Pop only what can be filled: buffers that stay in
  the available ring are safe in a snapshot;
- raise `QueueError` if a request cannot be understood: the device then needs a reset. `BusFault`
  may go through. Nothing else may be raised for anything that a driver can write;
- what it keeps between requests goes into STATE, and `reset` forgets it.

Here is a device that returns what it is sent::

    class Echo(VirtioDevice):
        NAME, DEVICE_ID = "echo", 42

        def serve(self, queue, buffer):
            buffer.write(buffer.read(4096))
"""

from vtbook.devices.virtio.balloon import VirtioBalloon
from vtbook.devices.virtio.block import VirtioBlock
from vtbook.devices.virtio.console import VirtioConsole
from vtbook.devices.virtio.device import VirtioDevice
from vtbook.devices.virtio.entropy import VirtioEntropy
from vtbook.devices.virtio.net import VirtioNet
from vtbook.devices.virtio.ninep import Virtio9P
from vtbook.devices.virtio.queue import Buffer, QueueError, Virtqueue
from vtbook.devices.virtio.transport import VirtioMmio

__all__ = [
    "Buffer",
    "QueueError",
    "Virtio9P",
    "VirtioBalloon",
    "VirtioBlock",
    "VirtioConsole",
    "VirtioDevice",
    "VirtioEntropy",
    "VirtioMmio",
    "VirtioNet",
    "Virtqueue",
]
