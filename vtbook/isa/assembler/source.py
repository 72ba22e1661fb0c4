"""From statements to items: labels, directives, instructions."""

from __future__ import annotations

from collections.abc import Mapping

from vtbook.isa.assembler import conditions as _conditions  # noqa: F401  registers directives
from vtbook.isa.assembler.data import BytesItem, IntegersItem, SpaceItem
from vtbook.isa.assembler.directives import assign, run_directive
from vtbook.isa.assembler.errors import Diagnostics, SourceError, SourceText, Span, suggestion
from vtbook.isa.assembler.expressions import LocalLabels, Node, Number, parse, substitute
from vtbook.isa.assembler.forms import Form, forms_of
from vtbook.isa.assembler.input import Input, split_labels
from vtbook.isa.assembler.instructions import BranchItem, InstructionItem, LoadConstantItem
from vtbook.isa.assembler.layout import (
    Item,
    Label,
    Layout,
    Piece,
    Section,
    Statement,
    emit_all,
)
from vtbook.isa.assembler.lexer import Cursor, Token
from vtbook.isa.assembler.macros import Macro, use_macro
from vtbook.isa.assembler.operands import Reader, read_operands
from vtbook.isa.assembler.program import ListingLine, Program, ProgramSection
from vtbook.isa.definition import Compressed, Instruction
from vtbook.isa.instruction_set import InstructionSet
from vtbook.isa.sets import RV64GC
from vtbook.isa.syntax import slots_of

_FLAGS = {".text": "ax", ".rodata": "a", ".data": "aw", ".sdata": "aw", ".bss": "aw", ".sbss": "aw"}


