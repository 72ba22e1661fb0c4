"""Syntax strings, parsed: the operands of an instruction in the order in which they are written.

``"lw rd, imm(rs1)"`` has two slots: a register, and a memory operand. The assembler reads operands
by them, and the disassembler prints by them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from vtbook.isa.definition import Compressed, DefinitionError, Instruction
from vtbook.isa.encoding import Field
from vtbook.isa.registers import X_NUMBERS

_MEMORY = re.compile(r"(?P<offset>\w*)\((?P<base>\w+)\)$")
_UPPER = "[31:12]"
_KINDS = {"csr": "csr", "rm": "rm", "pred": "fence", "succ": "fence"}


@dataclass(frozen=True)
class Slot:
    """One operand of a syntax string.

    ``kind`` is one of

    * ``x``, ``f``: a register; ``fixed``: the register that ``name`` names and no other;
    * ``imm``: a number; ``upper``: a number that stands for bits 31 to 12 of the field;
    * ``target``: an address, encoded as its distance from the instruction;
    * ``memory``: ``name(base)``; ``name`` may be empty, ``base`` may be a fixed register;
    * ``csr``, ``rm``, ``fence``: the name of a CSR, a rounding mode, letters out of ``iorw``;
    * ``symbol``: any address (in pseudo-instructions).
    """

    kind: str
    name: str
    base: str = ""


def is_target(field: Field) -> bool:
    """True for an immediate that counts halfwords: the offset of a jump or branch."""
    return field.kind == "imm" and field.signed and field.alignment == 2


@lru_cache(maxsize=4096)
def slots_of(spelling: Instruction | Compressed) -> tuple[Slot, ...]:
    """The operands of an instruction; DefinitionError if its syntax names an unknown field."""
    fields = {f.name: f for f in spelling.encoding.fields}
    return tuple(_slot(text, fields, spelling.syntax) for text in operand_texts(spelling.syntax))


def operand_texts(syntax: str) -> list[str]:
    """The operands of a syntax string as text: ``["rd", "imm(rs1)"]``."""
    _, _, rest = syntax.partition(" ")
    return [text.strip() for text in rest.split(",") if text.strip()]


def memory_parts(text: str) -> tuple[str, str] | None:
    """(offset, base) of a memory operand's text, None if it is not one."""
    found = _MEMORY.match(text)
    return (found["offset"], found["base"]) if found else None


def _slot(text: str, fields: dict[str, Field], syntax: str) -> Slot:
    parts = memory_parts(text)
    if parts:
        offset, base = parts
        if (offset and offset not in fields) or (base not in fields and base not in X_NUMBERS):
            raise DefinitionError(f"{syntax!r}: the encoding has no field for {text!r}")
        return Slot("memory", offset, base)
    name = text.removesuffix(_UPPER)
    field = fields.get(name)
    if field is None:
        if text in X_NUMBERS:
            return Slot("fixed", text)
        raise DefinitionError(f"{syntax!r}: the encoding has no field {name!r}")
    if name != text:
        return Slot("upper", name)
    if field.kind != "imm":
        return Slot(field.kind, name)
    if is_target(field):
        return Slot("target", name)
    return Slot(_KINDS.get(name, "imm"), name)
