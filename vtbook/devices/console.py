"""The console: where the guest's characters go, and where its input waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from vtbook.devices import state

OUTPUT_LIMIT = 16 << 20


class Console:
    """A two-way line of bytes between a guest and the reader.

    A device puts the guest's bytes in with `write` and takes typed bytes out with `take`.
    The reader looks at `output` or `text` and types with `feed`.

    Args:
        sink: called with each piece of output as it comes, for instance to print it.
        limit: bytes of output to keep. When it is reached the oldest half goes and `dropped`
            counts it, so that a guest that prints for ever does not fill the host's memory.

    Attributes:
        muted: while true the sink is not called. A machine that replays the past sets it.
        on_feed: called with what is typed, before it waits; a machine logs it for replay.
        on_input: called after each `feed`, so that a device may raise its interrupt.
        typed: what was typed and not taken yet, oldest first; see `feed` and `take`.
        epoch: how often the past was rewritten, by a reset or by going back to a state.
    """

    STATE: ClassVar[dict[str, state.Check]] = {
        "output": state.octets,
        "input": state.octets,
        "dropped": state.uint(64),
    }

    def __init__(
        self, sink: Callable[[bytes], object] | None = None, *, limit: int = OUTPUT_LIMIT
    ) -> None:
        self.sink = sink
        self.limit = limit
        self.muted = False
        self.dropped = 0
        self.epoch = 0
        self.on_feed: Callable[[bytes], None] | None = None
        self.on_input: Callable[[], None] | None = None
        self._output = bytearray()
        self.typed = bytearray()
        self._expected, self._from = b"", 0
        self._on_expected: Callable[[], None] | None = None

    @property
    def output(self) -> bytes:
        """What the guest has written so far (the newest `limit` bytes of it)."""
        return bytes(self._output)

    @property
    def text(self) -> str:
        """`output` as text: UTF-8, with a replacement mark for anything else."""
        return self._output.decode("utf-8", "replace")

    @property
    def written(self) -> int:
        """How many bytes the guest has written since power-on, dropped ones included."""
        return self.dropped + len(self._output)

    def since(self, position: int) -> tuple[int, bytes]:
        """What was written from byte `position` on, counted from power-on.

        Returns:
            The position of the first byte that is still there, and the bytes.
        """
        first = min(max(position, self.dropped), self.written)
        return first, bytes(self._output[first - self.dropped :])

    @property
    def waiting(self) -> int:
        """How many typed bytes the guest has not taken yet."""
        return len(self.typed)

    def write(self, data: bytes) -> None:
        """The guest writes `data`."""
        output = self._output
        output += data
        if len(output) > self.limit:
            surplus = len(output) - self.limit // 2
            del output[:surplus]
            self.dropped += surplus
        if self.sink is not None and not self.muted:
            self.sink(data)
        if self._expected:
            self._look(len(data))

    def expect(self, text: bytes | None, then: Callable[[], None] | None = None) -> None:
        """Call `then` once, when the guest has written `text` from now on; None expects nothing."""
        self._expected, self._on_expected = text or b"", then
        self._from = self.written

    def _look(self, new: int) -> None:
        """Is what is expected in the last bytes, of which so many are new?"""
        tail = min(new + len(self._expected) - 1, self.written - self._from)
        if self._expected in self._output[-tail:]:
            self._expected = b""
            if self._on_expected is not None:
                self._on_expected()

    def feed(self, data: bytes | str) -> None:
        """The reader types `data` (a string is sent as UTF-8)."""
        typed = data.encode() if isinstance(data, str) else bytes(data)
        if self.on_feed is not None:
            self.on_feed(typed)
        self.typed += typed
        if self.on_input is not None:
            self.on_input()

    def take(self) -> int | None:
        """The oldest typed byte, which is then gone; None if nothing is waiting."""
        return self.typed.pop(0) if self.typed else None

    def reset(self) -> None:
        """Forget all output and all waiting input."""
        self._output.clear()
        self.typed.clear()
        self.dropped = 0
        self.epoch += 1

    def state(self) -> dict[str, Any]:
        """Output, waiting input and `dropped`, as plain data."""
        return {"output": self.output, "input": bytes(self.typed), "dropped": self.dropped}

    def load_state(self, saved: dict[str, Any]) -> None:
        """Go back to a state that `state` gave; sink and limit stay as they are.

        Raises:
            DeviceStateError: `saved` is not such a state.
        """
        state.check_state("Console", saved, self.STATE)
        self._output[:] = saved["output"]
        self.typed[:] = saved["input"]
        self.dropped = saved["dropped"]
        self.epoch += 1
