"""The console: a terminal in the notebook, on a machine that runs in the background."""

from __future__ import annotations

import re
import threading
import time
import weakref
from html import escape
from typing import Any, Protocol

from traitlets import Bool, Dict, Int, Unicode, validate

from vtbook.errors import VtbookError
from vtbook.widgets._assets import front_end
from vtbook.widgets.base import BookWidget, labels

CHUNK = 1 << 16
"""Bytes of output in one message at most."""
BACKLOG = 1 << 18
"""Bytes that may wait to be sent. Of more, the oldest are left out, and the screen says so."""
WINDOW = 1 << 20
"""Bytes that may be on their way to a browser that has not shown them yet."""
TRANSCRIPT = 1 << 16
"""Bytes of output kept with the notebook."""
PAUSE = 0.05
"""Seconds between two messages of output while the machine runs."""
STATUS_PAUSE = 0.25
SAVE_PAUSE = 1.0
UNSEEN = 5.0
"""Seconds that a machine runs on when the last view of its console has gone."""
LARGEST = (500, 200)
"""Most columns and rows."""

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x07|\x1b\\|$)|[ -/]*[0-~])"
    r"|[\x00-\x08\x0b-\x1f\x7f]",
    re.DOTALL,
)


class Runner(Protocol):
    """What a console needs of the machine behind it; `vtbook.machine.session.Session` is one."""

    status: Any
    epoch: Any
    written: Any
    running: Any

    def since(self, position: int) -> tuple[int, bytes]: ...
    def run(self) -> None: ...
    def pause(self) -> None: ...
    def reset(self) -> None: ...
    def feed(self, data: bytes | str) -> None: ...
    def expect(self, text: Any, timeout: float = 10.0) -> str: ...
    def wait(self, timeout: float | None = None) -> str: ...
    def listen(self, listener: Any) -> Any: ...


