"""Random operands for every way to write every mnemonic of an instruction set."""

from __future__ import annotations

import random
from collections.abc import Iterator

from vtbook.isa.assembler.expressions import Number
from vtbook.isa.assembler.forms import Form, forms_of
from vtbook.isa.assembler.operands import fence_text
from vtbook.isa.csr_names import CSR_NUMBERS
from vtbook.isa.encoding import Field
from vtbook.isa.instruction_set import InstructionSet
from vtbook.isa.pseudo import ROUNDING_MODES
from vtbook.isa.registers import F_NAMES, X_NAMES
from vtbook.isa.syntax import Slot


def lines_of(isa: InstructionSet, count: int, seed: int) -> Iterator[tuple[Form, str]]:
    """``count`` lines for each form; targets are written ``TARGET``, symbols ``SYMBOL``."""
    choose = random.Random(seed)
    for forms in forms_of(isa).by_name.values():
        for form in forms:
            for _ in range(count if form.slots else 1):
                operands = [_operand(slot, form, choose) for slot in form.slots]
                if operands and form.slots[-1].kind == "rm" and choose.random() < 0.3:
                    operands.pop()
                yield form, f"{form.name} {', '.join(operands)}".strip()


def _field(form: Form, name: str) -> Field | None:
    """The field of the encoding that an operand goes to."""
    for step in form.steps:
        for f in step.spelling.encoding.fields:
            node = step.fields.get(f.name)
            if (form.pseudo is None and f.name == name) or getattr(node, "name", None) == name:
                return f
    return None


def _number(field: Field | None, choose: random.Random) -> int:
    if field is None:
        return choose.randrange(-2048, 2048)
    low, high = field.low // field.alignment, field.high // field.alignment
    while True:
        between = choose.randint(low, high)
        value = choose.choice((low, high, 0, 1, between, between))
        value *= field.alignment
        if field.low <= value <= field.high and value not in field.excluded:
            return value


def _register(form: Form, name: str, names: list[str], choose: random.Random) -> str:
    field = _field(form, name)
    while True:
        number = choose.randrange(32)
        if choose.random() < 0.3:
            number = choose.choice((0, 1, 2, 8, 9, 10, 15))
        if field is None or (field.low <= number <= field.high and number not in field.excluded):
            return names[number]


def _operand(slot: Slot, form: Form, choose: random.Random) -> str:
    match slot.kind:
        case "x":
            return _register(form, slot.name, X_NAMES, choose)
        case "f":
            return _register(form, slot.name, F_NAMES, choose)
        case "fixed":
            return slot.name
        case "target":
            return "TARGET"
        case "symbol":
            return "SYMBOL"
        case "csr":
            return choose.choice(sorted(CSR_NUMBERS))
        case "rm":
            return choose.choice(sorted(ROUNDING_MODES))
        case "fence":
            return fence_text(choose.randrange(1, 16))
        case "memory":
            offset = str(_number(_field(form, slot.name), choose)) if slot.name else ""
            base = _register(form, slot.base, X_NAMES, choose) if slot.base != "sp" else "sp"
            return f"{offset}({base})"
        case "upper":
            return hex(_number(_field(form, slot.name), choose) >> 12 & 0xFFFFF)
    if form.name == "li":
        return str(choose.randrange(-(1 << choose.randrange(1, 64)), 1 << choose.randrange(1, 64)))
    return str(_number(_field(form, slot.name), choose))


__all__ = ["Number", "lines_of"]
