"""``vtbook boot``: a whole computer from its boot ROM on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vtbook.course.messages import GUEST_STUCK, say
from vtbook.errors import VtbookError

if TYPE_CHECKING:
    from vtbook.machine import Machine
    from vtbook.machine.board import Board, Disk, Nic

SYSTEMS = ("teaching", "linux", "u-boot", "none")
"""Systems by name: the book's kernel, Linux as `vtbook guests linux` builds it, U-Boot, nothing."""


class BootError(VtbookError):
    """A system cannot be booted as asked."""


@dataclass(frozen=True)
class System:
    """What comes after the firmware; `append` is the command line that it has anyway."""

    kernel: Path | None
    initrd: Path | None = None
    append: str = ""


def find_system(name: str) -> System:
    """A system by one of the names of `SYSTEMS`, or a file.

    Raises BootError if it is not there.
    """
    if name == "none":
        return System(None)
    if name == "teaching":
        from vtbook.guests.kernel import kernel_image

        return System(kernel_image())
    if name == "u-boot":
        from vtbook.machine.firmware import find_firmware

        return System(find_firmware("u-boot"))
    if name == "linux":
        from vtbook.guests import linux

        image = linux.find()
        if image is None:
            raise BootError("no Linux has been built here; run: vtbook guests linux")
        return System(image.kernel, image.initramfs, "console=ttyS0")
    if not Path(name).is_file():
        raise BootError(f"{name}: no such file; give a path, or one of {', '.join(SYSTEMS)}")
    return kernel_file(Path(name))


def kernel_file(path: Path) -> System:
    """A kernel's file as a system.

    Raises BootError if it is not there.
    """
    if not path.is_file():
        raise BootError(f"{path}: no such file")
    return System(path)


def parse_disk(text: str) -> Disk:
    """A disk from ``FILE[,mode=overlay|write|read]`` or ``size=SIZE``.

    Raises BootError if it is not written so.
    """
    from vtbook.machine.board import Disk

    if text.startswith("size="):
        return Disk(size=text.removeprefix("size="))
    path, *options = text.split(",")
    mode = "overlay"
    for option in options:
        key, _, value = option.partition("=")
        if key != "mode" or value not in ("overlay", "write", "read"):
            raise BootError(f"disk {text}: write FILE[,mode=overlay|write|read] or size=16MiB")
        mode = value
    return Disk(path=path, mode=mode)  # type: ignore[arg-type]


def parse_net(text: str, capture: Path | None) -> Nic | None:
    """A network card from ``none``, ``restricted`` or ``user``, with ``,host`` and ``,fwd=RULE``.

    Raises BootError if it is not written so.
    """
    from vtbook.machine.board import Nic

    kind, *options = text.split(",")
    if kind == "none" and not options:
        if capture is not None:
            raise BootError(f"capture {capture}: there is no network; give --net restricted too")
        return None
    if kind not in ("restricted", "user"):
        raise BootError(f"network {text}: write none, restricted or user, then ,host or ,fwd=RULE")
    host, forwards = False, []
    for option in options:
        key, _, value = option.partition("=")
        if option == "host":
            host = True
        elif key == "fwd" and value:
            forwards.append(value)
        else:
            raise BootError(
                f"network {text}: {option!r}; write host, or fwd=tcp:127.0.0.1:2222-:22"
            )
    return Nic(
        restrict=kind == "restricted", host_loopback=host, forwards=tuple(forwards), capture=capture
    )


@dataclass(frozen=True)
class Plan:
    """What to boot and how; see the command's options."""

    system: System
    board: Board
    firmware: str | None = "vtbook"
    append: Sequence[str] = ()
    engine: str = "interpreter"
    budget: int | None = None
    gdb: str | None = None
    snapshot: Path | None = None
    save: Path | None = None
    title: str = "boot"
    reverse: bool = True

    @property
    def command_line(self) -> str | None:
        """The kernel's command line."""
        parts = [part for part in (self.system.append, *self.append) if part]
        return " ".join(parts) or None


def prepare(plan: Plan) -> Machine:
    """The machine, ready to run.

    Raises VtbookError if something does not fit.
    """
    from vtbook.machine import Machine, Snapshot

    machine = Machine(plan.board, plan.engine, reverse=plan.reverse)
    machine.boot(
        plan.system.kernel,
        firmware=plan.firmware,
        initrd=plan.system.initrd,
        append=plan.command_line,
    )
    if plan.snapshot is not None:
        machine.restore(Snapshot.load(plan.snapshot))
    return machine


def boot(plan: Plan) -> int:
    """Boot, with the console on this terminal; return the exit status.

    Raises VtbookError if something does not fit.
    """
    _check_save(plan)
    machine = prepare(plan)
    try:
        status = _run(machine, plan)
        if status == GUEST_STUCK:
            _doubt(plan)
        if plan.save is not None:
            _save(machine, plan.save)
        return status
    finally:
        machine.close()


def _run(machine: Machine, plan: Plan) -> int:
    from vtbook.course.piped import Out, type_lines

    if plan.gdb is not None:
        return _under_gdb(machine, plan.gdb)
    if plan.budget is not None:
        machine.console.sink = out = Out()
        return out.explain(machine, machine.run(plan.budget))
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
        return type_lines(machine)
    from vtbook.course.terminal import converse

    return converse(machine, plan.title)


def _under_gdb(machine: Machine, address: str) -> int:
    from vtbook.course.piped import Out
    from vtbook.machine.gdb import serve

    machine.console.sink = Out()
    exit = serve(machine, address, announce=say)
    return min(max(exit.code or 0, 0), 255)


def _check_save(plan: Plan) -> None:
    """Say before the run, not after it, what cannot be saved."""
    if plan.save is None:
        return
    if not plan.save.absolute().parent.is_dir():
        raise BootError(f"{plan.save}: there is no such folder to save a snapshot in")
    for disk in plan.board.disks:
        if disk.mode == "write":
            raise BootError(
                f"disk {disk.path}: its file is written to, so a snapshot would not have what is "
                "in it; use mode=overlay to save one"
            )


def _doubt(plan: Plan) -> None:
    """If what was booted may not be a kernel at all, say so."""
    from vtbook.machine.elf_format import MAGIC
    from vtbook.machine.linux_image import LinuxImageError, is_linux_image, unpack

    kernel = plan.system.kernel
    if kernel is None:
        return
    data = kernel.read_bytes()
    try:
        known = data.startswith(MAGIC) or is_linux_image(unpack(data, kernel.name))
    except LinuxImageError:
        known = False
    if not known:
        say(f"{kernel}: no ELF file and no Linux image, so it ran as plain code; is it a kernel?")


def _save(machine: Machine, path: Path) -> None:
    if machine.is_off is not None:
        say(f"{path}: not saved, since the guest has switched the computer off")
        return
    machine.snapshot().save(path)
    say(f"{path}: saved after {machine.instructions:,} instructions")


def describe(plan: Plan) -> str:
    """The layout of RAM and the device tree, as text."""
    from vtbook.machine.boot import boot_files, device_tree

    placed = boot_files(
        plan.board, plan.system.kernel, plan.firmware, plan.system.initrd, plan.command_line
    )
    tree = device_tree(plan.board, plan.command_line, placed.initrd)
    return f"{placed}\n\n{tree}"
