"""The instruction reference, made from the definitions that run: nothing on it is written twice."""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from html import escape

from vtbook.isa import rv64c
from vtbook.isa.definition import Compressed, Extension, Instruction
from vtbook.isa.encoding import Encoding
from vtbook.isa.registers import X_NAMES
from vtbook.isa.sets import RV64GC

INTRODUCTION = """# Instructions

Each instruction is defined once in this book, in a few lines of Python. From these lines come the
assembler, the disassembler, the compiled interpreter, the plain-Python machine and the intermediate
code. These pages are made from them too.

In a definition, `h` is the hart: `h.x` are its integer registers, `h.f` the floating-point
registers, `h.pc` is the address of the instruction. `d` holds the decoded operands. Guest integers
are signed and 64 bits wide. What is written like a function, `sext32` or `load64`, is one of the
[operations](../api/vtbook.isa.rst). Numbers in parentheses are sections of the RISC-V
specification: of volume I CITE1 for what everybody may execute, of volume II CITE2 for
machine mode.
"""


def instruction_pages(*, cited: bool = False) -> dict[str, str]:
    """Return file name -> text (MyST) of the pages of the instruction reference.

    Args:
        cited: Cite the specifications; the book's bibliography must have them.
    """
    pages = {f"{file_of(part)}.md": _extension_page(part) for part in RV64GC.extensions}
    pages["index.md"] = _front_page(cited)
    return pages


def file_of(extension: Extension) -> str:
    """The name of an extension's page."""
    return extension.name.lower()


def anchor_of(item: Instruction | Compressed) -> str:
    """The anchor of an instruction on its page."""
    return "instruction-" + item.name.replace(".", "-")


def encoding_fields(encoding: Encoding) -> list[tuple[str, int, int, bool]]:
    """Return the parts of an encoding: text, highest and lowest bit, whether its bits are fixed."""
    parts = []
    high = encoding.size * 8 - 1
    for token in encoding.pattern.split():
        fixed = set(token) <= {"0", "1"}
        width = len(token) if fixed else _width(encoding, token, high)
        parts.append((token, high, high - width + 1, fixed))
        high -= width
    return parts


def _width(encoding: Encoding, token: str, high: int) -> int:
    """Bits of a field token whose highest bit is given."""
    name = token.split("[")[0].split("!")[0].rstrip("'")
    pieces = {p.word_low + p.width - 1: p.width for p in encoding.field(name).pieces}
    width = 0
    wanted = token.count("|") + 1
    for _ in range(wanted):
        width += pieces[high - width]
    return width


def _front_page(cited: bool) -> str:
    introduction = INTRODUCTION
    for mark, key in (("CITE1", "riscv2025"), ("CITE2", "riscv2025privileged")):
        role = f" {{cite:p}}`{key}`" if cited else ""
        introduction = introduction.replace(f" {mark}", role)
    toc = "\n".join(f"{_title(part)} <{file_of(part)}>" for part in RV64GC.extensions)
    rows = "\n".join(
        f"* - [`{item.syntax}`](#{anchor_of(item)})\n  - {part.name}\n  - {_meaning(item)}"
        for part in RV64GC.extensions
        for item in part.instructions
    )
    total, short = len(RV64GC.instructions), len(RV64GC.compressed)
    return (
        f"{introduction}\n"
        f"RV64GC: {total} instructions, and {short} short forms of them.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n{toc}\n```\n\n"
        "{.vtb-filter}\nFind an instruction by its name, its operands or what it does\n\n"
        "````{list-table}\n:header-rows: 1\n:widths: 32 12 56\n:class: vtb-instructions\n\n"
        f"* - Instruction\n  - Extension\n  - What it does\n{rows}\n````\n"
    )


def _title(part: Extension) -> str:
    return f"{part.name} · {part.title}"


def _extension_page(part: Extension) -> str:
    module = inspect.getmodule(_function_of(part))
    about = "" if module is None else inspect.getdoc(module) or ""
    if part.instructions and isinstance(part.instructions[0], Compressed):
        about = inspect.getdoc(rv64c) or ""
    entries = "\n\n".join(_entry(item) for item in part.instructions)
    return f"# {_title(part)}\n\n{about}\n\n{entries}\n"


def _function_of(part: Extension) -> object:
    item = part.instructions[0]
    return item.function if isinstance(item, Instruction) else None


def _entry(item: Instruction | Compressed) -> str:
    return "\n\n".join(
        [
            f"({anchor_of(item)})=\n## {item.name}",
            f"```{{index}} single: {item.name} (instruction)\n```",
            f"{{.vtb-syntax}}\n`{item.syntax}`",
            _meaning(item, long=True),
            encoding_picture(item.encoding),
            f"```{{code-block}} python\n:class: vtb-definition\n\n{source_of(item)}\n```",
        ]
    )


def _meaning(item: Instruction | Compressed, *, long: bool = False) -> str:
    if isinstance(item, Instruction):
        text = inspect.cleandoc(item.function.__doc__ or "")
        return text if long else " ".join(text.split("\n\n")[0].split())
    target = f"[`{item.target.name}`](#{anchor_of(item.target)})"
    given = [
        f"`{name}` = `{X_NAMES[source] if name.startswith('r') else source}`"
        for name, source in item.expansion.items()
        if not isinstance(source, str)
    ]
    given += [
        f"`{name}` = `{source}`"
        for name, source in item.expansion.items()
        if isinstance(source, str) and source != name
    ]
    return f"Short form of {target}" + (f" with {', '.join(given)}." if given else ".")


def encoding_picture(encoding: Encoding) -> str:
    """Return the bits of an instruction word as HTML: one box a field, with its bit numbers."""
    parts = encoding_fields(encoding)
    boxes = []
    for text, high, low, fixed in parts:
        width = high - low + 1
        numbers = f"<i>{high}</i>" + (f"<i>{low}</i>" if width > 1 else "")
        kind = "fixed" if fixed else "field"
        name = "".join(f"<b>{bit}</b>" for bit in text) if fixed else f"<b>{escape(text)}</b>"
        boxes.append(
            f'<span class="{kind}" style="--bits: {width}"><span class="bits">{numbers}</span>'
            f'<span class="text">{name}</span></span>'
        )
    words = ", ".join(f"{text} in {_bits(high, low)}" for text, high, low, _ in parts)
    return (
        f'<div class="vtb-encoding" data-size="{encoding.size}" role="img" '
        f'aria-label="{escape(words)}">{"".join(boxes)}</div>'
    )


def _bits(high: int, low: int) -> str:
    return f"bit {high}" if high == low else f"bits {high} to {low}"


def source_of(item: Instruction | Compressed) -> str:
    """Return the Python source of a definition, its decorator included."""
    if isinstance(item, Instruction):
        return inspect.getsource(item.function).rstrip()
    return _short_forms()[item.syntax]


@cache
def _short_forms() -> dict[str, str]:
    """Assembly form -> source, of the definitions of compressed instructions."""
    text = inspect.getsource(sys.modules[rv64c.__name__])
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and node.value.args:
            first = node.value.args[0]
            if isinstance(first, ast.Constant):
                found[str(first.value)] = ast.get_source_segment(text, node) or ""
    return found
