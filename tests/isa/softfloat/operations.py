"""Every operation under test, with its machine code and its assembly for the oracles."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vtbook.isa import softfloat

A, B, C, RESULT = 1, 2, 3, 4  # registers f1 to f4 hold operands and result
INTEGER_SOURCE, INTEGER_RESULT = 10, 11  # and x10, x11 where they are integers
INTEGERS = ("i32", "u32", "i64", "u64")
DYNAMIC = 7


@dataclass(frozen=True)
class Operation:
    """One instruction: operand and result kinds are "f32", "f64" or "int"."""

    name: str
    operands: tuple[str, ...]
    result: str
    word: int
    assembly: str

    @property
    def function(self) -> Callable[..., Any]:
        return getattr(softfloat, self.name)

    @property
    def rounds(self) -> bool:
        return "rm" in inspect.signature(self.function).parameters

    def call(
        self, function: Callable[..., Any], operands: tuple[int, ...], rm: int
    ) -> tuple[int, int]:
        """Apply the library's function (or a compiled form) and return (bits, flags)."""
        arguments = (*operands, rm) if self.rounds else operands
        result = function(*arguments)
        return result if isinstance(result, tuple) else (result, 0)

    def __str__(self) -> str:
        return self.name


def op_fp(funct5: int, fmt: int, rs2: int, rs1: int, rm: int, rd: int) -> int:
    return funct5 << 27 | fmt << 25 | rs2 << 20 | rs1 << 15 | rm << 12 | rd << 7 | 0x53


def operations_of(width: int) -> list[Operation]:
    """The operations of one format, in the order of the specification's chapters."""
    kind, fmt, letter = {32: ("f32", 0, "s"), 64: ("f64", 1, "d")}[width]
    found = []

    def add(name: str, operands: int, result: str, word: int, assembly: str) -> None:
        found.append(Operation(f"{kind}_{name}", (kind,) * operands, result, word, assembly))

    for funct5, name in enumerate(("add", "sub", "mul", "div")):
        word = op_fp(funct5, fmt, B, A, DYNAMIC, RESULT)
        add(name, 2, kind, word, f"f{name}.{letter} f4, f1, f2")
    add("sqrt", 1, kind, op_fp(0b01011, fmt, 0, A, DYNAMIC, RESULT), f"fsqrt.{letter} f4, f1")
    fused = C << 27 | fmt << 25 | B << 20 | A << 15 | DYNAMIC << 12 | RESULT << 7 | 0x43
    add("fma", 3, kind, fused, f"fmadd.{letter} f4, f1, f2, f3")
    for code, name in enumerate(("min", "max")):
        word = op_fp(0b00101, fmt, B, A, code, RESULT)
        add(name, 2, kind, word, f"f{name}.{letter} f4, f1, f2")
    for code, name in enumerate(("le", "lt", "eq")):
        word = op_fp(0b10100, fmt, B, A, code, INTEGER_RESULT)
        add(name, 2, "int", word, f"f{name}.{letter} x11, f1, f2")
    word = op_fp(0b11100, fmt, 0, A, 1, INTEGER_RESULT)
    add("classify", 1, "int", word, f"fclass.{letter} x11, f1")
    for code, (integer, mnemonic) in enumerate(zip(INTEGERS, ("w", "wu", "l", "lu"), strict=True)):
        word = op_fp(0b11000, fmt, code, A, DYNAMIC, INTEGER_RESULT)
        add(f"to_{integer}", 1, "int", word, f"fcvt.{mnemonic}.{letter} x11, f1, dyn")
        word = op_fp(0b11010, fmt, code, INTEGER_SOURCE, DYNAMIC, RESULT)
        rounding = "" if width == 64 and code < 2 else ", dyn"
        assembly = f"fcvt.{letter}.{mnemonic} f4, x10{rounding}"
        found.append(Operation(f"{integer}_to_{kind}", ("int",), kind, word, assembly))
    return found


OPERATIONS = [
    *operations_of(32),
    *operations_of(64),
    Operation("f32_to_f64", ("f32",), "f64", op_fp(8, 1, 0, A, 0, RESULT), "fcvt.d.s f4, f1"),
    Operation("f64_to_f32", ("f64",), "f32", op_fp(8, 0, 1, A, 7, RESULT), "fcvt.s.d f4, f1, dyn"),
]
BY_NAME = {operation.name: operation for operation in OPERATIONS}
