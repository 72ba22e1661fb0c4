"""``vtbook guests``: what can run on the machine, and Linux built for it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtbook.course.commands.app import app
from vtbook.course.messages import exits, say

if TYPE_CHECKING:
    from vtbook.guests.linux import LinuxImage

guests = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})
app.add_typer(guests, name="guests")


@guests.callback(invoke_without_command=True)
@exits()
def list_guests(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Write a JSON array to stdout.")] = False,
) -> None:
    """List what can run on the machine: programs, benchmarks, firmware, Linux."""
    if context.invoked_subcommand is not None:
        return
    from vtbook.course.guest_list import list_all, print_guests

    found = list_all()
    if as_json:
        print(json.dumps([guest._asdict() for guest in found], indent=1))
    else:
        print_guests(found)


@guests.command()
@exits()
def linux(
    force: Annotated[bool, typer.Option("--force", help="Build even if it is there.")] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Compilers at once [one a processor].")
    ] = None,
    version: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Of the kernel, such as 6.12 [newest].")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="DIR", help="A folder with the archives of Linux and BusyBox."
        ),
    ] = None,
    keep_source: Annotated[
        bool, typer.Option("--keep-source", help="Keep the unpacked sources in the cache folder.")
    ] = False,
) -> None:
    """Build a small Linux for the machine into the cache folder; takes minutes, needs no root.

    The sources come from Debian's archive, as packages of this computer's apt, or from --from DIR.
    """
    from vtbook.guests.linux import build, list_built

    before = {image.folder: image.manifest for image in list_built()}
    started = time.monotonic()
    with_progress = _on_terminal if _is_terminal() else _in_lines
    image = with_progress(
        lambda on_progress: build(
            version=version,
            folder=folder,
            jobs=jobs,
            force=force,
            keep_source=keep_source,
            on_progress=on_progress,
        )
    )
    seconds = time.monotonic() - started
    was_there = before.get(image.folder) == image.manifest and not force and folder is None
    say(f"Linux {image.version} {'was there' if was_there else f'built in {seconds:.0f} s'}")
    for path in (image.kernel, image.initramfs, image.config):
        print(path)


Work = Callable[[Callable[[str, str], None]], "LinuxImage"]


def _is_terminal() -> bool:
    import sys

    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _on_terminal(work: Work) -> LinuxImage:
    """Show the step, its last line and the time that it has taken."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[line]}", table_column=None),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, int] = {}

        def show(step: str, line: str) -> None:
            if step not in tasks:
                for done in tasks.values():
                    bar.update(done, total=1, completed=1, line="")  # type: ignore[arg-type]
                tasks[step] = bar.add_task(step, total=None, line="")
            bar.update(tasks[step], line=escape(line[:60]))  # type: ignore[arg-type]

        made = work(show)
        for done in tasks.values():
            bar.update(done, total=1, completed=1, line="")  # type: ignore[arg-type]
        return made


def _in_lines(work: Work) -> LinuxImage:
    """Say each step once."""
    steps: list[str] = []

    def show(step: str, line: str) -> None:
        if steps[-1:] != [step]:
            steps.append(step)
            say(step)

    return work(show)
