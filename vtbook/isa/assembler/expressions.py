"""Expressions of the assembly language: parsed to a tree, evaluated when addresses are known.

Precedence is that of the GNU assembler, which is not C's: ``* / % << >>`` bind tightest, then
``| & ^``, then ``+ -``, then comparisons, ``&&`` and ``||``. Parentheses are always right. A
comparison that holds is -1; ``&&`` and ``||`` give 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from vtbook.isa.assembler.errors import SourceError, Span
from vtbook.isa.assembler.lexer import Cursor, number, unescape
from vtbook.isa.assembler.relocations import OPERATORS

_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"||"}),
    frozenset({"&&"}),
    frozenset({"==", "!=", "<>", "<", ">", "<=", ">="}),
    frozenset("+-"),
    frozenset("|&^"),
    frozenset({"*", "/", "%", "<<", ">>"}),
)


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: int
    span: Span


@dataclass(frozen=True, slots=True)
class Name:
    """A symbol; ``.`` is the address of the statement. ``1f`` and ``1b`` are already resolved."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Unary:
    """``- + ~ !`` before an expression."""

    op: str
    operand: Node
    span: Span


@dataclass(frozen=True, slots=True)
class Binary:
    """Two expressions and an operator."""

    op: str
    left: Node
    right: Node
    span: Span


@dataclass(frozen=True, slots=True)
class Relocated:
    """``%hi(…)`` and its kin."""

    operator: str
    operand: Node
    span: Span


Node = Number | Name | Unary | Binary | Relocated


class Scope(Protocol):
    """What evaluation asks for."""

    def symbol(self, name: Name) -> int:
        """The value of a symbol; SourceError if it has none."""

    def relocated(self, node: Relocated) -> int:
        """The value of a relocation operator applied to its operand."""


class LocalLabels:
    """Numeric labels: ``1:`` may be defined many times; ``1b`` is the last one, ``1f`` the next."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def define(self, digits: str) -> str:
        """A unique symbol name for a new definition of the label."""
        self.counts[digits] = self.counts.get(digits, 0) + 1
        return f"{digits}:{self.counts[digits]}"

    def refer(self, text: str, span: Span) -> str:
        """The symbol that ``1b`` or ``1f`` means at this place."""
        digits, direction = str(int(text[:-1])), text[-1]
        count = self.counts.get(digits, 0)
        if direction == "b" and count == 0:
            raise SourceError(f"no label {digits}: stands before this line", span)
        return f"{digits}:{count if direction == 'b' else count + 1}"


def parse(cursor: Cursor, local_labels: LocalLabels, level: int = 0) -> Node:
    """Read an expression as long as possible; SourceError at what cannot continue it."""
    if level == len(_LEVELS):
        return _parse_primary(cursor, local_labels)
    left = parse(cursor, local_labels, level + 1)
    while cursor.at(*_LEVELS[level]):
        op = cursor.take().text
        right = parse(cursor, local_labels, level + 1)
        left = Binary(op, left, right, _join(left.span, right.span))
    return left


def _parse_primary(cursor: Cursor, local_labels: LocalLabels) -> Node:
    token = cursor.take("a value")
    if token.kind == "number":
        return Number(number(token), token.span)
    if token.kind == "char":
        return Number(int.from_bytes(unescape(token), "big"), token.span)
    if token.kind == "local":
        return Name(local_labels.refer(token.text, token.span), token.span)
    if token.kind == "name":
        if cursor.at("@"):  # name@plt, as compilers write it: here there is no other way to call
            cursor.take()
            cursor.take("plt")
        return Name(token.text, token.span)
    if token.text in ("-", "+", "~", "!"):
        operand = _parse_primary(cursor, local_labels)
        return Unary(token.text, operand, _join(token.span, operand.span))
    if token.text == "(":
        inner = parse(cursor, local_labels)
        cursor.expect(")")
        return inner
    if token.text == "%":
        name = cursor.take("a relocation operator")
        if name.text not in OPERATORS:
            known = ", ".join("%" + o for o in OPERATORS)
            raise SourceError(f"unknown operator %{name.text}; known are {known}", name.span)
        cursor.expect("(")
        inner = parse(cursor, local_labels)
        end = cursor.expect(")")
        return Relocated(name.text, inner, _join(token.span, end.span))
    raise SourceError(f"expected a value, found {token.text!r}", token.span)


def _join(first: Span, last: Span) -> Span:
    return Span(
        first.line, first.column, last.end if last.line == first.line else first.end, first.source
    )


def evaluate(node: Node, scope: Scope) -> int:
    """The value of an expression, an unbounded integer; SourceError if it has none."""
    match node:
        case Number(value):
            return value
        case Name():
            return scope.symbol(node)
        case Relocated():
            return scope.relocated(node)
        case Unary(op, operand):
            value = evaluate(operand, scope)
            return {"-": -value, "+": value, "~": ~value, "!": int(not value)}[op]
        case Binary(op, left, right, span):
            return _apply(op, evaluate(left, scope), evaluate(right, scope), span)


_TRUTHS: dict[str, Callable[[int, int], int]] = {
    "==": lambda a, b: -(a == b),
    "!=": lambda a, b: -(a != b),
    "<>": lambda a, b: -(a != b),
    "<": lambda a, b: -(a < b),
    ">": lambda a, b: -(a > b),
    "<=": lambda a, b: -(a <= b),
    ">=": lambda a, b: -(a >= b),
    "&&": lambda a, b: int(bool(a and b)),
    "||": lambda a, b: int(bool(a or b)),
}


def _apply(op: str, a: int, b: int, span: Span) -> int:
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "&":
            return a & b
        case "|":
            return a | b
        case "^":
            return a ^ b
        case "<<" | ">>":
            if not 0 <= b < 64:
                raise SourceError(f"a shift by {b}; it must be 0 to 63", span)
            return a << b if op == "<<" else a >> b
    if op in _TRUTHS:
        return _TRUTHS[op](a, b)
    if b == 0:
        raise SourceError("division by zero", span)
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return quotient if op == "/" else a - quotient * b


def substitute(node: Node, values: Mapping[str, Node]) -> Node:
    """The expression with names replaced by other expressions."""
    match node:
        case Name(name):
            return values.get(name, node)
        case Unary(op, operand, span):
            return Unary(op, substitute(operand, values), span)
        case Binary(op, left, right, span):
            return Binary(op, substitute(left, values), substitute(right, values), span)
        case Relocated(operator, operand):
            inner = substitute(operand, values)
            return Relocated(operator, inner, inner.span)
    return node


def fold(node: Node) -> Node:
    """The expression, as one number if it is only numbers."""
    try:
        return Number(evaluate(node, _NoScope()), node.span)
    except LookupError:
        return node


class _NoScope:
    """A scope without symbols."""

    def symbol(self, name: Name) -> int:
        raise LookupError(name.name)

    def relocated(self, node: Relocated) -> int:
        raise LookupError(node.operator)
