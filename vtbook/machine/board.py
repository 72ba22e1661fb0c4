"""A board as a value: what a machine is built from, like QEMU's ``virt``; and its addresses.

``Machine(Board(harts=4, disks=[Disk(path="disk.img")], nics=[Nic()]))`` builds it. The same value
builds the same machine again, in another process too; that is what a snapshot goes back into.

Addresses and interrupt sources are those of QEMU 7.2 (hw/riscv/virt.c, ``virt_memmap`` and the enum
of its IRQs). Addresses are physical; sizes are in bytes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from vtbook.cpu.protection import ENTRIES
from vtbook.devices.network import Switch
from vtbook.devices.rtc import START
from vtbook.devices.storage import MemoryDisk, Storage, open_disk
from vtbook.devices.storage.opening import Mode
from vtbook.errors import VtbookError
from vtbook.isa.instruction_set import InstructionSet
from vtbook.isa.sets import RV64GC
from vtbook.machine.units import parse_size

ROM_BASE, ROM_SIZE = 0x1000, 0xF000
FINISHER_BASE = 0x10_0000
RTC_BASE, RTC_SOURCE = 0x10_1000, 11
CLINT_BASE = 0x200_0000
PLIC_BASE, PLIC_SOURCES = 0xC00_0000, 95
UART_BASE, UART_SOURCE = 0x1000_0000, 10
VIRTIO_BASE, VIRTIO_SLOTS = 0x1000_1000, 8
"""Slot n is at VIRTIO_BASE + n * 0x1000, and interrupt source n + 1."""
RAM_BASE = 0x8000_0000
TIMEBASE = 10_000_000
"""Ticks of mtime in a second."""
TICK = 10
"""Instructions of one hart in a tick, so that a second is 100 million of them."""
NANOSECONDS_A_TICK = 1_000_000_000 // TIMEBASE
MOST_HARTS = 8

WATCH_READ, WATCH_WRITE = 1, 2


class BoardError(VtbookError):
    """A board cannot be built as described."""


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A virtio disk. Give one of `path`, `size` and `storage`.

    Attributes:
        path: an image: raw, or an overlay if its name ends in ``.overlay``.
        size: of an empty disk in memory, in bytes or as ``"16 MiB"``; or the bytes of its image.
        storage: a `vtbook.devices.storage.Storage`, for what the others cannot say.
        mode: where writes to an image go: ``overlay`` into memory, so the file stays as it is;
            ``write`` into the file, and then the machine cannot go back in time; ``read`` nowhere.
    """

    path: str | os.PathLike[str] | None = None
    size: int | str | bytes | None = None
    storage: Storage | None = None
    mode: Mode = "overlay"

    def open(self) -> Storage:
        """The storage of this disk; who opens it closes it.

        Raises:
            BoardError: nothing or too much is given.
            StorageError: the image cannot be opened.
            SizeError: `size` is no size.
        """
        if sum(part is not None for part in (self.path, self.size, self.storage)) != 1:
            raise BoardError("a disk needs one of path, size and storage")
        if self.storage is not None:
            return self.storage
        if self.path is not None:
            return open_disk(self.path, self.mode)
        content = self.size
        if isinstance(content, bytes):
            return MemoryDisk(content)
        assert content is not None
        return MemoryDisk(parse_size(content, "a disk"))


@dataclass(frozen=True, kw_only=True)
class Nic:
    """A virtio network card, and the network behind it.

    Attributes:
        mac: its address; 52:54:00:12:34:56 and on unless given.
        switch: plugs the card into a switch that joins several machines. Else the card is on a
            network of its own with DHCP (`vtbook.devices.network.UserNetwork`).
        restrict: of that network: nothing leaves this computer.
        host_loopback: of that network: 10.0.2.2 leads to the services of this computer.
        forwards: of that network: ports of this computer that lead to the guest, as
            ``tcp:127.0.0.1:2222-:22``.
        capture: file to which what passes is written, for Wireshark.
    """

    mac: str | None = None
    switch: Switch | None = None
    restrict: bool = True
    host_loopback: bool = False
    forwards: Sequence[str] = ()
    capture: str | os.PathLike[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Board:
    """What a machine is built from. Devices that are not named here are always there: boot ROM,
    finisher, RTC, CLINT, PLIC, UART.

    Attributes:
        harts: how many, 1 to 8.
        ram: its size, in bytes or as ``"128 MiB"``; a multiple of 4 KiB.
        isa: the instruction set of every hart.
        pmp: entries of physical memory protection (privileged spec 3.7): 16, or 0 for harts
            without it.
        svade: page tables' A and D bits are set by software, after a page fault (Svade), not by
            the hart (Svadu).
        disks, nics: virtio disks and network cards, in the order of their slots.
        entropy: a virtio source of random bytes, which are the same in every run.
        balloon: a virtio balloon.
        console: a virtio console too, on the same line as the UART.
        share: a folder of this computer that the guest can mount by 9P, under the tag ``host``.
        legacy: virtio slots are of version 1, as before virtio 1.0.
        start: the date of the RTC at power-on, nanoseconds since 1970.

    Raises:
        BoardError: the harts, the PMP entries or the virtio devices are more than there can be.
    """

    harts: int = 1
    ram: int | str = "128 MiB"
    isa: InstructionSet = field(default=RV64GC, repr=False)
    pmp: int = ENTRIES
    svade: bool = False
    disks: Sequence[Disk] = ()
    nics: Sequence[Nic] = ()
    entropy: bool = False
    balloon: bool = False
    console: bool = False
    share: str | os.PathLike[str] | None = None
    legacy: bool = False
    start: int = START

    def __post_init__(self) -> None:
        if not 1 <= self.harts <= MOST_HARTS:
            raise BoardError(f"a board with {self.harts} harts; give 1 to {MOST_HARTS}")
        if self.pmp not in (0, ENTRIES):
            raise BoardError(f"{self.pmp} PMP entries; give 0 or {ENTRIES}")
        if self.virtio_devices > VIRTIO_SLOTS:
            raise BoardError(
                f"{self.virtio_devices} virtio devices; the board has {VIRTIO_SLOTS} slots"
            )

    @property
    def ram_size(self) -> int:
        """Bytes of RAM.

        Raises:
            SizeError: `ram` is no size.
        """
        return parse_size(self.ram, "RAM")

    @property
    def virtio_devices(self) -> int:
        """How many virtio devices there are; they have the first slots."""
        single = (self.entropy, self.balloon, self.console, self.share is not None)
        return len(self.disks) + len(self.nics) + sum(single)
