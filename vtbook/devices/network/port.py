"""A port: where a network card and a network meet. A cable joins two of them.

```
            send                              network.send
   device --------->  muted?  taps  ------------------------>  network
   device <---------  on_feed  taps  <-- waiting <-----------  network
          on_frame                poll             offer
```

What the guest sends goes to the network at once. What the network has for the guest waits in the
port until `poll`, which the machine calls between two instructions. So no frame arrives in the
middle of one, whichever thread the network's other users run on, and the machine can log each
arrival with an exact moment and replay it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol

Direction = Literal["out", "in"]
Tap = Callable[[Direction, bytes], None]
"""Sees a frame pass: ``out`` of the device, or ``in``."""

WAITING_LIMIT = 4096
"""Frames that wait at most."""
LINK_DOWN, LINK_UP = b"\0", b"\1"
"""How `Port.receive` is told that the cable was pulled or plugged in; no frame is so short."""


class Network(Protocol):
    """What a port needs of the network behind it."""

    @property
    def waits(self) -> bool:
        """Whether `poll` can wait for something outside. If not, the port waits for frames."""

    def send(self, port: Port, frame: bytes) -> None:
        """Take a frame that came out of the device at `port`."""

    def poll(self, timeout: float = 0.0) -> None:
        """Do all work that waits, after at most `timeout` seconds of waiting for some."""

    def filenos(self) -> list[int]:
        """Descriptors that become readable when `poll` has something to do."""

    def deadline(self) -> float | None:
        """Seconds until `poll` has something to do in any case; None if never."""

    def reset(self, port: Port) -> None:
        """The guest at `port` is at another moment now: break what it does not remember."""

    def detach(self, port: Port) -> None:
        """Forget `port`."""


class Port:
    """One end of a cable, plugged into a device.

    Attributes:
        name: for captures and error messages.
        network: what the other end is plugged into, or None.
        on_frame: the device: called with each frame that arrives.
        can_receive: the device: whether it can take one more frame; until then frames wait.
        on_link: the device: called with True or False when the cable is plugged in or pulled.
        on_feed: called with what arrives before the device gets it; a machine logs it for replay.
        on_wake: called when it is worth calling `poll` soon, from any thread; it must not block.
        muted: while true nothing is sent and taps see nothing. A machine that replays the past
            sets it.
        taps: called with each frame that passes.
        sent, received, dropped: frames out, in, and lost because too many waited.
    """

    def __init__(self, name: str = "net0", *, limit: int = WAITING_LIMIT) -> None:
        self.name = name
        self.limit = limit
        self.network: Network | None = None
        self.on_frame: Callable[[bytes], None] | None = None
        self.can_receive: Callable[[], bool] | None = None
        self.on_link: Callable[[bool], None] | None = None
        self.on_feed: Callable[[bytes], None] | None = None
        self.on_wake: Callable[[], None] | None = None
        self.muted = False
        self.taps: list[Tap] = []
        self.sent = self.received = self.dropped = 0
        self._waiting: deque[bytes] = deque()
        self._woken = threading.Event()

    def __repr__(self) -> str:
        return f"Port({self.name!r}, sent={self.sent}, received={self.received})"

    # -- for the device ---------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """The device sends `frame`. Without a network it is lost, as without a cable."""
        if self.muted:
            return
        self.sent += 1
        for tap in self.taps:
            tap("out", frame)
        if self.network is not None:
            self.network.send(self, frame)

    # -- for the machine --------------------------------------------------------------------

    def receive(self, frame: bytes) -> None:
        """Give `frame` to the device now. `poll` does it; a machine that replays does it itself.

        `LINK_UP` and `LINK_DOWN` are given in the same way, so that one log holds all.
        """
        if self.on_feed is not None:
            self.on_feed(frame)
        if len(frame) == 1:
            if self.on_link is not None:
                self.on_link(frame == LINK_UP)
            return
        if not self.muted:
            self.received += 1
            for tap in self.taps:
                tap("in", frame)
        if self.on_frame is not None:
            self.on_frame(frame)

    def set_link(self, up: bool) -> None:
        """Pull the cable, or plug it in again, as the guest sees it."""
        self.receive(LINK_UP if up else LINK_DOWN)

    def poll(self, timeout: float = 0.0) -> int:
        """Let the network work, then give the device the frames that wait, as many as it takes.

        Args:
            timeout: seconds to wait if nothing is there yet.

        Returns:
            How many frames the device got.
        """
        if self._waiting and self._is_ready():
            timeout = 0.0
        if self.network is not None and self.network.waits:
            self.network.poll(timeout)
        else:
            if timeout > 0:
                self._woken.wait(timeout)
            self._woken.clear()
            if self.network is not None:
                self.network.poll()
        count = 0
        for _ in range(len(self._waiting)):
            if not self._is_ready():
                break
            self.receive(self._waiting.popleft())
            count += 1
        return count

    def _is_ready(self) -> bool:
        return self.can_receive is None or self.can_receive()

    def reset(self) -> None:
        """The guest is at another moment now: it was switched on, or went back in time.

        What waited is lost, and a `UserNetwork` breaks its connections.
        """
        self._waiting.clear()
        if self.network is not None:
            self.network.reset(self)

    @property
    def waiting(self) -> int:
        """Frames that wait for `poll`."""
        return len(self._waiting)

    def filenos(self) -> list[int]:
        """Descriptors that become readable when `poll` has something to do."""
        return self.network.filenos() if self.network is not None else []

    def deadline(self) -> float | None:
        """Seconds after which `poll` should be called even if nothing becomes readable."""
        if self._waiting and self._is_ready():
            return 0.0
        return self.network.deadline() if self.network is not None else None

    # -- for the network --------------------------------------------------------------------

    def offer(self, frame: bytes) -> None:
        """Put `frame` where the next `poll` finds it. Any thread may do this."""
        if len(self._waiting) >= self.limit:
            self.dropped += 1
            return
        self._waiting.append(frame)
        self.wake()

    def wake(self) -> None:
        """Say that `poll` has something to do, and end its waiting for frames."""
        self._woken.set()
        if self.on_wake is not None:
            self.on_wake()

    def unplug(self) -> None:
        """Pull the cable: the network forgets this port, and what waited is lost."""
        if self.network is not None:
            self.network.detach(self)
            self.network = None
        self._waiting.clear()


class Cable:
    """Joins two ports and nothing else; a third one is never reached.

    >>> left, right = Port("left"), Port("right")
    >>> _ = Cable(left, right)
    >>> left.send(b"frame")
    >>> right.waiting
    1
    """

    waits = False

    def __init__(self, left: Port, right: Port) -> None:
        self.ends = (left, right)
        for port in self.ends:
            port.unplug()
            port.network = self

    def send(self, port: Port, frame: bytes) -> None:
        """Carry `frame` to the other end, unless that was pulled."""
        other = self.ends[1] if port is self.ends[0] else self.ends[0]
        if other.network is self:
            other.offer(frame)

    def poll(self, timeout: float = 0.0) -> None:
        """Nothing: a cable does not work on its own."""

    def filenos(self) -> list[int]:
        """None."""
        return []

    def deadline(self) -> float | None:
        """Never."""
        return None

    def reset(self, port: Port) -> None:
        """Nothing: a cable remembers nothing."""

    def detach(self, port: Port) -> None:
        """Nothing to forget: `Port.unplug` marks the end as pulled."""
