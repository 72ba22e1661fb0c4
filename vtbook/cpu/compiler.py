"""From definitions to machine code: numba compiles each, LLVM joins them, a cache keeps the result.

One object file holds the runtime, and one each extension of an instruction set; they are cached by
a hash of everything they are made from.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import platform
import tempfile
import threading
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import platformdirs
from llvmlite import binding as llvm

from vtbook.cpu import building, threaded, traits
from vtbook.cpu.fusion import Pair
from vtbook.errors import VtbookError
from vtbook.isa.definition import Instruction

Progress = Callable[[str], None]

_lock = threading.RLock()


def _fingerprint() -> str:
    """Hash of this package's sources, of the compilers' versions and of the processor."""
    made = hashlib.sha256()
    root = Path(__file__).parent
    for folder in (root, root.parent / "isa"):
        for path in sorted(folder.rglob("*.py")):
            if "assembler" not in path.parts:
                made.update(path.read_bytes())
    made.update(llvmlite.__version__.encode())
    made.update(_numba_version().encode())
    made.update(llvm.get_host_cpu_name().encode())
    made.update(llvm.get_host_cpu_features().flatten().encode())
    return made.hexdigest()


def _numba_version() -> str:
    from importlib.metadata import version

    return version("numba")


# Taken when the sources are imported, not when it is first needed: they may change in between.
_FINGERPRINT = _fingerprint()


def cache_folder() -> Path:
    """Where compiled code is kept; ``VTBOOK_CACHE`` in the environment overrides it."""
    given = os.environ.get("VTBOOK_CACHE")
    return Path(given) if given else Path(platformdirs.user_cache_dir("vtbook")) / "code"


def _definition_text(instruction: Instruction) -> str:
    """What a definition is made from: its source, or its byte code, and its encoding."""
    function = instruction.function
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        source = repr((function.__code__.co_code, function.__code__.co_consts))
    called = sorted(traits.referenced_functions(function).items())
    parts = [inspect.getsource(f) if f.__module__ == function.__module__ else n for n, f in called]
    return "\n".join([instruction.syntax, instruction.encoding.pattern, source, *parts])


class Library:
    """Compiled code of one process: the runtime, and the handlers of each group of instructions."""

    def __init__(self) -> None:
        processor = platform.machine().lower()
        if processor not in threaded.PROCESSORS:
            raise VtbookError(
                f"compiled code needs an x86-64 or ARM64 processor, not {processor};"
                ' use Machine(engine="python")'
            )
        empty = llvm.parse_assembly(f'target triple = "{building.target_machine().triple}"')
        self._engine = llvm.create_mcjit_compiler(empty, building.target_machine())
        self._loaded: dict[str, str] = {}

    def address(self, symbol: str) -> int:
        """Address of a compiled function."""
        return self._engine.get_function_address(symbol)

    def runtime(self, progress: Progress) -> None:
        """Load the runtime: the loop, the decoder, memory off the fast path."""
        self._load("runtime", "the runtime", building.runtime_module, progress)
        for symbol in threaded.runtime_symbols():
            llvm.add_symbol(symbol, self.address(symbol))

    def group(
        self,
        name: str,
        instructions: Iterable[Instruction],
        short: frozenset[str],
        progress: Progress,
    ) -> str:
        """Load the handlers of some instructions; returns the suffix of their symbols.

        ``short`` names the instructions that also have a two-byte form.
        """
        members = list(instructions)
        text = "\n".join(_definition_text(i) + str(i.name in short) for i in members)
        suffix = hashlib.sha256(text.encode()).hexdigest()[:12]
        key = f"{name}-{suffix}"
        self._load(
            key,
            f"{len(members)} instructions of {name}",
            lambda: building.group_module(members, short, suffix),
            progress,
        )
        return suffix

    def pairs(self, pairs: list[Pair], names: dict[str, str], progress: Progress) -> str:
        """Load the handlers of pairs of instructions; returns the suffix of their symbols."""
        text = repr(
            [(names[p.first.name], names[p.second.name], p.variants, p.equal) for p in pairs]
        )
        suffix = hashlib.sha256(text.encode()).hexdigest()[:12]
        for pair in pairs:
            for instruction, variant in (
                (pair.first, pair.variants[0]),
                (pair.second, pair.variants[1]),
            ):
                symbol = threaded.handler_name(names[instruction.name], variant).strip('"')
                llvm.add_symbol(symbol, self.address(symbol))
        self._load(
            f"pairs-{suffix}",
            f"{len(pairs)} frequent pairs of instructions",
            lambda: building.pairs_module(pairs, names, suffix),
            progress,
        )
        return suffix

    def _load(self, key: str, what: str, build: Callable[[], Any], progress: Progress) -> None:
        with _lock:
            if key in self._loaded:
                return
            path = cache_folder() / f"{key}-{_FINGERPRINT[:16]}.o"
            try:
                data = path.read_bytes()
                if hashlib.sha256(data[32:]).digest() != data[:32]:
                    raise ValueError("damaged")
            except (OSError, ValueError):
                progress(f"compiling {what}")
                made = building.target_machine().emit_object(build())
                data = hashlib.sha256(made).digest() + made
                _write_atomically(path, data)
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(data[32:]))
            self._engine.finalize_object()
            self._loaded[key] = what


@cache
def library() -> Library:
    """The process's compiled code."""
    return Library()


def _write_atomically(path: Path, data: bytes) -> None:
    """Write a cache file so that another process never sees half of it; a full disk is no error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(data)
        os.replace(file.name, path)
    except OSError:
        return
