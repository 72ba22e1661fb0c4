"""Operands, read as the slots of a syntax string say."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from vtbook.isa.assembler.errors import SourceError, Span, suggestion
from vtbook.isa.assembler.expressions import LocalLabels, Name, Node, Number, parse
from vtbook.isa.assembler.lexer import Cursor, Token
from vtbook.isa.csr_names import CSR_NUMBERS
from vtbook.isa.pseudo import ROUNDING_MODES
from vtbook.isa.registers import F_NUMBERS, X_NUMBERS
from vtbook.isa.syntax import Slot

_FENCE_LETTERS = {"i": 8, "o": 4, "r": 2, "w": 1}


class Reader(NamedTuple):
    """What reading operands needs.

    ``placeholders`` are the operand names of a pseudo-instruction whose steps are being read.
    """

    cursor: Cursor
    labels: LocalLabels
    placeholders: Collection[str] = ()


def read_operands(reader: Reader, slots: Iterable[Slot]) -> dict[str, Node]:
    """The value of each operand; SourceError at the first token that doesn't fit.

    A rounding mode at the end may be left out.
    """
    values: dict[str, Node] = {}
    for position, slot in enumerate(slots):
        if slot.kind == "rm" and reader.cursor.done:
            break
        if position:
            reader.cursor.expect(",")
        _READERS[slot.kind](reader, slot, values)
    reader.cursor.finish()
    return values


def _register(reader: Reader, table: dict[str, int], what: str) -> Node:
    token = reader.cursor.take(what)
    if token.text in reader.placeholders:
        return Name(token.text, token.span)
    if token.kind == "name" and token.text in table:
        return Number(table[token.text], token.span)
    if token.kind == "name":
        raise SourceError(
            f"{token.text!r} is not {what}{suggestion(token.text, table)}", token.span
        )
    raise SourceError(f"expected {what}, found {token.text!r}", token.span)


def _read_x(reader: Reader, slot: Slot, values: dict[str, Node]) -> None:
    values[slot.name] = _register(reader, X_NUMBERS, "an integer register")


def _read_f(reader: Reader, slot: Slot, values: dict[str, Node]) -> None:
    values[slot.name] = _register(reader, F_NUMBERS, "a floating-point register")


def _read_fixed(reader: Reader, slot: Slot, values: dict[str, Node]) -> None:
    node = _register(reader, X_NUMBERS, f"the register {slot.name}")
    if not isinstance(node, Number) or node.value != X_NUMBERS[slot.name]:
        raise SourceError(f"only the register {slot.name} can stand here", node.span)


def _read_expression(reader: Reader, slot: Slot, values: dict[str, Node]) -> None:
    token = reader.cursor.peek()
    if token is not None and token.kind == "name" and slot.kind in ("imm", "upper"):
        _refuse_register(token, reader, certain=False)
    values[slot.name] = parse(reader.cursor, reader.labels)


def _refuse_register(token: Token, reader: Reader, certain: bool) -> None:
    """A register where a number belongs is a slip, not a symbol."""
    if token.text not in reader.placeholders and token.text in X_NUMBERS | F_NUMBERS:
        message = f"expected a number, found the register {token.text}"
        raise SourceError(message, token.span, certain)


def _read_memory(reader: Reader, slot: Slot, values: dict[str, Node]) -> None:
    cursor = reader.cursor
    offset: Node
    if cursor.at("(") and _is_base(reader):
        token = cursor.peek()
        assert token is not None
        offset = Number(0, token.span)
    else:
        first = cursor.peek()
        if first is not None and first.kind == "name":
            _refuse_register(first, reader, certain=True)
        offset = parse(cursor, reader.labels)
    if slot.name:
        values[slot.name] = offset
    elif not isinstance(offset, Number) or offset.value != 0:
        raise SourceError("this instruction takes no offset: write (register)", offset.span)
    if cursor.done:
        raise SourceError("the base register is missing, as in 8(sp)", cursor.end_span())
    cursor.expect("(")
    if slot.base in X_NUMBERS:
        _read_fixed(reader, Slot("fixed", slot.base), values)
    else:
        values[slot.base] = _register(reader, X_NUMBERS, "an integer register")
    cursor.expect(")")


def _is_base(reader: Reader) -> bool:
    """True if a parenthesis opens here around nothing but a register."""
    name, end = reader.cursor.peek(1), reader.cursor.peek(2)
    if name is None or end is None or end.text != ")":
        return False
    return name.text in X_NUMBERS or name.text in reader.placeholders


def _read_csr(reader: Reader, slot: Slot, values: dict[str, Node]) -> None:
    token = reader.cursor.peek()
    if token is not None and token.kind == "name":
        reader.cursor.take()
        if token.text in reader.placeholders:
            values[slot.name] = Name(token.text, token.span)
        elif token.text.lower() in CSR_NUMBERS:
            values[slot.name] = Number(CSR_NUMBERS[token.text.lower()], token.span)
        else:
            # It may be a constant that .equ defines.
            values[slot.name] = Name(token.text, token.span)
        return
    values[slot.name] = parse(reader.cursor, reader.labels)


def _read_rounding(reader: Reader, slot: Slot, values: dict[str, Node]) -> None:
    token = reader.cursor.take("a rounding mode")
    if token.text in reader.placeholders:
        values[slot.name] = Name(token.text, token.span)
    elif token.text in ROUNDING_MODES:
        values[slot.name] = Number(ROUNDING_MODES[token.text], token.span)
    else:
        known = ", ".join(ROUNDING_MODES)
        raise SourceError(f"{token.text!r} is not a rounding mode: {known}", token.span)


def _read_fence(reader: Reader, slot: Slot, values: dict[str, Node]) -> None:
    token = reader.cursor.take("letters out of iorw")
    if token.text in reader.placeholders:
        values[slot.name] = Name(token.text, token.span)
        return
    if token.text != "0" and not _is_fence_set(token.text):
        message = f"{token.text!r} is not a set of accesses: letters out of iorw, in this order"
        raise SourceError(message, token.span)
    bits = sum(_FENCE_LETTERS.get(letter, 0) for letter in token.text)
    values[slot.name] = Number(bits, token.span)


def _is_fence_set(text: str) -> bool:
    return text == "".join(letter for letter in "iorw" if letter in text)


def fence_text(bits: int) -> str:
    """The letters of a fence operand, ``0`` for none."""
    return "".join(letter for letter, bit in _FENCE_LETTERS.items() if bits & bit) or "0"


_READERS = {
    "x": _read_x,
    "f": _read_f,
    "fixed": _read_fixed,
    "imm": _read_expression,
    "upper": _read_expression,
    "target": _read_expression,
    "symbol": _read_expression,
    "memory": _read_memory,
    "csr": _read_csr,
    "rm": _read_rounding,
    "fence": _read_fence,
}

__all__ = ["Reader", "Span", "fence_text", "read_operands"]
