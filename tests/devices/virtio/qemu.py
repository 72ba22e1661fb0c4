"""QEMU's virtio devices over its qtest protocol, behind the interface of `driver.Board`."""

from __future__ import annotations

import time

from tests.devices.qtest import STOPPED, Qtest
from tests.devices.virtio.driver import RAM

SLOT = 0x1000_1000
DEADLINE = 30.0


class QemuMemory:
    """RAM of the machine."""

    def __init__(self, qtest):
        self.read, self.write = qtest.read_bytes, qtest.write_bytes


class QemuBoard:
    """A machine whose processor is stopped, and one virtio device, in the first slot.

    Args:
        options: what the device needs; ``bus=virtio-mmio-bus.0`` is up to the caller.
        legacy: version 1.
        state: as of `Qtest`.
    """

    def __init__(self, options, *, legacy=False, state=STOPPED):
        forced = "on" if legacy else "off"
        legacy_option = ["-global", f"virtio-mmio.force-legacy={forced}"]
        self.qtest = Qtest(*legacy_option, *options, state=state)
        self.memory = QemuMemory(self.qtest)

    def read_register(self, offset, size=4):
        return self.qtest.read(SLOT + offset, size)

    def write_register(self, offset, value, size=4):
        self.qtest.write(SLOT + offset, value, size)

    def wait(self, done):
        """QEMU answers disk requests on its own time."""
        end = time.monotonic() + DEADLINE
        while not done():
            assert time.monotonic() < end, "QEMU does not answer"

    def clear(self, size):
        """Zero the first bytes of RAM."""
        self.qtest.clear(RAM, size)

    def close(self):
        self.qtest.close()