class Assembler:
    """One assembly under way."""

    def __init__(
        self, source: str, isa: InstructionSet, origin: int, compress: bool, filename: str
    ):
        self.source = source
        self.diagnostics = Diagnostics(filename)
        self.input = Input(SourceText(source), self.diagnostics)
        self.macros: dict[str, Macro] = {}
        self.macro_count = 0
        self.conditions: list[Token] = []  # the .if or .else of each branch that is being read
        self.isa = isa
        self.forms = forms_of(isa).by_name
        self.layout = Layout(isa, origin, self.diagnostics)
        self.local_labels = LocalLabels()
        self.compress = compress
        self.option_stack: list[bool] = []
        self.section_stack: list[Section] = []
        self.assignment_count = 0
        self.section = self.previous = self._get_section(".text", None, False)

    # --- sections and items ----------------------------------------------------------------------

    def _get_section(self, name: str, flags: str | None, nobits: bool) -> Section:
        section = self.layout.sections.get(name)
        if section is None:
            known = next(
                (f for k, f in _FLAGS.items() if name == k or name.startswith(k + ".")), ""
            )
            zeros = nobits or name.split(".")[1:2] in (["bss"], ["sbss"])
            kept = "".join(c for c in "awx" if c in (known if flags is None else flags))
            section = Section(name, kept, has_bytes=not zeros)
            self.layout.sections[name] = section
        return section

    def enter_section(self, name: str, flags: str | None = None, nobits: bool = False) -> None:
        """Go on in a section; it is made at its first mention."""
        self.previous = self.section
        self.section = self._get_section(name, flags, nobits)
        if "x" not in self.section.flags:
            self.section.alignment = max(self.section.alignment, 8)

    def place(self, item: Item) -> None:
        """Put an item at the end of the present section."""
        self.section.items.append(item)

    def constant(self, node: Node, statement: Statement) -> int:
        """The value of an expression that must be known here; SourceError if it is not."""
        item = Item(statement)
        value = self.layout.constant(node, item)
        if value is None:
            self.layout.value(node, item)  # an undefined symbol is named
            raise SourceError("this must be a constant, not an address", node.span)
        return value

    def define_label(self, token: Token, statement: Statement) -> None:
        """A name for this address."""
        name = token.text
        if token.kind == "number":
            if not name.isdigit():
                raise SourceError("a numeric label is a decimal number", token.span)
            name = self.local_labels.define(str(int(name)))
        if name in self.layout.labels or name in self.layout.assignments:
            raise SourceError(f"{name!r} is defined twice", token.span)
        label = Label(statement)
        self.layout.labels[name] = label
        self.place(label)

    # --- statements ------------------------------------------------------------------------------

    def read(self) -> None:
        """Read the whole source; errors are collected."""
        for tokens in self.input:
            try:
                self._statement(tokens)
            except SourceError as error:
                self.diagnostics.add(error)
        for word in self.conditions:
            self.diagnostics.add(SourceError(f"{word.text} without .endif", word.span))

    def _statement(self, tokens: list[Token]) -> None:
        labels, tokens = split_labels(tokens)
        for label in labels:
            self.define_label(label, self._new_statement([label]))
        if not tokens:
            return
        statement = self._new_statement(tokens)
        cursor = Cursor(tokens)
        word = cursor.take()
        if word.kind != "name":
            raise SourceError(f"expected an instruction, found {word.text!r}", word.span)
        if cursor.at("="):
            cursor.take()
            node = parse(cursor, self.local_labels)
            cursor.finish()
            assign(self, word, node, statement)
        elif word.text.lower() in self.macros:
            use_macro(self, self.macros[word.text.lower()], tokens)
        elif word.text.startswith("."):
            run_directive(self, cursor, statement, word)
        else:
            self._instruction(tokens, statement, word)

    def _new_statement(self, tokens: list[Token]) -> Statement:
        first, last = tokens[0].span, tokens[-1].span
        end = last.end if last.line == first.line else first.end
        compress = self.compress and self.isa.has_compressed
        span = Span(first.line, first.column, end, first.source)
        return Statement(span, compress, self.assignment_count)

    # --- instructions ----------------------------------------------------------------------------

    def _instruction(self, tokens: list[Token], statement: Statement, word: Token) -> None:
        forms = self.forms.get(word.text) or self.forms.get(word.text.lower())
        if not forms:
            raise SourceError(self._unknown(word.text), word.span)
        form, values = self._match(forms, tokens)
        if form.name == "li":
            self.place(LoadConstantItem(statement, values["rd"], values["imm"]))
        if form.name == "c.unimp" or (form.name == "unimp" and statement.compress):
            self.place(IntegersItem(statement, 2, [Number(0, word.span)]))
            return
        for step in form.steps:
            if form.pseudo is None:
                fields = {**values, **step.fields}
            else:
                fields = {name: substitute(node, values) for name, node in step.fields.items()}
            self._place_instruction(step.spelling, fields, statement)

    def _place_instruction(
        self, spelling: Instruction | Compressed, fields: dict[str, Node], statement: Statement
    ) -> None:
        target = next((slot.name for slot in slots_of(spelling) if slot.kind == "target"), None)
        if target is not None:
            self.place(BranchItem(statement, spelling, fields, target))
        else:
            self.place(InstructionItem(statement, spelling, fields))

    def _match(self, forms: list[Form], tokens: list[Token]) -> tuple[Form, dict[str, Node]]:
        """The first form whose operands fit; the error of the one that fits longest, if none."""
        best: SourceError | None = None
        for form in forms:
            reader = Reader(Cursor(tokens), self.local_labels)
            reader.cursor.take()
            try:
                return form, read_operands(reader, form.slots)
            except SourceError as error:
                if best is None or _rank(error) > _rank(best):
                    best = error
        assert best is not None
        ways = " or ".join(dict.fromkeys(form.syntax for form in forms[:4]))
        raise SourceError(f"{best.message}; write {ways}", best.span)

    def _unknown(self, name: str) -> str:
        if name.lower() in forms_of(RV64GC).by_name:
            return f"{name} is not in this instruction set ({self.isa.name})"
        return f"unknown instruction {name!r}{suggestion(name, self.forms)}"

    # --- result ----------------------------------------------------------------------------------

    def finish(self) -> Program:
        """Addresses, bytes, listing; AssemblyError if anything was wrong."""
        self.layout.resolve()
        pieces = emit_all(self.layout)
        symbols = self._symbols()
        self.diagnostics.check()
        sections = tuple(
            ProgramSection(s.name, s.address, b"".join(p.data for p in pieces[s.name]), s.flags)
            for s in self.layout.ordered_sections()
            if s.items
        )
        listing = tuple(
            _listing_line(piece) for name in pieces for piece in pieces[name] if piece.data
        )
        return Program(
            sections,
            symbols,
            symbols.get("_start", self.layout.origin),
            listing,
            self.source,
            self.diagnostics.filename,
            frozenset(name for name in self.layout.labels if ":" not in name),
        )

    def _symbols(self) -> dict[str, int]:
        layout = self.layout
        symbols = {name: label.address for name, label in layout.labels.items() if ":" not in name}
        for name, versions in layout.assignments.items():
            assignment = versions[-1][1]
            try:
                symbols[name] = layout.value(assignment.node, assignment)
            except SourceError as error:
                self.diagnostics.add(error)
        return symbols


def _rank(error: SourceError) -> tuple[bool, tuple[int, int, int]]:
    """Of the errors of several forms, the certain one or the farthest is the one to show."""
    return (error.certain, error.span.place)


def _listing_line(piece: Piece) -> ListingLine:
    line, column, end, source = piece.item.statement.span
    is_text = isinstance(piece.item, BytesItem | SpaceItem)
    return ListingLine(piece.address, piece.data, line, source.line(line)[column:end], is_text)


def assemble(
    source: str,
    *,
    isa: InstructionSet = RV64GC,
    origin: int = 0x8000_0000,
    compress: bool = False,
    filename: str = "<source>",
    symbols: Mapping[str, int] | None = None,
) -> Program:
    """Assemble a source text in the syntax of the GNU assembler.

    Parameters
    ----------
    source: the text.
    isa: the instructions that may be used; one that a reader defined is assembled by its syntax.
    origin: address of the first section.
    compress: use 16-bit spellings where there is one; ``.option rvc`` and ``norvc`` change it.
    filename: what error messages call the text.
    symbols: values of symbols that the text uses and doesn't define.

    Raises AssemblyError with every error found, 20 at most.
    """
    assembler = Assembler(source, isa, origin, compress, filename)
    assembler.layout.given.update(symbols or {})
    assembler.read()
    return assembler.finish()


__all__ = ["Assembler", "Number", "assemble"]
