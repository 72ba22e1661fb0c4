"""Archives in the format of a Linux initramfs, written without being root.

The format is cpio's "newc" (Linux, Documentation/driver-api/early-userspace/
buffer-format.rst): for each file a header of 110 ASCII characters, its name and its content, each
padded to four bytes. Times are 0 and owners root, so the same files make the same archive.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping

from vtbook.errors import VtbookError

MAGIC = "070701"
END = "TRAILER!!!"
BLOCK = 512  # an archive is padded to it, so that another one can follow


class CpioError(VtbookError):
    """A file that cannot be put into an archive."""


class CpioWriter:
    """An archive in the making. Names are relative: ``bin/sh``; folders come before their files.

    Raises CpioError for a name that stands in it already, or whose folder does not.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._names: set[str] = set()
        self._folders = {""}

    def folder(self, name: str, mode: int = 0o755) -> None:
        """Add a folder."""
        self._add(name, stat.S_IFDIR | mode)
        self._folders.add(name)

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """Add a file."""
        self._add(name, stat.S_IFREG | mode, content)

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        self._add(name, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, name: str, major: int, minor: int, mode: int = 0o600) -> None:
        """Add the node of a character device."""
        self._add(name, stat.S_IFCHR | mode, device=(major, minor))

    def getvalue(self) -> bytes:
        """The whole archive, padded to 512 bytes."""
        data = b"".join([*self._parts, _entry(0, END, 0, b"", (0, 0))])
        return data + bytes(-len(data) % BLOCK)

    def _add(
        self, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)
    ) -> None:
        parts = name.split("/")
        if not name.isprintable() or any(part in ("", ".", "..") for part in parts):
            raise CpioError(f"{name!r}: no name of a file in an archive; write it as bin/sh")
        if name in self._names:
            raise CpioError(f"{name}: stands twice in the archive")
        parent = name.rpartition("/")[0]
        if parent not in self._folders:
            raise CpioError(f"{name}: its folder {parent} is not in the archive; add that first")
        if len(content) >= 1 << 32:
            raise CpioError(f"{name}: {len(content)} bytes do not fit; the format ends at 4 GiB")
        self._names.add(name)
        self._parts.append(_entry(len(self._names), name, mode, content, device))


def archive_of(files: Mapping[str, bytes], mode: int = 0o755) -> bytes:
    """An archive of files and the folders that they need; `mode` is that of the files."""
    writer = CpioWriter()
    folders: set[str] = set()
    for name in sorted(files):
        parts = name.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            if folder not in folders:
                writer.folder(folder)
                folders.add(folder)
        writer.file(name, files[name], mode)
    return writer.getvalue()


def _entry(inode: int, name: str, mode: int, content: bytes, device: tuple[int, int]) -> bytes:
    """One file: header, name with its final zero, content."""
    encoded = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    # inode, mode, uid, gid, links, mtime, size, device (major, minor) that holds the file, that it
    # is, length of the name, checksum (of another variant of the format)
    fields = (inode, mode, 0, 0, links, 0, len(content), 0, 0, *device, len(encoded), 0)
    header = (MAGIC + "".join(f"{field:08X}" for field in fields)).encode()
    head = header + encoded
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)
