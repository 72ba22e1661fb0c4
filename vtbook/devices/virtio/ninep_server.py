"""9P2000.L: the protocol in which a guest asks for the files of a shared folder.

Sources: intro(5) of Plan 9's manual, the description of 9P2000.L by diod, Linux's ``net/9p``.
Numbers are little-endian::

    message: size 32 | type 8 | tag 16 | fields ...     a string is length 16 | bytes
    qid:     type 8 | version 32 | path 64              names a file, whatever it is called

A *fid* is a number that the guest gives to a file. Walking from one fid makes another; a fid is
opened, read, and clunked when it is not needed any more.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from dataclasses import dataclass
from struct import Struct, calcsize, pack, unpack_from
from struct import error as StructError
from typing import Any, ClassVar

from vtbook.devices.virtio.folder import Folder, Names, checked_name, refuse

HEADER = Struct("<IBH")
RLERROR = 7
MESSAGE_MIN, MESSAGE_MAX = 1 << 12, 1 << 17
READ_OVERHEAD = HEADER.size + 4
FIDS_MAX, OPEN_MAX = 1 << 14, 256
"""The most names and the most open files that a guest may hold."""
WALK_MAX = 16
DEPTH_MAX = 256
"""The most directories in each other."""

LINUX_ERRORS = {"ENAMETOOLONG": 36, "ENOSYS": 38, "ENOTEMPTY": 39, "ELOOP": 40, "EOPNOTSUPP": 95}
LINUX_ERRORS |= {"ENOTSUP": 95, "ESTALE": 116, "EDQUOT": 122, "EAGAIN": 11}
"""Linux's numbers, where systems differ; below 34 nearly all are the same."""
LINUX_FLAGS = {0o200: os.O_EXCL, 0o1000: os.O_TRUNC}
"""Open flags of Linux that count here. O_APPEND does not: the client knows where it writes."""
REMOVE_DIRECTORY = 0x200

# Bits of Tsetattr
SET_MODE, SET_SIZE, SET_ATIME, SET_MTIME, SET_ATIME_TO, SET_MTIME_TO = 1, 8, 16, 32, 128, 256
BASIC_ATTRIBUTES = 0x7FF
SECOND = 10**9

QID_DIRECTORY, QID_LINK = 0x80, 0x02


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


