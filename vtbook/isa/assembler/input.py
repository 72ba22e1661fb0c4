"""The statements of a source in order, with macro bodies put in where they are used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vtbook.isa.assembler.errors import Diagnostics, SourceError, SourceText
from vtbook.isa.assembler.lexer import Token, statements

#: Macros that use macros deeper than this never end.
MAX_DEPTH = 100


def split_labels(tokens: list[Token]) -> tuple[list[Token], list[Token]]:
    """The labels that begin a statement, and the rest of it."""
    labels = []
    while len(tokens) >= 2 and tokens[1].text == ":" and tokens[0].kind in ("name", "number"):
        labels.append(tokens[0])
        tokens = tokens[2:]
    return labels, tokens


def directive_of(tokens: list[Token]) -> str:
    """The first word of a statement after its labels, in lower case."""
    rest = split_labels(tokens)[1]
    return rest[0].text.lower() if rest else ""


class Input:
    """Iterates over statements; texts can be put in front of those still to come."""

    def __init__(self, source: SourceText, diagnostics: Diagnostics):
        self.diagnostics = diagnostics
        self._texts: list[Iterator[list[Token]]] = [statements(source, diagnostics)]

    def __iter__(self) -> Iterator[list[Token]]:
        return self

    def __next__(self) -> list[Token]:
        while self._texts:
            tokens = next(self._texts[-1], None)
            if tokens is not None:
                return tokens
            self._texts.pop()
        raise StopIteration

    def push(self, texts: Iterable[SourceText], word: Token) -> None:
        """Go on with these texts, one after the other; SourceError if they nest too deep."""
        if len(self._texts) >= MAX_DEPTH:
            raise SourceError(f"{word.text} nests more than {MAX_DEPTH} deep", word.span)

        def chained() -> Iterator[list[Token]]:
            for text in texts:
                yield from statements(text, self.diagnostics)

        self._texts.append(chained())

    def block(self, opening: list[Token], word: Token, opens: set[str], close: str) -> SourceText:
        """The text from a statement to the one that closes it, taken from the input."""
        tokens = self.skip_to(word, opens, {close}, close)
        end = split_labels(tokens)[1][0].span
        start = opening[-1].span
        return SourceText(word.source.between(start, end), start.line)

    def skip_to(self, word: Token, opens: set[str], stops: set[str], close: str) -> list[Token]:
        """Take statements up to one whose word is in ``stops``, and return that one.

        Inner blocks, from a word in ``opens`` to ``close``, are taken whole. SourceError if the
        text ends first.
        """
        depth = 0
        for tokens in self._texts[-1] if self._texts else ():
            name = directive_of(tokens)
            if depth == 0 and name in stops:
                return tokens
            depth += (name in opens) - (name == close)
        raise SourceError(f"{word.text} without {close}", word.span)
