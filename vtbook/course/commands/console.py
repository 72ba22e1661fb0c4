"""``vtbook console``: talk to a running machine."""

from __future__ import annotations

from typing import Annotated

import typer

from vtbook.course.commands.app import app
from vtbook.course.commands.machines import Arguments, Engine, EngineName, RamSize
from vtbook.course.messages import USAGE, exits

STATUS = (
    "Exit status: the guest's own (255 if it is larger); 2 if the program cannot be run; 125 if a "
    "trap had no handler or the guest waits for input that has ended; 130 after Ctrl-A x."
)


@app.command(epilog=STATUS)
@exits(USAGE)
def console(
    file: Annotated[str, typer.Argument(metavar="FILE", help="As for run: ELF, guest:monitor.")],
    arguments: Arguments = None,
    engine: Engine = EngineName.interpreter,
    ram: RamSize = "128 MiB",
) -> None:
    """Talk to a running machine: every key goes to the guest, also Ctrl-C.

    Ctrl-A h shows the keys that are vtbook's: quit, pause, step, step back, restart.
    """
    from vtbook.course.run import Plan
    from vtbook.course.terminal import run_console

    raise typer.Exit(run_console(Plan(file, arguments or (), engine.value, ram)))