class _Message:
    """The fields of a request, one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, fields: str) -> tuple[Any, ...]:
        values = unpack_from("<" + fields, self.data, self.at)
        self.at += calcsize("<" + fields)
        return values

    def octets(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise refuse(errno.EINVAL)
        self.at += size
        return self.data[self.at - size : self.at]

    def string(self) -> bytes:
        return self.octets(self.take("H")[0])


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
            fields = getattr(self, f"_{name}")(_Message(body))
        except OSError as failed:
            kind, fields = RLERROR - 1, pack("<I", _linux_number(failed.errno or errno.EIO))
        except (StructError, OverflowError, ValueError):  # too short, or no number for the host
            kind, fields = RLERROR - 1, pack("<I", errno.EINVAL)
        return HEADER.pack(HEADER.size + len(fields), kind + 1, tag) + fields

    def _fid(self, number: int) -> Fid:
        fid = self.fids.get(number)
        if fid is None:
            raise refuse(errno.EBADF)
        return fid

    def _add(self, number: int, path: Names) -> None:
        if number in self.fids:
            raise refuse(errno.EINVAL)
        if len(self.fids) >= FIDS_MAX:
            raise refuse(errno.ENFILE)
        self.fids[number] = Fid(path)

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
        return _qid(self.folder.stat(path))

    # -- one method a message ---------------------------------------------------------------

    def _version(self, m: _Message) -> bytes:
        (size,) = m.take("I")
        self.reset()
        self.message_size = min(max(size, MESSAGE_MIN), MESSAGE_MAX)
        version = b"9P2000.L" if m.string() == b"9P2000.L" else b"unknown"
        return pack("<I", self.message_size) + _string(version)

    def _attach(self, m: _Message) -> bytes:
        (number, _) = m.take("II")
        qid = self._qid(())
        self._add(number, ())
        return qid

    def _walk(self, m: _Message) -> bytes:
        number, new, count = m.take("IIH")
        fid = self._fid(number)
        path = fid.path
        if count > WALK_MAX or (new == number and fid.flags is not None):
            raise refuse(errno.EINVAL)
        names = [m.string() for _ in range(count)]
        qids: list[bytes] = []
        for name in names:
            path = path[:-1] if name == b".." else _inside(path, name)
            try:
                qids.append(self._qid(path))
            except OSError:
                if not qids:
                    raise
                return pack("<H", len(qids)) + b"".join(qids)
        if new == number:
            self.forget(number)
        self._add(new, path)
        return pack("<H", len(qids)) + b"".join(qids)

    def _lopen(self, m: _Message) -> bytes:
        number, flags = m.take("II")
        fid = self._fid(number)
        if fid.flags is not None:
            raise refuse(errno.EINVAL)
        self._check_open()
        fid.file = self.folder.open(fid.path, _host_flags(flags) & ~os.O_EXCL)
        fid.flags = flags & 3
        return _qid(os.fstat(fid.file)) + pack("<I", 0)

    def _lcreate(self, m: _Message) -> bytes:
        (number,) = m.take("I")
        name = m.string()
        flags, mode, _ = m.take("III")
        fid = self._fid(number)
        if fid.flags is not None:
            raise refuse(errno.EINVAL)
        self._check_open()
        path = _inside(fid.path, name)
        opened = self.folder.create(path, _host_flags(flags), mode)
        fid.path, fid.flags, fid.file = path, flags & 3, opened
        return _qid(os.fstat(opened)) + pack("<I", 0)

    def _read(self, m: _Message) -> bytes:
        number, offset, count = m.take("IQI")
        limit = self._limit(count)
        data = os.pread(self._file(self._fid(number)), limit, offset)
        return pack("<I", len(data)) + data

    def _limit(self, count: int) -> int:
        """Bytes of data that the answer can have, of those asked for."""
        return max(min(count, self.message_size - READ_OVERHEAD, self._room - READ_OVERHEAD), 0)

    def _write(self, m: _Message) -> bytes:
        number, offset, count = m.take("IQI")
        return pack("<I", os.pwrite(self._file(self._fid(number)), m.octets(count), offset))

    def _readdir(self, m: _Message) -> bytes:
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
            entry = _qid(status) + pack("<QB", place, stat.S_IFMT(status.st_mode) >> 12)
            entry += _string(name)
            if len(found) + len(entry) > limit:
                break
            found += entry
        return pack("<I", len(found)) + found

    def _getattr(self, m: _Message) -> bytes:
        number, _ = m.take("IQ")
        fid = self._fid(number)
        s = self.folder.stat(fid.path) if fid.file is None else os.fstat(fid.file)
        times = [part for ns in (s.st_atime_ns, s.st_mtime_ns, s.st_ctime_ns) for part in _time(ns)]
        return (
            pack("<Q", BASIC_ATTRIBUTES)
            + _qid(s)
            + pack("<III", s.st_mode, 0, 0)
            + pack("<QQQQQ", s.st_nlink, 0, s.st_size, 4096, s.st_blocks)
            + pack("<10Q", *times, 0, 0, 0, 0)
        )

    def _setattr(self, m: _Message) -> bytes:
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

    def _mkdir(self, m: _Message) -> bytes:
        (number,) = m.take("I")
        path = _inside(self._fid(number).path, m.string())
        self.folder.make_directory(path, m.take("II")[0])
        return self._qid(path)

    def _renameat(self, m: _Message) -> bytes:
        (source,) = m.take("I")
        old = _inside(self._fid(source).path, m.string())
        (target,) = m.take("I")
        new = _inside(self._fid(target).path, m.string())
        self.folder.rename(old, new)
        for fid in self.fids.values():
            if fid.path[: len(old)] == old:
                fid.path = (*new, *fid.path[len(old) :])
        return b""

    def _unlinkat(self, m: _Message) -> bytes:
        (number,) = m.take("I")
        path = _inside(self._fid(number).path, m.string())
        self.folder.remove(path, directory=bool(m.take("I")[0] & REMOVE_DIRECTORY))
        return b""

    def _readlink(self, m: _Message) -> bytes:
        return _string(self.folder.read_link(self._fid(m.take("I")[0]).path))

    def _statfs(self, m: _Message) -> bytes:
        self._fid(m.take("I")[0])
        s = self.folder.space()
        space = (s.f_blocks, s.f_bfree, s.f_bavail, s.f_files, s.f_ffree)
        return pack("<II6QI", 0x01021997, s.f_frsize, *space, 0, s.f_namemax)

    def _fsync(self, m: _Message) -> bytes:
        os.fsync(self._file(self._fid(m.take("I")[0])))
        return b""

    def _clunk(self, m: _Message) -> bytes:
        (number,) = m.take("I")
        self._fid(number)
        self.forget(number)
        return b""

    def _flush(self, m: _Message) -> bytes:
        return b""  # every request has been answered by the time the next is read

    def _lock(self, m: _Message) -> bytes:
        return b"\0"  # granted: the guest's own kernel keeps its processes apart

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


def _inside(path: Names, name: bytes) -> Names:
    """The path of `name` in the directory `path`."""
    if len(path) >= DEPTH_MAX:
        raise refuse(errno.ENAMETOOLONG)
    return (*path, checked_name(name))


def _string(text: bytes) -> bytes:
    return pack("<H", len(text)) + text


def _time(ns: int) -> tuple[int, int]:
    return max(ns, 0) // SECOND, max(ns, 0) % SECOND


def _qid(status: os.stat_result) -> bytes:
    kind = {stat.S_IFDIR: QID_DIRECTORY, stat.S_IFLNK: QID_LINK}.get(stat.S_IFMT(status.st_mode), 0)
    version = (status.st_mtime_ns ^ status.st_size << 8) & 0xFFFF_FFFF
    path = (status.st_ino ^ status.st_dev << 48) & (1 << 64) - 1
    return pack("<BIQ", kind, version, path)


def _host_flags(flags: int) -> int:
    access = (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR)[flags & 3]
    return access | sum(ours for theirs, ours in LINUX_FLAGS.items() if flags & theirs)


def _linux_number(number: int) -> int:
    return LINUX_ERRORS.get(errno.errorcode.get(number, ""), number)
