"""Captures: what passes a port or a switch, in a file that Wireshark, tshark and tcpdump read.

The format is pcapng (draft-ietf-opsawg-pcapng): blocks of 32-bit words, each with its length in
front and behind. A file has one section, one description for each port, and a block for each frame.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from vtbook.devices.network.port import Direction, Port
from vtbook.devices.network.switch import Switch
from vtbook.errors import VtbookError

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
BYTE_ORDER, VERSION = 0x1A2B3C4D, (1, 0)
ETHERNET = 1
OPTION_END, IF_NAME, IF_TSRESOL, SHB_USERAPPL, EPB_FLAGS = 0, 2, 9, 4, 2
NANOSECONDS = 9
"""Resolution of timestamps, as a negative power of 10."""
FLAGS: dict[Direction, int] = {"in": 1, "out": 2}
"""Direction as the machine sees it: 1 inbound, 2 outbound."""


class CaptureError(VtbookError):
    """A capture cannot be written, or was closed."""


class Capture:
    """A pcapng file that grows while frames pass.

    >>> with Capture("boot.pcapng", port) as capture:  # doctest: +SKIP
    ...     machine.run()

    Args:
        target: name of the file, or a binary file that is open for writing.
        places: ports and switches to watch; `watch` adds more.
        clock: gives the time of a frame in nanoseconds, for instance the machine's. Without one,
            frames are a microsecond apart, so that two runs give the same file.

    Attributes:
        count: frames written.

    Raises:
        CaptureError: the file cannot be made.
    """

    def __init__(
        self,
        target: str | Path | BinaryIO,
        *places: Port | Switch,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self.clock = clock
        self.count = 0
        self._interfaces = 0
        self._taps: list[tuple[Port | Switch, Callable[[Direction, bytes], None]]] = []
        self._owned = isinstance(target, str | Path)
        self._file: BinaryIO | None
        if isinstance(target, str | Path):
            try:
                self._file = Path(target).open("wb")  # noqa: SIM115  (`close` closes it)
            except OSError as error:
                raise CaptureError(f"capture {target}: {error.strerror}") from None
        else:
            self._file = target
        header = struct.pack("<IHHq", BYTE_ORDER, *VERSION, -1)
        self._write(SECTION, header + _option(SHB_USERAPPL, b"vtbook") + _option(OPTION_END))
        for place in places:
            self.watch(place)

    def watch(self, place: Port | Switch, name: str | None = None) -> None:
        """Write what passes `place` too, under `name`: a port's own, or ``switch``."""
        name = name or (place.name if isinstance(place, Port) else "switch")
        number = self._interfaces
        self._interfaces += 1
        options = _option(IF_NAME, name.encode()) + _option(IF_TSRESOL, bytes((NANOSECONDS,)))
        self._write(INTERFACE, struct.pack("<HHI", ETHERNET, 0, 0) + options + _option(OPTION_END))

        def tap(direction: Direction, frame: bytes) -> None:
            self.write(frame, direction, number)

        place.taps.append(tap)
        self._taps.append((place, tap))

    def write(self, frame: bytes, direction: Direction = "in", interface: int = 0) -> None:
        """Write one frame, as seen at the interface of that number: they count from 0.

        Raises:
            CaptureError: the capture is closed, or the disk is full.
        """
        time = self.clock() if self.clock is not None else 1000 * self.count
        size = len(frame)
        head = struct.pack(
            "<IIIII", interface, time >> 32 & 0xFFFF_FFFF, time & 0xFFFF_FFFF, size, size
        )
        flags = _option(EPB_FLAGS, struct.pack("<I", FLAGS[direction])) + _option(OPTION_END)
        self._write(PACKET, head + _padded(frame) + flags)
        self.count += 1

    def _write(self, kind: int, body: bytes) -> None:
        if self._file is None:
            raise CaptureError("the capture is closed")
        length = struct.pack("<I", 12 + len(body))
        try:
            self._file.write(struct.pack("<I", kind) + length + body + length)
            self._file.flush()  # so that a reader sees it while the machine runs
        except OSError as error:
            raise CaptureError(f"capture: {error.strerror}") from None

    def close(self) -> None:
        """Stop watching. A file that the caller opened stays open."""
        for place, tap in self._taps:
            if tap in place.taps:
                place.taps.remove(tap)
        self._taps.clear()
        if self._file is not None and self._owned:
            self._file.close()
        self._file = None

    def __enter__(self) -> Capture:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _option(code: int, value: bytes = b"") -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)
