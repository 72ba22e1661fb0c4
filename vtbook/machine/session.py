"""A machine that runs on a thread of its own, while the reader goes on.

The thread runs the guest in slices of a few hundredths of a second. Between two of them it types
what has come, tells who listens, and looks whether it shall pause. A guest that waits for input
costs nothing: the thread sleeps until a key comes (`vtbook.machine.idle`). What is typed is logged
with the number of instructions at which it came, so the machine can go back in time afterwards.
"""

from __future__ import annotations

import atexit
import re
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vtbook.errors import VtbookError
from vtbook.machine.exits import Exit
from vtbook.machine.idle import waits_for_input

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine

SLICE = 0.03
"""Seconds between two looks at what was typed and at who listens."""
TYPED_LIMIT = 1 << 20
"""Bytes that may wait to be typed."""
KEPT = 1 << 20
"""Bytes of output that the machine's console keeps: each checkpoint of its past has them too."""
LONG_WAIT = 0.5
"""Seconds after which harts that wait for timers only seem to wait for input."""
WAKE_INSTRUCTIONS = 200_000
"""A timer's handler takes fewer instructions; more is work."""
MOST_SLICES = 64
"""A guest that polls but does not wait is looked at again after at most so many slices."""
STATES = ("ready", "running", "waiting", "paused", "off", "stopped", "error", "closed")
"""``stopped`` is a trap, a breakpoint or a watchpoint; `Session.exit` says which."""

_open: weakref.WeakSet[Session] = weakref.WeakSet()


class SessionError(VtbookError):
    """The session cannot do what was asked; the message says why and what to do."""


