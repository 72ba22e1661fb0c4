"""The server: one gdb at a time on a TCP port, and the machine between its requests.

One thread does both. While the machine runs it comes back every few hundredths of a second, and
the server looks whether gdb has sent 0x03 (Ctrl-C), or is there at all.
"""

from __future__ import annotations

import contextlib
import ipaddress
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from vtbook.errors import VtbookError
from vtbook.machine.exits import Exit
from vtbook.machine.gdb.packets import Decoder, Event, Mark, encode
from vtbook.machine.gdb.stub import OK, Leave, Stub
from vtbook.machine.gdb.target import Ended, Resume, Stop, Target
from vtbook.machine.interrupts import KeyboardWatch

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine

LOOPBACK = "127.0.0.1"
WAIT_SECONDS = 0.2
"""A server with nothing to do looks so often whether Ctrl-C was pressed or something typed."""
MOST_WAITING = 64
"""Packets that may wait for the machine to stop. gdb sends none; who sends more is cut off."""
LINGER_SECONDS = 0.5
"""After the last answer gdb has so long to close the connection itself."""
SEND_SECONDS = 10.0
"""A gdb that takes no answer for so long is cut off."""

NO_SIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)
"""The command dies of SIGPIPE when nobody reads its output; that is not meant for a gdb."""


class GdbError(VtbookError):
    """There can be no server as asked; the message says why and what to do."""


def parse_address(text: str | int) -> tuple[str, int]:
    """``PORT``, ``HOST:PORT`` or ``[HOST]:PORT``; the host is the loopback unless told.

    Raises:
        GdbError: it is none of these.
    """
    host, _, port = str(text).strip().rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 1 << 16):
        raise GdbError(f"{text!r:.60} is no address for gdb; write PORT or HOST:PORT (0 is any)")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    return host or LOOPBACK, int(port)


