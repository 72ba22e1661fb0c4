"""A folder of the host in the guest: the virtio 9P transport (device type 9).

No chapter of virtio 1.2 describes it; Linux's ``virtio_9p.h`` and QEMU do. Each buffer is a message
of `vtbook.devices.virtio.ninep_server` and room for its answer. In Linux::

    mount -t 9p -o trans=virtio,version=9p2000.L share /mnt

All files belong to root in the guest. Links, devices and FIFOs cannot be made, and those that are
there cannot be opened.

The folder is no part of a snapshot, and going back does not undo what was done in it: the guest
sees it as it is now. But a machine that repeats its past sets `muted`. Then each message gets the
answer that it got before, and the folder is not touched.
"""

from __future__ import annotations

import errno
import os
from struct import pack
from typing import Any, ClassVar

from vtbook.devices import state
from vtbook.devices.virtio.device import VirtioDevice
from vtbook.devices.virtio.folder import Folder, checked_name
from vtbook.devices.virtio.ninep_server import FIDS_MAX, Fid, Server
from vtbook.devices.virtio.ninep_wire import HEADER, refusal
from vtbook.devices.virtio.queue import Buffer, QueueError, Virtqueue
from vtbook.errors import VtbookError

F_MOUNT_TAG = 1 << 0
TAG_MAX = 255
PAST_MAX = 64 << 20
"""Bytes of answers that are kept for a machine that goes back."""


def _is_fid(one: Any) -> bool:
    """A saved name: its number, how it is open, and its path."""
    if type(one) is not list or len(one) < 2 or not all(map(state.octets, one[2:])):
        return False
    try:
        for name in one[2:]:
            checked_name(name)
    except OSError:
        return False
    return state.uint(32)(one[0]) and state.optional(state.uint(2))(one[1])


class Virtio9P(VirtioDevice):
    """A shared folder.

    Args:
        path: the folder.
        tag: the name by which the guest mounts it, at most 255 bytes.
        read_only: refuse all changes. Otherwise the guest may change and remove what is in the
            folder, and fill the host's disk.

    Attributes:
        muted: while true, messages get the answers that they got before.
        count: messages answered since power-on.

    Raises:
        FolderError: the folder cannot be shared.
    """

    NAME = "shared folder"
    DEVICE_ID = 9
    QUEUE_SIZE = 128
    STATE: ClassVar[dict[str, state.Check]] = {
        "message_size": state.uint(32),
        "fids": state.listing(_is_fid, FIDS_MAX),
        "count": state.uint(64),
    }

    def __init__(
        self, path: str | os.PathLike[str], *, tag: str = "share", read_only: bool = False
    ) -> None:
        super().__init__()
        self.tag = tag.encode()
        if not 0 < len(self.tag) <= TAG_MAX:
            raise VtbookError(f"tag {tag!r}: give 1 to {TAG_MAX} bytes")
        self.folder = Folder(path, read_only=read_only)
        self.server = Server(self.folder)
        self.count = 0
        self._past: dict[int, bytes] = {}
        self._past_size = 0

    def power_on(self) -> None:
        """Count from 0."""
        self.count = 0

    def close(self) -> None:
        """Let go of the folder and of all files in it."""
        self.reset()
        self.folder.close()

    def reset(self) -> None:
        """Forget all names and close all files."""
        self.server.reset()

    def device_features(self) -> int:
        """The tag is in the configuration space."""
        return F_MOUNT_TAG

    def config(self) -> bytes:
        """Length of the tag, and the tag."""
        return pack("<H", len(self.tag)) + self.tag

    def serve(self, queue: Virtqueue, buffer: Buffer) -> None:
        """Answer one message.

        Raises:
            QueueError: it is no message, or there is no room for the answer.
            BusFault: a part is not in RAM.
        """
        head = buffer.read(HEADER.size)
        room = buffer.writable_left
        size = HEADER.unpack(head)[0] if len(head) == HEADER.size else 0
        if not HEADER.size <= size <= self.server.message_size:
            raise QueueError(f"9P: message {buffer.head} says it has {size} bytes")
        _, kind, tag = HEADER.unpack(head)
        answer = self._answer(kind, tag, buffer.read(size - HEADER.size), room)
        if len(answer) > room:
            raise QueueError(f"9P: an answer of {len(answer)} bytes has room for {room}")
        buffer.write(answer)

    def _answer(self, kind: int, tag: int, body: bytes, room: int) -> bytes:
        number = self.count
        self.count += 1
        if self.muted and number in self._past:
            answer = self._past[number]
            self.server.follow(kind, body, answer)
            return answer
        if self.muted and not self.folder.read_only:
            return refusal(tag, errno.EIO)  # it is too long ago
        while self._past and next(reversed(self._past)) >= number:  # that was another future
            self._past_size -= len(self._past.popitem()[1])
        answer = self._past[number] = self.server.answer(kind, tag, body, room)
        self._past_size += len(answer)
        while self._past_size > PAST_MAX:
            self._past_size -= len(self._past.pop(next(iter(self._past))))
        return answer

    def state(self) -> dict[str, Any]:
        """The names that the guest holds; their files are opened again when they are used."""
        held = sorted(self.server.fids.items())
        fids = [[number, fid.flags, *fid.path] for number, fid in held]
        return {"message_size": self.server.message_size, "fids": fids, "count": self.count}

    def load_state(self, saved: dict[str, Any]) -> None:
        """Go back to a state that `state` gave.

        Raises:
            DeviceStateError: `saved` is not such a state.
        """
        self.check_state(saved)
        self.server.reset()
        self.server.message_size, self.count = saved["message_size"], saved["count"]
        for number, flags, *path in saved["fids"]:
            self.server.fids[number] = Fid(tuple(path), flags)
