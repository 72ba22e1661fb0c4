"""From a board and files to a plan of booting: which firmware, and the device tree that fits."""

from __future__ import annotations

from vtbook.machine.board import Board
from vtbook.machine.devicetree import DeviceTree
from vtbook.machine.firmware import KNOWN_FIRMWARE, BootPlan, File, find_firmware, plan_boot
from vtbook.machine.virt_tree import virt_tree


def boot_files(
    board: Board,
    kernel: File | None,
    firmware: File | None,
    initrd: File | None,
    append: str | None,
) -> BootPlan:
    """The plan for a board.

    Args:
        board: for its size of RAM and its device tree.
        kernel: path or bytes of a Linux image, an ELF file or a flat binary; None for nothing.
        firmware: ``vtbook``, another key of `vtbook.machine.firmware.KNOWN_FIRMWARE`, a path or
            bytes; None: the kernel runs in M mode.
        initrd: path or bytes of Linux's RAM disk.
        append: the kernel's command line, for ``/chosen/bootargs``.

    Raises:
        FirmwareError: a file is missing, or something does not fit.
    """
    if isinstance(firmware, str) and firmware in KNOWN_FIRMWARE:
        firmware = find_firmware(firmware)
    return plan_boot(
        firmware,
        kernel,
        initrd,
        ram_size=board.ram_size,
        tree=lambda place: device_tree(board, append, place),
    )


def device_tree(
    board: Board, append: str | None = None, initrd: tuple[int, int] | None = None
) -> DeviceTree:
    """The device tree of a board, by the names and bindings of QEMU's ``virt``.

    Args:
        board: what it describes.
        append: the kernel's command line.
        initrd: first physical address and end of the RAM disk, for ``/chosen``.

    The seed of random numbers in it is always the same, so each boot is too.
    """
    return virt_tree(
        ram_size=board.ram_size,
        harts=board.harts,
        isa=isa_string(board),
        mmu="riscv,sv48",
        bootargs=append,
        initrd=initrd,
        rng_seed=bytes(range(32)),
        virtio_slots=board.virtio_devices,
    )


def isa_string(board: Board) -> str:
    """The harts' ISA string (unprivileged spec, ISA extension naming conventions), such as
    ``rv64imafdc_zicntr_zicsr_zifencei_svadu_sstc``."""
    names = {extension.name for extension in board.isa.extensions}
    letters = "".join(letter for letter in "imafdc" if letter.upper() in names)
    longer = ["zicntr", "zicsr", "zifencei"]
    if "S" in names:
        longer += ["svade" if board.svade else "svadu", "sstc"]
    return "_".join(["rv64" + letters, *longer])
