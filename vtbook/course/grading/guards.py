"""Notice and undo what an answer has done to the tools that checks use.

This runs in the process of the answers, so it can itself be undone by who sets out to; see
`vtbook.course.grading` for what is left, and for how the grader would notice.
"""

from __future__ import annotations

import builtins
import os
import sys
import time
import types

# As names of this module, so that a patched builtin does not reach the code that puts it back.
from builtins import callable, getattr, isinstance, list, setattr, vars  # noqa: UP029
from collections.abc import Iterable
from typing import Any

FIXED = (types.FunctionType, types.BuiltinFunctionType, type, types.ModuleType)
"""Kinds of values that no honest answer replaces in a module."""
WATCHED = ("vtbook", "builtins", "traceback", "linecache", "IPython.core", "unittest", "math")
_MISSING = object()


def _watched() -> dict[str, types.ModuleType]:
    return {
        name: module
        for name, module in list(sys.modules.items())
        if module is not None
        and any(name == w or name.startswith(w + ".") for w in WATCHED)
        and type(module) is types.ModuleType
    }


class Guard:
    """What modules, classes and functions were before the first answer ran."""

    def __init__(self) -> None:
        self._modules: dict[str, types.ModuleType] = {}
        self._values: list[tuple[dict[str, Any], str, str, Any]] = []
        self._classes: list[tuple[type, str, Any]] = []
        self._codes: dict[int, tuple[types.FunctionType, Any, Any, Any, str]] = {}
        self._names: dict[str, Any] = {}
        self._functions = {"sleep": time.sleep, "_exit": os._exit}

    def watch(self) -> None:
        """Keep what is there now; modules that are known already stay as they were."""
        for name, module in _watched().items():
            if name in self._modules:
                continue
            self._modules[name] = module
            space = vars(module)
            for key, value in list(space.items()):
                if isinstance(value, FIXED) or name == "builtins":
                    self._values.append((space, name, key, value))
                if isinstance(value, type) and value.__module__ == name:
                    self._watch_class(value)
                self._watch_function(value, f"{name}.{key}")

    def _watch_class(self, cls: type) -> None:
        if not cls.__flags__ & 1 << 9:  # not a class of Python code: cannot be changed
            return
        for key, value in list(vars(cls).items()):
            if isinstance(value, (*FIXED, property, classmethod, staticmethod)):
                self._classes.append((cls, key, value))
                inner = getattr(value, "__func__", value)
                self._watch_function(inner, f"{cls.__module__}.{cls.__qualname__}.{key}")

    def _watch_function(self, value: Any, name: str) -> None:
        if isinstance(value, types.FunctionType):
            kept = (value, value.__code__, value.__defaults__, value.__kwdefaults__, name)
            self._codes.setdefault(id(value), kept)

    def begin(self, space: dict[str, Any]) -> None:
        """Keep what a shell begins with, `open` among it, which IPython makes its own."""
        self.remember(space, [name for name in space if callable(space[name])])

    def remember(self, space: dict[str, Any], names: Iterable[str]) -> None:
        """Keep what the instructor's cells have bound these names to."""
        for name in names:
            if name in space:
                self._names[name] = space[name]

    def restore(self, space: dict[str, Any]) -> list[str]:
        """Put back what was replaced; the names of what was."""
        changed = []
        for name, module in self._modules.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
                changed.append(f"sys.modules[{name!r}]")
        for names, module_name, key, value in self._values:
            if names.get(key, _MISSING) is not value and (module_name, key) != ("builtins", "_"):
                names[key] = value
                changed.append(f"{module_name}.{key}")
        for cls, key, value in self._classes:
            if vars(cls).get(key, _MISSING) is not value:
                setattr(cls, key, value)
                changed.append(f"{cls.__module__}.{cls.__qualname__}.{key}")
        for function, code, defaults, keywords, name in self._codes.values():
            if function.__code__ is not code or function.__defaults__ is not defaults:
                function.__code__, function.__defaults__ = code, defaults
                function.__kwdefaults__ = keywords
                changed.append(name)
        return changed + self._restore_names(space)

    def _restore_names(self, space: dict[str, Any]) -> list[str]:
        changed = []
        for name, value in self._names.items():
            if isinstance(value, FIXED) and space.get(name, _MISSING) is not value:
                space[name] = value
                changed.append(name)
        for name in [n for n in space if n in vars(builtins) and n not in self._names]:
            if callable(space[name]) and space[name] is not vars(builtins)[name]:
                del space[name]
                changed.append(name)
        if space.get("__builtins__") not in (builtins, vars(builtins)):
            space["__builtins__"] = builtins
            changed.append("__builtins__")
        return changed


def stop_tracing() -> list[str]:
    """Take away what would run inside the checks: trace functions and profilers."""
    found = []
    if sys.gettrace() is not None:
        sys.settrace(None)
        found.append("a trace function")
    if sys.getprofile() is not None:
        sys.setprofile(None)
        found.append("a profiler")
    return found
