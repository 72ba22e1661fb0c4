"""The header of a Linux kernel for RISC-V, and the wrappers that distributions put around one.

``arch/riscv/boot/Image`` begins with 64 bytes (Linux, Documentation/arch/riscv/
boot-image-header.rst), all numbers little-endian:

    0  code     two instructions, or "MZ" of a program for EFI and an instruction
    8  text_offset    where the image wants to lie, counted from the start of RAM
    16 image_size     how much memory it needs, with what is not in the file
    24 flags    bit 0: big-endian
    32 version  0.2 is 0x0002
    48 magic    "RISCV", 56 magic2 "RSC\\x05"

``vmlinuz`` may be such an image in gzip, or an EFI program that has one inside (zboot: "zimg" at
byte 4, then its offset and size, and at 24 the name of the compression).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from vtbook.errors import VtbookError

HEADER = struct.Struct("<8sQQQII8x8sII")
MAGIC2 = 0x0543_5352
MEGAPAGE = 2 << 20
SIZE_LIMIT = 1 << 30
"""A kernel that unpacks to more is taken for damage."""


class LinuxImageError(VtbookError):
    """A file that looks like a Linux kernel cannot be used as one."""


@dataclass(frozen=True)
class LinuxImage:
    """What the header says.

    Attributes:
        text_offset: where to put it, in bytes from the start of RAM; a multiple of 2 MiB.
        size: bytes of memory that it needs.
        version: (major, minor) of the header.
    """

    text_offset: int
    size: int
    version: tuple[int, int]


def is_linux_image(data: bytes) -> bool:
    """Whether the bytes begin with the header of an uncompressed kernel."""
    return data[56:60] == MAGIC2.to_bytes(4, "little")


def read_header(data: bytes, name: str = "Image") -> LinuxImage:
    """Read the header of a kernel.

    Raises:
        LinuxImageError: it is none, or asks for something that no kernel of 64 bits asks for.
    """
    if len(data) < HEADER.size or not is_linux_image(data):
        raise LinuxImageError(f"{name}: no Linux kernel for RISC-V; give arch/riscv/boot/Image")
    _, offset, size, flags, version, _, _, _, _ = HEADER.unpack_from(data)
    if flags & 1:
        raise LinuxImageError(f"{name}: a big-endian kernel; RISC-V harts here are little-endian")
    if offset % MEGAPAGE or offset >= SIZE_LIMIT:
        raise LinuxImageError(
            f"{name}: its text_offset is {offset:#x}, no multiple of 2 MiB below 1 GiB; "
            "the file is damaged, or for 32 bits"
        )
    if not len(data) <= size + MEGAPAGE or size > SIZE_LIMIT:
        raise LinuxImageError(
            f"{name}: its image_size is {size:#x}, but the file has {len(data):#x} bytes; "
            "the file is damaged"
        )
    return LinuxImage(offset, max(size, len(data)), (version >> 16, version & 0xFFFF))


def unpack(data: bytes, name: str = "vmlinuz") -> bytes:
    """The file without its wrapper; the same bytes if there is none.

    Raises:
        LinuxImageError: the wrapper is damaged, or of a kind that Python cannot unpack.
    """
    if data[4:8] == b"zimg" and data[:2] == b"MZ" and len(data) >= 56:
        offset, size = struct.unpack_from("<II", data, 8)
        kind = data[24:56].split(b"\0")[0].decode("ascii", "replace")
        if kind != "gzip":
            raise LinuxImageError(
                f"{name}: an EFI program with a kernel in {kind}, which is not unpacked here; cut "
                f"out {size} bytes at {offset} and unpack them, or give arch/riscv/boot/Image"
            )
        data = data[offset : offset + size]
    if data[:2] != b"\x1f\x8b":
        return data
    decompressor = zlib.decompressobj(wbits=31)
    try:
        unpacked = decompressor.decompress(data, SIZE_LIMIT)
    except zlib.error as error:
        raise LinuxImageError(f"{name}: the gzip file is damaged ({error})") from None
    if not decompressor.eof:
        raise LinuxImageError(f"{name}: the gzip file is cut off, or unpacks to more than 1 GiB")
    return unpacked
