"""Instructions as items of a section: encoded, made short or long as distances need."""

from __future__ import annotations

from collections.abc import Mapping

from vtbook.isa.assembler.compression import shorten
from vtbook.isa.assembler.constants import Sequence, load_constant
from vtbook.isa.assembler.errors import SourceError, Span, suggestion
from vtbook.isa.assembler.expressions import Name, Node, Number, Relocated, Unary
from vtbook.isa.assembler.forms import hidden_default
from vtbook.isa.assembler.layout import Item, Layout, Statement
from vtbook.isa.assembler.relocations import OPERATORS
from vtbook.isa.csr_names import CSR_NUMBERS
from vtbook.isa.definition import Compressed, Instruction
from vtbook.isa.encoding import EncodingError, Field
from vtbook.isa.syntax import slots_of

#: The branch that is taken exactly when the other is not.
INVERSE = {"beq": "bne", "blt": "bge", "bltu": "bgeu"}
INVERSE |= {b: a for a, b in INVERSE.items()}


class InstructionItem(Item):
    """One instruction with its operands."""

    def __init__(
        self,
        statement: Statement,
        spelling: Instruction | Compressed,
        fields: Mapping[str, Node],
    ):
        super().__init__(statement)
        self.spelling = spelling
        self.fields = fields
        self.kinds = {slot.name: slot.kind for slot in slots_of(spelling)}  # by field
        self.size = 0
        self.short: bytes | None = None

    def measure(self, layout: Layout) -> int:
        if self.size == 0:
            self.short = self._shorten(layout)
            self.size = 2 if self.short else self.spelling.encoding.size
        for node in self.fields.values():
            if isinstance(node, Relocated) and node.operator == "pcrel_hi":
                self._note_pcrel_hi(node, layout)
        return self.size

    def _note_pcrel_hi(self, node: Relocated, layout: Layout) -> None:
        try:
            layout.pcrel_hi[self.address] = layout.value(node.operand, self) - self.address
        except SourceError:
            layout.pcrel_hi[self.address] = 0  # reported when the auipc is encoded

    def _shorten(self, layout: Layout) -> bytes | None:
        if not self.statement.compress or self.spelling.encoding.size == 2:
            return None
        values = {}
        for f in self.spelling.encoding.fields:
            node = self.fields.get(f.name)
            if node is None:
                values[f.name] = hidden_default(self.spelling, f.name)
                continue
            value = layout.constant(node, self)
            if value is None:
                return None
            try:
                values[f.name] = self._field_value(f, value, node)
            except SourceError:
                return None  # reported when it is encoded
        return shorten(layout.isa, self.spelling.name, values)

    def emit(self, layout: Layout) -> list[bytes]:
        self._check_alignment(layout)
        if self.short:
            return [self.short]
        return [self._encode(layout)]

    def _check_alignment(self, layout: Layout) -> None:
        alignment = 2 if layout.isa.has_compressed else 4
        if self.address % alignment:
            message = f"an instruction at {self.address:#x}; put .balign {alignment} before it"
            raise SourceError(message, self.statement.span)

    def _encode(self, layout: Layout) -> bytes:
        encoding = self.spelling.encoding
        values = {}
        for f in encoding.fields:
            node = self.fields.get(f.name)
            if node is None:
                values[f.name] = hidden_default(self.spelling, f.name)
                continue
            values[f.name] = self._field_value(f, self._operand(node, f, layout), node)
        try:
            return encoding.encode(values).to_bytes(encoding.size, "little")
        except EncodingError as error:
            raise SourceError(f"{self.spelling.name}: {error}", self.statement.span) from None

    def _operand(self, node: Node, field: Field, layout: Layout) -> int:
        """The value of an operand; SourceError if it has none or can't stand there.

        An unknown name in the place of a CSR is called so.
        """
        kind = self.kinds.get(field.name)
        if isinstance(node, Relocated) and kind not in OPERATORS[node.operator]:
            takes = "upper 20 bits" if kind == "upper" else "12 bits"
            message = f"%{node.operator} does not belong in {self.spelling.name}"
            raise SourceError(f"{message}, which takes {takes}", node.span)
        try:
            return layout.value(node, self)
        except SourceError as error:
            if kind != "csr" or not isinstance(node, Name):
                raise
            near = suggestion(node.name, CSR_NUMBERS)
            raise SourceError(f"{node.name!r} is not a CSR{near}", error.span) from None

    def _field_value(self, field: Field, value: int, node: Node) -> int:
        """What goes into the field for the value that the programmer wrote; SourceError if none."""
        kind = self.kinds.get(field.name)
        if kind == "target":
            return self._distance(field, value - self.address, node)
        if kind == "upper":
            return self._upper(field, value, node.span)
        if 1 << 63 <= value < 1 << 64:
            value -= 1 << 64
        try:
            field.insert(value)
        except EncodingError:
            raise SourceError(self._misfit(field, value), node.span) from None
        return value

    def _upper(self, field: Field, value: int, span: Span) -> int:
        if not -(1 << 19) <= value < 1 << 20:
            message = f"{value} does not fit: {self.spelling.name} takes 20 bits, 0 to 0xfffff"
            raise SourceError(message, span)
        shifted = (value << 12) & 0xFFFFFFFF
        if field.signed:
            shifted = (shifted ^ (1 << 31)) - (1 << 31)
        try:
            field.insert(shifted)
        except EncodingError:
            message = f"{value:#x} does not fit: {self.spelling.name} takes 1 to 31 and "
            raise SourceError(message + "0xfffe0 to 0xfffff", span) from None
        return shifted

    def _distance(self, field: Field, distance: int, node: Node) -> int:
        if distance % field.alignment:
            raise SourceError(f"the target is {distance} bytes away, an odd number", node.span)
        if not field.low <= distance <= field.high:
            message = (
                f"the target is {distance:+#x} bytes away; {self.spelling.name} reaches "
                f"{field.low:+#x} to {field.high:+#x}"
            )
            if isinstance(node, Number | Unary):
                message += "; a plain number is an address: write . + 8 for a distance"
            raise SourceError(message, node.span)
        return distance

    def _misfit(self, field: Field, value: int) -> str:
        name = self.spelling.name
        if field.kind != "imm":
            if field.bias:
                return f"{name} can use the registers 8 to 15 only, not {value}"
            return f"{name} can't use register {value} here"
        if field.excluded and value in field.excluded:
            return f"{name} can't have {value} here"
        if field.low <= value <= field.high:
            return f"{value} is not a multiple of {field.alignment}"
        hint = "; li can load any constant" if name in ("addi", "addiw") else ""
        return f"{value} does not fit: {name} takes {field.low} to {field.high}{hint}"


