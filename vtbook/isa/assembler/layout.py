"""Layout: what a source text puts where.

A section is a list of items. Sizes of some items depend on addresses (branches that may be too
far, padding), and addresses depend on sizes, so both are computed again until nothing changes.
Branches only ever grow, so this ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from vtbook.isa.assembler.errors import Diagnostics, SourceError, Span, suggestion
from vtbook.isa.assembler.expressions import Name, Node, Number, Relocated, evaluate
from vtbook.isa.assembler.relocations import fits_upper, lower, upper
from vtbook.isa.instruction_set import InstructionSet
from vtbook.isa.registers import X_NAMES

PAGE = 4096


@dataclass(eq=False)
class Statement:
    """One statement of the source: where it is, and how it may be assembled."""

    span: Span
    compress: bool
    order: int  # how many assignments stand before it: they are those that it sees


class Item:
    """Something at an address: base class of instructions, data, padding, labels."""

    def __init__(self, statement: Statement):
        self.statement = statement
        self.address = 0
        self.size = 0

    def measure(self, layout: Layout) -> int:
        """Bytes that this item takes at its present address."""
        return self.size

    def emit(self, layout: Layout) -> list[bytes]:
        """Its bytes, one entry for each instruction or datum; SourceError if it can't be made."""
        return []


class Label(Item):
    """A name for the address where it stands; takes no room."""


class Assignment(Item):
    """``.equ name, expression``; stands at an address because the expression may say ``.``."""

    def __init__(self, statement: Statement, node: Node):
        super().__init__(statement)
        self.node = node


@dataclass(eq=False)
class Section:
    """A section: its items in order. ``flags`` as in ``.section``: a w x."""

    name: str
    flags: str
    alignment: int = 1
    has_bytes: bool = True
    items: list[Item] = field(default_factory=list)
    address: int = 0
    size: int = 0