class Console(BookWidget):
    """A terminal on a running machine: type into the guest, see what it answers.

    The machine runs on a thread of its own, so the notebook stays usable. A guest that waits for a
    key costs nothing. In a page without a kernel the screen is shown as it was left.

    Args:
        machine: A machine with a program loaded, or its session.
        start: Run it at once.
        title: The heading.
        columns, rows: Size of the screen in characters.
        language: ``"en"`` or ``"pt"``.

    Attributes:
        status: State, exit and counters, as plain data.
        transcript: The newest output as text; it is saved with the notebook.
        newlines: Take a line feed alone as a new line, as a terminal's driver does.

    Raises:
        VtbookError: the size or the language cannot be.
    """

    _esm, _css = front_end("console")

    title = Unicode("").tag(sync=True)
    columns = Int(80).tag(sync=True)
    rows = Int(24).tag(sync=True)
    newlines = Bool(True).tag(sync=True)
    status = Dict().tag(sync=True)
    transcript = Unicode("").tag(sync=True)
    recording = Dict(allow_none=True, default_value=None).tag(sync=True)

    session: Runner | None = None

    def __init__(self, machine: Any = None, *, start: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self._lock = threading.RLock()
        self._views: dict[str, int] = {}  # view -> bytes it has shown
        self._epoch: Any = None
        self._sent = 0
        self._last_sent = self._last_status = self._last_saved = 0.0
        self._timer: threading.Timer | None = None
        if machine is not None:
            session: Runner = machine.session() if hasattr(machine, "session") else machine
            self.session = session
            self._unlisten = session.listen(self._pump)
            self.on_msg(self._received)
            _refresh_after_cells(self)
            self._pump(True)
            if start:
                session.run()

    @validate("columns", "rows")
    def _possible_size(self, proposal: dict[str, Any]) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        most = LARGEST[name == "rows"]
        if not 2 <= value <= most:
            raise VtbookError(f"Console: {value} {name}; use 2 to {most}")
        return value

    def __repr__(self) -> str:
        return f"<Console: {self.title or 'of a machine'}, {self.status.get('state', 'recorded')}>"

    # -- for scripts --------------------------------------------------------------------------

    def _running_on(self) -> Runner:
        if self.session is None:
            raise VtbookError("Console: this one is recorded and has no machine; use Console(m)")
        return self.session

    def run(self) -> None:
        """Let the machine run on."""
        self._running_on().run()

    def pause(self) -> None:
        """Stop the machine between two instructions."""
        self._running_on().pause()
        self._save()

    def reset(self) -> None:
        """Load the program again."""
        self._running_on().reset()
        self._save()

    def feed(self, text: bytes | str) -> None:
        """Type `text` into the guest."""
        self._running_on().feed(text)

    def expect(self, text: str | re.Pattern[str], timeout: float = 10.0) -> str:
        """Wait until the guest has written `text`; return the output up to its end.

        Raises:
            VtbookError: it does not come in `timeout` seconds, or the machine stands still.
        """
        try:
            return self._running_on().expect(text, timeout)
        finally:
            self._save()

    def wait(self, timeout: float | None = None) -> str:
        """Wait until the guest asks for input or has stopped; return the state.

        Raises:
            VtbookError: it still runs after `timeout` seconds.
        """
        try:
            return self._running_on().wait(timeout)
        finally:
            self._save()

    def close(self) -> None:
        """Pause the machine and end the widget."""
        if self.session is not None:
            self._unlisten()
            self.session.pause()
            self._save()
            self.session = None
        super().close()

    # -- to the browser -----------------------------------------------------------------------

    def _pump(self, settled: bool) -> None:
        """Send what is new; called on the session's thread, and when a browser has caught up."""
        session = self.session
        if session is None:
            return
        with self._lock:
            now = time.monotonic()
            if settled or now - self._last_status >= STATUS_PAUSE:
                self._last_status = now
                self.status = session.status
            if self._views:
                if session.epoch != self._epoch:
                    self._send_screen()
                elif settled or now - self._last_sent >= PAUSE:
                    self._last_sent = now
                    while self._send_output() and settled:
                        pass
            if settled:
                self._save_soon(now)

    def _send_output(self) -> bool:
        """Send one message of output; False if there was none, or the browser is behind."""
        assert self.session is not None
        written = self.session.written
        # The view that is ahead counts: one of a page that was closed never says more.
        if written <= self._sent or self._sent - max(self._views.values()) > WINDOW:
            return False
        start = self._sent
        if written - start > BACKLOG:
            start = written - CHUNK
        first, data = self.session.since(start)
        if first > self._sent:  # begin with a whole line, if there is one
            cut = data.find(b"\n") + 1
            first, data = first + cut, data[cut:]
        data = data[:CHUNK]
        content = {"type": "output", "at": first, "skipped": first - self._sent}
        self._sent = first + len(data)
        self.send({**content, "epoch": self._epoch}, [data])
        return True

    def _send_screen(self) -> None:
        """Send the newest output afresh."""
        assert self.session is not None
        self._epoch = self.session.epoch
        first, data = self._newest()
        self._sent = first + len(data)
        self._views = dict.fromkeys(self._views, self._sent)
        self.send({"type": "screen", "at": first, "epoch": self._epoch}, [data])

    def _newest(self) -> tuple[int, bytes]:
        assert self.session is not None
        first, data = self.session.since(max(self.session.written - TRANSCRIPT, 0))
        cut = data.find(b"\n") + 1 if first else 0
        return first + cut, data[cut:]

    def _save_soon(self, now: float) -> None:
        if now - self._last_saved >= SAVE_PAUSE:
            self._save()
        elif self._timer is None:
            self._timer = threading.Timer(SAVE_PAUSE, self._save)
            self._timer.daemon = True
            self._timer.start()

    def _save(self) -> None:
        """Bring what is saved with the notebook up to now."""
        if self.session is None:
            return
        with self._lock:
            self._timer = None
            self._last_saved = time.monotonic()
            self.transcript = self._newest()[1].decode("utf-8", "replace")
            self.status = self.session.status

    # -- from the browser ---------------------------------------------------------------------

    def _received(self, _: Any, content: dict[str, Any], buffers: list) -> None:
        kind, view = content.get("type"), str(content.get("view", ""))
        session = self.session
        if session is None:
            return
        if kind == "hello":
            with self._lock:
                self._views[view] = 0
                self._send_screen()
                self.status = session.status
        elif kind == "ack":
            if view in self._views and content.get("epoch") == self._epoch:
                self._views[view] = int(content["at"])
                self._pump(session.status["state"] != "running")
        elif kind == "bye":
            self._views.pop(view, None)
            if not self._views:
                timer = threading.Timer(UNSEEN, self._pause_unseen)
                timer.daemon = True
                timer.start()
        elif kind in ("type", "run", "pause", "reset"):
            self._obey(session, kind, content)

    def _obey(self, session: Runner, kind: str, content: dict[str, Any]) -> None:
        """Do what the reader asked for; an error is shown in the widget, not in a log."""
        try:
            if kind == "type":
                session.feed(str(content["data"]))
            elif kind == "run":
                session.run()
            elif kind == "pause":
                session.pause()
            else:
                session.reset()
                session.run()
        except VtbookError as error:
            self.status = {**session.status, "note": str(error)}

    def _pause_unseen(self) -> None:
        if not self._views and self.session is not None:
            self.session.pause()

    # -- where no script runs -----------------------------------------------------------------

    def fallback_html(self) -> str:
        """Return the text of the screen, without colours."""
        if self.recording:
            output = "".join(text for _, text in self.recording["frames"])
        elif self.session is not None:
            output = self._newest()[1].decode("utf-8", "replace")
        else:
            output = self.transcript
        table = labels("console", self.language)
        text = escape(_ESCAPES.sub("", output.replace("\r\n", "\n")))
        title = escape(self.title or table["widget"])
        return f"<figure><figcaption>{title}</figcaption><pre>{text}</pre></figure>"


class RecordedConsole(Console):
    """A console session to play, pause and seek in; it needs no machine and no kernel.

    Args:
        recording: What ``record_console`` gives: ``title``, and ``frames``, a list of
            [instructions retired, text written since the frame before].
        step: How many frames are shown first.
        options: As for `Console`.

    Raises:
        VtbookError: the recording is not of this form.
    """

    step = Int(0).tag(sync=True)

    def __init__(self, recording: dict[str, Any], *, step: int = 0, **options: Any) -> None:
        frames = recording.get("frames") if isinstance(recording, dict) else None
        if not isinstance(frames, list) or not all(
            isinstance(frame, list | tuple)
            and len(frame) == 2
            and isinstance(frame[0], int)
            and isinstance(frame[1], str)
            for frame in frames
        ):
            raise VtbookError("RecordedConsole: no list of [instructions, text] in 'frames'")
        if not 0 <= step <= len(frames):
            raise VtbookError(f"RecordedConsole: there is no frame {step}; use 0 to {len(frames)}")
        options.setdefault("title", recording.get("title", ""))
        super().__init__(**options)
        self.recording, self.step = recording, step


def _refresh_after_cells(console: Console) -> None:
    """Show what a cell did to the machine while it was paused, such as a step back."""
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    if shell is None:
        return
    reference = weakref.ref(console)

    def refresh(*_: Any) -> None:
        live = reference()
        if live is None or live.session is None:
            shell.events.unregister("post_run_cell", refresh)
        elif not live.session.running:
            live._pump(True)

    shell.events.register("post_run_cell", refresh)
