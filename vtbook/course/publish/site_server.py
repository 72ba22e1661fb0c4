"""A web server for one folder, on this computer only."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from vtbook.course.messages import say


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and says nothing about each; browsers ask again whether a file has changed."""

    extensions_map = {  # noqa: RUF012
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".svg": "image/svg+xml",
    }

    def end_headers(self) -> None:
        """Let nothing old be shown after the site is built again."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: a line for each picture helps nobody."""


def server_of(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of a folder on 127.0.0.1, bound and not yet running; port 0 takes a free one.

    Raises SiteError if the port is taken.
    """
    from vtbook.course.publish.site import SiteError

    try:
        return ThreadingHTTPServer(
            ("127.0.0.1", port), partial(QuietHandler, directory=str(folder))
        )
    except OSError as error:
        raise SiteError(
            f"port {port} cannot be used: {error.strerror}; give another with --port"
        ) from None


def serve_folder(folder: Path, port: int) -> None:
    """Serve a folder until Ctrl-C."""
    with server_of(folder, port) as server:
        say(f"{folder} is at http://127.0.0.1:{server.server_address[1]}/  (Ctrl-C ends)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("ended")
