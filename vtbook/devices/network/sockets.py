"""The host's side of a user network: which sockets are watched, and when a timer is due."""

from __future__ import annotations

import errno
import selectors
import socket
from collections.abc import Callable
from typing import Any, Protocol

from vtbook.devices.network.policy import Target

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
CONNECTING = {0, errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", 0)}


class Watcher(Protocol):
    """What owns a socket."""

    def on_ready(self, events: int) -> None:
        """The socket can be read or written, or has failed."""


def connecting(kind: socket.SocketKind, target: Target) -> socket.socket:
    """A socket that does not block, on its way to `target`.

    Raises:
        OSError: the host cannot go there, or has no sockets left.
    """
    host = socket.socket(socket.AF_INET, kind)
    try:
        host.setblocking(False)
        error = host.connect_ex(target)
        if error not in CONNECTING:
            raise OSError(error, "the host cannot connect")
    except OSError:
        host.close()
        raise
    return host


class Sockets:
    """The sockets of one network, behind one selector."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._watched: dict[int, tuple[int, Any]] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, host: socket.socket, events: int, owner: Watcher) -> None:
        """Have `owner` told when `host` is ready for `events`; 0 ends that."""
        fd = host.fileno()
        before = self._watched.get(fd, (0, None))[0]
        if events == before:
            return
        if not events:
            del self._watched[fd]
            self._selector.unregister(host)
            return
        self._watched[fd] = (events, owner)
        if before:
            self._selector.modify(host, events, owner)
        else:
            self._selector.register(host, events, owner)

    def wait(self, timeout: float) -> list[tuple[Any, int, int]]:
        """The sockets that are ready after at most `timeout` seconds: owner, descriptor, events."""
        if timeout <= 0 and not self._watched:
            return []
        return [(key.data, key.fd, events) for key, events in self._selector.select(timeout)]

    def serve(self, ready: list[tuple[Any, int, int]], after: Callable[[Any], None]) -> None:
        """Tell the owners, and call `after` with each; one may have closed another's socket."""
        for owner, fd, events in ready:
            if self._watched.get(fd, (0, None))[1] is owner:
                owner.on_ready(events)
                after(owner)

    def filenos(self) -> list[int]:
        """One descriptor that is ready when any socket is, where the system has such a thing."""
        fileno = getattr(self._selector, "fileno", None)
        return [fileno()] if fileno is not None else []

    def close(self) -> None:
        """Free the selector."""
        self._watched.clear()
        self._selector.close()
