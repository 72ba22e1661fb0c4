"""The sources of Linux and of BusyBox: from a folder, from this computer, or from Debian's archive.

apt is asked as an ordinary user: with lists and a cache of its own in a folder of ours. So nothing
on the system changes, and ``deb-src`` need not stand in the system's sources. What is fetched is
what the system's own entries sign for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from vtbook.errors import VtbookError
from vtbook.guests.linux.image import version_key

INSTALLED = Path("/usr/src")
"""Where the package linux-source-... puts its archive."""

OLDEST = (6, 1)

Run = Callable[[list[str], Path], str]
"""Runs a command in a folder and returns its stdout; raises if it fails."""

_LINUX = re.compile(r"linux-(?:source-)?(\d+\.\d+(?:\.\d+)?)\.tar\.(?:xz|gz|bz2)")
_BUSYBOX = re.compile(r"busybox[-_](\d+\.\d+\.\d+).*\.(?:dsc|tar\.(?:xz|gz|bz2))")
_PACKAGE = re.compile(r"linux-source-(\d+\.\d+(?:\.\d+)?)")


class SourceError(VtbookError):
    """The sources cannot be found or fetched."""


@dataclass(frozen=True)
class Source:
    """An archive of sources, or the description (.dsc) of a Debian source package.

    Attributes:
        path: the file.
        origin: what to call it: the package and its version, or the file's name.
    """

    path: Path
    origin: str


def find_in_folder(folder: Path, version: str | None) -> tuple[Source, Source]:
    """Linux and BusyBox in a folder.

    Raises SourceError: one of them is not there; the message says how files must be called.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder}: no such folder; --from wants one with the two archives")
    linux = _newest_linux(folder, version)
    if linux is None:
        raise SourceError(
            f"{folder}: no archive of Linux{f' {version}' if version else ''} in it; it is called "
            "linux-6.12.1.tar.xz, or linux-source-6.12.tar.xz from Debian"
        )
    names = sorted(path for path in folder.iterdir() if _BUSYBOX.fullmatch(path.name))
    usable = [path for path in names if ".debian." not in path.name]
    if not usable:
        raise SourceError(
            f"{folder}: no sources of BusyBox in it; the file is called busybox-1.36.1.tar.bz2, or "
            "busybox_1.35.0-4.dsc from Debian"
        )
    best = max(usable, key=lambda path: (path.suffix == ".dsc", _version_of(_BUSYBOX, path)))
    return Source(linux, linux.name), Source(best, best.name)


def find_installed(version: str | None) -> Source | None:
    """Linux in /usr/src, from an installed package."""
    found = _newest_linux(INSTALLED, version)
    return Source(found, found.name) if found else None


