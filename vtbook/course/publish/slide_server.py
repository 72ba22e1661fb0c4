"""Slides served on this computer, written again whenever the notebook changes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from vtbook.course.messages import say
from vtbook.course.publish.slides import SlidesError
from vtbook.errors import VtbookError

VERSION = "version"
"""Where the page asks which version is current, relative to the slides."""

INTERVAL = 0.5
"""Seconds between two looks at the notebook."""


class SlideServer(ThreadingHTTPServer):
    """Serves one deck on 127.0.0.1 at ``/``.

    Args:
        source: The notebook to watch.
        build: Returns the document; called at the start and after each change of the notebook.
        port: The port; 0 takes a free one.

    Raises SlidesError: the port is taken; and whatever the first build raises.
    """

    daemon_threads = True

    def __init__(self, source: Path, build: Callable[[], str], port: int) -> None:
        self.source, self.build = source, build
        self.page, self.stamp = "", None
        self._ended = threading.Event()
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise SlidesError(
                f"port {port} cannot be used: {error.strerror}; give another with --port"
            ) from None
        try:
            self.stamp = self._stamp()
            self.page = build()
        except BaseException:
            self.server_close()
            raise

    @property
    def address(self) -> str:
        """Where the slides are."""
        return f"http://127.0.0.1:{self.server_address[1]}/"

    @property
    def version(self) -> str:
        """What changes when the slides do."""
        return hashlib.sha256(self.page.encode()).hexdigest()[:16]

    def watch(self) -> None:
        """Build again after each change, until the server ends; a failure keeps the old slides."""
        while not self._ended.wait(INTERVAL):
            stamp = self._stamp()
            if stamp is None or stamp == self.stamp:
                continue
            self.stamp = stamp
            try:
                self.page = self.build()
                say(f"{self.source.name} has changed: the slides are new")
            except VtbookError as error:
                say(f"{error}\nthe slides stay as they were")

    def server_close(self) -> None:
        """End, and stop watching."""
        self._ended.set()
        super().server_close()

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self.source.stat()
        except OSError:  # an editor may just replace the file
            return None
        return found.st_mtime_ns, found.st_size


class _Handler(BaseHTTPRequestHandler):
    server: SlideServer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/":
            self._answer(200, "text/html; charset=utf-8", self.server.page)
        elif path == f"/{VERSION}":
            self._answer(200, "text/plain", self.server.version)
        elif path == "/favicon.ico":
            self._answer(204, "image/x-icon", "")
        else:
            self._answer(404, "text/plain; charset=utf-8", "Only the slides are served here.\n")

    def _answer(self, status: int, kind: str, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the page asks once a second."""


def serve_slides(source: Path, build: Callable[[], str], port: int, *, browser: bool) -> None:
    """Serve slides until Ctrl-C, and open them in the browser."""
    import webbrowser

    with SlideServer(source, build, port) as server:
        say(f"{source.name} is at {server.address}  (S: speaker view, ?: keys, Ctrl-C ends)")
        threading.Thread(target=server.watch, daemon=True).start()
        if browser:
            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("ended")
