"""A program's symbols, both ways: the address of a name, and the name of an address."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from vtbook.errors import VtbookError


class SymbolError(VtbookError, KeyError):
    """No symbol has this name."""

    def __str__(self) -> str:
        return str(self.args[0])


class Symbol(NamedTuple):
    """A name for ``size`` bytes at `address` (size 0: not known)."""

    address: int
    name: str
    size: int = 0


class SymbolTable(Mapping[str, int]):
    """Name -> address, as a read-only mapping; `at` and `describe` go the other way.

    Args:
        symbols: the symbols; of several with one name the first is found by name, and all are
            found by address.
    """

    def __init__(self, symbols: Iterable[Symbol] = ()) -> None:
        listed = list(symbols)
        self._by_name: dict[str, Symbol] = {}
        for symbol in listed:
            self._by_name.setdefault(symbol.name, symbol)
        # The last of several at an address is the one `at` finds: prefer one with a size.
        self._sorted = sorted(listed, key=lambda symbol: (symbol.address, symbol.size > 0))
        self._addresses = [symbol.address for symbol in self._sorted]

    @classmethod
    def of(cls, symbols: Mapping[str, int]) -> SymbolTable:
        """A table of names and addresses whose sizes are not known."""
        return cls(Symbol(address, name) for name, address in symbols.items())

    def __getitem__(self, name: str) -> int:
        try:
            return self._by_name[name].address
        except KeyError:
            near = get_close_matches(name, self._by_name, n=3) if len(self) < 20_000 else []
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise SymbolError(f"no symbol is called {name!r}{hint}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __repr__(self) -> str:
        return f"<{len(self)} symbols>"

    def at(self, address: int) -> tuple[str, int] | None:
        """The symbol at or below `address` and the distance from it.

        None if there is none, or if the nearest has a size and ends before `address`.
        """
        position = bisect_right(self._addresses, address) - 1
        if position < 0:
            return None
        symbol = self._sorted[position]
        distance = address - symbol.address
        if symbol.size and distance >= symbol.size:
            return None
        return symbol.name, distance

    def describe(self, address: int) -> str:
        """`address` in words: ``main+0x1c``, or the number if no symbol holds it."""
        found = self.at(address)
        if found is None:
            return f"{address:#x}"
        name, distance = found
        return f"{name}+{distance:#x}" if distance else name