class Session:
    """Runs one machine in the background.

    All methods may be called from any thread. While the session runs, the machine itself refuses
    `run`, `step` and the like; its registers and output can be read at any time.

    Args:
        machine: a machine with a program loaded.

    Attributes:
        state: one of `STATES`.
        exit: why the machine last stopped by itself; None while it runs.
        error: what went wrong in the thread, as text, or "".
        mips: million instructions a second of wall time, lately; 0 while it waits.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.state = "ready"
        self.exit: Exit | None = None
        self.error = ""
        self.mips = 0.0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._typed = bytearray()
        self._stop = False
        self._listeners: list[Callable[[bool], object]] = []
        self._read = (0, 0)
        self._busy, self._idle_since = 0, 0.0
        self.timed = False
        """Whether what waits, waits for a timer too, and may go on by itself."""
        _open.add(self)

    def __repr__(self) -> str:
        return f"<session, {self.state}: {self.machine!r}>"

    # -- what a view needs --------------------------------------------------------------------

    @property
    def instructions(self) -> int:
        """Instructions retired since reset."""
        return self.machine.instructions

    @property
    def epoch(self) -> int:
        """Changes when the output so far is another one: after a reset or a step back."""
        return self.machine.console.epoch

    @property
    def written(self) -> int:
        """Bytes of output since power-on."""
        return self.machine.console.written

    def since(self, position: int) -> tuple[int, bytes]:
        """Output from byte `position` on; the position of the first byte still there, and bytes."""
        return self.machine.console.since(position)

    @property
    def status(self) -> dict[str, Any]:
        """State, exit and counters as plain data."""
        state, exit = self.state, self.exit
        off = self.machine.is_off
        if state == "off" and off is None:  # the reader went back to before the end
            state, exit = "paused", None
        elif off is not None and state in ("ready", "paused"):  # or ran it to its end by hand
            state, exit = "off", off
        return {
            "state": state,
            "reason": exit.reason if exit else "",
            "detail": self.error or (str(exit) if exit else ""),
            "code": exit.code if exit else None,
            "where": exit.where if exit else "",
            "cause": exit.cause_name if exit else "",
            "instructions": self.instructions,
            "mips": round(self.mips, 3),
        }

    def listen(self, listener: Callable[[bool], object]) -> Callable[[], None]:
        """Call `listener(settled)` after each slice, `settled` when the machine stands still.

        It runs on the session's thread, and must be short. Returns what ends it.
        """
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    # -- control ------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the thread has the machine: it runs, or waits for input."""
        return self.state in ("running", "waiting")

    def run(self) -> None:
        """Go on in the background.

        Raises:
            SessionError: nothing is loaded, or the session is closed.
        """
        with self._changed:
            if self.state == "closed":
                raise SessionError("the session is closed; make a new one with machine.session()")
            if self.machine.image is None and self.machine.plan is None:
                raise SessionError("nothing is loaded; call machine.load first")
            if self.running:
                return
            if self.machine.is_off is not None:
                self._set("off", self.machine.is_off)
            else:
                console = self.machine.console
                console.limit = min(console.limit, KEPT)
                self._stop, self.error = False, ""
                self._set("running")
                self._thread = threading.Thread(target=self._work, name="vtbook", daemon=True)
                self.machine.runner = self._thread
                self._thread.start()
        self._tell(True)

    def pause(self) -> None:
        """Stop between two instructions, and wait until it stands still."""
        thread = self._thread
        with self._changed:
            self._stop = True
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def feed(self, data: bytes | str) -> None:
        """Type `data`; it waits while the machine is paused.

        Raises:
            SessionError: more than `TYPED_LIMIT` bytes would wait.
        """
        typed = data.encode() if isinstance(data, str) else bytes(data)
        with self._changed:
            waiting = len(self._typed) + self.machine.console.waiting
            if waiting + len(typed) > TYPED_LIMIT:
                raise SessionError(
                    f"{waiting + len(typed):,} bytes would wait to be typed, and at most "
                    f"{TYPED_LIMIT:,} can; feed less at once"
                )
            self._typed += typed
            self._changed.notify_all()

    def reset(self) -> None:
        """Pause, and load the program again: power off and on."""
        self.pause()
        self.machine.reset()
        with self._changed:
            self._typed.clear()
            self._read = (0, 0)
            self.error = ""
            self._set("ready")
        self._tell(True)

    def close(self) -> None:
        """Pause for good. `machine.session()` then makes another session."""
        self.pause()
        self._set("closed", self.exit)
        if self.machine._session is self:
            self.machine._session = None
        self._tell(True)

    def wait(self, timeout: float | None = None) -> str:
        """Wait until the machine no longer runs: it asks for input, has stopped, or is off.

        Args:
            timeout: seconds; None waits for ever.

        Returns:
            The state.

        Raises:
            SessionError: it still runs after `timeout`.
        """
        with self._changed:
            if not self._changed.wait_for(self._stands, timeout):
                raise SessionError(f"the guest still runs after {timeout} s")
            return self.state

    def _stands(self) -> bool:
        return self.state != "running" and not (self.state == "waiting" and self._typed)

    def expect(self, text: str | re.Pattern[str], timeout: float = 10.0) -> str:
        """Wait until the guest has written `text`, and return the output up to its end.

        Each call goes on where the one before has ended.

        Args:
            text: a string, or a compiled pattern.
            timeout: seconds.

        Raises:
            SessionError: it does not come in time, or the machine stands still without it.
        """
        pattern = re.compile(re.escape(text)) if isinstance(text, str) else text
        end = time.monotonic() + timeout
        with self._changed:
            while True:
                stands = self._stands() and not (self.state == "waiting" and self.timed)
                epoch = self.epoch
                start = self._read[1] if self._read[0] == epoch else 0
                first, data = self.since(start)
                output = data.decode("utf-8", "replace")
                if found := pattern.search(output):
                    read = output[: found.end()]
                    self._read = (epoch, first + _length(data, found.end()))
                    return read
                left = end - time.monotonic()
                if stands or left <= 0:
                    why = f"the machine is {self.state}" if stands else f"{timeout} s are over"
                    raise SessionError(
                        f"{pattern.pattern!r} did not come: {why}; the output ends with "
                        f"{output[-200:]!r}"
                    )
                self._changed.wait(min(left, SLICE * 4))

    # -- the thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            state, exit = self._drive()
        except BaseException as error:
            self.error = "".join(traceback.format_exception_only(error)).strip()
            state, exit = "error", None
        self.mips = 0.0
        self.machine.runner = self.machine.pace = None
        with self._changed:
            self._set(state, exit)
        self._tell(True)

    def _drive(self) -> tuple[str, Exit | None]:
        machine = self.machine
        machine.pace = self._pace
        self._busy, self._idle_since = self.instructions, time.monotonic()
        skip, between = 0, 1
        while True:
            if self._stop:
                return "paused", None
            if self._type():
                skip, between = 0, 1
            before, clock = self.instructions, time.perf_counter()
            exit = machine.run(seconds=SLICE, until_input=skip == 0)
            self._measure(self.instructions - before, time.perf_counter() - clock)
            skip = max(skip - 1, 0)
            if exit.reason == "input":
                if waits_for_input(machine):
                    self._sleep()
                    between = 1
                else:
                    skip, between = between, min(2 * between, MOST_SLICES)
            elif exit.reason == "wfi":
                self._sleep()
            elif exit.reason in ("shutdown", "reset"):
                return "off", exit
            elif exit.reason != "time":
                return "stopped", exit
            with self._changed:
                self._changed.notify_all()
            self._tell(False)

    def _type(self) -> bool:
        with self._changed:
            typed = bytes(self._typed)
            self._typed.clear()
        if typed:
            self.machine.console.feed(typed)
        return bool(typed)

    def _sleep(self) -> None:
        """Sleep until something is typed, or until it shall pause."""
        self.mips = 0.0
        with self._changed:
            if self._typed or self._stop:
                return
            self._set("waiting")
        self._tell(True)
        with self._changed:
            self._changed.wait_for(lambda: self._typed or self._stop)
            self._set("running")

    def _pace(self, seconds: float) -> float:
        """The harts wait for a timer: let real time pass, until something is typed.

        While they have waited for long, the session waits too: as far as anyone can see, for input.
        """
        clock = time.monotonic()
        if self.instructions > self._busy + WAKE_INSTRUCTIONS:
            self._idle_since = clock
        self._busy = self.instructions
        with self._changed:
            if not self._typed and not self._stop and clock - self._idle_since > LONG_WAIT:
                self._seem("waiting")
            if self._changed.wait_for(lambda: self._typed or self._stop, seconds):
                self._idle_since = clock
                self._seem("running")
        self.machine.board.poll()
        return time.monotonic() - clock

    def _seem(self, state: str) -> None:
        """Show another state, if it is one."""
        if self.state != state:
            self.timed = state == "waiting"
            self.mips = 0.0
            self._set(state)
            self._tell(state == "waiting")

    def _measure(self, instructions: int, seconds: float) -> None:
        rate = instructions / seconds / 1e6 if seconds > 0 else 0.0
        self.mips = rate if self.mips == 0 else 0.8 * self.mips + 0.2 * rate

    def _set(self, state: str, exit: Exit | None = None) -> None:
        with self._changed:
            self.state, self.exit = state, exit
            self._changed.notify_all()

    def _tell(self, settled: bool) -> None:
        for listener in list(self._listeners):
            try:
                listener(settled)
            except Exception as error:  # a view that fails must not stop the machine
                self.error = "".join(traceback.format_exception_only(error)).strip()


def _length(data: bytes, characters: int) -> int:
    """How many bytes the first characters of decoded `data` took."""
    low, high = 0, len(data)
    while low < high:
        middle = (low + high) // 2
        if len(data[:middle].decode("utf-8", "replace")) < characters:
            low = middle + 1
        else:
            high = middle
    return low


@atexit.register
def _end_all() -> None:
    for session in list(_open):
        session.pause()
