"""9P2000.L: the protocol in which a guest asks for the files of a shared folder.

Sources: intro(5) of Plan 9's manual, the description of 9P2000.L by diod, Linux's ``net/9p``.
`vtbook.devices.virtio.ninep_wire` has the form of messages.

A *fid* is a number that the guest gives to a file. Walking from one fid makes another; a fid is
opened, read, and clunked when it is not needed any more.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from struct import error as StructError
from struct import pack, unpack_from
from typing import ClassVar

from vtbook.devices.virtio.folder import Folder, Names, checked_name, refuse
from vtbook.devices.virtio.ninep_wire import (
    HEADER,
    SECOND,
    Message,
    host_flags,
    packed_string,
    qid_of,
    refusal,
    split_time,
)

MESSAGE_MIN, MESSAGE_MAX = 1 << 12, 1 << 17
READ_OVERHEAD = HEADER.size + 4
FIDS_MAX, OPEN_MAX = 1 << 14, 256
"""The most names and the most open files that a guest may hold."""
WALK_MAX = 16
DEPTH_MAX = 256
"""The most directories in each other."""

REMOVE_DIRECTORY = 0x200

# Bits of Tsetattr
SET_MODE, SET_SIZE, SET_ATIME, SET_MTIME, SET_ATIME_TO, SET_MTIME_TO = 1, 8, 16, 32, 128, 256
BASIC_ATTRIBUTES = 0x7FF


@dataclass
class Fid:
    """A name that the guest holds: its path, and how it is open.

    Attributes:
        flags: O_RDONLY, O_WRONLY or O_RDWR; None while it is not open.
        file: descriptor of the host; None if it is not open, or not yet again after a restore.
        entries: a directory as it was listed.
    """

    path: Names
    flags: int | None = None
    file: int | None = None
    entries: list[bytes] | None = None


class Server:
    """Answers the messages of one guest.

    Args:
        folder: what it may see.

    Attributes:
        fids: the names that the guest holds.
        message_size: the longest message, as agreed with the guest.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.message_size = MESSAGE_MAX
        self.fids: dict[int, Fid] = {}
        self._room = 0

    def reset(self) -> None:
        """Forget all names and close all files."""
        for number in list(self.fids):
            self.forget(number)
        self.message_size = MESSAGE_MAX

    def answer(self, kind: int, tag: int, body: bytes, room: int) -> bytes:
        """Do what a message asks for.

        Args:
            kind, tag, body: the message without its size.
            room: bytes that an answer with data may have.

        Returns:
            The answer: what was asked for, or Rlerror with a number of Linux.
        """
        self._room = room
        name = self._NAMES.get(kind)
        try:
            if name is None:
                raise refuse(errno.EOPNOTSUPP)
            fields = getattr(self, f"_{name}")(Message(body))
        except OSError as failed:
            return refusal(tag, failed.errno or errno.EIO)
        except (StructError, OverflowError, ValueError):  # too short, or no number for the host
            return refusal(tag, errno.EINVAL)
        answer = HEADER.pack(HEADER.size + len(fields), kind + 1, tag) + fields
        self.follow(kind, body, answer)
        return answer

    def follow(self, kind: int, body: bytes, answer: bytes) -> None:
        """Keep the guest's names as `answer` left them; the folder is not touched.

        A machine that repeats its past has the answers of then.
        """
        name = self._FOLLOWED.get(kind)
        if name is not None and answer[4] == kind + 1:
            with suppress(OSError, StructError):  # the answers of another past
                getattr(self, f"_after_{name}")(Message(body), answer[HEADER.size :])

    def _fid(self, number: int) -> Fid:
        fid = self.fids.get(number)
        if fid is None:
            raise refuse(errno.EBADF)
        return fid

    def _check_new(self, number: int) -> None:
        if number in self.fids:
            raise refuse(errno.EINVAL)
        if len(self.fids) >= FIDS_MAX:
            raise refuse(errno.ENFILE)

    def forget(self, number: int) -> None:
        """Let a name go, and close its file."""
        fid = self.fids.pop(number, None)
        if fid is not None and fid.file is not None:
            os.close(fid.file)

    def _file(self, fid: Fid) -> int:
        """The open file of `fid`; opened again if the device comes from a snapshot."""
        if fid.flags is None:
            raise refuse(errno.EBADF)
        if fid.file is None:
            self._check_open()
            fid.file = self.folder.open(fid.path, fid.flags)
        return fid.file

    def _check_open(self) -> None:
        if sum(fid.file is not None for fid in self.fids.values()) >= OPEN_MAX:
            raise refuse(errno.EMFILE)

    def _qid(self, path: Names) -> bytes:
        return qid_of(self.folder.stat(path))

    # -- one method a message ---------------------------------------------------------------

    def _version(self, m: Message) -> bytes:
        (size,) = m.take("I")
        version = b"9P2000.L" if m.string() == b"9P2000.L" else b"unknown"
        return pack("<I", min(max(size, MESSAGE_MIN), MESSAGE_MAX)) + packed_string(version)

    def _after_version(self, m: Message, answer: bytes) -> None:
        self.reset()
        (self.message_size,) = unpack_from("<I", answer)

    def _attach(self, m: Message) -> bytes:
        (number, _) = m.take("II")
        self._check_new(number)
        return self._qid(())

    def _after_attach(self, m: Message, answer: bytes) -> None:
        self.fids[m.take("I")[0]] = Fid(())

    def _walk(self, m: Message) -> bytes:
        number, new, count = m.take("IIH")
        fid = self._fid(number)
        if count > WALK_MAX or (new == number and fid.flags is not None):
            raise refuse(errno.EINVAL)
        if new != number:
            self._check_new(new)
        qids: list[bytes] = []
        for path in _steps(fid.path, [m.string() for _ in range(count)]):
            try:
                qids.append(self._qid(path))
            except OSError:
                if not qids:
                    raise
                break
        return pack("<H", len(qids)) + b"".join(qids)

    def _after_walk(self, m: Message, answer: bytes) -> None:
        number, new, count = m.take("IIH")
        if unpack_from("<H", answer)[0] == count:  # else nothing came of it
            path = self._fid(number).path
            for step in _steps(path, [m.string() for _ in range(count)]):
                path = step
            self.fids[new] = Fid(path)

    def _lopen(self, m: Message) -> bytes:
        number, flags = m.take("II")
        fid = self._fid(number)
        if fid.flags is not None:
            raise refuse(errno.EINVAL)
        self._check_open()
        fid.file = self.folder.open(fid.path, host_flags(flags) & ~os.O_EXCL)
        return qid_of(os.fstat(fid.file)) + pack("<I", 0)

    def _after_lopen(self, m: Message, answer: bytes) -> None:
        number, flags = m.take("II")
        self._fid(number).flags = flags & 3

    def _lcreate(self, m: Message) -> bytes:
        (number,) = m.take("I")
        name = m.string()
        flags, mode, _ = m.take("III")
        fid = self._fid(number)
        if fid.flags is not None:
            raise refuse(errno.EINVAL)
        self._check_open()
        fid.file = self.folder.create(_inside(fid.path, name), host_flags(flags), mode)
        return qid_of(os.fstat(fid.file)) + pack("<I", 0)

    def _after_lcreate(self, m: Message, answer: bytes) -> None:
        fid = self._fid(m.take("I")[0])
        fid.path = _inside(fid.path, m.string())
        fid.flags = m.take("I")[0] & 3

    def _read(self, m: Message) -> bytes:
        number, offset, count = m.take("IQI")
        limit = self._limit(count)
        data = os.pread(self._file(self._fid(number)), limit, offset)
        return pack("<I", len(data)) + data

    def _limit(self, count: int) -> int:
        """Bytes of data that the answer can have, of those asked for."""
        return max(min(count, self.message_size - READ_OVERHEAD, self._room - READ_OVERHEAD), 0)

    def _write(self, m: Message) -> bytes:
        number, offset, count = m.take("IQI")
        return pack("<I", os.pwrite(self._file(self._fid(number)), m.octets(count), offset))

    def _readdir(self, m: Message) -> bytes:
        number, offset, count = m.take("IQI")
        fid = self._fid(number)
        if fid.flags is None:
            raise refuse(errno.ENOTDIR)
        if fid.entries is None or offset == 0:
            fid.entries = [b".", b"..", *self.folder.entries(fid.path)]
        limit = self._limit(count)
        found = b""
        for place, name in enumerate(fid.entries[offset:], offset + 1):
            path = fid.path if name == b"." else fid.path[:-1] if name == b".." else None
            try:
                status = self.folder.stat((*fid.path, name) if path is None else path)
            except OSError:  # gone since it was listed
                continue
            entry = qid_of(status) + pack("<QB", place, stat.S_IFMT(status.st_mode) >> 12)
            entry += packed_string(name)
            if len(found) + len(entry) > limit:
                break
            found += entry
        return pack("<I", len(found)) + found

    def _getattr(self, m: Message) -> bytes:
        number, _ = m.take("IQ")
        fid = self._fid(number)
        s = self.folder.stat(fid.path) if fid.file is None else os.fstat(fid.file)
        times = [
            part for ns in (s.st_atime_ns, s.st_mtime_ns, s.st_ctime_ns) for part in split_time(ns)
        ]
        return (
            pack("<Q", BASIC_ATTRIBUTES)
            + qid_of(s)
            + pack("<III", s.st_mode, 0, 0)
            + pack("<QQQQQ", s.st_nlink, 0, s.st_size, 4096, s.st_blocks)
            + pack("<10Q", *times, 0, 0, 0, 0)
        )

    def _setattr(self, m: Message) -> bytes:
        number, valid, mode, _, _, size, *times = m.take("IIIIIQQQQQ")
        path = self._fid(number).path
        before = self.folder.stat(path)
        accessed, modified = before.st_atime_ns, before.st_mtime_ns
        if valid & SET_ATIME:
            told = times[0] * SECOND + times[1]
            accessed = told if valid & SET_ATIME_TO else time.time_ns()
        if valid & SET_MTIME:
            told = times[2] * SECOND + times[3]
            modified = told if valid & SET_MTIME_TO else time.time_ns()
        self.folder.change(
            path,
            mode=mode if valid & SET_MODE else None,
            size=size if valid & SET_SIZE else None,
            times=(accessed, modified) if valid & (SET_ATIME | SET_MTIME) else None,
        )
        return b""

    def _mkdir(self, m: Message) -> bytes:
        (number,) = m.take("I")
        path = _inside(self._fid(number).path, m.string())
        self.folder.make_directory(path, m.take("II")[0])
        return self._qid(path)

    def _renameat(self, m: Message) -> bytes:
        self.folder.rename(*self._old_and_new(m))
        return b""

    def _after_renameat(self, m: Message, answer: bytes) -> None:
        old, new = self._old_and_new(m)
        for fid in self.fids.values():
            if fid.path[: len(old)] == old:
                fid.path = (*new, *fid.path[len(old) :])

    def _old_and_new(self, m: Message) -> tuple[Names, Names]:
        old = _inside(self._fid(m.take("I")[0]).path, m.string())
        return old, _inside(self._fid(m.take("I")[0]).path, m.string())

    def _unlinkat(self, m: Message) -> bytes:
        (number,) = m.take("I")
        path = _inside(self._fid(number).path, m.string())
        self.folder.remove(path, directory=bool(m.take("I")[0] & REMOVE_DIRECTORY))
        return b""

    def _readlink(self, m: Message) -> bytes:
        return packed_string(self.folder.read_link(self._fid(m.take("I")[0]).path))

    def _statfs(self, m: Message) -> bytes:
        self._fid(m.take("I")[0])
        s = self.folder.space()
        space = (s.f_blocks, s.f_bfree, s.f_bavail, s.f_files, s.f_ffree)
        return pack("<II6QI", 0x01021997, s.f_frsize, *space, 0, s.f_namemax)

    def _fsync(self, m: Message) -> bytes:
        os.fsync(self._file(self._fid(m.take("I")[0])))
        return b""

    def _clunk(self, m: Message) -> bytes:
        self._fid(m.take("I")[0])
        return b""

    def _after_clunk(self, m: Message, answer: bytes) -> None:
        self.forget(m.take("I")[0])

    def _flush(self, m: Message) -> bytes:
        return b""  # every request has been answered by the time the next is read

    def _lock(self, m: Message) -> bytes:
        return b"\0"  # granted: the guest's own kernel keeps its processes apart

    _FOLLOWED: ClassVar[dict[int, str]] = {
        12: "lopen",
        14: "lcreate",
        74: "renameat",
        100: "version",
        104: "attach",
        110: "walk",
        120: "clunk",
    }
    _NAMES: ClassVar[dict[int, str]] = {
        8: "statfs",
        12: "lopen",
        14: "lcreate",
        22: "readlink",
        24: "getattr",
        26: "setattr",
        40: "readdir",
        50: "fsync",
        52: "lock",
        72: "mkdir",
        74: "renameat",
        76: "unlinkat",
        100: "version",
        104: "attach",
        108: "flush",
        110: "walk",
        116: "read",
        118: "write",
        120: "clunk",
    }


def _steps(path: Names, names: list[bytes]) -> Iterator[Names]:
    """The paths that a walk passes; above the folder is the folder."""
    for name in names:
        path = path[:-1] if name == b".." else _inside(path, name)
        yield path


def _inside(path: Names, name: bytes) -> Names:
    """The path of `name` in the directory `path`."""
    if len(path) >= DEPTH_MAX:
        raise refuse(errno.ENAMETOOLONG)
    return (*path, checked_name(name))
