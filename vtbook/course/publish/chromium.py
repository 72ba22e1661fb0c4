"""What needs a browser: slides as PDF, and whether they fit the screen."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from vtbook.errors import VtbookError

NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "msedge", "brave-browser"),
)
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
SWITCHES = (
    "--headless --disable-gpu --no-first-run --disable-background-networking --disable-sync "
    "--disable-component-update --disable-extensions --hide-scrollbars"
).split()
TIMEOUT = 180.0
PAGE = re.compile(rb"/Type\s*/Page\b")
ATTEMPTS = 3
"""A busy computer may print before reveal.js has laid out the pages; the count shows it."""


class BrowserError(VtbookError):
    """There is no Chromium, or it did not do what was asked."""


@dataclass(frozen=True)
class Overflow:
    """A slide that does not fit its page.

    Attributes:
        heading: Its heading.
        cells: Identities of the cells on it.
        down: Pixels below the page's lower edge, of 720.
        right: Pixels past the right edge of the page, of 1280, or of a block of code.
    """

    heading: str
    cells: tuple[str, ...]
    down: int
    right: int

    def __str__(self) -> str:
        ways = [
            f"{pixels} pixels {where}"
            for pixels, where in ((self.down, "too tall"), (self.right, "too wide"))
            if pixels
        ]
        return f"{self.heading} ({', '.join(self.cells)}): {' and '.join(ways)}"


def find_browser() -> str:
    """The path of a Chromium. Raises BrowserError: none is on the PATH."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and sys.platform == "darwin" and Path(MAC).exists():
        found = MAC
    if found is None:
        raise BrowserError(
            f"this needs a Chromium, and none is on the PATH; install one of {', '.join(NAMES[:4])}"
        )
    return found


def write_pdf(deck: Path, target: Path) -> Path:
    """Print the slides of a deck, one page each, 1280 by 720 pixels.

    Args:
        deck: The HTML file of `write_slides`.
        target: The PDF file to write.

    Raises BrowserError: no Chromium, or it did not print all slides.
    """
    made = target.resolve()
    made.parent.mkdir(parents=True, exist_ok=True)
    slides = deck.read_text(encoding="utf-8").count("<section data-cells=")
    done, pages = None, 0
    for _ in range(ATTEMPTS):
        made.unlink(missing_ok=True)
        done = _run(
            f"{deck.resolve().as_uri()}?print-pdf",
            f"--print-to-pdf={made}",
            "--no-pdf-header-footer",
            "--run-all-compositor-stages-before-draw",
        )
        pages = len(PAGE.findall(made.read_bytes())) if made.exists() else 0
        if pages >= slides:
            return target
    made.unlink(missing_ok=True)
    raise BrowserError(
        f"{target}: the browser printed {pages} pages of {slides} slides; try again when the "
        f"computer is less busy\n{_last(done.stderr if done else '')}"
    )


def overflowing(deck: Path) -> list[Overflow]:
    """The slides of a deck that do not fit their page, all fragments shown.

    Raises BrowserError: no Chromium, or the deck did not load.
    """
    done = _run(f"{deck.resolve().as_uri()}?check", "--dump-dom", "--window-size=1280,720")
    found = re.search(r'id="vtbook-check">(.*?)</script>', done.stdout, re.S)
    if found is None:
        raise BrowserError(f"{deck}: the slides could not be measured:\n{_last(done.stderr)}")
    slides = json.loads(unescape(found[1]))
    return [
        Overflow(s["heading"], tuple(s["cells"]), round(s["down"]), round(s["right"]))
        for s in slides
        if s["down"] or s["right"]
    ]


def _run(address: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Open an address in a browser of its own profile, which ends with the task."""
    switches = list(SWITCHES)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        switches.append("--no-sandbox")  # Chromium refuses to run as root with it
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [find_browser(), *switches, f"--user-data-dir={profile}"]
        command += ["--virtual-time-budget=60000", *options, address]
        try:
            return subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT
            )
        except subprocess.TimeoutExpired:
            raise BrowserError(
                f"{address}: the browser did not end within {TIMEOUT:g} seconds"
            ) from None


def _last(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-4:])
