"""Every way to write a mnemonic of an instruction set: its own syntax and the pseudo-instructions.

Made from the definitions: a set with one more instruction has one more form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from vtbook.isa.assembler.errors import Diagnostics, SourceText, Span
from vtbook.isa.assembler.expressions import LocalLabels, Name, Node, Number, fold
from vtbook.isa.assembler.lexer import Cursor, statements
from vtbook.isa.assembler.operands import Reader, read_operands
from vtbook.isa.definition import Compressed, DefinitionError, Instruction
from vtbook.isa.instruction_set import InstructionSet
from vtbook.isa.pseudo import PSEUDOS, Pseudo, default_rounding
from vtbook.isa.syntax import Slot, memory_parts, operand_texts, slots_of


@dataclass(frozen=True)
class Step:
    """One instruction of a form: fields are constants, or expressions over the form's operands."""

    spelling: Instruction | Compressed
    fields: Mapping[str, Node]


@dataclass(frozen=True)
class Form:
    """One way to write a mnemonic.

    ``li`` has no steps because they depend on the constant, and ``c.unimp`` because it is no
    instruction: two zero bytes, which are defined to be illegal (unprivileged spec 27.1).
    """

    syntax: str
    slots: tuple[Slot, ...]
    steps: tuple[Step, ...] = ()
    pseudo: Pseudo | None = None

    @property
    def name(self) -> str:
        """The mnemonic."""
        return self.syntax.split(None, 1)[0]


@dataclass
class Forms:
    """The forms of an instruction set by mnemonic, and the pseudos that can be printed."""

    by_name: dict[str, list[Form]] = field(default_factory=dict)
    printed: dict[str, list[Form]] = field(default_factory=dict)


@lru_cache(maxsize=32)
def forms_of(isa: InstructionSet) -> Forms:
    """Every form of an instruction set; pseudos of instructions that it lacks are left out."""
    forms = Forms()
    for spelling in isa:
        for suffix, bits in _suffixes(spelling).items():
            step = Step(spelling, {f: Number(bit, _NOWHERE) for f, bit in bits.items()})
            form = Form(
                spelling.name + suffix + _rest(spelling.syntax), slots_of(spelling), (step,)
            )
            forms.by_name.setdefault(spelling.name + suffix, []).append(form)
    for pseudo in PSEUDOS:
        made = _pseudo_form(pseudo, isa)
        if made is None:
            continue
        if pseudo.assembles:
            forms.by_name.setdefault(made.name, []).append(made)
        if pseudo.prints:
            forms.printed.setdefault(made.steps[0].spelling.name, []).append(made)
    if "addi" in isa and "lui" in isa:
        li = Form("li rd, imm", (Slot("x", "rd"), Slot("imm", "imm")))
        forms.by_name["li"] = [li]
    if isa.has_compressed:
        forms.by_name["c.unimp"] = [Form("c.unimp", ())]
    return forms


def _rest(syntax: str) -> str:
    _, space, rest = syntax.partition(" ")
    return space + rest


def _suffixes(spelling: Instruction | Compressed) -> dict[str, dict[str, int]]:
    """Mnemonic suffixes and the bits they set: the ordering of an atomic instruction."""
    fields = {f.name for f in spelling.encoding.fields}
    if not {"aq", "rl"} <= fields:
        return {"": {}}
    return {
        "": {"aq": 0, "rl": 0},
        ".aq": {"aq": 1, "rl": 0},
        ".rl": {"aq": 0, "rl": 1},
        ".aqrl": {"aq": 1, "rl": 1},
    }


def hidden_default(spelling: Instruction | Compressed, name: str) -> int:
    """The value of a field that has no place in the text, or was left out."""
    return default_rounding(spelling.name) if name == "rm" else 0


_NOWHERE = Span(0, 0, 0)


def _pseudo_form(pseudo: Pseudo, isa: InstructionSet) -> Form | None:
    """A pseudo-instruction over an instruction set, None if a step's instruction is missing."""
    texts = operand_texts(pseudo.syntax)
    names = [part for text in texts for part in (memory_parts(text) or (text,)) if part]
    kinds: dict[str, Slot] = {}
    steps = []
    for text in pseudo.steps:
        mnemonic = text.split(None, 1)[0]
        if mnemonic not in isa:
            return None
        spelling = isa[mnemonic]
        values = _read_step(text, spelling, names)
        for slot in slots_of(spelling):
            _note_kinds(slot, values, names, kinds)
        extra = {name: Number(value, _NOWHERE) for name, value in pseudo.fields.items()}
        steps.append(Step(spelling, values | extra))
    slots = []
    for text in texts:
        parts = memory_parts(text)
        if parts:
            slots.append(Slot("memory", *parts))
        else:
            slots.append(kinds.get(text, Slot("symbol", text)))
    return Form(pseudo.syntax, tuple(slots), tuple(steps), pseudo)


def _read_step(text: str, spelling: Instruction | Compressed, names: list[str]) -> dict[str, Node]:
    (tokens,) = statements(SourceText(text), Diagnostics("<pseudo>"))
    reader = Reader(Cursor(tokens), LocalLabels(), names)
    reader.cursor.take()
    try:
        values = read_operands(reader, slots_of(spelling))
        return {name: fold(node) for name, node in values.items()}
    except Exception as error:
        raise DefinitionError(f"pseudo-instruction step {text!r}: {error}") from error


def _note_kinds(
    slot: Slot, values: Mapping[str, Node], names: list[str], kinds: dict[str, Slot]
) -> None:
    """A pseudo's operand is of the kind of the slot in which a step uses it."""
    parts = [(slot.kind, slot.name)]
    if slot.kind == "memory":
        parts = [("imm", slot.name), ("x", slot.base)]
    for kind, field_name in parts:
        node = values.get(field_name)
        if isinstance(node, Name) and node.name in names:
            kinds.setdefault(node.name, Slot(kind, node.name))


__all__ = ["Form", "Forms", "Step", "forms_of", "hidden_default"]
