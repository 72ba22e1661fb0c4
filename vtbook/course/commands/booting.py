"""``vtbook boot``: boot a whole computer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vtbook.course.commands.app import app
from vtbook.course.commands.machines import Engine, EngineName, GdbPort, RamSize, parse_count
from vtbook.course.messages import USAGE, exits

STATUS = (
    "Exit status: the guest's own; 2 if it cannot be booted; 124 if the limit of instructions "
    "ended the run; 125 if the guest cannot go on, or waits for input and there is no more; 130 "
    "after Ctrl-A x, or after Ctrl-C without a terminal."
)


@app.command(epilog=STATUS)
@exits(USAGE)
def boot(
    system: Annotated[
        str,
        typer.Argument(
            metavar="SYSTEM",
            help="teaching (the book's kernel), linux (see vtbook guests linux), u-boot, none, "
            "or a file: a Linux image, an ELF file, a flat binary.",
        ),
    ] = "teaching",
    kernel: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A kernel's file, in place of SYSTEM.")
    ] = None,
    initrd: Annotated[Path | None, typer.Option(metavar="FILE", help="Linux's RAM disk.")] = None,
    append: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="For the kernel's command line; more than once if need."),
    ] = None,
    bios: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="vtbook (the book's firmware), opensbi, opensbi-jump, u-boot-m, a file, or none: "
            "the kernel runs in machine mode.",
        ),
    ] = "vtbook",
    harts: Annotated[int, typer.Option(min=1, max=8, help="How many harts.")] = 1,
    ram: RamSize = "128 MiB",
    disk: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DISK",
            help="FILE[,mode=overlay|write|read] or size=16MiB. By default the file stays as it "
            "is.",
        ),
    ] = None,
    net: Annotated[
        str,
        typer.Option(
            metavar="NET",
            help="none; restricted: DHCP and ping, nothing leaves; user: out through this "
            "computer. Then ,host: 10.0.2.2 is this computer; ,fwd=tcp:127.0.0.1:2222-:22.",
        ),
    ] = "none",
    pcap: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the network's frames, for Wireshark.")
    ] = None,
    share: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A folder to mount by 9P, tag host.")
    ] = None,
    engine: Engine = EngineName.interpreter,
    max_instructions: Annotated[
        str | None,
        typer.Option(metavar="N", help="Stop after so many (5000, 10k, 2M, 1G), without keyboard."),
    ] = None,
    snapshot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Go on from a snapshot of this board.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save a snapshot at the end.")
    ] = None,
    gdb: GdbPort = None,
    layout: Annotated[
        bool, typer.Option("--layout", help="Show the layout of RAM and the device tree; no boot.")
    ] = False,
) -> None:
    """Boot a computer: boot ROM, firmware, kernel.

    On a terminal every key is for the guest; Ctrl-A h shows vtbook's own, Ctrl-A x quits. What a
    pipe or a file holds is typed a line at a time, when the guest waits for one.
    """
    from vtbook.course import boot as booting
    from vtbook.machine.board import Board

    if gdb is not None and max_instructions is not None:
        raise typer.BadParameter("gdb decides how far to run: give it without a limit")
    found = booting.find_system(system) if kernel is None else booting.kernel_file(kernel)
    if initrd is not None:
        found = booting.System(found.kernel, initrd, found.append)
    nic = booting.parse_net(net, pcap)
    board = Board(
        harts=harts,
        ram=ram,
        disks=tuple(booting.parse_disk(text) for text in disk or ()),
        nics=() if nic is None else (nic,),
        entropy=True,
        share=share,
    )
    plan = booting.Plan(
        found,
        board,
        None if bios == "none" else bios,
        tuple(append or ()),
        engine.value,
        parse_count(max_instructions) if max_instructions is not None else None,
        gdb,
        snapshot,
        save,
        kernel.name if kernel is not None else system,
    )
    if layout:
        print(booting.describe(plan))
    else:
        raise typer.Exit(booting.boot(plan))
