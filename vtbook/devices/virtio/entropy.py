"""The virtio entropy device (virtio 1.2, 5.4): random bytes, the same in every run."""

from __future__ import annotations

import hashlib
from typing import ClassVar

from vtbook.devices import state
from vtbook.devices.virtio.device import VirtioDevice
from vtbook.devices.virtio.queue import Buffer, QueueError, Virtqueue

FILL_MAX = 1 << 16
"""The most bytes for one buffer; the device may use less than all of it (5.4.6.2)."""
SEED_BYTES = 64


class VirtioEntropy(VirtioDevice):
    """Random bytes for the guest.

    They come from SHAKE-256 of the seed and a counter. So a run can be repeated, and a snapshot
    goes on with the bytes that would have come. For bytes that nobody can guess give a random seed,
    such as ``secrets.token_bytes(32)``; the run is then repeated from its snapshot.

    Args:
        seed: up to 64 bytes.
    """

    NAME = "entropy"
    DEVICE_ID = 4
    QUEUE_SIZE = 64
    STATE: ClassVar[dict[str, state.Check]] = {
        "seed": lambda value: state.octets(value) and len(value) <= SEED_BYTES,
        "count": state.uint(64),
    }

    def __init__(self, seed: bytes = b"vtbook") -> None:
        super().__init__()
        self.seed = bytes(seed[:SEED_BYTES])
        self.count = 0
        """Buffers filled so far."""

    def power_on(self) -> None:
        """Begin the bytes again."""
        self.count = 0

    def serve(self, queue: Virtqueue, buffer: Buffer) -> None:
        """Fill one buffer.

        Raises:
            QueueError: it has no room.
            BusFault: a part is not in RAM.
        """
        if not buffer.writable_left:
            raise QueueError(f"entropy: buffer {buffer.head} has no room")
        size = min(buffer.writable_left, FILL_MAX)
        self.count = self.count + 1 & (1 << 64) - 1
        hashed = hashlib.shake_256(self.seed + self.count.to_bytes(8, "little"))
        buffer.write(hashed.digest(size))
