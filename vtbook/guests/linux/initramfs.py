"""The first file system: BusyBox, a link for each of its programs, and our few files."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from vtbook.guests.linux.cpio import CpioWriter

FOLDERS = (
    *("bin", "dev", "etc", "mnt", "proc", "root", "run", "sbin", "share", "sys", "tmp"),
    *("usr", "usr/bin", "usr/sbin"),
)
PROGRAMS = ("init", "bin/bench", "etc/shell", "etc/udhcpc.script")
"""Files of ours that are run; a wheel may have lost their permission."""

BUSYBOX = "bin/busybox"


def initramfs(busybox: bytes, programs: Iterable[str]) -> bytes:
    """The archive.

    busybox: the static program.
    programs: where its programs belong, as in its ``busybox.links``: ``/usr/bin/awk``.
    """
    archive = CpioWriter()
    for folder in FOLDERS:
        archive.folder(folder, {"tmp": 0o1777, "root": 0o700}.get(folder, 0o755))
    archive.character_device("dev/console", 5, 1)
    archive.character_device("dev/null", 1, 3, 0o666)
    archive.file(BUSYBOX, busybox, 0o755)
    for name in sorted(program.strip("/") for program in programs):
        archive.link(name, "/" + BUSYBOX)
    root = Path(str(resources.files(__package__))) / "root"
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name = path.relative_to(root).as_posix()
        archive.file(name, path.read_bytes(), 0o755 if name in PROGRAMS else 0o644)
    return archive.getvalue()
