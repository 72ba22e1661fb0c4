"""The 16-bit spelling of an instruction, found by running the C extension's expansions backward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from vtbook.isa.definition import Compressed
from vtbook.isa.encoding import EncodingError
from vtbook.isa.instruction_set import InstructionSet

_COMMUTATIVE = frozenset({"add", "and", "or", "xor", "addw", "beq", "bne"})


@lru_cache(maxsize=32)
def _candidates(isa: InstructionSet) -> dict[str, list[Compressed]]:
    table: dict[str, list[Compressed]] = {}
    for short in isa.compressed.values():
        table.setdefault(short.target.name, []).append(short)
    return table


def shorten(isa: InstructionSet, name: str, values: Mapping[str, int]) -> bytes | None:
    """The two bytes of a compressed spelling of this instruction, None if there is none.

    Hints are never chosen: a reserved meaning may be given to them later.
    """
    for equal_name, equal in _equivalents(name, values):
        for short in _candidates(isa).get(equal_name, ()):
            fields = _invert(short, equal)
            if fields is None or _is_hint(short, fields):
                continue
            try:
                return short.encoding.encode(fields).to_bytes(2, "little")
            except EncodingError:
                continue
    return None


def _equivalents(name: str, values: Mapping[str, int]) -> Iterator[tuple[str, Mapping[str, int]]]:
    """The instruction, and others of the same effect that may have a short form."""
    yield name, values
    if name in _COMMUTATIVE:
        yield name, {**values, "rs1": values["rs2"], "rs2": values["rs1"]}
    if name == "addi" and values["imm"] == 0 and values["rs1"] != 0:
        yield "add", {"rd": values["rd"], "rs1": 0, "rs2": values["rs1"]}
    if name == "addiw" and values["rs1"] == 0 and values["rd"] != 0:
        yield "addi", values


def _invert(short: Compressed, values: Mapping[str, int]) -> dict[str, int] | None:
    """Field values of the short form whose expansion is ``values``, None if there are none."""
    fields: dict[str, int] = {}
    for name, source in short.expansion.items():
        value = values[name]
        if isinstance(source, int):
            if source != value:
                return None
        elif fields.setdefault(source, value) != value:
            return None
    return fields


def _is_hint(short: Compressed, fields: Mapping[str, int]) -> bool:
    """True for encodings that change nothing and are set apart as hints (27.3, table 27.3)."""
    if short.name == "c.addi":
        return (fields["rd"] == 0) != (fields["imm"] == 0)
    return fields.get("rd") == 0 or fields.get("shamt") == 0
