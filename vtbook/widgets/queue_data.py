"""Tables, rings and queues that change step by step: the data of the `QueueView` widget.

The data is a ``vtbook-queues``, version 1; all cells are text, ready to be read::

    {"format": "vtbook-queues", "version": 1,
     "title": text,
     "actors": [[name, label], ...],                       who acts; at most four
     "structures": [[name, kind, title, columns, rows, pointers, window], ...],
     "links": [[structure, row, structure, row], ...],     from an index to what it names
     "memory": [[base, size, bytes, name], ...],           as in a vtbook-trace
     "steps": [[actor, note, change, ...], ...]}

``kind`` is one of `KINDS`. A table and a ring have rows of as many cells as columns; row *i* is
slot *i*. A queue starts with its rows, first in first out, and has one column. ``pointers`` of a
ring are ``[name, value, actor or ""]``: the value runs freely, and names slot ``value % rows``.
``window`` is ``[first, end]``: two pointers between which slots are in use, or ``[]``. Structures
are numbered as they stand, and so are pointers. Each ``change`` is a list that starts with its
kind:

=================================  ==========================================================
``["cell", s, row, column, text]``  a cell has a new text
``["pointer", s, p, value]``        a pointer moved
``["push", s, text]``               a queue got an item at its end
``["pop", s]``                      a queue lost its first item
``["link", s, row, s, row]``        the first row now names the second; an older link goes
``["unlink", s, row]``              the row names nothing any more
``["visit", s, row]``               the actor looked at this row
``["r", address, n]``               *n* bytes were read there
``["w", address, bytes]``           these bytes were written there
=================================  ==========================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vtbook.widgets.checks import (
    DataError,
    check_bytes,
    check_count,
    check_distinct,
    check_filled,
    check_format,
    check_hex,
    check_items,
    check_list,
    check_text,
    index_into,
    one_of,
)

FORMAT, VERSION = "vtbook-queues", 1
KINDS = ("table", "ring", "queue")
MOST_ACTORS = 4


class QueueBuilder:
    """Collect structures, then steps.

    Args:
        title: The heading.
        actors: Name of each one that acts -> its label, such as ``{"driver": "Driver"}``.

    Structures and pointers are called by their names. Errors are `DataError` and name the step.

    Example:
        >>> b = QueueBuilder("One ring", {"p": "Producer", "c": "Consumer"})
        >>> b.ring("ring", "Ring", ["value"], [[""]] * 4,
        ...        pointers={"tail": (0, "c"), "head": (0, "p")}, window=("tail", "head"))
        >>> b.step("p", "puts 7", cells={("ring", 0, 0): "7"}, pointers={("ring", "head"): 1})
        >>> b.build()["steps"]
        [['p', 'puts 7', ['cell', 0, 0, 0, '7'], ['pointer', 0, 1, 1]]]
    """

    def __init__(self, title: str, actors: Mapping[str, str]) -> None:
        self._title = title
        self._actors = [[name, label] for name, label in actors.items()]
        self._structures: list[list[Any]] = []
        self._links: list[list[int]] = []
        self._memory: list[list[Any]] = []
        self._steps: list[list[Any]] = []

    def table(
        self, name: str, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
    ) -> None:
        """Add a table; its rows are numbered from 0."""
        self._add(name, "table", title, columns, rows, [], [])

    def ring(
        self,
        name: str,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        pointers: Mapping[str, tuple[int, str]],
        window: tuple[str, str] | None = None,
    ) -> None:
        """Add a ring of as many slots as there are rows.

        Args:
            name: What steps call it.
            title: What the reader sees.
            columns: Heads of the cells of a slot.
            rows: The cells of each slot.
            pointers: Name -> value, and the actor that moves it (or ``""``).
            window: The two pointers between which slots are in use.
        """
        names = list(pointers)
        for pointer in window or ():
            one_of(names, "pointer")(pointer, f"ring '{name}'")
        moved = [[pointer, value, actor] for pointer, (value, actor) in pointers.items()]
        used = [names.index(pointer) for pointer in window or ()]
        self._add(name, "ring", title, columns, rows, moved, used)

    def queue(self, name: str, title: str, items: Sequence[str] = ()) -> None:
        """Add a queue, first in first out."""
        self._add(name, "queue", title, [""], [[item] for item in items], [], [])

    def _add(self, name: str, kind: str, title: str, columns: Any, rows: Any, *rest: Any) -> None:
        if self._steps:
            raise DataError(f"structure '{name}'", "comes after a step; add structures first")
        copied = [list(row) for row in rows]
        self._structures.append([name, kind, title, list(columns), copied, *rest])

    def memory(self, base: int, data: bytes, name: str) -> None:
        """Show these raw bytes, at an address, beside the structures."""
        stored = bytes(data).rstrip(b"\0").hex()
        self._memory.append([format(base, "x"), len(data), stored, name])

    def link(self, source: str, row: int, target: str, target_row: int) -> None:
        """Say that a row names another row from the start."""
        where = f"link from '{source}'"
        self._links.append(
            [self._number(source, where), row, self._number(target, where), target_row]
        )

    def step(
        self,
        actor: str,
        note: str,
        *,
        cells: Mapping[tuple[str, int, int], str] | None = None,
        pointers: Mapping[tuple[str, str], int] | None = None,
        push: Sequence[tuple[str, str]] = (),
        pop: Sequence[str] = (),
        links: Sequence[tuple[str, int, str, int]] = (),
        unlinks: Sequence[tuple[str, int]] = (),
        visits: Sequence[tuple[str, int]] = (),
        reads: Sequence[tuple[int, int]] = (),
        writes: Sequence[tuple[int, bytes]] = (),
    ) -> None:
        """Add a step.

        Args:
            actor: Who acts; ``""`` for nobody in particular.
            note: What happens, in words.
            cells: ``(structure, row, column)`` -> the new text.
            pointers: ``(structure, pointer)`` -> the new value.
            push: ``(queue, item)`` put at the end.
            pop: Queues that lose their first item.
            links: ``(structure, row, structure, row)``: the first names the second from now on.
            unlinks: ``(structure, row)`` that name nothing any more.
            visits: ``(structure, row)`` that the actor looks at.
            reads: ``(address, bytes)`` of the raw memory.
            writes: ``(address, data)`` of the raw memory.
        """
        where = f"step {len(self._steps) + 1}"
        number = self._number
        changes: list[list[Any]] = [
            ["cell", number(s, where), row, column, text]
            for (s, row, column), text in (cells or {}).items()
        ]
        for (s, pointer), value in (pointers or {}).items():
            names = [name for name, _, _ in self._structures[number(s, where)][5]]
            one_of(names, "pointer")(pointer, where)
            changes.append(["pointer", number(s, where), names.index(pointer), value])
        changes += [["pop", number(s, where)] for s in pop]
        changes += [["push", number(s, where), item] for s, item in push]
        changes += [["unlink", number(s, where), row] for s, row in unlinks]
        changes += [["link", number(s, where), r, number(u, where), v] for s, r, u, v in links]
        changes += [["visit", number(s, where), row] for s, row in visits]
        changes += [["r", format(address, "x"), n] for address, n in reads]
        changes += [["w", format(address, "x"), bytes(data).hex()] for address, data in writes]
        self._steps.append([actor, note, *changes])

    def _number(self, name: str, where: str) -> int:
        names = [structure[0] for structure in self._structures]
        one_of(names, "structure")(name, where)
        return names.index(name)

    def build(self) -> dict[str, Any]:
        """Return the ``vtbook-queues``, checked."""
        data = {
            "format": FORMAT,
            "version": VERSION,
            "title": self._title,
            "actors": self._actors,
            "structures": self._structures,
            "links": self._links,
            "memory": self._memory,
            "steps": self._steps,
        }
        validate_queues(data)
        return data


def validate_queues(data: Any) -> None:
    """Check a ``vtbook-queues``.

    Raises:
        DataError: the first thing found wrong, with its path.
    """
    names = ("title", "actors", "structures", "links", "memory", "steps")
    check_format(data, FORMAT, VERSION, names)
    check_filled(data["title"], "title")
    actors = check_list(data["actors"], "actors")
    if len(actors) > MOST_ACTORS:
        raise DataError("actors", f"has {len(actors)}; give at most {MOST_ACTORS}")
    for i, actor in enumerate(actors):
        check_items(actor, f"actors[{i}]", ("name", check_filled), ("label", check_filled))
    known = ["", *(name for name, _ in actors)]
    structures = check_list(data["structures"], "structures")
    if not structures:
        raise DataError("structures", "is empty; give at least one")
    for i, structure in enumerate(structures):
        _check_structure(structure, f"structures[{i}]", known)
    check_distinct([structure[0] for structure in structures], "structures")
    replay = _Replay(structures)
    for i, link in enumerate(check_list(data["links"], "links")):
        replay.change(["link", *check_list(link, f"links[{i}]")], f"links[{i}]")
    for i, region in enumerate(check_list(data["memory"], "memory")):
        where = f"memory[{i}]"
        check_items(
            region,
            where,
            ("base", check_hex),
            ("size", lambda value, path: check_count(value, path, 1)),
            ("bytes", check_bytes),
            ("name", check_text),
        )
        if len(region[2]) > 2 * region[1]:
            raise DataError(where, f"has {len(region[2]) // 2} bytes in a size of {region[1]}")
    for n, step in enumerate(check_list(data["steps"], "steps")):
        where = f"steps[{n}]"
        if len(check_list(step, where)) < 2:
            raise DataError(where, "is too short; a step starts with its actor and its note")
        one_of(known, "actor")(step[0], f"{where}[0]")
        check_text(step[1], f"{where}[1]")
        for k, change in enumerate(step[2:], 2):
            replay.change(change, f"{where}[{k}]")


def _check_structure(structure: Any, where: str, actors: list[str]) -> None:
    check_items(
        structure,
        where,
        ("name", check_filled),
        ("kind", one_of(KINDS, "kind of structure")),
        ("title", check_filled),
        ("columns", _list),
        ("rows", _list),
        ("pointers", _list),
        ("window", _list),
    )
    _, kind, _, columns, rows, pointers, window = structure
    if not columns or (kind == "queue" and len(columns) != 1):
        raise DataError(
            f"{where}[3]",
            f"has {len(columns)} columns; a {kind} needs at least one"
            if not columns
            else f"has {len(columns)} columns; a queue has one",
        )
    for i, column in enumerate(columns):
        check_text(column, f"{where}[3][{i}]")
    for i, row in enumerate(rows):
        check_items(row, f"{where}[4][{i}]", *((column, check_text) for column in columns))
    if not rows and kind != "queue":
        raise DataError(f"{where}[4]", f"is empty; a {kind} has at least one row")
    for i, pointer in enumerate(pointers):
        check_items(
            pointer,
            f"{where}[5][{i}]",
            ("name", check_filled),
            ("value", check_count),
            ("actor", one_of(actors, "actor")),
        )
    if pointers and kind != "ring":
        raise DataError(f"{where}[5]", f"is not empty; a {kind} has no pointers")
    if window:
        check = index_into(len(pointers), "pointer")
        check_items(window, f"{where}[6]", ("first", check), ("end", check))


def _list(value: Any, path: str) -> None:
    check_list(value, path)


class _Replay:
    """The lengths of the structures as the steps go by, to check each change against."""

    def __init__(self, structures: list[Any]) -> None:
        self.structures = structures
        self.lengths = [len(structure[4]) for structure in structures]

    def change(self, change: Any, where: str) -> None:
        kinds = {
            "cell": (self._structure("table", "ring"), self._row, self._column, check_text),
            "pointer": (self._structure("ring"), self._pointer, check_count),
            "push": (self._structure("queue"), check_text),
            "pop": (self._structure("queue"),),
            "link": (self._structure(*KINDS), self._row, self._structure(*KINDS), self._row),
            "unlink": (self._structure(*KINDS), self._row),
            "visit": (self._structure(*KINDS), self._row),
            "r": (check_hex, check_count),
            "w": (check_hex, check_bytes),
        }
        values = check_list(change, where)
        one_of(kinds, "kind of change")(values[0] if values else "", where)
        checks = kinds[values[0]]
        check_items(values[1:], where, *(("value", check) for check in checks))
        if values[0] == "push":
            self.lengths[values[1]] += 1
        elif values[0] == "pop":
            if not self.lengths[values[1]]:
                raise DataError(where, "takes from a queue that is empty")
            self.lengths[values[1]] -= 1

    def _structure(self, *kinds: str) -> Any:
        def check(value: Any, path: str) -> None:
            index_into(len(self.structures), "structure")(value, path)
            self.current = value
            kind = self.structures[value][1]
            if kind not in kinds:
                raise DataError(path, f"is a {kind}; this change is for a {' or '.join(kinds)}")

        return check

    def _row(self, value: Any, path: str) -> None:
        index_into(self.lengths[self.current], "row")(value, path)

    def _column(self, value: Any, path: str) -> None:
        index_into(len(self.structures[self.current][3]), "column")(value, path)

    def _pointer(self, value: Any, path: str) -> None:
        index_into(len(self.structures[self.current][5]), "pointer")(value, path)
