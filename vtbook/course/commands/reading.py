"""``vtbook lab`` and ``vtbook doctor``: what a reader begins with."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from vtbook.course.commands.app import BookFolder, app
from vtbook.course.messages import exits


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@exits()
def lab(
    context: typer.Context,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser window.")
    ] = True,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Listen on this port.")] = None,
    folder: BookFolder = None,
) -> None:
    """Open the book in JupyterLab. Other options go to JupyterLab."""
    from vtbook.course.lab import open_lab

    raise typer.Exit(open_lab(folder, browser=browser, port=port, options=context.args))


@app.command()
@exits()
def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Write one JSON object to stdout.")
    ] = False,
) -> None:
    """Say what works on this computer, what is missing, and how to get it.

    Exit status 1 if something is missing that the book needs.
    """
    from vtbook.course.doctor import as_data, examine, healthy, print_findings

    findings = list(examine())
    if as_json:
        print(json.dumps(as_data(findings)))
    else:
        print_findings(findings)
    raise typer.Exit(0 if healthy(findings) else 1)
