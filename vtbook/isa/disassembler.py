"""The disassembler, made from the same syntax strings as the assembler.

Its text can be assembled again: targets are addresses, and a word that text cannot express, such as
one with reserved bits set, is written as ``.word``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from vtbook.isa.assembler.expressions import Name, Number
from vtbook.isa.assembler.forms import Form, forms_of, hidden_default
from vtbook.isa.assembler.operands import fence_text
from vtbook.isa.csr_names import CSR_NAMES
from vtbook.isa.definition import Compressed, Instruction
from vtbook.isa.instruction_set import InstructionSet
from vtbook.isa.pseudo import ROUNDING_MODES
from vtbook.isa.registers import F_NAMES, X_NAMES
from vtbook.isa.sets import RV64GC
from vtbook.isa.syntax import Slot, slots_of

_ROUNDING_NAMES = {number: name for name, number in ROUNDING_MODES.items()}
_ORDERINGS = {(0, 0): "", (1, 0): ".aq", (0, 1): ".rl", (1, 1): ".aqrl"}
_MASK = (1 << 64) - 1


class DisassembledLine(NamedTuple):
    """One instruction: its address, its 2 or 4 bytes, its text."""

    address: int
    raw: bytes
    text: str


class _Unspeakable(Exception):
    """The operand has no spelling."""


def disassemble(
    word: int | bytes,
    address: int = 0,
    isa: InstructionSet = RV64GC,
    *,
    pseudo: bool = True,
    symbols: Mapping[str, int] | None = None,
) -> str:
    """The text of one instruction.

    Parameters
    ----------
    word: the instruction word, or bytes that begin with it. Only the low half of a word counts if
        it is a short one.
    address: where it stands; targets are printed as absolute addresses.
    isa: the instructions to know.
    pseudo: print pseudo-instructions (``ret``, ``mv``) and the full forms of compressed ones, as
        objdump does. Otherwise the definition's own syntax, with ``c.…`` names.
    symbols: names for targets, printed as ``<name+0x8>``.

    A word that is no instruction of the set, or that no text can express, becomes ``.word 0x…`` or
    ``.half 0x…``.
    """
    if isinstance(word, bytes | bytearray | memoryview):
        word = int.from_bytes(bytes(word[:4]), "little")
    size = isa.size_of(word)
    word &= (1 << 8 * size) - 1
    decoded = isa.decode(word)
    if decoded is None:
        return _as_data(word, size)
    spelling, fields = decoded.spelling, decoded.spelling.encoding.decode(word)
    try:
        if not pseudo:
            return _text(spelling, fields, address, symbols)
        whole = decoded.operands._asdict()
        found = _find_alias(isa, spelling, fields) or _find_alias(isa, decoded.instruction, whole)
        if found is not None:
            form, operands = found
            return _print(form.name, form.slots, operands, address, symbols)
        return _text(decoded.instruction, whole, address, symbols)
    except _Unspeakable as reason:
        return f"{_as_data(word, size)}  # {spelling.name}, {reason}"


def disassemble_range(
    data: bytes,
    address: int = 0,
    isa: InstructionSet = RV64GC,
    *,
    pseudo: bool = True,
    symbols: Mapping[str, int] | None = None,
) -> Iterator[DisassembledLine]:
    """Every instruction of a range of bytes, one after the other (see ``disassemble``).

    Bytes at the end that are too few for an instruction become ``.half`` and ``.byte``.
    """
    position = 0
    while position < len(data):
        left = len(data) - position
        size = isa.size_of(data[position]) if left >= 2 else 1
        raw = bytes(data[position : position + size])
        if len(raw) < size or size == 1:
            size = min(2, left)
            raw = raw[:size]
            text = f".{'half' if size == 2 else 'byte'} {int.from_bytes(raw, 'little'):#x}"
        else:
            text = disassemble(raw, address + position, isa, pseudo=pseudo, symbols=symbols)
        yield DisassembledLine(address + position, raw, text)
        position += size


def _as_data(word: int, size: int) -> str:
    return f".word {word:#010x}" if size == 4 else f".half {word:#06x}"


def _find_alias(
    isa: InstructionSet, spelling: Instruction | Compressed, fields: Mapping[str, int]
) -> tuple[Form, dict[str, int]] | None:
    """The first pseudo-instruction that stands for these field values, and its operands."""
    for form in forms_of(isa).printed.get(spelling.name, ()):
        operands = _match(form, spelling, fields)
        if operands is not None:
            return form, operands
    return None


def _match(
    form: Form, spelling: Instruction | Compressed, fields: Mapping[str, int]
) -> dict[str, int] | None:
    step = form.steps[0]
    operands: dict[str, int] = {}
    for f in spelling.encoding.fields:
        node = step.fields.get(f.name)
        value = fields[f.name]
        if isinstance(node, Name):
            if operands.setdefault(node.name, value) != value:
                return None
        else:
            expected = node.value if isinstance(node, Number) else hidden_default(spelling, f.name)
            if value != expected:
                return None
    return operands


def _text(
    spelling: Instruction | Compressed,
    fields: Mapping[str, int],
    address: int,
    symbols: Mapping[str, int] | None,
) -> str:
    """The definition's own syntax, filled in."""
    slots = slots_of(spelling)
    named = {name for slot in slots for name in (slot.name, slot.base)}
    mnemonic = spelling.name
    if "aq" in fields and "rl" in fields:
        mnemonic += _ORDERINGS[fields["aq"], fields["rl"]]
        named |= {"aq", "rl"}
    for f in spelling.encoding.fields:
        if f.name not in named and fields[f.name] != hidden_default(spelling, f.name):
            raise _Unspeakable("reserved bits set")
    if slots and slots[-1].kind == "rm" and fields["rm"] == hidden_default(spelling, "rm"):
        slots = slots[:-1]
    return _print(mnemonic, slots, fields, address, symbols)


def _print(
    mnemonic: str,
    slots: tuple[Slot, ...],
    fields: Mapping[str, int],
    address: int,
    symbols: Mapping[str, int] | None,
) -> str:
    operands = [_operand(slot, fields, address, symbols) for slot in slots]
    return f"{mnemonic} {', '.join(operands)}".strip()


def _operand(
    slot: Slot, fields: Mapping[str, int], address: int, symbols: Mapping[str, int] | None
) -> str:
    if slot.kind == "memory":
        offset = str(fields[slot.name]) if slot.name else ""
        base = X_NAMES[fields[slot.base]] if slot.base in fields else slot.base
        return f"{offset}({base})"
    if slot.kind == "fixed":
        return slot.name
    value = fields[slot.name]
    match slot.kind:
        case "x":
            return X_NAMES[value]
        case "f":
            return F_NAMES[value]
        case "upper":
            return hex(value >> 12 & 0xFFFFF)
        case "target":
            return _target((address + value) & _MASK, symbols)
        case "csr":
            return CSR_NAMES.get(value, hex(value))
        case "fence":
            return fence_text(value)
        case "rm":
            if value not in _ROUNDING_NAMES:
                raise _Unspeakable("reserved rounding mode")
            return _ROUNDING_NAMES[value]
    return str(value)


def _target(address: int, symbols: Mapping[str, int] | None) -> str:
    """An address, and the nearest symbol at or below it within 1 MiB."""
    text = hex(address)
    if not symbols:
        return text
    below = [(value, name) for name, value in symbols.items() if value <= address]
    if not below:
        return text
    value, name = max(below)
    offset = address - value
    if offset >= 1 << 20:
        return text
    return f"{text} <{name}{f'+{offset:#x}' if offset else ''}>"