class Layout:
    """Addresses of all items, and the values of expressions at them."""

    def __init__(self, isa: InstructionSet, origin: int, diagnostics: Diagnostics):
        self.isa = isa
        self.origin = origin
        self.diagnostics = diagnostics
        self.sections: dict[str, Section] = {}
        self.labels: dict[str, Label] = {}
        self.assignments: dict[str, list[tuple[int, Assignment]]] = {}
        self.given: dict[str, int] = {}
        self.weak: set[str] = set()
        self.pcrel_hi: dict[int, int] = {}  # address of an auipc to the distance it begins
        self.placed = False  # after the first pass, when labels have an address

    # --- sizes and addresses ---------------------------------------------------------------------

    def resolve(self) -> None:
        """Give every item its address."""
        self._place_all()
        self.placed = True
        while self._place_all():
            pass

    def _place_all(self) -> bool:
        """One pass; True if an address or size changed."""
        changed = False
        self.pcrel_hi.clear()
        address = self.origin
        permissions = None
        for section in self.ordered_sections():
            if permissions is not None and section.flags != permissions and section.items:
                address = -(-address // PAGE) * PAGE
            if section.items:
                permissions = section.flags
            address = -(-address // section.alignment) * section.alignment
            section.address = address
            for item in section.items:
                changed |= item.address != address
                item.address = address
                size = item.measure(self)
                changed |= size != item.size
                item.size = size
                address += size
            section.size = address - section.address
        return changed

    def ordered_sections(self) -> list[Section]:
        """Code first, then constants, data, and zeros last; otherwise as the source names them."""

        def rank(section: Section) -> int:
            if section.name == ".text.init":
                return 0
            if "x" in section.flags:
                return 1 if section.name.startswith(".text") else 2
            if "w" not in section.flags:
                return 3
            return 4 if section.has_bytes else 5

        return sorted(self.sections.values(), key=rank)

    # --- values ----------------------------------------------------------------------------------

    def value(self, node: Node, item: Item) -> int:
        """The value of an expression in an item; SourceError if it has none."""
        if isinstance(node, Number):
            return node.value
        return evaluate(node, _ItemScope(self, item.address, item.statement.order))

    def constant(self, node: Node, item: Item) -> int | None:
        """The value of an expression that depends on no address, else None."""
        if isinstance(node, Number):
            return node.value
        scope = _ItemScope(self, item.address, item.statement.order)
        try:
            value = evaluate(node, scope)
        except SourceError:
            return None
        return None if scope.saw_address else value

    def is_defined(self, name: str) -> bool:
        """True if a symbol has a value by now."""
        return name in self.labels or name in self.assignments or name in self.given

    def undefined(self, name: Name) -> SourceError:
        """The error for a symbol without a value."""
        known = [*self.labels, *self.assignments, *self.given]
        words = [n for n in known if ":" not in n] + X_NAMES  # a slip in a register's name
        if ":" in name.name:
            digits = name.name.split(":")[0]
            return SourceError(f"no label {digits}: follows", name.span)
        message = f"{name.name!r} is not defined{suggestion(name.name, words)}"
        return SourceError(message, name.span)


class _ItemScope:
    """Names as one item sees them."""

    def __init__(self, layout: Layout, dot: int, order: int, active: frozenset[str] = frozenset()):
        self.layout = layout
        self.dot = dot
        self.order = order
        self.active = active
        self.saw_address = False

    def symbol(self, name: Name) -> int:
        layout = self.layout
        if name.name == ".":
            self.saw_address = True
            return self.dot
        label = layout.labels.get(name.name)
        if label is not None:
            self.saw_address = True
            return label.address
        versions = layout.assignments.get(name.name)
        if versions:
            return self._assigned(name, versions)
        if name.name in layout.given:
            return layout.given[name.name]
        if name.name in layout.weak:
            return 0
        raise layout.undefined(name)

    def _assigned(self, name: Name, versions: list[tuple[int, Assignment]]) -> int:
        visible = [a for index, a in versions if index < self.order]
        assignment = visible[-1] if visible else versions[-1][1]
        key = f"{name.name}@{id(assignment)}"
        if key in self.active:
            raise SourceError(f"{name.name!r} is defined by itself", name.span)
        inner = _ItemScope(
            self.layout, assignment.address, assignment.statement.order, self.active | {key}
        )
        value = evaluate(assignment.node, inner)
        self.saw_address |= inner.saw_address
        return value

    def relocated(self, node: Relocated) -> int:
        self.saw_address = True
        value = evaluate(node.operand, self)
        match node.operator:
            case "pcrel_lo":
                return self._pcrel_lo(value, node)
            case "pcrel_hi":
                value -= self.dot
                if not fits_upper(value):
                    message = f"the target is {value:#x} bytes away; auipc reaches 2 GiB"
                    raise SourceError(message, node.span)
            case _:
                value = _signed64(value)
                if not fits_upper(value):
                    message = (
                        f"{value & (1 << 64) - 1:#x} cannot be made by lui, which sign-extends 32 "
                        f"bits; use la, or %pcrel_hi with auipc"
                    )
                    raise SourceError(message, node.span)
        return upper(value) if node.operator.endswith("hi") else lower(value)

    def _pcrel_lo(self, address: int, node: Relocated) -> int:
        distance = self.layout.pcrel_hi.get(address)
        if distance is None:
            message = f"no auipc with %pcrel_hi at {address:#x}; %pcrel_lo needs the label of one"
            raise SourceError(message, node.span)
        return lower(distance)


def _signed64(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


class Piece(NamedTuple):
    """Bytes of one item at an address."""

    address: int
    data: bytes
    item: Item


def emit_all(layout: Layout) -> dict[str, list[Piece]]:
    """The bytes of every section, piece by piece; errors go to the layout's diagnostics."""
    pieces: dict[str, list[Piece]] = {}
    for section in layout.ordered_sections():
        out = pieces.setdefault(section.name, [])
        for item in section.items:
            try:
                chunks = item.emit(layout)
            except SourceError as error:
                layout.diagnostics.add(error)
                continue
            address = item.address
            for chunk in chunks:
                out.append(Piece(address, chunk, item))
                address += len(chunk)
    return pieces
