"""A check of links for a built site: every internal link leads to a file, every anchor to an id."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {
    ("script", "src"),
    ("img", "src"),
    ("source", "src"),
    ("iframe", "src"),
    ("link", "href"),
    ("use", "href"),
    ("image", "href"),
}
"""What a browser fetches without being asked."""


@dataclass
class Page(HTMLParser):
    """What a page links to, what it fetches, and the anchors that it has."""

    path: Path
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        self.links += [given["href"]] if tag == "a" and "href" in given else []
        self.fetched += [v for name, v in given.items() if (tag, name) in FETCHED]

    handle_startendtag = handle_starttag


def pages_of(site: Path) -> dict[Path, Page]:
    """Every page of a site, parsed; what the theme keeps in ``_static`` are no pages."""
    found = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    return {path: Page(path) for path in sorted(found)}


def broken_links(site: Path, pages: dict[Path, Page]) -> list[str]:
    """What does not lead anywhere, as ``page: link``."""
    broken = []
    for path, page in pages.items():
        for link in {*page.links, *page.fetched}:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.is_file() or not target.is_relative_to(site):
                broken.append(f"{path.relative_to(site)}: {link}: no such file")
            elif anchor and target in pages and anchor not in pages[target].anchors:
                broken.append(f"{path.relative_to(site)}: {link}: no such anchor")
    return sorted(broken)


def left_addresses(site: Path, pages: dict[Path, Page]) -> list[str]:
    """What a page would fetch from elsewhere, style sheets and scripts' imports included."""
    found = [
        f"{path.relative_to(site)}: {address}"
        for path, page in pages.items()
        for address in page.fetched
        if re.match(r"(https?:)?//", address)
    ]
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8", errors="replace")
        addresses = re.findall(r"""(?:url\(|@import\s+)["']?((?:https?:)?//[^"')\s]+)""", text)
        found += [f"{sheet.relative_to(site)}: {address}" for address in addresses]
    return found
