"""Source texts, places in them, and errors at those places."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from vtbook.errors import VtbookError

#: An assembly stops after this many errors.
MAX_ERRORS = 20


class SourceText:
    """A text that is assembled: the whole source, or what a macro makes of its body.

    ``first_line`` is the number of its first line in the source; ``note`` says where it comes from.
    """

    def __init__(self, text: str, first_line: int = 1, note: str = ""):
        self.text = text
        self.first_line = first_line
        self.note = note
        self.lines = text.split("\n")

    def line(self, number: int) -> str:
        """The text of a line, by its number in the source."""
        index = number - self.first_line
        return self.lines[index] if 0 <= index < len(self.lines) else ""

    def between(self, start: Span, end: Span) -> str:
        """The text from the end of one span to the start of another."""
        if start.line == end.line:
            return self.line(start.line)[start.end : end.column]
        inner = [self.line(n) for n in range(start.line + 1, end.line)]
        first, last = self.line(start.line)[start.end :], self.line(end.line)[: end.column]
        return "\n".join([first, *inner, last])


class Span(NamedTuple):
    """A piece of one source line: line from 1, columns from 0, the end excluded."""

    line: int
    column: int
    end: int
    source: SourceText = SourceText("")

    @property
    def place(self) -> tuple[int, int, int]:
        """Line and columns, to sort by."""
        return self[:3]


class SourceError(VtbookError):
    """One thing wrong at one place; collected into an AssemblyError.

    A ``certain`` error is the one to show when other ways to read the statement fail as well.
    """

    def __init__(self, message: str, span: Span, certain: bool = False):
        super().__init__(message)
        self.message = message
        self.span = span
        self.certain = certain


@dataclass(frozen=True)
class Diagnostic:
    """One error of a source text. ``line`` and ``column`` count from 1."""

    filename: str
    line: int
    column: int
    width: int
    message: str
    source: str

    def __str__(self) -> str:
        before = self.source[: self.column - 1]
        indent = "".join(c if c == "\t" else " " for c in before)
        marker = "^" + "~" * (min(self.width, len(self.source) - len(before)) - 1)
        where = f"{self.filename}:{self.line}:{self.column}"
        return f"{where}: {self.message}\n    {self.source}\n    {indent}{marker}"


class AssemblyError(VtbookError):
    """The source text cannot be assembled; ``diagnostics`` holds every error, 20 at most."""

    def __init__(self, diagnostics: Iterable[Diagnostic]):
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(str(d) for d in self.diagnostics))


class Diagnostics:
    """Collects the errors of one source text."""

    def __init__(self, filename: str):
        self.filename = filename
        self.errors: list[SourceError] = []

    def add(self, error: SourceError) -> None:
        """Note an error; raises AssemblyError when there are too many."""
        known = any(
            e.span.place == error.span.place and e.message == error.message for e in self.errors
        )
        if not known:
            self.errors.append(error)
        if len(self.errors) >= MAX_ERRORS:
            self.check()

    def check(self) -> None:
        """Raise AssemblyError if there was any error."""
        if self.errors:
            self.errors.sort(key=lambda e: e.span.place)
            raise AssemblyError(self._diagnostic(e) for e in self.errors)

    def _diagnostic(self, error: SourceError) -> Diagnostic:
        line, column, end, source = error.span
        message = f"{error.message} ({source.note})" if source.note else error.message
        text, width = source.line(line).rstrip(), max(1, end - column)
        return Diagnostic(self.filename, line, column + 1, width, message, text)


def suggestion(word: str, known: Iterable[str]) -> str:
    """``"; did you mean addi or addiw?"``, or nothing if no known word is near."""
    close = difflib.get_close_matches(word.lower(), list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""