class BranchItem(InstructionItem):
    """A jump or branch to an address: short if it can be, a branch over a jump if it must be."""

    def __init__(
        self,
        statement: Statement,
        spelling: Instruction | Compressed,
        fields: Mapping[str, Node],
        target: str,
    ):
        super().__init__(statement, spelling, fields)
        self.target = target  # the field that holds the distance

    def measure(self, layout: Layout) -> int:
        try:
            distance = 0
            if layout.placed:
                distance = layout.value(self.fields[self.target], self) - self.address
            return max(self.size, self._needed(distance, layout))
        except SourceError:
            return max(self.size, self.spelling.encoding.size)

    def _needed(self, distance: int, layout: Layout) -> int:
        """The smallest size that reaches this far."""
        if self._try_short(distance, layout):
            return 2
        f = self.spelling.encoding.field(self.target)
        if f.low <= distance <= f.high or self.spelling.name not in INVERSE:
            return self.spelling.encoding.size
        return len(self._skip(layout)) + 4

    def _values(self, layout: Layout, distance: int) -> dict[str, int]:
        values = {}
        for f in self.spelling.encoding.fields:
            node = self.fields.get(f.name)
            if f.name == self.target:
                values[f.name] = distance
            elif node is None:
                values[f.name] = hidden_default(self.spelling, f.name)
            else:
                values[f.name] = self._field_value(f, layout.value(node, self), node)
        return values

    def _try_short(self, distance: int, layout: Layout) -> bytes | None:
        if not self.statement.compress or self.spelling.encoding.size == 2:
            return None
        return shorten(layout.isa, self.spelling.name, self._values(layout, distance))

    def _skip(self, layout: Layout) -> bytes:
        """The inverse branch over the four bytes of a jump that follows it."""
        inverse = layout.isa[INVERSE[self.spelling.name]]
        if self.statement.compress:
            short = shorten(layout.isa, inverse.name, self._values(layout, 6))
            if short:
                return short
        return inverse.encoding.encode(self._values(layout, 8)).to_bytes(4, "little")

    def emit(self, layout: Layout) -> list[bytes]:
        self._check_alignment(layout)
        node = self.fields[self.target]
        distance = layout.value(node, self) - self.address
        if self.size == 2 and self.spelling.encoding.size == 4:
            short = self._try_short(distance, layout)
            assert short is not None
            return [short]
        if self.size == self.spelling.encoding.size:
            return [self._encode(layout)]
        skip = self._skip(layout)
        jump = InstructionItem(self.statement, layout.isa["jal"], {"imm": node})
        jump.address = self.address + len(skip)
        return [skip, jump._encode(layout)]


class LoadConstantItem(Item):
    """``li``. The constant may depend on addresses: a sequence that got shorter ends in nops."""

    def __init__(self, statement: Statement, register: Node, node: Node):
        super().__init__(statement)
        self.register = register
        self.node = node

    def _sequence(self, layout: Layout) -> Sequence:
        value = layout.value(self.node, self)
        if not -(1 << 63) <= value < 1 << 64:
            raise SourceError(f"{value:#x} does not fit in 64 bits", self.node.span)
        return load_constant(value)

    def measure(self, layout: Layout) -> int:
        if not layout.placed and layout.constant(self.node, self) is None:
            return self.size
        try:
            return max(self.size, sum(map(len, self._encode(layout))))
        except SourceError:
            return max(self.size, 4)

    def _encode(self, layout: Layout) -> list[bytes]:
        rd = layout.value(self.register, self)
        encoded = []
        for position, (name, number) in enumerate(self._sequence(layout)):
            instruction = layout.isa[name]
            values = {"rd": rd}
            if name == "lui":
                values["imm"] = ((number << 12) ^ (1 << 31)) - (1 << 31)
            else:
                values["rs1"] = rd if position else 0
                values["shamt" if name in ("slli", "srli") else "imm"] = number
            short = shorten(layout.isa, name, values) if self.statement.compress else None
            encoded.append(short or instruction.encoding.encode(values).to_bytes(4, "little"))
        return encoded

    def emit(self, layout: Layout) -> list[bytes]:
        encoded = self._encode(layout)
        missing = self.size - sum(map(len, encoded))
        if missing % 4:
            encoded.append(bytes.fromhex("0100"))
        encoded += [bytes.fromhex("13000000")] * (missing // 4)
        return encoded
