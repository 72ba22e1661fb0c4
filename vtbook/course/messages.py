"""What the ``vtbook`` command says about itself: on stderr, one line, with an exit status."""

from __future__ import annotations

import functools
import os
import select
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import typer

from vtbook.errors import VtbookError

FAILURE = 1  # vtbook could not do what was asked
USAGE = 2  # asked in the wrong way; of `run`, the program cannot be run
BUDGET_ENDED = 124  # as of timeout(1)
GUEST_STUCK = 125  # a trap that nobody handles, or a wait that cannot end
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class Settings:
    """What the options before the command set."""

    debug = bool(os.environ.get("VTBOOK_DEBUG"))


def say(text: str) -> None:
    """Write a message of vtbook's own to stderr."""
    print(f"vtbook: {text}", file=sys.stderr, flush=True)


def fail(text: str, status: int = FAILURE) -> NoReturn:
    """Say what is wrong and leave the command."""
    say(text)
    raise typer.Exit(status)


def exits(status: int = FAILURE) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command: a ``VtbookError`` ends it with this status and without a traceback."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def guarded(*arguments: Any, **options: Any) -> None:
            try:
                command(*arguments, **options)
            except VtbookError as error:
                if Settings.debug:
                    raise
                fail(str(error), status)
            except KeyboardInterrupt:
                fail("interrupted", INTERRUPTED)

        return guarded

    return decorate


def let_pipes_end() -> None:
    """Die of a closed pipe without a word, as other commands do before ``| head``."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def end_if_nobody_reads() -> None:
    """Die as of a closed pipe if stdout is one whose reader has gone.

    Who writes to it learns this anyway; a run that writes nothing for long must ask.
    """
    if not hasattr(select, "poll") or sys.stdout is None or sys.stdout.closed:
        return
    asked = select.poll()
    asked.register(sys.stdout.fileno(), 0)
    if any(found & select.POLLERR for _, found in asked.poll(0)):
        os.kill(os.getpid(), signal.SIGPIPE)
