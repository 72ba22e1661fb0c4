"""Ctrl-C during a run: noted at once, acted on at an instruction boundary."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class KeyboardWatch:
    """While inside a ``with`` block, Ctrl-C sets `pressed` instead of raising.

    A run looks at `pressed` between slices, so that no instruction is cut in half. A second Ctrl-C
    raises ``KeyboardInterrupt`` after all, for when a slice does not end. A watch around this one
    learns of it too. Outside the main thread it does nothing, since Python delivers signals only
    there.
    """

    def __init__(self) -> None:
        self.pressed = False
        self._before: Any = None

    def __enter__(self) -> KeyboardWatch:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            outer = getattr(self._before, "__self__", None)
            if self.pressed and isinstance(outer, KeyboardWatch):
                outer.pressed = True

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
