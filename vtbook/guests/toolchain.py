"""Run a C compiler on sources and keep what it made in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vtbook import files
from vtbook.errors import VtbookError
from vtbook.guests.compilers import Compiler

# One compiler call takes seconds at most; zig builds its libraries once, in minutes at worst.
TIMEOUT = 600  # seconds

_DIAGNOSTIC = re.compile(
    r"^(?P<file>(?:[A-Za-z]:)?[^:\n]+):(?P<line>\d+):(?:(?P<column>\d+):)? "
    r"(?P<severity>fatal error|error|warning): (?P<message>.*)$",
    re.MULTILINE,
)


class CompileWarning(UserWarning):
    """The compiler made the program but warns about the source."""


@dataclass(frozen=True)
class Diagnostic:
    """One complaint of the compiler. `line` and `column` count from 1; column 0 is unknown."""

    file: str
    line: int
    column: int
    severity: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message}"


class CompileError(VtbookError):
    """The compiler or the linker refused the program.

    `diagnostics` are its complaints with file and line (none from a linker), `output` is all
    that it said, `command` how it was called.
    """

    def __init__(self, compiler: Compiler, command: Sequence[str], output: str) -> None:
        self.command = tuple(command)
        self.output = output
        self.diagnostics = read_diagnostics(output)
        errors = [d for d in self.diagnostics if d.severity != "warning"]
        first = str(errors[0]) if errors else output.strip().partition("\n")[0]
        super().__init__(f"{first}\n\n{compiler} said:\n{output.strip()}")


def read_diagnostics(output: str) -> tuple[Diagnostic, ...]:
    """Find the complaints in what gcc or clang printed."""
    return tuple(
        Diagnostic(m["file"], int(m["line"]), int(m["column"] or 0), m["severity"], m["message"])
        for m in _DIAGNOSTIC.finditer(output)
    )


def cache_folder() -> Path:
    """Return the folder that keeps compiled programs; it can be deleted at any time."""
    return files.cache_folder("guests")


def is_text(source: str | Path) -> bool:
    """Say whether a source is C text rather than a file name."""
    return isinstance(source, str) and any(c in source for c in "\n{;")


def build(
    compiler: Compiler,
    flags: Sequence[str],
    sources: str | Path | Iterable[str | Path],
    *,
    link: Sequence[str] = (),
    suffix: str = "",
    output: str | Path | None = None,
    depends: Sequence[Path] = (),
    finish: Callable[[bytes], bytes] = bytes,
) -> Path:
    """Compile and link `sources` with `compiler flags sources link`; return the program's path.

    The program is looked up under a hash of the compiler, the flags, the preprocessed sources
    and the contents of the files in `depends`. Without `output` it stays in the cache folder.
    `finish` is a last change to the program.

    Raises CompileError; a file that does not exist is a CompileError, too.
    """
    given = [sources] if isinstance(sources, str | Path) else list(sources)
    with tempfile.TemporaryDirectory(prefix="vtbook-") as folder:
        names = [_place(source, index, Path(folder)) for index, source in enumerate(given)]
        text = [_preprocess(compiler, flags, name, folder) for name in names]
        kept = [Path(path).read_bytes() for path in depends]
        parts = [str(compiler), repr((flags, link, finish.__qualname__)), *text, *kept]
        program = cache_folder() / f"{digest(parts)}{suffix}"
        if not program.exists():
            made = Path(folder) / "made"
            run(compiler, [*flags, *names, *link, "-o", str(made)], folder)
            keep(finish(made.read_bytes()), program, executable=True)
    if output is None:
        return program
    keep(program.read_bytes(), Path(output), executable=True)
    return Path(output)


def run(compiler: Compiler, arguments: Sequence[str], folder: str | Path) -> str:
    """Run the compiler in `folder`; return what it printed to stdout.

    Raises CompileError if it fails. What it warns about becomes CompileWarning.
    """
    command = [*compiler.command, *arguments]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise CompileError(compiler, command, f"no end after {TIMEOUT} seconds") from None
    if done.returncode != 0:
        raise CompileError(compiler, command, done.stderr or done.stdout)
    for diagnostic in read_diagnostics(done.stderr):
        warnings.warn(str(diagnostic), CompileWarning, stacklevel=2)
    return done.stdout


def keep(content: bytes, path: Path, *, executable: bool = False) -> None:
    """Write a file at once, so that another process never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(name).chmod(0o755 if executable else 0o644)
    os.replace(name, path)


def digest(parts: Iterable[str | bytes]) -> str:
    """Hash a list of texts to 32 hexadecimal digits."""
    total = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        total.update(len(content).to_bytes(8, "little"))
        total.update(content)
    return total.hexdigest()[:32]


def _place(source: str | Path, index: int, folder: Path) -> str:
    """Return the name of a source for the compiler; text becomes a file in `folder`."""
    if not is_text(source):
        return str(Path(source).resolve())
    name = f"program{index or ''}.c"
    (folder / name).write_text(str(source), encoding="utf-8")
    return name


def _preprocess(compiler: Compiler, flags: Sequence[str], name: str, folder: str) -> str | bytes:
    """Return a source with its headers in it, as the compiler sees it."""
    if name.endswith(".s"):
        return Path(name).read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CompileWarning)  # they come again when it is compiled
        return run(compiler, [*flags, "-E", name], folder)
