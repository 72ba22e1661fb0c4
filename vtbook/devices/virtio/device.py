"""What all virtio devices share, whatever the transport: queues, features, configuration space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from vtbook.devices import state
from vtbook.devices.virtio.queue import F_EVENT_IDX, F_INDIRECT_DESC, Buffer, Virtqueue

# Reserved feature bits (virtio 1.2, chapter 6)
F_ANY_LAYOUT = 1 << 27
F_VERSION_1 = 1 << 32
F_RING_RESET = 1 << 40

COMMON_FEATURES = F_INDIRECT_DESC | F_EVENT_IDX | F_VERSION_1 | F_RING_RESET
LEGACY_FEATURES = F_INDIRECT_DESC | F_EVENT_IDX | F_ANY_LAYOUT


class VirtioDevice:
    """A virtio device without its transport. A subclass says what it does with a buffer.

    Class attributes:
        NAME: what it is called in messages.
        DEVICE_ID: its type (virtio 1.2, chapter 5).
        QUEUES: the names of its queues, in the order of their numbers.
        QUEUE_SIZE: the most entries of each queue, a power of 2.
        STATE: attribute -> check, as for every device; `state` saves these.

    Attributes:
        queues: the queues; there from the moment a transport takes the device.
        features: the negotiated features, 0 until the driver has chosen.
        service: ``service(number)`` lets the device look at a queue. The transport sets it.
            A device calls it when something has come from outside, such as typed input.
        config_changed: tells the driver that the configuration space has changed. The transport
            sets it.
        muted: set while the machine repeats its past, and nothing may be done outside again.
    """

    NAME: ClassVar[str] = "device"
    DEVICE_ID: ClassVar[int] = 0
    QUEUES: ClassVar[tuple[str, ...]] = ("requests",)
    QUEUE_SIZE: ClassVar[int] = 256
    STATE: ClassVar[Mapping[str, state.Check]] = {}

    service: Callable[[int], None]
    config_changed: Callable[[], None]

    def __init__(self) -> None:
        self.queues: list[Virtqueue] = []
        self.features = 0
        self.service = lambda number: None
        self.config_changed = lambda: None
        self.muted = False

    # -- what a subclass says ---------------------------------------------------------------

    def device_features(self) -> int:
        """The feature bits of this type of device that it offers."""
        return 0

    def accepts(self, features: int) -> bool:
        """Whether the device can work with these features, all of them offered (2.2)."""
        return True

    def negotiated(self) -> None:
        """`features` are settled; called before any queue is used."""

    def config(self) -> bytes:
        """The configuration space as it is now (2.5)."""
        return b""

    def write_config(self, offset: int, data: bytes) -> None:
        """The driver writes into the configuration space. Most fields cannot be written."""

    def handle(self, queue: Virtqueue) -> None:
        """The driver has notified `queue`, or `service` was called: serve what is available.

        `QueueError` and `BusFault` may go through: the transport then stops the device.
        """
        for buffer in queue.buffers():
            self.serve(queue, buffer)
            queue.push(buffer)

    def serve(self, queue: Virtqueue, buffer: Buffer) -> None:
        """Do what one buffer asks for."""

    def queue_restarted(self, queue: Virtqueue) -> None:
        """The driver has set `queue` up anew, or reset it alone (2.6.1): forget its buffers."""

    def reset(self) -> None:
        """The driver has reset the device: forget what belongs to requests (2.4)."""

    def power_on(self) -> None:
        """Forget everything, as when the machine is switched on; `reset` follows."""

    def close(self) -> None:
        """Let go of what the host has lent the device; nothing for most."""

    # -- state ------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What the device itself keeps, as plain data; queues and features are the transport's."""
        return state.save(self)

    def check_state(self, saved: Any) -> None:
        """Check what `state` gave, without changing anything.

        Raises:
            DeviceStateError: `saved` is not such a state.
        """
        state.check_state(type(self).__name__, saved, self.STATE)

    def load_state(self, saved: dict[str, Any]) -> None:
        """Go back to a state that `state` gave. Called when queues and features are back.

        Raises:
            DeviceStateError: `saved` is not such a state.
        """
        state.restore(self, saved)
