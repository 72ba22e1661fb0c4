"""What a reader sees while something is compiled for the first time."""

from __future__ import annotations

import os
import sys
import time
from typing import Any


class Announcer:
    """Says what takes so long, and when it is over. Says nothing if nothing takes long.

    In a notebook it is one line that changes in place; elsewhere lines on stderr. Call it with what
    begins, and ``finish`` when the reader can go on. Nothing is said while the environment variable
    ``VTBOOK_QUIET`` is set: published notebooks must not depend on what was compiled before.
    """

    def __init__(self) -> None:
        self._began: float | None = None
        self._line: Any = None

    def __call__(self, text: str) -> None:
        """Say that something begins, such as ``compiling the runtime``."""
        if self._began is None:
            self._began = time.perf_counter()
        self._show(f"{text} (the first time only) …")

    def finish(self) -> None:
        """Say how long it took, if anything was said since the last time."""
        if self._began is not None:
            seconds = time.perf_counter() - self._began
            self._show(f"ready in {seconds:.0f} s; kept for the next time")
            self._began = self._line = None

    def _show(self, text: str) -> None:
        if os.environ.get("VTBOOK_QUIET"):
            return
        message = f"vtbook: {text}"
        if not _in_notebook():
            if sys.stderr is not None:
                print(message, file=sys.stderr, flush=True)
            return
        from IPython.display import display

        content = {"text/plain": message}
        if self._line is None:
            self._line = display(content, raw=True, display_id=True)
        else:
            self._line.update(content, raw=True)


def _in_notebook() -> bool:
    """Whether a kernel runs this, whose front end shows what is displayed."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


announce = Announcer()
"""One for the process, as compiled code is."""
