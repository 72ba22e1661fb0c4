"""From definitions to machine code: numba compiles each, LLVM joins them, a cache keeps the result.

One object file holds the runtime, and one each extension of an instruction set; they are cached by
a hash of everything they are made from.
"""

from __future__ import annotations

import hashlib
import os
import platform
import threading
import types
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numpy as np
import platformdirs
from llvmlite import binding as llvm

from vtbook.cpu import building, threaded, traits
from vtbook.cpu.fusion import Pair
from vtbook.errors import VtbookError
from vtbook.files import replace_file
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
    made.update(platform.python_version().encode())
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
    """All that a handler is made from: encoding, code, and the values that its names stand for."""
    pattern = instruction.encoding.pattern
    facts = traits.traits_of(instruction)
    return "\n".join([instruction.syntax, pattern, repr(facts), *_text_of(instruction.function)])


def _text_of(function: Any, seen: frozenset = frozenset()) -> list[str]:
    """A function's code, its constants, and the same of the functions that it calls.

    Functions of this package are named only: the fingerprint covers their sources.
    """
    seen |= {function}
    parts = [_code_text(function.__code__), repr(function.__defaults__)]
    for name, value in sorted(traits.referenced_values(function).items()):
        parts.append(name)
        value = getattr(value, "py_func", value)  # the function that numba.njit was given
        if isinstance(value, types.FunctionType) and not hasattr(value, "__wrapped__"):
            if (value.__module__ or "").startswith(("vtbook.isa.", "vtbook.cpu.")):
                parts.append(f"{value.__module__}.{value.__qualname__}")
            elif value not in seen:
                parts.extend(_text_of(value, seen))
        elif isinstance(value, types.ModuleType):
            parts.extend(
                f"{n} = {_value_text(vars(value)[n])}"
                for n in function.__code__.co_names
                if n in vars(value)
            )
        else:
            parts.append(_value_text(value))
    return parts


def _value_text(value: Any) -> str:
    """A constant in full; for anything else what it is called."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, bool | int | float | complex | str | bytes | tuple):
        return repr(value)
    return getattr(value, "__qualname__", type(value).__qualname__)


def _code_text(code: types.CodeType) -> str:
    """Byte code with its names and constants, the same in every process."""
    constants = [
        _code_text(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts
    ]
    names = (code.co_names, code.co_varnames, code.co_freevars)
    return repr((code.co_code, names, constants))


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
                _keep(path, data)
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(data[32:]))
            self._engine.finalize_object()
            self._loaded[key] = what


@cache
def library() -> Library:
    """The process's compiled code."""
    return Library()


def _keep(path: Path, data: bytes) -> None:
    """Write a file of the cache; a full disk is no error."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, data, private=True)
