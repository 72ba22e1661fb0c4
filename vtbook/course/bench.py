"""``vtbook bench``: speed as ratios, every contestant in turn in one run."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from click import ClickException

from vtbook.course.messages import exits

app = typer.Typer(
    name="vtbook bench",
    add_completion=False,
    help="Measure speed, as ratios between contestants that take turns in one run.",
    no_args_is_help=False,
)


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """Measure speed, as ratios between contestants that take turns in one run.

    Without a subject: programs.
    """
    if context.invoked_subcommand is None:
        programs()


@app.command()
@exits()
def programs(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[PROGRAM]...", help="Which ones [all].")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Turns of each contestant.")] = 3,
    small: Annotated[
        bool, typer.Option("--small", help="About a million instructions each, for a quick look.")
    ] = False,
    slow: Annotated[
        bool, typer.Option("--slow", help="The plain-Python and IR engines too; small sizes.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Run the benchmark programs on our engines, under qemu-riscv64 and natively.

    Each run's output is compared with the expected checksum. Seconds are wall time, the best of
    the turns; instructions are counted.
    """
    from vtbook.course.bench_programs import as_data, measure, print_table

    results = measure(names, turns=runs, small=small or slow, slow=slow)
    if as_json:
        print(json.dumps(as_data(results)))
    else:
        print_table(results)


@app.command()
@exits()
def start(
    runs: Annotated[int, typer.Option(min=1, help="Turns of each.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """From the start of Python to the first guest instruction: with and without compiled code kept.

    Each turn is a process of its own. Seconds are wall time.
    """
    from vtbook.course.bench_start import measure_start, print_start

    results = measure_start(runs)
    if as_json:
        print(json.dumps(results))
    else:
        print_start(results)


@app.command()
@exits()
def grade(
    submissions: Annotated[int, typer.Option(min=1, help="How many.")] = 200,
    runs: Annotated[int, typer.Option(min=1, help="Turns of each grader.")] = 1,
    jobs: Annotated[int | None, typer.Option(min=1, help="At a time [all cores].")] = None,
    against: Annotated[
        str, typer.Option(metavar="nbgrader|none", help="Compare times and scores with it.")
    ] = "nbgrader",
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Grade a set of right, wrong and hostile submissions whose scores are known.

    nbgrader grades 20 of the well-behaved ones in the same run. Seconds are wall time.
    """
    from vtbook.course.bench_grade import measure, print_results
    from vtbook.course.grading.executors import cores

    if against not in ("nbgrader", "none"):
        raise typer.BadParameter("give nbgrader or none", param_hint="--against")
    results = measure(submissions, runs, jobs or cores(), against=against == "nbgrader")
    if as_json:
        print(json.dumps(results.as_data()))
    else:
        print_results(results)


@app.command()
@exits()
def boot(
    script: Annotated[
        str, typer.Argument(metavar="[SCRIPT]", help="What Linux's shell runs before power-off.")
    ] = "uname -a",
    runs: Annotated[int, typer.Option(min=1, help="Turns of each.")] = 3,
    harts: Annotated[int, typer.Option(min=1, max=8, help="Of the machine and of QEMU.")] = 1,
    bios: Annotated[
        str, typer.Option(metavar="NAME", help="Firmware: opensbi, vtbook, or the path of one.")
    ] = "opensbi",
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Boot Linux to the end of a script on our machine and on qemu-system-riscv64.

    Both run the same kernel, initramfs and firmware. Seconds are wall time from power-on to
    power-off, the best of the turns; instructions are counted.
    """
    from vtbook.course.bench_boot import measure_boot, print_boot

    result = measure_boot(script, turns=runs, harts=harts, firmware=bios)
    if as_json:
        print(json.dumps(result.as_data()))
    else:
        print_boot(result)


@app.command()
@exits()
def translation(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[PROGRAM]...", help="Which ones [all].")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Turns of each.")] = 3,
    small: Annotated[
        bool, typer.Option("--small", help="About a million instructions each, for a quick look.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Run programs with physical addresses, and in S mode under Sv39 page tables.

    Seconds are processor time, the best of the turns; instructions are counted, and equal.
    """
    from vtbook.course.bench_translation import as_data, measure_translation, print_translation

    results = measure_translation(names, turns=runs, small=small)
    if as_json:
        print(json.dumps(as_data(results)))
    else:
        print_translation(results)


def bench_command(arguments: list[str]) -> int:
    """Run ``vtbook bench`` with these arguments; returns the exit status."""
    try:
        status = app(arguments, prog_name="vtbook bench", standalone_mode=False)
    except ClickException as error:
        error.show()
        return error.exit_code
    return status or 0
