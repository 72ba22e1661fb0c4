"""What operations of the intermediate code work on: temporaries, constants, the guest's state."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from vtbook.errors import VtbookError
from vtbook.isa.operations import MASK64


class IrError(VtbookError):
    """Intermediate code that breaks its own rules."""


class Type(enum.Enum):
    """The type of a temporary or a constant."""

    I1 = "i1"
    I64 = "i64"

    def __str__(self) -> str:
        return self.value


I1, I64 = Type.I1, Type.I64


@dataclass(frozen=True, slots=True)
class Temp:
    """A temporary: ``t3``."""

    number: int
    type: Type = I64

    def __str__(self) -> str:
        return f"t{self.number}"


@dataclass(frozen=True, slots=True)
class Const:
    """A constant: -2**63 to 2**63 - 1, or for ``i1`` 0 and 1."""

    value: int
    type: Type = I64

    def __str__(self) -> str:
        if self.type is I1:
            return "true" if self.value else "false"
        return str(self.value) if abs(self.value) < 4096 else hex(self.value & MASK64)


Value = Temp | Const


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A 64-bit piece of the guest's state: ``x10``, ``f3``, or a field of the hart's record."""

    name: str
    index: int = -1

    def __str__(self) -> str:
        return self.name if self.index < 0 else f"{self.name}{self.index}"
