"""Queues in a guest's memory, recorded as it runs: real bytes, read by a declared layout.

A recording stops the machine at each store into the declared memory, and notes what the bytes now
say. Who stored is told by the function that the store is in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vtbook.machine.debugging import MachineError, Place
from vtbook.widgets.queue_data import QueueBuilder

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine

MOST_STEPS = 5000
MOST_BYTES = 1 << 14


@dataclass(frozen=True)
class Field:
    """A number in memory.

    Args:
        name: What the reader sees.
        offset: Bytes from the start of its entry.
        size: Bytes, little-endian, unsigned: 1, 2, 4 or 8.
        show: Makes the cell's text of the number; decimal unless told.
    """

    name: str
    offset: int
    size: int = 8
    show: Callable[[int], str] = str


@dataclass(frozen=True)
class Pointer:
    """An index that runs freely: an unsigned number in memory, and the actor who moves it."""

    name: str
    place: Place
    actor: str
    size: int = 8


@dataclass(frozen=True)
class Layout:
    """How a structure lies in memory.

    Args:
        name: What it is called.
        title: What the reader sees.
        place: Address or symbol of its first entry.
        entries: How many there are.
        stride: Bytes from one entry to the next.
        fields: What an entry holds.
        pointers: Makes it a ring: its indices.
        window: Names of the two pointers between which slots are in use.
        names: ``(field, structure)``: the numbers of this field name entries of that structure;
            in a ring with a window, only those of slots in use.
    """

    name: str
    title: str
    place: Place
    entries: int
    stride: int
    fields: Sequence[Field]
    pointers: Sequence[Pointer] = ()
    window: tuple[str, str] | None = None
    names: tuple[str, str] | None = None


@dataclass
class _Reader:
    """The bytes of the declared memory, and the cells they make."""

    machine: Machine
    layouts: Sequence[Layout]
    cells: dict[tuple[str, int, int], str] = field(default_factory=dict)
    pointers: dict[tuple[str, str], int] = field(default_factory=dict)
    links: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)

    def number(self, place: int, size: int) -> int:
        return int.from_bytes(self.machine.read(place, size), "little")

    def read(self) -> None:
        """Read all cells, pointers and links from memory."""
        entries = {layout.name: layout.entries for layout in self.layouts}
        self.cells, self.pointers, self.links = {}, {}, {}
        for layout in self.layouts:
            start = self.machine.address(layout.place)
            for pointer in layout.pointers:
                place = self.machine.address(pointer.place)
                self.pointers[layout.name, pointer.name] = self.number(place, pointer.size)
            used = self._in_use(layout)
            for row in range(layout.entries):
                for column, one in enumerate(layout.fields):
                    value = self.number(start + row * layout.stride + one.offset, one.size)
                    self.cells[layout.name, row, column] = one.show(value)
                    if layout.names and layout.names[0] == one.name and row in used:
                        target = layout.names[1]
                        if value < entries.get(target, 0):
                            self.links[layout.name, row] = (target, value)

    def _in_use(self, layout: Layout) -> set[int]:
        """The rows whose numbers mean something: those in the window, or all without one."""
        if layout.window is None:
            return set(range(layout.entries))
        first, end = (self.pointers[layout.name, name] for name in layout.window)
        size = next(p.size for p in layout.pointers if p.name == layout.window[0])
        count = min((end - first) % (1 << 8 * size), layout.entries)  # an index wraps at its size
        return {(first + i) % layout.entries for i in range(count)}


def record_queues(
    machine: Machine,
    layouts: Sequence[Layout],
    actors: Mapping[str, str],
    who: Mapping[str, str],
    *,
    title: str,
    steps: int = 200,
    budget: int = 10_000_000,
    note: Callable[[str, str], str] | None = None,
) -> dict[str, Any]:
    """Run a machine, and return what its stores do to the declared structures.

    Args:
        machine: A loaded machine. It stays where the recording ended; its watchpoints come back.
        layouts: The structures; together at most `MOST_BYTES`.
        actors: Name of each actor -> its label.
        who: Function of the program -> the actor it acts for. Stores of other functions are shown
            with no actor.
        title: The heading.
        steps: The most stores to record.
        budget: The most instructions to run.
        note: Makes the sentence of a step of the actor's label and the function's name; unless
            given, it says which function stores.

    Returns:
        A ``vtbook-queues`` for the `QueueView` widget. It begins with the bytes as they are now.

    Raises:
        MachineError: a layout does not fit, or there are too many steps to ask for.
    """
    if not 1 <= steps <= MOST_STEPS:
        raise MachineError(f"{steps} steps to record; give 1 to {MOST_STEPS}")
    known = [layout.name for layout in layouts]
    for layout in layouts:
        if layout.names and layout.names[1] not in known:
            raise MachineError(
                f"layout '{layout.name}' names '{layout.names[1]}'; declared are {', '.join(known)}"
            )
        for one in layout.fields:
            if one.offset + one.size > layout.stride:
                raise MachineError(
                    f"layout '{layout.name}': field '{one.name}' ends after byte {layout.stride}, "
                    "where the next entry begins; give a greater stride"
                )
    spans = _spans(machine, layouts)
    total = sum(size for _, size, _ in spans)
    if total > MOST_BYTES:
        raise MachineError(f"the layouts take {total} bytes; record at most {MOST_BYTES}")
    reader = _Reader(machine, layouts)
    reader.read()
    builder = _start(title, actors, layouts, reader, spans, machine)
    kept = machine.watchpoints
    for place, _, _ in kept:
        machine.remove_watchpoint(place)
    try:
        for place, size, _ in spans:
            machine.add_watchpoint(place, size)
        end = machine.position[0] + budget
        for _ in range(steps):
            exit = machine.run(max(0, end - machine.position[0]))
            if exit.reason != "watchpoint" or exit.addr is None or exit.size is None:
                break
            # The pc is after the store, and may be where the next function begins.
            function = machine.symbols.describe(exit.pc - 1).partition("+")[0]
            actor = who.get(function, "")
            sentence = note(actors.get(actor, ""), function) if note else f"{function}()"
            _step(builder, reader, actor, sentence, (exit.addr, machine.read(exit.addr, exit.size)))
    finally:
        for place, _, _ in spans:
            machine.remove_watchpoint(place)
        for place, size, kind in kept:
            machine.add_watchpoint(place, size, kind)
    return builder.build()


def _spans(machine: Machine, layouts: Sequence[Layout]) -> list[tuple[int, int, str]]:
    """The memory to watch: address, bytes, name; what touches or overlaps is one span."""
    found = []
    for layout in layouts:
        found.append((machine.address(layout.place), layout.entries * layout.stride, layout.title))
        found += [(machine.address(p.place), p.size, p.name) for p in layout.pointers]
    joined: list[tuple[int, int, str]] = []
    for place, size, name in sorted(found):
        if joined and place <= joined[-1][0] + joined[-1][1] + 15:  # a gap of a few bytes is shown
            start, length, title = joined[-1]
            title = title if name in title.split(", ") else f"{title}, {name}"
            joined[-1] = (start, max(length, place + size - start), title)
        else:
            joined.append((place, size, name))
    return joined


def _start(
    title: str,
    actors: Mapping[str, str],
    layouts: Sequence[Layout],
    reader: _Reader,
    spans: Sequence[tuple[int, int, str]],
    machine: Machine,
) -> QueueBuilder:
    builder = QueueBuilder(title, actors)
    for layout in layouts:
        columns = [one.name for one in layout.fields]
        rows = [
            [reader.cells[layout.name, row, column] for column in range(len(columns))]
            for row in range(layout.entries)
        ]
        if layout.pointers:
            pointers = {
                p.name: (reader.pointers[layout.name, p.name], p.actor) for p in layout.pointers
            }
            builder.ring(
                layout.name, layout.title, columns, rows, pointers=pointers, window=layout.window
            )
        else:
            builder.table(layout.name, layout.title, columns, rows)
    for place, size, name in spans:
        builder.memory(place, machine.read(place, size), name)
    for (source, row), (target, at) in reader.links.items():
        builder.link(source, row, target, at)
    return builder


def _step(
    builder: QueueBuilder, reader: _Reader, actor: str, note: str, write: tuple[int, bytes]
) -> None:
    before = (dict(reader.cells), dict(reader.pointers), dict(reader.links))
    reader.read()
    cells, pointers, links = before
    builder.step(
        actor,
        note,
        cells={key: text for key, text in reader.cells.items() if cells[key] != text},
        pointers={key: value for key, value in reader.pointers.items() if pointers[key] != value},
        links=[(*key, *to) for key, to in reader.links.items() if links.get(key) != to],
        unlinks=[key for key in links if key not in reader.links],
        writes=[write],
    )
