"""One instruction, defined once: its encoding, its assembly form, and what it does."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from vtbook.errors import VtbookError
from vtbook.isa.encoding import Encoding, parse_encoding


class DefinitionError(VtbookError):
    """An instruction definition that contradicts itself."""


@dataclass(frozen=True, eq=False)
class Instruction:
    """An instruction: callable as its meaning, ``instruction(h, d)``.

    ``syntax`` is the assembly form, e.g. ``"lw rd, imm(rs1)"``. ``function`` is the meaning, a
    plain function over a hart and the decoded operands.
    """

    syntax: str
    encoding: Encoding
    function: Callable[[Any, Any], None]
    extension: str = ""

    @property
    def name(self) -> str:
        """The mnemonic."""
        return self.syntax.split(None, 1)[0]

    @property
    def doc(self) -> str:
        """The first line of the definition's docstring."""
        return (self.function.__doc__ or "").strip().split("\n")[0]

    @cached_property
    def operands(self) -> type:
        """The named tuple of this instruction's operands; ``size`` is its length in bytes."""
        return namedtuple(  # type: ignore[misc]
            self.function.__name__, [*(f.name for f in self.encoding.fields), "size"]
        )

    def __call__(self, h: Any, d: Any) -> None:
        self.function(h, d)

    def __repr__(self) -> str:
        return f"<instruction {self.syntax}>"


@dataclass(frozen=True, eq=False)
class Compressed:
    """A 16-bit spelling of another instruction (the C extension): no meaning of its own.

    ``expansion`` gives the operands of ``target``: each is the name of a field of this encoding or
    a constant.
    """

    syntax: str
    encoding: Encoding
    target: Instruction
    expansion: Mapping[str, str | int]
    extension: str = "C"

    @property
    def name(self) -> str:
        """The mnemonic, ``c.…``."""
        return self.syntax.split(None, 1)[0]

    @property
    def doc(self) -> str:
        """What it stands for."""
        return f"Short form of {self.target.name}."

    def expand(self, values: Mapping[str, int]) -> dict[str, int]:
        """Operands of the target instruction, from this encoding's field values."""
        return {
            name: values[source] if isinstance(source, str) else source
            for name, source in self.expansion.items()
        }

    def __repr__(self) -> str:
        return f"<compressed {self.syntax} = {self.target.name}>"


def instruction(syntax: str, encoding: str) -> Callable[[Callable[[Any, Any], None]], Instruction]:
    """Define an instruction: decorate the function that says what it does.

    Parameters
    ----------
    syntax: the assembly form; the first word is the mnemonic, the others name the operands.
    encoding: the bit pattern (see ``vtbook.isa.encoding``).

    Raises EncodingError for a pattern that cannot be read.
    """

    def define(function: Callable[[Any, Any], None]) -> Instruction:
        return Instruction(syntax, parse_encoding(encoding), function)

    return define


def compressed(
    syntax: str, encoding: str, target: Instruction, **operands: str | int
) -> Compressed:
    """Define a 16-bit short form of ``target`` with these operands; the others keep their names."""
    parsed = parse_encoding(encoding)
    own = {f.name for f in parsed.fields}
    expansion: dict[str, str | int] = {}
    for f in target.encoding.fields:
        source = operands.get(f.name, f.name)
        if isinstance(source, str) and source not in own:
            raise DefinitionError(f"{syntax!r}: nothing says what {target.name}'s {f.name} is")
        expansion[f.name] = source
    return Compressed(syntax, parsed, target, expansion)


@dataclass(frozen=True)
class Extension:
    """A named group of instructions, as the manual groups them; one file defines one."""

    name: str
    title: str
    instructions: tuple[Instruction | Compressed, ...] = field(repr=False, default=())

    @classmethod
    def of(cls, name: str, title: str, namespace: Mapping[str, Any]) -> Extension:
        """The extension made of all instructions in a module's namespace, in order."""
        members = {
            id(item): replace(item, extension=name)
            for item in namespace.values()
            if isinstance(item, Instruction) and item.function.__module__ == namespace["__name__"]
        }
        short = [item for item in namespace.values() if isinstance(item, Compressed)]
        return cls(name, title, tuple(members.values()) + tuple(short))
