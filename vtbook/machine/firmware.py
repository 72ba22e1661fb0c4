"""Booting like a real board: where firmware, kernel, RAM disk and device tree lie in RAM.

`plan_boot` is a pure function from files to a `BootPlan`: pieces for RAM, the boot ROM, and what
the registers hold when the firmware begins. The places are those of QEMU's ``virt``::

    RAM + 0         firmware, at most 2 MiB
    RAM + 2 MiB     kernel, or whatever comes after the firmware
    ...
    just below      the RAM disk
    near the end    the device tree, 2 MiB aligned, below 3 GiB (hw/riscv/boot.c,
                    riscv_compute_fdt_addr)

`find_firmware` knows the book's own firmware, and where distributions put OpenSBI and U-Boot.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from vtbook.errors import VtbookError
from vtbook.guests.firmware import firmware_image
from vtbook.machine import linux_image
from vtbook.machine.bootrom import ROM_BASE, SUPERVISOR, boot_rom
from vtbook.machine.devicetree import DeviceTree
from vtbook.machine.elf import ElfError, load_elf
from vtbook.machine.elf_format import MAGIC as ELF_MAGIC
from vtbook.machine.symbols import SymbolTable
from vtbook.machine.units import format_size

RAM_BASE = 0x8000_0000
MEGAPAGE = 2 << 20
KERNEL_OFFSET = MEGAPAGE  # what OpenSBI's fw_jump and every kernel for rv64 expect
LOW_END = 3 << 30
"""Device tree and RAM disk lie below, as in QEMU, where addresses of 32 bits reach them."""
TREE_ROOM = 64 << 10
"""Room behind the device tree: firmware adds nodes to it where it lies."""
RAM_DISK_ALIGNMENT = 4096
JUMP_TREE = 0x220_0000
"""Where OpenSBI's fw_jump copies the device tree, from the start of RAM."""

File = str | os.PathLike[str] | bytes


class FirmwareError(VtbookError):
    """A system cannot be booted as asked: a file is missing, or does not fit into RAM."""


# -- finding files --------------------------------------------------------------------------


class KnownFirmware(NamedTuple):
    """A firmware that has a name.

    what: for messages. paths: where it may be, in this order. package: Debian's name.
    """

    what: str
    paths: tuple[str, ...]
    package: str


def _opensbi(name: str) -> KnownFirmware:
    paths = (
        f"/usr/lib/riscv64-linux-gnu/opensbi/generic/{name}.bin",  # Debian, Ubuntu
        f"/usr/share/opensbi/lp64/generic/firmware/{name}.bin",  # built from source
        f"/usr/share/opensbi/generic/firmware/{name}.bin",  # Fedora
        f"/usr/share/qemu/opensbi-riscv64-generic-{name}.bin",  # with QEMU
        f"/opt/homebrew/share/qemu/opensbi-riscv64-generic-{name}.bin",  # QEMU by Homebrew
        f"/usr/local/share/qemu/opensbi-riscv64-generic-{name}.bin",
    )
    return KnownFirmware(f"OpenSBI ({name})", paths, "opensbi")


def _u_boot(board: str, what: str) -> KnownFirmware:
    return KnownFirmware(what, (f"/usr/lib/u-boot/{board}/u-boot.bin",), "u-boot-qemu")


KNOWN_FIRMWARE = {
    "vtbook": KnownFirmware("the book's firmware", (str(firmware_image()),), "vtbook"),
    "opensbi": _opensbi("fw_dynamic"),
    "opensbi-jump": _opensbi("fw_jump"),
    "u-boot": _u_boot("qemu-riscv64_smode", "U-Boot for supervisor mode"),
    "u-boot-m": _u_boot("qemu-riscv64", "U-Boot for machine mode"),
}
"""By the names that `find_firmware` takes."""


def find_firmware(name: str | os.PathLike[str]) -> Path:
    """The file of a firmware.

    Args:
        name: a key of `KNOWN_FIRMWARE`, or a path.

    Raises:
        FirmwareError: there is no such file, and what to install.
    """
    known = KNOWN_FIRMWARE.get(str(name))
    if known is None:
        path = Path(name)
        if path.is_file():
            return path
        names = ", ".join(KNOWN_FIRMWARE)
        raise FirmwareError(f"firmware {str(name)!r}: no such file; give a path, or one of {names}")
    for place in known.paths:
        if Path(place).is_file():
            return Path(place)
    raise FirmwareError(
        f"{known.what} is not here; on Debian and Ubuntu: apt install {known.package}; "
        f"or give the path of its .bin file (looked for {known.paths[0]} and others)"
    )


