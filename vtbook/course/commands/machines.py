"""``vtbook run``, ``disasm`` and ``asm``: programs and the machine."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vtbook.course.commands.app import app
from vtbook.course.messages import USAGE, exits

RUN_STATUS = (
    "Exit status: the guest's own (255 if it is larger); 2 if the program cannot be run; 124 if "
    "the limit of instructions ended the run; 125 if a trap had no handler or a wait cannot end; "
    "130 after Ctrl-C."
)


class EngineName(StrEnum):
    """The engines by name."""

    interpreter = "interpreter"
    python = "python"
    ir = "ir"


# What the commands that run a guest take.
Arguments = Annotated[
    list[str] | None, typer.Argument(metavar="ARGS", help="The guest's arguments; after -- any.")
]
Engine = Annotated[EngineName, typer.Option(help="How the instructions are run.")]
RamSize = Annotated[str, typer.Option(metavar="SIZE", help="Size of the RAM.")]
GdbPort = Annotated[
    str | None,
    typer.Option(
        metavar="[HOST:]PORT",
        help="Wait for gdb there before the first instruction (0 is any port).",
    ),
]


def parse_count(text: str) -> int:
    """A number of instructions: ``5000``, ``1_000_000``, ``10k``, ``2.5M``, ``1G`` (decimal)."""
    found = re.fullmatch(r"(\d[\d_]*(?:\.\d+)?)([kKMG]?)", text.strip())
    if found is None:
        raise typer.BadParameter(
            f"{text!r} is no number of instructions; write 5000, 10k, 2M or 1G"
        )
    scale = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9}[found[2]]
    count = float(found[1]) * scale if "." in found[1] else int(found[1]) * scale
    if count < 1 or count != int(count):
        raise typer.BadParameter(f"{text!r} is not a whole number of instructions of at least 1")
    return int(count)


@app.command(epilog=RUN_STATUS)
@exits(USAGE)
def run(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="An ELF file, assembly (.s, .S, .asm; - for standard input), C (.c), "
            "or a prebuilt guest such as guest:hello.",
        ),
    ],
    arguments: Arguments = None,
    engine: Engine = EngineName.interpreter,
    stats: Annotated[
        bool, typer.Option("--stats", help="Count executed instructions by mnemonic.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write one JSON object to stdout, console text inside.")
    ] = False,
    max_instructions: Annotated[
        str | None,
        typer.Option(metavar="N", help="Stop after so many instructions (5000, 10k, 2M, 1G)."),
    ] = None,
    ram: RamSize = "128 MiB",
    typed: Annotated[
        Path | None,
        typer.Option("--input", metavar="FILE", help="Type this file on the guest's console."),
    ] = None,
    gdb: GdbPort = None,
) -> None:
    """Run a program on a machine.

    The guest's console is stdout and stdin; what vtbook says itself goes to stderr.
    """
    if gdb is not None and (stats or max_instructions is not None):
        raise typer.BadParameter("gdb decides how far to run: give it without --stats and limits")
    from vtbook.course.run import Plan, as_data, explain, print_stats, run_program, to_stdout

    budget = parse_count(max_instructions) if max_instructions is not None else None
    plan = Plan(file, arguments or (), engine.value, ram, budget, stats, typed, gdb)
    outcome = run_program(plan, None if as_json else to_stdout)
    if as_json:
        print(json.dumps(as_data(outcome)))
    else:
        explain(outcome)
        if stats:
            print_stats(outcome)
    raise typer.Exit(outcome.status)


@app.command()
@exits()
def disasm(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="As for run: ELF, assembly, C, guest:NAME."),
    ],
    symbol: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this function or variable.")
    ] = None,
    pseudo: Annotated[
        bool,
        typer.Option("--pseudo/--no-pseudo", help="Write pseudo-instructions such as ret."),
    ] = True,
    everything: Annotated[bool, typer.Option("--all", help="Data as well as code.")] = False,
) -> None:
    """Write a program's code in assembly, with addresses and bytes."""
    from vtbook.course.listing import listing

    for line in listing(file, symbol=symbol, pseudo=pseudo, everything=everything):
        print(line)


@app.command()
@exits()
def asm(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Assembly (.s, .S, .asm; - for standard input).")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT", help="The ELF file to write [FILE.elf]."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--listing", help="Write addresses and bytes beside the source.")
    ] = False,
) -> None:
    """Assemble a file to an ELF file."""
    from vtbook.course.assembling import assemble_file

    if output is None and file == "-":
        raise typer.BadParameter("standard input has no name to make one from; give -o OUT")
    text = assemble_file(file, output or Path(file).with_suffix(".elf"))
    if show:
        print(text)
