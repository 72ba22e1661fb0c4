"""``vtbook console``: a machine in a terminal, every key for the guest, one for vtbook."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from vtbook.course.messages import GUEST_STUCK, INTERRUPTED, say
from vtbook.course.programs import load_program
from vtbook.course.run import HIGHEST_STATUS, Plan, instruction_at
from vtbook.errors import VtbookError
from vtbook.machine.session import SessionError

if TYPE_CHECKING:
    from vtbook.machine import Machine
    from vtbook.machine.session import Session

ESCAPE = b"\x01"  # Ctrl-A, as QEMU has it
CTRL_D = b"\x04"
HELP = """\
Ctrl-A h  this help
Ctrl-A x  quit
Ctrl-A p  pause, and go on
Ctrl-A s  the state; while paused, one step
Ctrl-A b  while paused, one step back
Ctrl-A r  restart the machine
Ctrl-A Ctrl-A  send Ctrl-A to the guest
"""


class TerminalError(VtbookError):
    """The console cannot be had on this terminal."""


class RawTerminal:
    """Standard input as single keys, none with a meaning of its own, while in a ``with`` block.

    If it is no terminal, or one of a job in the background, nothing is changed. The terminal is as
    before when the block ends, also by an error, SIGTERM or SIGHUP.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.raw = False
        self._mode: list[Any] = []
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> RawTerminal:
        if not os.isatty(self.fd):
            return self
        try:
            import termios
        except ImportError:
            raise TerminalError(
                "vtbook console needs a Unix terminal; on Windows use it under WSL, or use "
                "Console(machine) in a notebook"
            ) from None
        if os.getpgrp() != os.tcgetpgrp(self.fd):
            return self
        self._mode = termios.tcgetattr(self.fd)
        self.raw = True
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, self._die)
        self._handlers[signal.SIGCONT] = signal.signal(signal.SIGCONT, lambda *_: self._set())
        self._set()
        return self

    def _set(self) -> None:
        import termios

        mode = termios.tcgetattr(self.fd)
        mode[0] &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR | termios.IXON | termios.ISTRIP)
        mode[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self.fd, termios.TCSANOW, mode)

    def _die(self, number: int, frame: FrameType | None) -> None:
        self.__exit__(None, None, None)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.raw:
            return
        import termios

        self.raw = False
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        termios.tcsetattr(self.fd, termios.TCSADRAIN, self._mode)


class Printer:
    """Writes the guest's output to stdout as it comes; a slow reader slows the guest down."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.position = 0
        self.epoch = session.epoch
        self.last = b"\n"
        self._lock = threading.Lock()

    def __call__(self, settled: bool = True) -> None:
        with self._lock:
            if self.session.epoch != self.epoch:  # a reset or a step back: what was shown stays
                self.epoch, self.position = self.session.epoch, self.session.written
                return
            first, data = self.session.since(self.position)
            self.position = first + len(data)
            if data:
                self.last = data[-1:]
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()


def run_console(plan: Plan) -> int:
    """Run a program interactively; return the exit status, as of ``vtbook run``.

    Raises VtbookError if the program or the terminal cannot be used.
    """
    from vtbook.machine import Machine

    program = load_program(plan.program, plan.arguments)
    machine = Machine(ram=plan.ram, engine=plan.engine)
    machine.load(program.content)
    return converse(machine, plan.program)


def converse(machine: Machine, title: str) -> int:
    """Let the machine run, its console on this terminal; return the exit status.

    Raises TerminalError if the terminal cannot be used.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise TerminalError("standard input is closed; vtbook run does not need it")
    session = machine.session()
    printer = Printer(session)
    session.listen(printer)
    fd = sys.stdin.fileno()
    with RawTerminal(fd) as terminal:
        if terminal.raw:
            say(f"{title}: Ctrl-A h for help, Ctrl-A x to quit")
        try:
            status = _Conversation(session, printer, fd, terminal.raw).hold()
        finally:
            session.close()
    return status


class _Conversation:
    """Keys go to the guest, those after Ctrl-A to vtbook, until one of the two ends it."""

    def __init__(self, session: Session, printer: Printer, fd: int, interactive: bool) -> None:
        self.session, self.printer = session, printer
        self.fd = fd
        self.interactive = interactive
        self.escaped = False
        self.ended = False
        self.status: int | None = None
        self.wake, self._waker = os.pipe()
        session.listen(lambda settled: settled and os.write(self._waker, b"."))

    def hold(self) -> int:
        self.session.run()
        while self.status is None:
            inputs = [self.wake] if self.ended else [self.wake, self.fd]
            ready = select.select(inputs, [], [])[0]
            if self.wake in ready:
                os.read(self.wake, 4096)
            if self.fd in ready:
                self._read()
            if self.status is None:
                self._look()
        self.session.pause()
        self.printer()
        return self.status

    def _look(self) -> None:
        """End with the guest, and when it asks for more than there is."""
        session = self.session
        state, exit = session.state, session.exit
        if state == "off":
            assert exit is not None
            if exit.message:
                self._say(exit.message)
            self.status = min(max(exit.code or 0, 0), HIGHEST_STATUS)
        elif state == "stopped":
            assert exit is not None
            self._say(f"{exit}: {instruction_at(session.machine, exit.pc) or 'no instruction'}")
            self.status = GUEST_STUCK
        elif state == "error":
            self._say(session.error)
            self.status = GUEST_STUCK
        elif state == "waiting" and self.ended and not session.timed and self._stays_waiting():
            self._say("the guest waits for input and there is no more")
            self.status = GUEST_STUCK

    def _stays_waiting(self) -> bool:
        """Whether nothing is on its way to the guest any more."""
        try:
            return self.session.wait(0.01) == "waiting"
        except SessionError:
            return False

    def _read(self) -> None:
        try:
            data = os.read(self.fd, 1 << 12)
        except OSError:
            data = b""
        if not data:
            self.ended = True
            self.session.feed(CTRL_D)
        elif not self.interactive:
            self.session.feed(data)
        else:
            for key in (data[at : at + 1] for at in range(len(data))):
                self._key(key)

    def _key(self, key: bytes) -> None:
        if self.escaped:
            self.escaped = False
            self._command(key)
        elif key == ESCAPE:
            self.escaped = True
        else:
            self.session.feed(key)

    def _command(self, key: bytes) -> None:
        session = self.session
        paused = session.state == "paused"
        if key in (b"x", b"X"):
            self.status = INTERRUPTED
        elif key in (b"h", b"?"):
            self._say(HELP.rstrip())
        elif key == b"p":
            if paused:
                self._say("goes on")
                session.run()
            else:
                session.pause()
                self._say(self._where())
        elif key == b"s":
            if paused:
                session.machine.step()
                self.printer()
            self._say(self._where())
        elif key == b"b" and paused:
            session.machine.step_back()
            self.printer()
            self._say(self._where())
        elif key == b"r":
            session.reset()
            self._say("restarted")
            session.run()
        elif key == ESCAPE:
            session.feed(ESCAPE)
        else:
            self._say("Ctrl-A h for help")

    def _where(self) -> str:
        machine = self.session.machine
        count, pc = machine.position
        code = instruction_at(machine, pc) or "no instruction"
        where = machine.symbols.describe(pc)
        return f"{self.session.state} at {where}: {code}; {count:,} instructions"

    def _say(self, text: str) -> None:
        """A message of vtbook's own, on a line of its own."""
        self.printer()
        if self.printer.last not in b"\r\n":
            print(file=sys.stderr)
            self.printer.last = b"\n"
        for line in text.splitlines():
            say(line)