class Debian:
    """Debian's archive, or Ubuntu's, asked in a folder of ours.

    folder: an empty folder to work in.
    run: runs commands.
    """

    def __init__(self, folder: Path, run: Run) -> None:
        self._folder = folder
        self._run = run

    def linux(self, version: str | None) -> Source:
        """Fetch the newest ``linux-source-...``, or the one of a version such as "6.12".

        Raises SourceError: there is none.
        """
        package = self._choose(version)
        folder = self._folder / "linux"
        folder.mkdir(parents=True)
        self._run(["apt-get", "download", package], folder)
        fetched = next(folder.glob("*.deb"))
        self._run(["dpkg-deb", "-x", fetched.name, "files"], folder)
        found = _newest_linux(folder, None)
        if found is None:
            raise SourceError(f"{package} has no archive of sources in it; give --from DIR")
        return Source(found, _describe(fetched))

    def busybox(self) -> Source:
        """Fetch the source package of BusyBox.

        Raises SourceError: no source of packages here has it.
        """
        folder = self._folder / "busybox"
        lists = folder / "lists"
        for path in (lists / "partial", folder / "cache" / "archives" / "partial", folder / "etc"):
            path.mkdir(parents=True)
        (folder / "etc" / "busybox.sources").write_text(self._source_entries("busybox"))
        options = {
            "Dir::Etc::SourceList": "/dev/null",
            "Dir::Etc::SourceParts": str(folder / "etc"),
            "Dir::State::Lists": str(lists),
            "Dir::Cache": str(folder / "cache"),
            "Acquire::Languages": "none",
        }
        command = ["apt-get", *(f"-o{name}={value}" for name, value in options.items())]
        self._run([*command, "update"], folder)
        self._run([*command, "source", "--download-only", "busybox"], folder)
        found = next(folder.glob("*.dsc"), None)
        if found is None:
            raise SourceError("apt-get source busybox fetched no .dsc file; give --from DIR")
        return Source(found, _describe(found))

    def _choose(self, version: str | None) -> str:
        listed = self._run(
            ["apt-cache", "search", "--names-only", "^linux-source-[0-9]"], self._folder
        )
        names = [line.split(" ")[0] for line in listed.splitlines()]
        known = {found[1]: name for name in names if (found := _PACKAGE.fullmatch(name))}
        usable = [
            x for x in known if version_key(x) >= OLDEST and (not version or _same(x, version))
        ]
        if not usable:
            there = ", ".join(sorted(known, key=version_key)) or "none; run: sudo apt update"
            wanted = f"Linux {version}" if version else "Linux 6.1 or newer"
            raise SourceError(f"no package has the source of {wanted} (there are: {there})")
        return known[max(usable, key=version_key)]

    def _source_entries(self, package: str) -> str:
        """Entries for sources.list.d: where the packages come from, their sources come from too."""
        listed = self._run(["apt-cache", "madison", package], self._folder)
        places = re.findall(r"\| (\S+) (\S+?)/(\S+) \S+ (?:Packages|Sources)", listed)
        if not places:
            raise SourceError(f"apt knows no package {package}; run: sudo apt update")
        keys = _signers()
        entries = []
        for uri, suite, component in dict.fromkeys(places):
            entry = f"Types: deb-src\nURIs: {uri}\nSuites: {suite}\nComponents: {component}\n"
            entries.append(entry + keys.get(uri.rstrip("/"), ""))
        return "\n".join(entries)


def _signers(folder: Path = Path("/etc/apt")) -> dict[str, str]:
    """Which key signs for an address, as the system's entries say: a line of an entry."""
    found = {}
    for path in sorted(folder.glob("sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text(encoding="utf-8", errors="replace")):
            key = re.search(r"^Signed-By:.*(?:\n[ \t].*)*", stanza, re.MULTILINE | re.IGNORECASE)
            addresses = re.search(r"^URIs:(.*)", stanza, re.MULTILINE | re.IGNORECASE)
            if key and addresses:
                found.update({uri.rstrip("/"): key[0] + "\n" for uri in addresses[1].split()})
    for path in [folder / "sources.list", *sorted(folder.glob("sources.list.d/*.list"))]:
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            for key_file, uri in re.findall(
                r"^deb(?:-src)?\s+\[[^\]]*signed-by=([^\]\s]+)[^\]]*\]\s+(\S+)", text, re.MULTILINE
            ):
                found[uri.rstrip("/")] = f"Signed-By: {key_file}\n"
    return found


def _newest_linux(folder: Path, version: str | None) -> Path | None:
    """The archive of the newest kernel somewhere in a folder."""
    found = [path for path in folder.rglob("linux-*.tar.*") if _LINUX.fullmatch(path.name)]
    fits = [p for p in found if not version or _same(_name_of(_LINUX, p), version)]
    return max(fits, key=lambda path: _version_of(_LINUX, path), default=None)


def _name_of(pattern: re.Pattern[str], path: Path) -> str:
    found = pattern.fullmatch(path.name)
    return found[1] if found else ""


def _version_of(pattern: re.Pattern[str], path: Path) -> tuple[int, ...]:
    return version_key(_name_of(pattern, path))


def _same(version: str, wanted: str) -> bool:
    """Whether a package of version "6.12" can be what is wanted: "6.12", "6.12.117" or "6"."""
    one, other = version_key(version), version_key(wanted)
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]


def _describe(path: Path) -> str:
    """A package file's name in words: "linux-source-6.12 6.12.117-1"."""
    parts = unquote(path.name.removesuffix(path.suffix)).split("_")
    return " ".join(parts[:2])
