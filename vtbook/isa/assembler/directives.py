"""Directives: the words that begin with a dot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vtbook.isa.assembler.data import (
    AlignItem,
    BytesItem,
    IntegersItem,
    OriginItem,
    SpaceItem,
    float_bytes,
)
from vtbook.isa.assembler.errors import SourceError, suggestion
from vtbook.isa.assembler.expressions import Node, Number, parse
from vtbook.isa.assembler.layout import Assignment, Statement
from vtbook.isa.assembler.lexer import Cursor, Token, unescape

if TYPE_CHECKING:
    from vtbook.isa.assembler.source import Assembler

Handler = Callable[["Assembler", Cursor, Statement, Token], None]
_DIRECTIVES: dict[str, Handler] = {}


def directive(*names: str) -> Callable[[Handler], Handler]:
    """Register a handler for these directives."""

    def register(handler: Handler) -> Handler:
        for name in names:
            _DIRECTIVES[name] = handler
        return handler

    return register


def run_directive(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    """Obey a directive; SourceError if it is unknown or its operands cannot be read."""
    handler = _DIRECTIVES.get(word.text.lower())
    if handler is None and not word.text.startswith(".cfi_"):
        message = f"unknown directive {word.text}{suggestion(word.text, _DIRECTIVES)}"
        raise SourceError(message, word.span)
    if handler is not None:
        handler(asm, cursor, statement, word)


@directive(
    ".type", ".size", ".file", ".loc", ".ident", ".attribute", ".local", ".hidden", ".protected",
    ".internal", ".addrsig", ".addrsig_sym", ".globl", ".global", ".extern",
)  # fmt: skip
def _ignore(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    """Words for a linker or debugger: every symbol is visible here, and nothing is linked."""


# --- sections ------------------------------------------------------------------------------------


@directive(".text", ".data", ".rodata", ".bss", ".sdata", ".sbss")
def _named_section(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    cursor.finish()
    asm.enter_section(word.text)


@directive(".section", ".pushsection")
def _section(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    name = cursor.take("a section name")
    if name.kind not in ("name", "string"):
        raise SourceError(f"expected a section name, found {name.text!r}", name.span)
    flags = None
    if cursor.accept(","):
        token = cursor.take('section flags, as in "ax"')
        if token.kind != "string":
            raise SourceError('section flags are a string, as in "ax"', token.span)
        flags = token.text.strip('"')
    nobits = any(token.text in ("nobits",) for token in cursor.tokens)
    if word.text == ".pushsection":
        asm.section_stack.append(asm.section)
    asm.enter_section(name.text.strip('"'), flags, nobits)


@directive(".popsection")
def _popsection(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    if not asm.section_stack:
        raise SourceError(".popsection without .pushsection", word.span)
    asm.section = asm.section_stack.pop()


@directive(".previous")
def _previous(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    asm.section, asm.previous = asm.previous, asm.section


# --- data ----------------------------------------------------------------------------------------

_WIDTHS = {
    ".byte": 1, ".half": 2, ".short": 2, ".hword": 2, ".2byte": 2,
    ".word": 4, ".long": 4, ".int": 4, ".4byte": 4, ".dword": 8, ".quad": 8, ".8byte": 8,
}  # fmt: skip


@directive(*_WIDTHS)
def _integers(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    nodes = _expressions(asm, cursor)
    asm.place(IntegersItem(statement, _WIDTHS[word.text.lower()], nodes))


@directive(".ascii", ".asciz", ".string")
def _strings(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    end = b"" if word.text.lower() == ".ascii" else b"\0"
    data = b""
    while True:
        token = cursor.take("a string")
        if token.kind != "string":
            raise SourceError(f"expected a string in double quotes, found {token.text}", token.span)
        data += unescape(token)
        following = cursor.peek()
        if following is None or following.kind != "string":
            data += end
        if cursor.done:
            break
        if following is not None and following.kind != "string":
            cursor.expect(",")
    asm.place(BytesItem(statement, data))


@directive(".float", ".single", ".double")
def _floats(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    width = 8 if word.text.lower() == ".double" else 4
    data = b""
    while True:
        first = cursor.take("a number")
        text = first.text
        if first.kind == "op" and text in "+-":
            text += cursor.take("a number").text
        try:
            data += float_bytes(text, width)
        except ValueError:
            raise SourceError(f"{text} is not a decimal number", first.span) from None
        if not cursor.accept(","):
            break
    cursor.finish()
    asm.place(BytesItem(statement, data))


@directive(".space", ".skip", ".zero")
def _space(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    count, fill, _ = _up_to_three(asm, cursor)
    asm.place(SpaceItem(statement, count, fill))


@directive(".fill")
def _fill(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    count, width_node, fill = _up_to_three(asm, cursor)
    width = asm.constant(width_node, statement) if width_node is not None else 1
    if not 1 <= width <= 8:
        raise SourceError(f"a unit of {width} bytes; it must be 1 to 8", word.span)
    asm.place(SpaceItem(statement, count, fill, width))


@directive(".comm", ".lcomm")
def _common(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    name = cursor.take("a symbol")
    cursor.expect(",")
    size, alignment, _ = _up_to_three(asm, cursor)
    came_from = asm.section
    asm.enter_section(".bss")
    _align(asm, statement, asm.constant(alignment, statement) if alignment else 8, None, None, word)
    asm.define_label(name, statement)
    asm.place(SpaceItem(statement, size, None))
    asm.section = came_from


# --- place ---------------------------------------------------------------------------------------


@directive(".align", ".p2align", ".balign")
def _alignment(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    amount, fill, most_node = _up_to_three(asm, cursor, holes=True)
    value = asm.constant(amount, statement)
    if word.text.lower() != ".balign":
        if not 0 <= value <= 31:
            message = f"{word.text} {value}: the power of two must be 0 to 31"
            raise SourceError(f"{message}; .balign takes bytes", amount.span)
        value = 1 << value
    most = asm.constant(most_node, statement) if most_node is not None else None
    _align(asm, statement, value, fill, most, word)


def _align(
    asm: Assembler, statement: Statement, alignment: int, fill: Node | None, most: int | None,
    word: Token,
) -> None:  # fmt: skip
    if alignment <= 0 or alignment & (alignment - 1):
        raise SourceError(f"{alignment} is not a power of two", word.span)
    section = asm.section
    section.alignment = max(section.alignment, alignment)
    asm.place(AlignItem(statement, section, alignment, fill, most))


@directive(".org")
def _org(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    target, fill, _ = _up_to_three(asm, cursor)
    asm.place(OriginItem(statement, asm.section, target, fill))


# --- symbols and options -------------------------------------------------------------------------


@directive(".equ", ".set", ".equiv")
def _equ(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    name = cursor.take("a symbol")
    if name.kind != "name":
        raise SourceError(f"expected a symbol, found {name.text!r}", name.span)
    cursor.expect(",")
    node = parse(cursor, asm.local_labels)
    cursor.finish()
    assign(asm, name, node, statement)


def assign(asm: Assembler, name: Token, node: Node, statement: Statement) -> None:
    """Give a symbol a value from here on; it may get another one later."""
    if name.text in asm.layout.labels:
        raise SourceError(f"{name.text!r} is already a label", name.span)
    item = Assignment(statement, node)
    asm.place(item)
    asm.layout.assignments.setdefault(name.text, []).append((asm.assignment_count, item))
    asm.assignment_count += 1


@directive(".weak")
def _weak(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    asm.layout.weak.update(token.text for token in cursor.tokens[1:] if token.kind == "name")


@directive(".option")
def _option(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    token = cursor.take("an option")
    match token.text:
        case "rvc":
            asm.compress = True
        case "norvc":
            asm.compress = False
        case "push":
            asm.option_stack.append(asm.compress)
        case "pop":
            if not asm.option_stack:
                raise SourceError(".option pop without .option push", token.span)
            asm.compress = asm.option_stack.pop()
        case "relax" | "norelax" | "pic" | "nopic":
            pass
        case _:
            known = ("rvc", "norvc", "push", "pop", "relax", "norelax", "pic", "nopic")
            message = f"unknown option {token.text}{suggestion(token.text, known)}"
            raise SourceError(message, token.span)
    cursor.finish()


# --- operands ------------------------------------------------------------------------------------


def _expressions(asm: Assembler, cursor: Cursor) -> list[Node]:
    nodes: list[Node] = []
    if cursor.done:
        return nodes
    while True:
        nodes.append(parse(cursor, asm.local_labels))
        if not cursor.accept(","):
            break
    cursor.finish()
    return nodes


def _up_to_three(
    asm: Assembler, cursor: Cursor, holes: bool = False
) -> tuple[Node, Node | None, Node | None]:
    """One to three expressions; ``holes`` allows ``.align 4,,15``."""
    nodes: list[Node | None] = [parse(cursor, asm.local_labels)]
    while cursor.accept(",") and len(nodes) < 3:
        nodes.append(None if holes and cursor.at(",") else parse(cursor, asm.local_labels))
    cursor.finish()
    nodes += [None] * (3 - len(nodes))
    first = nodes[0]
    assert first is not None
    return first, nodes[1], nodes[2]


__all__ = ["Number", "assign", "directive", "run_directive"]
