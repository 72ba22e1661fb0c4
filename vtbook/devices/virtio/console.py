"""The virtio console (virtio 1.2, 5.3): port 0, its size, and the emergency write."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import ClassVar

from vtbook.devices import state
from vtbook.devices.console import Console
from vtbook.devices.virtio.device import VirtioDevice
from vtbook.devices.virtio.queue import Buffer, QueueError, Virtqueue
from vtbook.errors import VtbookError

# Features (5.3.3)
F_SIZE, F_EMERG_WRITE = 1 << 0, 1 << 2

RECEIVE, TRANSMIT = 0, 1
CONFIG = Struct("<HHII")
"""cols, rows, max_nr_ports, emerg_wr (5.3.4)."""
EMERG_WR = 8
_SIZE = Struct("<HH")
PIECE = 1 << 16
"""Bytes handed to the console at a time."""


class VirtioConsole(VirtioDevice):
    """A console without the registers of a UART: whole buffers of characters.

    Typed characters wait in the console until the driver offers buffers for them.

    Args:
        console: the other end of the line. A handler of input that it has already is still called,
            so a UART may be at the same console.
        columns, rows: size of the screen, in characters.

    Attributes:
        on_feed: called with a new size, as `resize` passes it to `feed`, before it takes effect.
    """

    NAME = "console"
    DEVICE_ID = 3
    QUEUES = ("receive", "transmit")
    QUEUE_SIZE = 64
    STATE: ClassVar[dict[str, state.Check]] = {"columns": state.uint(16), "rows": state.uint(16)}

    def __init__(
        self, console: Console | None = None, *, columns: int = 80, rows: int = 24
    ) -> None:
        super().__init__()
        self.console = Console() if console is None else console
        self.columns, self.rows = self._first_size = _checked_size(columns, rows)
        self.on_feed: Callable[[bytes], None] | None = None
        self._next_handler = self.console.on_input
        self.console.on_input = self._input

    def power_on(self) -> None:
        """Back to the first size."""
        self.columns, self.rows = self._first_size

    def device_features(self) -> int:
        """Size and emergency write."""
        return F_SIZE | F_EMERG_WRITE

    def config(self) -> bytes:
        """struct virtio_console_config."""
        return CONFIG.pack(self.columns, self.rows, 1, 0)

    def write_config(self, offset: int, data: bytes) -> None:
        """A character for the console, with no queue and no negotiation (5.3.5.1)."""
        if offset == EMERG_WR:
            self.console.write(data[:1])

    def handle(self, queue: Virtqueue) -> None:
        """Take output, or fill buffers with what is typed.

        Raises:
            QueueError: a buffer to receive into cannot be written.
            BusFault: a part is not in RAM.
        """
        if queue.index == TRANSMIT:
            super().handle(queue)
            return
        while self.console.waiting and (buffer := queue.pop()) is not None:
            if not buffer.writable_left:
                raise QueueError(f"console: buffer {buffer.head} has no room to receive")
            count = min(self.console.waiting, buffer.writable_left)
            buffer.write(bytes(self.console.take() or 0 for _ in range(count)))
            queue.push(buffer)

    def serve(self, queue: Virtqueue, buffer: Buffer) -> None:
        """Show one buffer of output."""
        while data := buffer.read(PIECE):
            self.console.write(data)

    def _input(self) -> None:
        self.service(RECEIVE)
        if self._next_handler is not None:
            self._next_handler()

    # -- from outside -----------------------------------------------------------------------

    def resize(self, columns: int, rows: int) -> None:
        """The screen has another size now; the driver is told.

        Raises:
            VtbookError: a number does not fit 16 bits.
        """
        self.feed(_SIZE.pack(*_checked_size(columns, rows)))

    def feed(self, data: bytes) -> None:
        """The same, as `resize` logs it: columns and rows, 16 bits each, little-endian."""
        if self.on_feed is not None:
            self.on_feed(data)
        self.columns, self.rows = _SIZE.unpack(data)
        self.config_changed()


def _checked_size(columns: int, rows: int) -> tuple[int, int]:
    if not (0 <= columns <= 0xFFFF and 0 <= rows <= 0xFFFF):
        raise VtbookError(f"a screen of {columns} by {rows} characters: give 0 to 65535 of each")
    return columns, rows
