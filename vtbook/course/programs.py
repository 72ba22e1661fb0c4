"""From what stands on the command line to a program that a machine can load."""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vtbook.errors import VtbookError

if TYPE_CHECKING:
    from vtbook.isa.assembler import Program

GUEST = "guest:"
ASSEMBLY = (".s", ".S", ".asm")


class ProgramError(VtbookError):
    """The file cannot be made into a program."""


@dataclass(frozen=True)
class Loaded:
    """A program ready for ``Machine.load``: an ELF file or its bytes, or an assembled program."""

    name: str
    content: Path | bytes | Program


def load_program(name: str, arguments: Sequence[str] = ()) -> Loaded:
    """Read, assemble or compile a program.

    name: an ELF file; assembly (.s, .S, .asm); C (.c), if a compiler is there; ``guest:NAME`` for
        a prebuilt guest; ``-`` for assembly from standard input.
    arguments: the guest's command line.

    Raises VtbookError: no such file, errors in the source, no compiler, a program that takes no
    arguments.
    """
    if name.startswith(GUEST):
        from vtbook.guests import image

        return Loaded(name, image(name.removeprefix(GUEST), *arguments))
    if name == "-" or name.endswith(ASSEMBLY):
        if arguments:
            raise ProgramError(f"{name}: an assembled program has no command line; give none")
        return Loaded(name, _assemble(name))
    path = _existing(name)
    if path.suffix == ".c":
        path = _compile(path)
    return Loaded(name, _with_arguments(name, path, arguments))


def _existing(name: str) -> Path:
    path = Path(name)
    if path.is_dir():
        raise ProgramError(f"{name}: is a folder; give a file in it")
    if not path.exists():
        from vtbook.guests import list_images

        near = difflib.get_close_matches(path.stem, list_images(), n=1)
        hint = f"; there is a prebuilt program {GUEST}{near[0]}" if near else ""
        raise ProgramError(f"{name}: no such file{hint}")
    return path


def _assemble(name: str) -> Program:
    from vtbook.isa.assembler import assemble

    if name == "-":
        return assemble(sys.stdin.read(), filename="<stdin>")
    try:
        source = _existing(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProgramError(f"{name}: cannot be read as text ({error})") from None
    return assemble(source, filename=name)


def _compile(path: Path) -> Path:
    from vtbook.guests import CompileWarning, compile_c

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CompileWarning)
        made = compile_c(path)
    for warning in caught:
        print(warning.message, file=sys.stderr)
    return made


def _with_arguments(name: str, path: Path, arguments: Sequence[str]) -> Path | bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ProgramError(f"{name}: cannot be read ({error.strerror})") from None
    if content[:4] != b"\x7fELF":
        raise ProgramError(
            f"{name}: neither an ELF file nor assembly ({', '.join(ASSEMBLY)}) nor C (.c)"
        )
    if not arguments:
        return path
    from vtbook.guests import with_arguments

    return with_arguments(content, *arguments)