class Connection:
    """One gdb: its socket, what it has sent, and what it was last answered."""

    def __init__(self, sock: socket.socket, target: Target) -> None:
        self.socket = sock
        self.stub = Stub(target)
        self.waiting: deque[Event] = deque()
        self.is_open = True
        self._decoder = Decoder()
        self._last = b""
        sock.settimeout(SEND_SECONDS)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if hasattr(socket, "SO_NOSIGPIPE"):  # macOS
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_NOSIGPIPE, 1)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C has come."""
        return Mark.INTERRUPT in self.waiting

    def receive(self) -> None:
        """Take what has come, once the socket is ready; acknowledgements are settled here."""
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            return
        except OSError:
            data = b""
        self.is_open = bool(data)
        for event in self._decoder.feed(data):
            if event is Mark.NACK:
                if not self.stub.no_ack and self._last:
                    self._send(self._last)
            elif event is not Mark.ACK:
                self.waiting.append(event)
        if len(self.waiting) > MOST_WAITING:
            self.waiting.clear()
            self.is_open = False

    def is_there(self) -> bool:
        """Whether gdb is still at the other end, as far as can be known without waiting."""
        self.socket.settimeout(0)
        try:
            self.is_open = self.is_open and bool(self.socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            pass
        except OSError:
            self.is_open = False
        self.socket.settimeout(SEND_SECONDS)
        return self.is_open

    def acknowledge(self, good: bool) -> None:
        """Confirm a packet, or ask for it again, if gdb wants that."""
        if not self.stub.no_ack:
            self._send(b"+" if good else b"-")

    def answer(self, payload: bytes) -> None:
        """Send a packet."""
        self._last = encode(payload)
        self._send(self._last)

    def _send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data, NO_SIGNAL)
        except OSError:
            self.is_open = False

    def close(self) -> None:
        """Let gdb go, but let it read its last answer first: a reset could overtake that."""
        self.is_open = False
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
            self.socket.settimeout(LINGER_SECONDS)
            for _ in range(8):
                if not self.socket.recv(1 << 16):
                    break
        self.socket.close()


class GdbServer:
    """Lets gdb have a machine.

    Args:
        machine: a machine with a program loaded.
        address: ``PORT`` or ``HOST:PORT``; 0 is any free port. The loopback unless a host is given.
        wait: the machine stands until gdb lets it go; else it runs, and gdb may come at any time.
        announce: called with a line of text for the reader.
        poll: called between slices of a run and while the machine waits, to type what has come.

    Attributes:
        address: host and port that it listens at.

    Raises:
        GdbError: the address cannot be had.

    A connection that is cut leaves the machine paused where it is, for the next gdb.

    Between `start` and `close`, or as a context, ``with GdbServer(machine) as server``, it runs on
    a thread of its own. While gdb has the machine, that refuses `run` and the like from other
    threads.
    """

    def __init__(
        self,
        machine: Machine,
        address: str | int = 0,
        *,
        wait: bool = True,
        announce: Callable[[str], object] = lambda text: None,
        poll: Callable[[], object] = lambda: None,
    ) -> None:
        self.machine = machine
        self.target = Target(machine)
        self._announce, self._poll = announce, poll
        self._resume: Resume | None = None if wait else Resume("run")
        self._idle = False
        self._connection: Connection | None = None
        self._closing = self._is_running = False
        self._thread: threading.Thread | None = None
        self._listener = _listen(*parse_address(address))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._wake, self._waker = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)

    # -- on a thread of its own -----------------------------------------------------------------

    def start(self) -> GdbServer:
        """Serve on a thread of its own; returns at once."""
        self._thread = threading.Thread(target=self.run, name="vtbook gdb", daemon=True)
        self._thread.start()
        return self

    def __enter__(self) -> GdbServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server; the machine stays where it is. It may be called from any thread."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._waker.send(b"x")
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        elif not self._is_running:
            self._release()

    # -- the loop -----------------------------------------------------------------------------

    def run(self) -> Exit:
        """Serve until the program ends, gdb kills it, Ctrl-C is pressed, or `close` is called.

        Returns:
            Why the machine ended; of reason ``interrupted`` if it did not.
        """
        host, port = self.address
        text = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        state = "waiting" if self._resume is None else "ready"
        self._announce(f"{state} for gdb at {text}; in gdb: target remote {text}")
        if not _is_loopback(host):
            self._announce(f"whoever reaches port {port} has the machine: gdb asks for no password")
        exit: Exit | None = None
        self._is_running = True
        try:
            with KeyboardWatch() as keyboard:
                while exit is None and not self._closing and not keyboard.pressed:
                    exit = self._turn()
        finally:
            self._is_running = False
            self._release()
        instructions, pc = self.machine.position
        where = self.machine.symbols.describe(pc)
        return exit or Exit("interrupted", pc, instructions, where)

    def _turn(self) -> Exit | None:
        """Look at the sockets, answer, run one slice; the exit if all is over."""
        connection = self._connection
        is_busy = self._resume is not None and not self._idle
        has_work = connection is not None and connection.waiting and self._resume is None
        self._look(0 if is_busy or has_work else WAIT_SECONDS)
        self._poll()
        connection = self._connection
        is_gone = connection is not None and not connection.is_open
        if self._resume is not None and not is_gone:
            return self._slice(self._resume)
        if connection is not None and connection.waiting and self._resume is None:
            return self._answer(connection, connection.waiting.popleft())
        if connection is not None and is_gone:
            self._lose(connection)
        return None

    def _look(self, seconds: float) -> None:
        """Take what has come at the sockets, or wait for it so long."""
        ready = [key.fileobj for key, _ in self._selector.select(seconds)]
        if self._connection is not None and self._connection.socket in ready:
            self._connection.receive()  # first: the old gdb may have gone before a new one came
        if self._listener in ready:
            self._accept()
        if self._wake in ready:
            self._wake.recv(64)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        if self._connection is not None and self._connection.is_there():
            sock.close()
            self._announce("a second gdb came and was sent away: one at a time")
            return
        if self._connection is not None:
            self._lose(self._connection)
        try:
            self.machine.check_free()
        except VtbookError as error:
            sock.close()
            self._announce(f"gdb came and was sent away: {error}")
            return
        self._take_machine()
        self._resume = None
        self._connection = Connection(sock, self.target)
        self._selector.register(sock, selectors.EVENT_READ)

    def _slice(self, resume: Resume) -> Exit | None:
        """Run a little; when the machine stops, tell gdb."""
        connection = self._connection
        if connection is not None and connection.interrupted:
            connection.waiting.remove(Mark.INTERRUPT)
            return self._tell(self.target.interrupt())
        if self._idle and not self.target.can_go_on():
            return None
        self._take_machine()
        self.machine.pace = self._pace
        try:
            stop = self.target.advance(resume, lambda: self._is_unwanted(connection))
        except VtbookError as error:
            self._announce(f"the machine cannot go on: {error}")
            stop = self.target.interrupt()
        finally:
            self.machine.pace = None
        if self._connection is not connection:
            return None  # meanwhile one has gone, or come: nobody waits for this
        self._idle = stop is None and self.target.is_idle
        return None if stop is None else self._tell(stop)

    def _pace(self, seconds: float) -> float:
        """All harts wait for a timer: let real time pass, unless somebody wants something."""
        clock = time.monotonic()
        self._look(seconds)
        self._poll()
        self.machine.board.poll()
        return time.monotonic() - clock

    def _is_unwanted(self, connection: Connection | None) -> bool:
        """Whether the run shall end: gdb wants a stop, has gone, or another one has come."""
        self._look(0)
        return (
            self._closing
            or self._connection is not connection
            or (connection is not None and (connection.interrupted or not connection.is_open))
        )

    def _tell(self, stop: Stop) -> Exit | None:
        """The machine has stopped: say so to gdb. The exit if it has ended."""
        self._resume, self._idle = None, False
        connection = self._connection
        if connection is None:
            return self.target.last
        connection.answer(connection.stub.stopped(stop))
        if isinstance(stop, Ended) and not connection.stub.extended:
            return self.target.last
        return None

    def _answer(self, connection: Connection, event: Event) -> Exit | None:
        if event is Mark.INTERRUPT:
            return None  # it stands already
        if not isinstance(event, bytes):
            connection.acknowledge(False)
            if connection.stub.no_ack:
                connection.answer(b"E22")
            return None
        connection.acknowledge(True)
        answer = connection.stub.answer(event)
        if isinstance(answer, bytes):
            connection.answer(answer)
        elif isinstance(answer, Resume):
            return self._start(answer)
        else:
            self.target.clear_stops()
            if event[:1] != b"k":
                connection.answer(OK)
            return self._leave(connection, answer)
        return None

    def _start(self, resume: Resume) -> Exit | None:
        """Go on. A breakpoint here counts: gdb steps over those that it knows."""
        stop = self.target.starts_at_breakpoint(resume)
        if stop is not None:
            return self._tell(stop)
        self._resume = resume
        return None

    def _leave(self, connection: Connection, how: Leave) -> Exit | None:
        """gdb lets go: the machine runs on without it, or is ended."""
        if how is Leave.KILL and connection.stub.extended:
            return None
        self._drop(connection)
        if how is Leave.DETACH:
            self._announce("gdb has detached; the machine runs on")
            self._resume = Resume("run")
            return None
        self._announce("gdb has ended the machine")
        self._closing = True
        return None

    def _lose(self, connection: Connection) -> None:
        """The connection was cut: the machine stands where it is, for the next gdb."""
        self._drop(connection)
        self._resume, self._idle = None, False
        self._announce("gdb has gone without a word; the machine is paused until one comes again")
        self.machine.runner = None

    def _drop(self, connection: Connection) -> None:
        self._selector.unregister(connection.socket)
        connection.close()
        self._connection = None
        self.target.clear_stops()

    def _take_machine(self) -> None:
        """Keep other threads off the machine, if this is a thread of its own."""
        if self._thread is not None:
            self.machine.runner = self._thread

    def _release(self) -> None:
        if self._connection is not None:
            self._drop(self._connection)
        self._selector.close()
        for sock in (self._listener, self._wake, self._waker):
            sock.close()
        if self.machine.runner is self._thread:
            self.machine.runner = None


def serve(
    machine: Machine,
    address: str | int,
    *,
    wait: bool = True,
    announce: Callable[[str], object] = print,
    poll: Callable[[], object] = lambda: None,
) -> Exit:
    """Let gdb have a machine until its program ends, gdb kills it, or Ctrl-C is pressed.

    Args:
        machine: a machine with a program loaded.
        address: ``PORT`` or ``HOST:PORT``; the loopback unless a host is given, 0 is any port.
        wait: the machine stands until gdb lets it go; else it runs, and gdb may come at any time.
        announce: called with a line of text for the reader, the address among them.
        poll: called between slices, to type what has come.

    Returns:
        Why the machine ended; of reason ``interrupted`` if it did not.

    Raises:
        GdbError: the address cannot be had.
    """
    return GdbServer(machine, address, wait=wait, announce=announce, poll=poll).run()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=1)  # type: ignore[arg-type]
    except OSError as error:
        why = error.strerror or str(error)
        raise GdbError(f"{host}:{port}: no server for gdb there ({why}); give another") from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
