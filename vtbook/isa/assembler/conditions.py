"""Conditional assembly: ``.if`` and its kin, ``.elseif``, ``.else``, ``.endif``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vtbook.isa.assembler.directives import directive
from vtbook.isa.assembler.errors import SourceError
from vtbook.isa.assembler.expressions import parse
from vtbook.isa.assembler.input import split_labels
from vtbook.isa.assembler.lexer import Cursor, Token

if TYPE_CHECKING:
    from vtbook.isa.assembler.layout import Statement
    from vtbook.isa.assembler.source import Assembler

#: Conditions on a number.
_NUMERIC: dict[str, Callable[[int], bool]] = {
    ".if": lambda n: n != 0,
    ".elseif": lambda n: n != 0,
    ".ifne": lambda n: n != 0,
    ".ifeq": lambda n: n == 0,
    ".iflt": lambda n: n < 0,
    ".ifle": lambda n: n <= 0,
    ".ifgt": lambda n: n > 0,
    ".ifge": lambda n: n >= 0,
}
_OTHERS = (".ifdef", ".ifndef", ".ifb", ".ifnb", ".ifc", ".ifnc")
_OPENS = {name for name in (*_NUMERIC, *_OTHERS) if name != ".elseif"}


@directive(*sorted(_OPENS))
def _if(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    _choose(asm, cursor, statement, word)


def _choose(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    """Go on with this branch, or pass over it to the next."""
    try:
        taken = _holds(asm, cursor, statement, word)
    except SourceError as error:
        asm.diagnostics.add(error)
        taken = False
    if taken:
        asm.conditions.append(word)
        return
    tokens = asm.input.skip_to(word, _OPENS, {".elseif", ".else", ".endif"}, ".endif")
    following = Cursor(split_labels(tokens)[1])
    name = following.take()
    match name.text.lower():
        case ".elseif":
            _choose(asm, following, statement, name)
        case ".else":
            asm.conditions.append(name)


def _holds(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> bool:
    name = word.text.lower()
    test = _NUMERIC.get(name)
    if test is not None:
        node = parse(cursor, asm.local_labels)
        cursor.finish()
        return test(asm.constant(node, statement))
    rest = cursor.tokens[cursor.position :]
    if name in (".ifb", ".ifnb"):
        return (not rest) == (name == ".ifb")
    if name in (".ifc", ".ifnc"):
        return _same_text(cursor) == (name == ".ifc")
    symbol = cursor.take("a symbol")
    cursor.finish()
    return asm.layout.is_defined(symbol.text) == (name == ".ifdef")


def _same_text(cursor: Cursor) -> bool:
    """Compare the two texts around the comma; quotes around one don't count."""
    sides: list[list[str]] = [[]]
    for token in cursor.tokens[cursor.position :]:
        if token.text == "," and len(sides) == 1:
            sides.append([])
        else:
            sides[-1].append(token.text.strip("\"'"))
    if len(sides) != 2:
        raise SourceError("',' is missing here", cursor.end_span())
    return sides[0] == sides[1]


@directive(".elseif", ".else")
def _else(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    """The branch before was taken: pass over all others."""
    if not asm.conditions:
        raise SourceError(f"{word.text} without .if", word.span)
    asm.conditions.pop()
    asm.input.skip_to(word, _OPENS, {".endif"}, ".endif")


@directive(".endif")
def _endif(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    if not asm.conditions:
        raise SourceError(".endif without .if", word.span)
    asm.conditions.pop()
