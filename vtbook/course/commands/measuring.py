"""``vtbook bench``: measurements."""

from __future__ import annotations

import typer

from vtbook.course.commands.app import app
from vtbook.course.messages import exits


@app.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@exits()
def bench(context: typer.Context) -> None:
    """Measure the engines with the benchmark programs."""
    from vtbook.course.bench import bench_command

    raise typer.Exit(bench_command(context.args))
