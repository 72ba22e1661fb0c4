"""Macros and repetitions: ``.macro``, ``.rept``, ``.irp``, ``.irpc``.

A body is text. Where it is used, ``\\name`` is replaced by an argument, ``\\@`` by a number that
differs in each use, and ``\\()`` by nothing, to end a name. The result is read like any source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vtbook.isa.assembler.directives import directive
from vtbook.isa.assembler.errors import SourceError, SourceText, Span
from vtbook.isa.assembler.expressions import parse
from vtbook.isa.assembler.lexer import Cursor, Token

if TYPE_CHECKING:
    from vtbook.isa.assembler.layout import Statement
    from vtbook.isa.assembler.source import Assembler

#: A repetition that asks for more than this is a slip.
MAX_REPEATS = 1 << 20

_ARGUMENT = re.compile(r"\\(?:(?P<end>\(\))|(?P<count>@)|(?P<name>[A-Za-z_]\w*))")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a macro: what it is without an argument, None if it must have one."""

    name: str
    default: str | None = ""
    takes_rest: bool = False


@dataclass(frozen=True)
class Macro:
    """A named body with parameters."""

    name: str
    parameters: tuple[Parameter, ...]
    body: SourceText


def fill_in(body: SourceText, values: Mapping[str, str], note: str, count: int = 0) -> SourceText:
    """A body with its arguments put in."""

    def one(found: re.Match[str]) -> str:
        if found["end"]:
            return ""
        if found["count"]:
            return str(count)
        return values.get(found["name"], found[0])

    return SourceText(_ARGUMENT.sub(one, body.text), body.first_line, note)


# --- macros --------------------------------------------------------------------------------------


@directive(".macro")
def _macro(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    name = cursor.take("a name for the macro")
    if name.kind != "name":
        raise SourceError(f"expected a name for the macro, found {name.text!r}", name.span)
    body = asm.input.block(cursor.tokens, word, {".macro"}, ".endm")
    parameters = []
    while not cursor.done:
        cursor.accept(",")
        parameters.append(_parameter(cursor))
    asm.macros[name.text.lower()] = Macro(name.text, tuple(parameters), body)


def _parameter(cursor: Cursor) -> Parameter:
    """``name``, ``name=default``, ``name:req`` or ``name:vararg``."""
    name = cursor.take("a parameter")
    if name.kind != "name":
        raise SourceError(f"expected a parameter, found {name.text!r}", name.span)
    if cursor.accept(":"):
        kind = cursor.take("req or vararg")
        if kind.text not in ("req", "vararg"):
            raise SourceError(f"expected req or vararg, found {kind.text!r}", kind.span)
        return Parameter(name.text, None if kind.text == "req" else "", kind.text == "vararg")
    if cursor.accept("="):
        start = end = cursor.take("a default").span
        while (
            (following := cursor.peek()) and following.column == end.end and following.text != ","
        ):
            end = cursor.take().span
        return Parameter(name.text, _text(start, end))
    return Parameter(name.text)


def use_macro(asm: Assembler, macro: Macro, tokens: list[Token]) -> None:
    """Put the macro's body in place of a statement; SourceError if its arguments don't fit."""
    word = tokens[0]
    values: dict[str, str] = {}
    positional = list(macro.parameters)
    groups = _split(tokens[1:])
    for index, group in enumerate(groups):
        named = _named(group, macro)
        if named is not None:
            values[named] = _text(group[2].span, group[-1].span) if len(group) > 2 else ""
            continue
        if not positional:
            where = group[0].span if group else word.span
            raise SourceError(f"{macro.name} takes {_count(len(macro.parameters))}", where)
        parameter = positional.pop(0)
        if parameter.takes_rest:
            rest = [token for one in groups[index:] for token in one]
            values[parameter.name] = _text(rest[0].span, rest[-1].span) if rest else ""
            break
        values[parameter.name] = _plain(group)
    for parameter in macro.parameters:
        if not values.get(parameter.name):
            if parameter.default is None:
                raise SourceError(f"{macro.name} needs a value for {parameter.name}", word.span)
            values[parameter.name] = parameter.default
    note = f"in macro {macro.name}, used in line {word.line}"
    asm.input.push([fill_in(macro.body, values, note, asm.macro_count)], word)
    asm.macro_count += 1


def _count(number: int) -> str:
    return f"{number or 'no'} argument{'' if number == 1 else 's'}"


def _named(group: list[Token], macro: Macro) -> str | None:
    """The parameter that an argument ``name=value`` names."""
    if len(group) >= 2 and group[1].text == "=":
        return next((p.name for p in macro.parameters if p.name == group[0].text), None)
    return None


def _split(tokens: list[Token]) -> list[list[Token]]:
    """Arguments: separated by commas outside parentheses, or by space between two words."""
    groups: list[list[Token]] = [[]] if tokens else []
    depth = 0
    for token in tokens:
        if token.text == "," and depth == 0:
            groups.append([])
            continue
        last = groups[-1][-1] if groups[-1] else None
        apart = last is not None and token.column > last.span.end
        if last is not None and apart and "op" not in (token.kind, last.kind) and depth == 0:
            groups.append([])
        depth += (token.text == "(") - (token.text == ")")
        groups[-1].append(token)
    return groups


def _plain(group: list[Token]) -> str:
    """The text of an argument; quotes around all of it go away."""
    if len(group) == 1 and group[0].kind == "string":
        return group[0].text[1:-1]
    return _text(group[0].span, group[-1].span) if group else ""


def _text(first: Span, last: Span) -> str:
    return first.source.line(first.line)[first.column : last.end]


# --- repetitions ---------------------------------------------------------------------------------

_REPETITIONS = {".rept", ".irp", ".irpc"}


@directive(".rept")
def _rept(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    node = parse(cursor, asm.local_labels)
    cursor.finish()
    body = asm.input.block(cursor.tokens, word, _REPETITIONS, ".endr")
    count = asm.constant(node, statement)
    if not 0 <= count <= MAX_REPEATS:
        raise SourceError(f"{count} repetitions; it must be 0 to {MAX_REPEATS}", node.span)
    body.note = word.source.note
    asm.input.push([body] * count, word)


@directive(".irp", ".irpc")
def _irp(asm: Assembler, cursor: Cursor, statement: Statement, word: Token) -> None:
    name = cursor.take("a symbol")
    if name.kind != "name":
        raise SourceError(f"expected a symbol, found {name.text!r}", name.span)
    cursor.accept(",")
    rest = cursor.tokens[cursor.position :]
    body = asm.input.block(cursor.tokens, word, _REPETITIONS, ".endr")
    if word.text.lower() == ".irp":
        values = [_plain(group) for group in _split(rest)]
    else:
        values = [c for group in _split(rest) for c in _plain(group)]
    note = word.source.note
    asm.input.push([fill_in(body, {name.text: value}, note) for value in values], word)