# -- the plan -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Piece:
    """Bytes for RAM.

    Attributes:
        name: what they are, for messages.
        address: physical address of the first.
        data: the bytes.
        size: how much memory they need; what comes after `data` is zero.
    """

    name: str
    address: int
    data: bytes | memoryview = field(repr=False)
    size: int = -1

    def __post_init__(self) -> None:
        if self.size < 0:
            object.__setattr__(self, "size", len(self.data))

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.address + self.size

    def __str__(self) -> str:
        return f"{self.address:#x}-{self.end - 1:#x}  {self.name}"


@dataclass(frozen=True)
class BootPlan:
    """What to put where, and how the harts begin. ``print(plan)`` shows the layout of RAM.

    Attributes:
        pieces: what goes into RAM, in order of address; they do not overlap.
        entry: where the boot ROM jumps: the firmware, or the kernel if there is none.
        next_address: where the firmware goes on; 0 if nothing comes after it.
        next_mode: the mode to go on in.
        dtb_address: where the device tree is.
        initrd: first address and end of the RAM disk, or None.
        symbols: of the kernel, if it is an ELF file; else of the firmware.
    """

    pieces: tuple[Piece, ...]
    entry: int
    next_address: int
    next_mode: int
    dtb_address: int
    initrd: tuple[int, int] | None = None
    symbols: SymbolTable = field(default_factory=SymbolTable, repr=False)

    @property
    def rom(self) -> bytes:
        """The boot ROM, for 0x1000, where every hart begins."""
        return boot_rom(
            self.entry, self.dtb_address, next_address=self.next_address, next_mode=self.next_mode
        )

    def registers(self, hart: int) -> dict[str, int]:
        """pc, a0, a1 and a2 as the boot ROM leaves them, for a board without one.

        The record that a2 points to is in the ROM; without it OpenSBI's fw_dynamic cannot start.
        """
        return {"pc": self.entry, "a0": hart, "a1": self.dtb_address, "a2": ROM_BASE + 40}

    def __str__(self) -> str:
        lines = [str(piece) for piece in self.pieces]
        after = f", then {self.next_address:#x}" if self.next_address else ""
        return "\n".join([*lines, f"entry {self.entry:#x}{after}"])


def plan_boot(
    firmware: File | None,
    kernel: File | None = None,
    initrd: File | None = None,
    *,
    ram_size: int,
    tree: Callable[[tuple[int, int] | None], DeviceTree | bytes],
    ram_base: int = RAM_BASE,
    next_mode: int = SUPERVISOR,
) -> BootPlan:
    """Decide where everything goes.

    Args:
        firmware: what every hart begins with, in machine mode: the bytes or the path of a flat
            binary, which goes to the start of RAM, or of an ELF file, which says itself where to
            go. None: the kernel is the first program.
        kernel: what comes after: a Linux ``Image`` (also in gzip, or an EFI ``vmlinuz`` with
            gzip), an ELF file, or a flat binary such as U-Boot, which goes 2 MiB above the
            firmware.
        initrd: the RAM disk of Linux.
        ram_size: bytes of RAM from `ram_base` on.
        tree: makes the device tree, given first address and end of the RAM disk, or None.
        next_mode: the mode in which the firmware shall enter the kernel.

    Raises:
        FirmwareError: a file cannot be read or used, or something does not fit; and what to
            change.
    """
    if firmware is None and kernel is None:
        raise FirmwareError("nothing to boot: give firmware, a kernel, or both")
    begin = None if firmware is None else _load(firmware, "firmware", ram_base, ram_base)
    then = None if kernel is None else _load(kernel, "kernel", ram_base + KERNEL_OFFSET, ram_base)
    programs = [program for program in (begin, then) if program is not None]
    if begin is not None and then is not None:
        _check_jump(begin, then, ram_base)
    fixed = [piece for program in programs for piece in program.pieces]
    disk = None if initrd is None else _content(initrd, "RAM disk")
    disk_size = 0 if disk is None else len(disk[1])
    probe = None if disk is None else (ram_base, ram_base + disk_size)
    tree_size = len(bytes(tree(probe))) + TREE_ROOM

    def problem(size: int) -> str | None:
        at_tree, at_disk = _high_places(ram_base, size, tree_size, disk_size)
        high = [Piece("device tree", at_tree, b"", tree_size)]
        if disk is not None:
            high.append(Piece(disk[0], at_disk, b"", disk_size))
        return _collision([*fixed, *high], ram_base, ram_base + size)

    found = problem(ram_size)
    if found is not None:
        enough = (1 << power for power in range(23, 31) if 1 << power > ram_size)
        fits = next((size for size in enough if problem(size) is None), None)
        advice = f"give ram='{format_size(fits)}'" if fits else "no size of RAM helps"
        raise FirmwareError(f"{found}; {advice}")

    at_tree, at_disk = _high_places(ram_base, ram_size, tree_size, disk_size)
    extent = None if disk is None else (at_disk, at_disk + disk_size)
    high = [Piece("device tree", at_tree, bytes(tree(extent)))]
    if disk is not None:
        high.append(Piece(disk[0], at_disk, disk[1]))
    return BootPlan(
        pieces=tuple(sorted([*fixed, *high], key=lambda piece: piece.address)),
        entry=programs[0].entry,
        next_address=0 if begin is None or then is None else then.entry,
        next_mode=next_mode,
        dtb_address=at_tree,
        initrd=extent,
        symbols=programs[-1].symbols or programs[0].symbols,
    )


