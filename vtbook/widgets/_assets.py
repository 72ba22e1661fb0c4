"""Join the front-end files of a widget into the one ES module and style sheet anywidget loads.

The files are ordinary ES modules that import one another by ``./name.js``, so tools can read them
as they stand. Joining is textual and there is no build step: each module once, imported ones
first, without its ``import`` statements and the word ``export``. All share one scope, so a name
may be declared at the top of one module only. ``import STRINGS from "./strings.json"`` becomes
what `widget_strings` returns: the labels of all widgets and those in ``name.strings.json``.

A library of others stands in ``vendor`` with its licence. It is one module that imports nothing,
``import { A } from "./vendor/name.mjs"``, and keeps a scope of its own; ``vendor/name.css`` comes
before the widget's style.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from vtbook.errors import VtbookError

HERE = Path(__file__).parent

_IMPORT = re.compile(r'^import\s+([^;]+?)\s+from\s+"\./((?:vendor/)?[\w.-]+)";\n', re.MULTILINE)
_VENDORED = re.compile(r"export\s*\{([^}]*)\};?\s*$")
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)
_DECLARED = re.compile(
    r"^(?:export )?(?:async )?(?:function\*?|class|const|let) (\w+)", re.MULTILINE
)


class FrontEndError(VtbookError):
    """A front-end file cannot be joined; the message names the file and what to change."""


@cache
def front_end(name: str) -> tuple[str, str]:
    """Return the ES module and the style sheet of the widget whose main file is ``name.js``.

    Raises:
        FrontEndError: a file is missing, or two modules declare the same name.
    """
    parts: dict[str, str] = {}
    owners: dict[str, str] = {}
    _collect(f"{name}.js", parts, owners)
    strings = json.dumps(widget_strings(name), ensure_ascii=False, separators=(",", ":"))
    script = "\n".join([f"const STRINGS = {strings};", *parts.values()])
    vendored = [part.removesuffix(".mjs") for part in parts if part.startswith("vendor/")]
    style = "\n".join(_read(f"{part}.css") for part in ("common", *vendored, name))
    return script, style


def widget_strings(name: str) -> dict[str, Any]:
    """Return the labels of a widget: ``{"common": {language: {...}}, "widget": {...}}``.

    The register names, which no language changes, come along as ``"registers"``.
    """
    table = json.loads(_read("strings.json"))
    return {**table, "widget": json.loads(_read(f"{name}.strings.json"))}


def register_names() -> dict[str, list[str]]:
    """Return the ABI names of the 32 integer (``"x"``) and floating-point (``"f"``) registers."""
    return json.loads(_read("strings.json"))["registers"]


def _collect(file: str, parts: dict[str, str], owners: dict[str, str]) -> None:
    source = _read(file)
    if file.startswith("vendor/"):
        parts[file] = _enclosed(file, source, owners)
        return
    parts[file] = ""  # being joined: a circular import then finds its names undeclared
    for names, other in _IMPORT.findall(source):
        if other == "strings.json":
            continue
        if other not in parts:
            _collect(other, parts, owners)
        for imported in re.findall(r"\w+", names):
            if owners.get(imported) != other:
                raise FrontEndError(f"{file}: '{imported}' is not declared at the top of {other}")
    for declared in _DECLARED.findall(source):
        if owners.setdefault(declared, file) != file:
            raise FrontEndError(
                f"{file}: '{declared}' is also declared in {owners[declared]}; rename one"
            )
    body = _EXPORT.sub("", _IMPORT.sub("", source))
    if re.search(r"^import\b", body, re.MULTILINE):
        raise FrontEndError(f'{file}: write imports as: import {{ a, b }} from "./file.js";')
    del parts[file]
    parts[file] = body  # after all that it imports


def _enclosed(file: str, source: str, owners: dict[str, str]) -> str:
    """A module of others as one declaration of what it exports."""
    found = _VENDORED.search(source)
    if found is None or re.search(r"^import\b", source, re.MULTILINE):
        raise FrontEndError(f"{file}: not one module that ends in a list of exports")
    exports = [re.fullmatch(r"\s*(\w+)(?:\s+as\s+(\w+))?\s*", e) for e in found[1].split(",")]
    pairs = [(e[1], e[2] or e[1]) for e in exports if e is not None]
    for _, name in pairs:
        if owners.setdefault(name, file) != file:
            raise FrontEndError(f"{file}: '{name}' is also declared in {owners[name]}; rename one")
    names = ", ".join(name for _, name in pairs)
    given = ", ".join(f"{name}: {inner}" for inner, name in pairs)
    body = source[: found.start()]
    return f"const {{ {names} }} = (() => {{\n{body}\nreturn {{ {given} }};\n}})();"


def _read(file: str) -> str:
    path = HERE / file
    if not path.is_file():
        raise FrontEndError(f"{path}: there is no such front-end file")
    return path.read_text(encoding="utf-8")
