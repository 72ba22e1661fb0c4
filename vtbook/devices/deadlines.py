"""Devices that do something at a moment, not at an access: an alarm clock, a delayed answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Timed(Protocol):
    """A device with a deadline. Time is in nanoseconds of the machine's clock, 0 at power-on.

    The machine asks `next_deadline` before it lets the guest run, runs no further than that, and
    calls `tick`. To call `tick` too early or too often does no harm; nothing is due then.

    Attributes:
        on_deadline: called when `next_deadline` gives another answer than before, since the guest
            wrote to the device. The machine then cuts the running slice short.
    """

    on_deadline: Callable[[], None] | None

    def next_deadline(self) -> int | None:
        """The moment at which `tick` has something to do; None: not before the next access."""
        ...

    def tick(self) -> None:
        """Look at the clock and do what is due."""
        ...
