"""Configurations of the kernel and of BusyBox: a few lines of ours on top of ``allnoconfig``.

Both use the same language (Linux, Documentation/kbuild/kconfig-language.rst): a line sets an
option, ``CONFIG_SMP=y``, or says that it is off, ``# CONFIG_EFI is not set``. An option whose
dependencies are not met vanishes without a word. So the build compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path

_SET = re.compile(r"CONFIG_(\w+)=(.*)")
_OFF = re.compile(r"# CONFIG_(\w+) is not set")
_DEFINITION = re.compile(r"^\s*(?:menu)?config\s+(\w+)\s*(?:#.*)?$", re.MULTILINE)

OFF = "n"
KERNEL = "kernel.config"
BUSYBOX = "busybox.config"


def ours(name: str) -> str:
    """The text of KERNEL or BUSYBOX."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def parse(text: str) -> dict[str, str]:
    """Options and values: ``{"SMP": "y", "EFI": "n"}``. Other lines are comments."""
    options = {}
    for line in text.splitlines():
        if found := _SET.fullmatch(line):
            options[found[1]] = found[2]
        elif found := _OFF.fullmatch(line):
            options[found[1]] = OFF
    return options


def merge(text: str, wanted: Mapping[str, str]) -> str:
    """A configuration with some of its options changed, and those added that it has not."""
    lines = []
    left = dict(wanted)
    for line in text.splitlines():
        found = _SET.fullmatch(line) or _OFF.fullmatch(line)
        name = found[1] if found else ""
        lines.append(_line(name, left.pop(name)) if name in left else line)
    lines += [_line(name, value) for name, value in left.items()]
    return "\n".join(lines) + "\n"


def missing(wanted: Mapping[str, str], finished: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Options that are not as wanted: name -> (wanted, what it is). Not there means off."""
    found = {name: finished.get(name, OFF) for name in wanted}
    return {name: (wanted[name], is_) for name, is_ in found.items() if is_ != wanted[name]}


def defined_in(files: Iterable[Path]) -> frozenset[str]:
    """The options that some Kconfig files define."""
    names: set[str] = set()
    for path in files:
        names.update(_DEFINITION.findall(path.read_text(encoding="utf-8", errors="replace")))
    return frozenset(names)


def _line(name: str, value: str) -> str:
    return f"# CONFIG_{name} is not set" if value == OFF else f"CONFIG_{name}={value}"
