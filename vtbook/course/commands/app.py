"""The application that the subcommands join, and the options before a subcommand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import vtbook
from vtbook.course.messages import Settings

BookFolder = Annotated[
    Path | None, typer.Option(help="The folder that holds chapters/; found if not given.")
]
"""Option of the commands that work on a book."""

app = typer.Typer(
    name="vtbook",
    help="The executable textbook on virtualization.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"vtbook {vtbook.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback with each error (VTBOOK_DEBUG=1).")
    ] = False,
) -> None:
    """The executable textbook on virtualization."""
    Settings.debug = Settings.debug or debug
