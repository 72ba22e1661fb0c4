"""Source text to tokens, and tokens to statements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from vtbook.isa.assembler.errors import Diagnostics, SourceError, SourceText, Span

_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r\f]+)
    | (?P<comment>\#[^\n]*|//[^\n]*|/\*.*?\*/)
    | (?P<newline>\n)
    | (?P<semicolon>;)
    | (?P<string>"(?:[^"\\\n]|\\.)*")
    | (?P<char>'(?:[^'\\\n]|\\(?:x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.))')
    | (?P<local>\d+[fb](?![\w.$]))
    | (?P<number>0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+
               |(?:\d+\.\d*|\d+(?=[eE][-+]?\d))(?:[eE][-+]?\d+)?|\d+)
    | (?P<name>[A-Za-z_.$][\w.$]*)
    | (?P<op><<|>>|&&|\|\||==|!=|<>|<=|>=|[-+*/%&|^~!()<>,:=@\\])
    | (?P<bad>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {
    "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\\": "\\", '"': '"', "'": "'",
}  # fmt: skip
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)


class Token(NamedTuple):
    """A word of the source. ``kind``: name, number, local, string, char or op."""

    kind: str
    text: str
    line: int
    column: int
    source: SourceText

    @property
    def span(self) -> Span:
        """Where it stands."""
        return Span(self.line, self.column, self.column + len(self.text), self.source)


def statements(source: SourceText, diagnostics: Diagnostics) -> Iterator[list[Token]]:
    """The tokens of each statement: a line, or a part of it between semicolons."""
    line, line_start = source.first_line, 0
    current: list[Token] = []
    for found in _TOKEN.finditer(source.text):
        kind = found.lastgroup or ""
        text = found.group()
        if kind == "space":
            continue
        if kind == "newline" or kind == "semicolon":
            if current:
                yield current
                current = []
        elif kind == "bad":
            column = found.start() - line_start
            message = "a quote without its end" if text in "\"'" else f"unexpected {text!r}"
            diagnostics.add(SourceError(message, Span(line, column, column + 1, source)))
        elif kind != "comment":
            current.append(Token(kind, text, line, found.start() - line_start, source))
        if "\n" in text:
            line += text.count("\n")
            line_start = found.start() + text.rindex("\n") + 1
    if current:
        yield current


def number(token: Token) -> int:
    """The value of a number token; SourceError if it is not a whole number."""
    text = token.text.lower()
    try:
        if text.startswith(("0x", "0b", "0o")):
            return int(text, 0)
        if len(text) > 1 and text.startswith("0"):
            return int(text, 8)
        return int(text)
    except ValueError:
        kind = "an octal number" if text.startswith("0") and text.isdigit() else "a whole number"
        raise SourceError(f"{token.text} is not {kind}", token.span) from None


def unescape(token: Token) -> bytes:
    """The bytes of a string or character token; text beyond ASCII is UTF-8."""

    def one(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] == "x" and len(code) > 1:
            return (
                chr(0xDC00 + int(code[1:], 16))
                if int(code[1:], 16) > 127
                else chr(int(code[1:], 16))
            )
        if code[0] in "01234567":
            value = int(code, 8) & 0xFF
            return chr(0xDC00 + value) if value > 127 else chr(value)
        if code not in _ESCAPES:
            raise SourceError(f"unknown escape \\{code}", token.span)
        return _ESCAPES[code]

    return _ESCAPE.sub(one, token.text[1:-1]).encode("utf-8", "surrogateescape")


class Cursor:
    """Reads the tokens of one statement from left to right."""

    def __init__(self, tokens: list[Token]):
        self.tokens = tokens
        self.position = 0

    def peek(self, ahead: int = 0) -> Token | None:
        """The next token, not taken; None at the end."""
        at = self.position + ahead
        return self.tokens[at] if at < len(self.tokens) else None

    def at(self, *texts: str) -> bool:
        """True if the next token is one of these operators."""
        token = self.peek()
        return token is not None and token.kind == "op" and token.text in texts

    def take(self, expected: str = "more") -> Token:
        """The next token; SourceError names what was expected if there is none."""
        token = self.peek()
        if token is None:
            raise SourceError(f"{expected} is missing here", self.end_span())
        self.position += 1
        return token

    def accept(self, text: str) -> Token | None:
        """Take the next token if it is this operator."""
        if self.at(text):
            return self.take()
        return None

    def expect(self, text: str) -> Token:
        """Take this operator; SourceError if something else stands here."""
        token = self.take(repr(text))
        if token.kind != "op" or token.text != text:
            raise SourceError(f"expected {text!r}, found {token.text!r}", token.span)
        return token

    @property
    def done(self) -> bool:
        """True if every token was taken."""
        return self.position >= len(self.tokens)

    def finish(self) -> None:
        """SourceError if a token is left over."""
        token = self.peek()
        if token is not None:
            raise SourceError(f"unexpected {token.text!r}", token.span)

    def end_span(self) -> Span:
        """The place just after the last token."""
        last = self.tokens[-1].span
        return Span(last.line, last.end, last.end + 1, last.source)
