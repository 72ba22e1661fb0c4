"""Messages between the grader and the process that runs the cells: length, then JSON."""

from __future__ import annotations

import json
import os
import select
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

LARGEST = 32 << 20
"""Bytes of one message that the grader takes; the process sends less, unless it is not itself."""


class ChannelError(Exception):
    """The other side has gone, or sends what no honest one would."""


class Channel:
    """One end: a file to read from and one to write to, which may be the same."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self.incoming, self.outgoing = incoming, outgoing

    def send(self, message: dict[str, Any]) -> None:
        """Send a message.

        Raises ChannelError: nobody reads.
        """
        data = json.dumps(message).encode()
        view = memoryview(struct.pack(">I", len(data)) + data)
        try:
            while view:
                view = view[os.write(self.outgoing, view) :]
        except OSError as error:
            raise ChannelError(f"cannot send: {error.strerror}") from error

    def receive(self, wait: Callable[[], None] | None = None) -> dict[str, Any]:
        """Receive a message; `wait` is called about ten times a second, and may raise.

        Raises ChannelError: see there.
        """
        size = struct.unpack(">I", self._read(4, wait))[0]
        if size > LARGEST:
            raise ChannelError(f"a message of {size:,} bytes")
        try:
            message = json.loads(self._read(size, wait))
        except (ValueError, RecursionError) as error:
            raise ChannelError("a message that is not JSON") from error
        if not isinstance(message, dict):
            raise ChannelError("a message that is no object")
        return message

    def _read(self, size: int, wait: Callable[[], None] | None) -> bytes:
        parts, left = [], size
        while left:
            if wait is not None:
                self._wait(wait)
            try:
                part = os.read(self.incoming, min(left, 1 << 16))
            except OSError as error:
                raise ChannelError(f"cannot receive: {error.strerror}") from error
            if not part:
                raise ChannelError("the process has ended")
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _wait(self, wait: Callable[[], None]) -> None:
        if sys.platform == "win32":  # select knows no pipes there
            import msvcrt

            while not _peek(msvcrt.get_osfhandle(self.incoming)):
                wait()
                time.sleep(0.02)
            return
        poll = select.poll()
        poll.register(self.incoming, select.POLLIN)
        while not poll.poll(100):
            wait()

    def close(self) -> None:
        """Close both files."""
        for handle in {self.incoming, self.outgoing}:
            try:
                os.close(handle)
            except OSError:
                continue


def _peek(handle: int) -> bool:
    """Whether a Windows pipe has something to read, or has ended."""
    import ctypes

    count = ctypes.c_ulong()
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    alive = kernel.PeekNamedPipe(handle, None, 0, None, ctypes.byref(count), None)
    return not alive or count.value > 0
