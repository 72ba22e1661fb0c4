"""Standard input as the guest's keyboard."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from vtbook.course.programs import ProgramError

END = b"\x04"  # what Ctrl-D types; a serial line has no other way to say that nothing follows
PATIENCE = 0.2  # seconds that a pipe may take before the guest starts without its first bytes


class Keyboard:
    """Bytes for the guest from standard input, a file, or nowhere.

    A file, and a pipe that ends soon, are there before the guest's first instruction, so such runs
    are the same each time. Anything else is typed as it comes. The end of input is typed as Ctrl-D.
    On a terminal each key goes to the guest at once, and the guest does the echo; Ctrl-C still
    stops the run. Use it as a context: the terminal is as before when it ends, by SIGTERM too.

    source: a file, or None for standard input.
    """

    def __init__(self, source: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._arrived = threading.Event()
        self._bytes = bytearray()
        self._ended = False
        self._terminal: list[Any] | None = None
        self._handlers: dict[int, Any] = {}
        if source is not None:
            try:
                self._add(source.read_bytes())
            except OSError as error:
                raise ProgramError(f"{source}: cannot be read ({error.strerror})") from None
            self._end()
        elif sys.stdin is None or sys.stdin.closed:
            self._end()
        else:
            self._fd = sys.stdin.fileno()
            if not os.isatty(self._fd):
                self._read_what_is_ready()
            if not self._ended:
                threading.Thread(target=self._follow, daemon=True).start()

    @property
    def ended(self) -> bool:
        """True if no byte will come any more, and all were taken."""
        with self._lock:
            return self._ended and not self._bytes

    def take(self) -> bytes:
        """The bytes that came since the last call."""
        with self._lock:
            taken = bytes(self._bytes)
            self._bytes.clear()
            self._arrived.clear()
        return taken

    def wait(self, seconds: float) -> None:
        """Wait until there is something to take, or for this long."""
        self._arrived.wait(seconds)

    def _add(self, data: bytes) -> None:
        with self._lock:
            self._bytes += data
            self._arrived.set()

    def _end(self) -> None:
        with self._lock:
            self._bytes += END
            self._ended = True
            self._arrived.set()

    def _read_what_is_ready(self) -> None:
        """Read until the end of input, or until nothing comes for a moment."""
        while not self._ended and _is_ready(self._fd, PATIENCE):
            self._read()

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:
            data = b""
        if data:
            self._add(data)
        else:
            self._end()

    def _follow(self) -> None:
        while not self._ended:
            self._read()

    def __enter__(self) -> Keyboard:
        if not self._ended and os.isatty(self._fd):
            self._take_terminal()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._terminal is not None:
            import termios

            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._terminal)
            self._terminal = None

    def _take_terminal(self) -> None:
        try:
            import termios
        except ImportError:  # not a Unix terminal: lines come when they are whole
            return
        if os.getpgrp() != os.tcgetpgrp(self._fd):
            return  # in the background the terminal is not ours to set
        self._terminal = termios.tcgetattr(self._fd)
        self._set_keys(termios)
        self._handlers = {
            signal.SIGCONT: signal.signal(signal.SIGCONT, lambda *_: self._set_keys(termios)),
            signal.SIGTERM: signal.signal(signal.SIGTERM, self._die),
        }

    def _die(self, number: int, frame: FrameType | None) -> None:
        """Give the terminal back, and die of the signal after all."""
        self.__exit__(None, None, None)
        os.kill(os.getpid(), number)

    def _set_keys(self, termios: Any) -> None:
        """No line editing and no echo; keys such as Ctrl-C keep their meaning."""
        mode = termios.tcgetattr(self._fd)
        mode[3] &= ~(termios.ICANON | termios.ECHO)
        mode[6][termios.VMIN] = 1
        mode[6][termios.VTIME] = 0
        termios.tcsetattr(self._fd, termios.TCSANOW, mode)


def _is_ready(fd: int, seconds: float) -> bool:
    try:
        return bool(select.select([fd], [], [], seconds)[0])
    except (OSError, ValueError):  # Windows selects sockets only
        return False