def _high_places(ram_base: int, ram_size: int, tree_size: int, disk_size: int) -> tuple[int, int]:
    """Addresses of device tree and RAM disk; on small boards the tree is aligned to less."""
    end = ram_base + ram_size
    if ram_base < LOW_END:
        end = min(end, LOW_END)
    alignment = min(MEGAPAGE, 1 << max(12, (ram_size // 8).bit_length() - 1))
    at_tree = (end - tree_size) // alignment * alignment
    at_disk = (at_tree - disk_size) // RAM_DISK_ALIGNMENT * RAM_DISK_ALIGNMENT
    return at_tree, at_disk


def _collision(pieces: Iterable[Piece], ram_base: int, ram_end: int) -> str | None:
    """What does not fit, if anything does not."""
    placed = sorted(pieces, key=lambda piece: piece.address)
    for piece in placed:
        if piece.address < ram_base or piece.end > ram_end:
            ram = f"{format_size(ram_end - ram_base)} of RAM at {ram_base:#x}"
            return f"{piece.name}: {piece.address:#x}-{piece.end - 1:#x} is not all in the {ram}"
    for below, above in pairwise(placed):
        if below.end > above.address:
            return (
                f"{below.name} needs {below.address:#x}-{below.end - 1:#x}, "
                f"but {above.name} begins at {above.address:#x}"
            )
    return None


# -- files ----------------------------------------------------------------------------------


class _Program(NamedTuple):
    """A file ready for RAM."""

    name: str
    entry: int
    pieces: list[Piece]
    symbols: SymbolTable


def _content(file: File, what: str) -> tuple[str, bytes]:
    """Name, for messages, and bytes of a file."""
    if isinstance(file, bytes):
        return what, file
    try:
        return Path(file).name, Path(file).read_bytes()
    except OSError as error:
        raise FirmwareError(f"{what} {file}: cannot be read ({error.strerror})") from None


def _load(file: File, what: str, flat_address: int, ram_base: int) -> _Program:
    """Read a program: an ELF file, a Linux kernel, or a flat binary for `flat_address`."""
    name, data = _content(file, what)
    if not data:
        raise FirmwareError(f"{what} {name}: the file is empty")
    if data[:4] == ELF_MAGIC:
        return _load_elf(name, data, what)
    try:
        data = linux_image.unpack(data, name)
        if not linux_image.is_linux_image(data):
            piece = Piece(name, flat_address, data)
            return _Program(name, flat_address, [piece], SymbolTable())
        header = linux_image.read_header(data, name)
    except linux_image.LinuxImageError as error:
        raise FirmwareError(str(error)) from None
    address = ram_base + header.text_offset
    return _Program(name, address, [Piece(name, address, data, header.size)], SymbolTable())


def _load_elf(name: str, data: bytes, what: str) -> _Program:
    try:
        image = load_elf(data)
    except ElfError as error:
        reason = str(error).removeprefix("<bytes>: ")
        advice = "if it relocates itself, as OpenSBI and U-Boot do, give its .bin file"
        raise FirmwareError(f"{what} {name}: {reason}; {advice}") from None
    pieces = [Piece(name, part.address, part.data, part.size) for part in image.segments]
    if max(piece.end for piece in pieces) > 1 << 56:
        raise FirmwareError(
            f"{what} {name}: is linked at {pieces[-1].address:#x}, which is no physical address; "
            "of Linux give arch/riscv/boot/Image, not vmlinux"
        )
    return _Program(name, image.entry, pieces, image.symbols)


def _check_jump(firmware: _Program, kernel: _Program, ram_base: int) -> None:
    """OpenSBI's fw_jump knows no other places than those that it was built with."""
    if not firmware.name.startswith("fw_jump"):
        return
    end = max(piece.end for piece in kernel.pieces)
    if kernel.entry != ram_base + KERNEL_OFFSET or end > ram_base + JUMP_TREE:
        raise FirmwareError(
            f"{firmware.name} jumps to {ram_base + KERNEL_OFFSET:#x} and puts the device tree at "
            f"{ram_base + JUMP_TREE:#x}, but {kernel.name} begins at {kernel.entry:#x} and ends at "
            f"{end:#x}; take fw_dynamic, which has no such limits"
        )
