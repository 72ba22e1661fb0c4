"""The numbers of 9P2000.L as they lie in a message: little-endian, one after the other::

message: size 32 | type 8 | tag 16 | fields ...     a string is length 16 | bytes
qid:     type 8 | version 32 | path 64              names a file, whatever it is called
"""

from __future__ import annotations

import errno
import os
import stat
from struct import Struct, calcsize, pack, unpack_from
from typing import Any

from vtbook.devices.virtio.folder import refuse

HEADER = Struct("<IBH")
RLERROR = 7
QID_DIRECTORY, QID_LINK = 0x80, 0x02
SECOND = 10**9

LINUX_ERRORS = {"ENAMETOOLONG": 36, "ENOSYS": 38, "ENOTEMPTY": 39, "ELOOP": 40, "EOPNOTSUPP": 95}
LINUX_ERRORS |= {"ENOTSUP": 95, "ESTALE": 116, "EDQUOT": 122, "EAGAIN": 11}
"""Linux's numbers, where systems differ; below 34 nearly all are the same."""
LINUX_FLAGS = {0o200: os.O_EXCL, 0o1000: os.O_TRUNC}
"""Open flags of Linux that count here. O_APPEND does not: the client knows where it writes."""


class Message:
    """The fields of a message, one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, fields: str) -> tuple[Any, ...]:
        """Numbers, as `struct` names them; `struct.error` if the message is too short."""
        values = unpack_from("<" + fields, self.data, self.at)
        self.at += calcsize("<" + fields)
        return values

    def octets(self, size: int) -> bytes:
        """The next `size` bytes."""
        if self.at + size > len(self.data):
            raise refuse(errno.EINVAL)
        self.at += size
        return self.data[self.at - size : self.at]

    def string(self) -> bytes:
        """A string."""
        return self.octets(self.take("H")[0])


def refusal(tag: int, number: int) -> bytes:
    """Rlerror, for an error number of the host."""
    return HEADER.pack(HEADER.size + 4, RLERROR, tag) + pack("<I", linux_number(number))


def packed_string(text: bytes) -> bytes:
    """A string as it lies in a message."""
    return pack("<H", len(text)) + text


def split_time(ns: int) -> tuple[int, int]:
    """Seconds and nanoseconds."""
    return max(ns, 0) // SECOND, max(ns, 0) % SECOND


def qid_of(status: os.stat_result) -> bytes:
    """The qid of a file."""
    kind = {stat.S_IFDIR: QID_DIRECTORY, stat.S_IFLNK: QID_LINK}.get(stat.S_IFMT(status.st_mode), 0)
    version = (status.st_mtime_ns ^ status.st_size << 8) & 0xFFFF_FFFF
    path = (status.st_ino ^ status.st_dev << 48) & (1 << 64) - 1
    return pack("<BIQ", kind, version, path)


def host_flags(flags: int) -> int:
    """Open flags of the host for Linux's `flags`."""
    access = (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR)[flags & 3]
    return access | sum(ours for theirs, ours in LINUX_FLAGS.items() if flags & theirs)


def linux_number(number: int) -> int:
    """Linux's number for an error number of the host."""
    return LINUX_ERRORS.get(errno.errorcode.get(number, ""), number)
