"""The intermediate code: typed temporaries, guest state, memory, and ways to leave.

A ``Block`` is a straight line of operations that stands for one guest instruction or several. It
is entered at the top and may be left at several places:

    pc+0  beq a0, a1, pc+16
        t0 = get x10
        t1 = get x11
        t2 = eq t0, t1
        branch t2, pc+16

Temporaries are assigned once and have a type, ``i64`` or ``i1``. 64-bit integers are signed and
wrap. An operand is a temporary or a constant. The only nesting is ``if``, with two arms; what an
arm computes goes on only through the guest's state, so a temporary of an arm is unknown outside it.

Whatever can leave a block says so in ``LEAVES``: a load may fault, a branch may be taken, a trap
always leaves. At each of them the guest's state is exact: pc is that of the instruction whose
``Mark`` stands above, and the instructions of the marks before it have retired.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from vtbook.isa.definition import Instruction
from vtbook.isa.operations import MASK64
from vtbook.translator.operands import I1, I64, Const, IrError, Place, Temp, Type, Value


class Leaves(enum.Enum):
    """Whether an operation can leave its block."""

    NEVER = "never"
    MAY = "may"
    ALWAYS = "always"


# --- operations ----------------------------------------------------------------------------------


class Op:
    """What all operations have: operands, results, and a line of text.

    ``READS`` and ``WRITES`` name the fields that hold operands and results. ``PURE`` operations
    change nothing, so one whose result is not used can go.
    """

    READS: ClassVar[tuple[str, ...]] = ()
    WRITES: ClassVar[tuple[str, ...]] = ()
    PURE: ClassVar[bool] = False
    LEAVES: ClassVar[Leaves] = Leaves.NEVER

    @property
    def operands(self) -> tuple[Value, ...]:
        """The values it takes; not those inside the arms of an ``if``."""
        return self._values(self.READS)

    @property
    def results(self) -> tuple[Temp, ...]:
        """The temporaries it assigns."""
        return self._values(self.WRITES)

    def _values(self, names: tuple[str, ...]) -> tuple[Any, ...]:
        found: list[Any] = []
        for name in names:
            value = getattr(self, name)
            found.extend(value if isinstance(value, tuple) else (value,))
        return tuple(found)

    @property
    def leaves(self) -> Leaves:
        """Whether it can leave the block."""
        return self.LEAVES

    def replace(
        self, operand: Callable[[Value], Value], result: Callable[[Temp], Temp] = lambda t: t
    ) -> Op:
        """A copy with each operand and result, at any depth, put through these functions."""
        changed: dict[str, Any] = {}
        for names, change in ((self.READS, operand), (self.WRITES, result)):
            for name in names:
                value = getattr(self, name)
                many = isinstance(value, tuple)
                changed[name] = tuple(change(v) for v in value) if many else change(value)
        return dataclasses.replace(self, **changed) if changed else self  # type: ignore[type-var]


@dataclass(frozen=True)
class Mark(Op):
    """A guest instruction begins: ``offset`` bytes into the block, ``size`` bytes long."""

    offset: int
    size: int
    word: int
    text: str

    def __str__(self) -> str:
        return f"pc+{self.offset}  {self.text}"


@dataclass(frozen=True)
class Get(Op):
    """Read a piece of the guest's state."""

    WRITES = ("result",)
    PURE = True

    result: Temp
    place: Place

    def __str__(self) -> str:
        return f"{self.result} = get {self.place}"


@dataclass(frozen=True)
class Put(Op):
    """Write a piece of the guest's state."""

    READS = ("value",)

    place: Place
    value: Value

    def __str__(self) -> str:
        return f"put {self.place}, {self.value}"


@dataclass(frozen=True)
class Compute(Op):
    """An operation on values: see ``vtbook.translator.values`` for what each name means."""

    READS = ("arguments",)
    WRITES = ("result",)
    PURE = True

    result: Temp
    name: str
    arguments: tuple[Value, ...]

    def __str__(self) -> str:
        return f"{self.result} = {self.name} {_commas(self.arguments)}"


@dataclass(frozen=True)
class Call(Op):
    """Call a function on values, such as a floating-point routine, by its name."""

    READS = ("arguments",)
    WRITES = ("targets",)
    PURE = True

    targets: tuple[Temp, ...]
    name: str
    arguments: tuple[Value, ...]

    def __str__(self) -> str:
        return f"{_commas(self.targets)} = call {self.name}({_commas(self.arguments)})"


@dataclass(frozen=True)
class Load(Op):
    """Load ``size`` bytes, zero-extended; leaves with a load fault (cause 5)."""

    READS = ("address",)
    WRITES = ("result",)
    LEAVES = Leaves.MAY

    result: Temp
    size: int
    address: Value

    def __str__(self) -> str:
        return f"{self.result} = load{8 * self.size} {self.address}"


@dataclass(frozen=True)
class Store(Op):
    """Store the low ``size`` bytes; leaves with a store fault (cause 7)."""

    READS = ("address", "value")
    LEAVES = Leaves.MAY

    size: int
    address: Value
    value: Value

    def __str__(self) -> str:
        return f"store{8 * self.size} {self.address}, {self.value}"


@dataclass(frozen=True)
class CheckAtomic(Op):
    """Leave with a store trap (cause 6 or 7) unless an atomic may read and write there."""

    READS = ("address",)
    LEAVES = Leaves.MAY

    address: Value
    size: int

    def __str__(self) -> str:
        return f"check_atomic{8 * self.size} {self.address}"


@dataclass(frozen=True)
class CheckTarget(Op):
    """Leave with an instruction-address trap (cause 0) if no instruction may stand there."""

    READS = ("target",)
    LEAVES = Leaves.MAY

    target: Value

    def __str__(self) -> str:
        return f"check_target {self.target}"


@dataclass(frozen=True)
class Branch(Op):
    """If the condition holds the instruction retires and the guest goes on at pc + offset.

    A target that is not aligned traps instead (cause 0).
    """

    READS = ("condition", "offset")
    LEAVES = Leaves.MAY

    condition: Value
    offset: Value

    @property
    def leaves(self) -> Leaves:
        """A constant condition decides."""
        if isinstance(self.condition, Const):
            return Leaves.ALWAYS if self.condition.value else Leaves.NEVER
        return Leaves.MAY

    def __str__(self) -> str:
        away = self.offset
        target = f"pc{away.value:+d}" if isinstance(away, Const) else f"pc+{away}"
        if self.leaves is Leaves.ALWAYS:
            return f"jump {target}"
        return f"branch {self.condition}, {target}"


@dataclass(frozen=True)
class Jump(Op):
    """The instruction retires and the guest goes on at the target, which must be aligned."""

    READS = ("target",)
    LEAVES = Leaves.ALWAYS

    target: Value

    def __str__(self) -> str:
        return f"jump {self.target}"


@dataclass(frozen=True)
class Trap(Op):
    """The instruction does not retire: it traps with this cause and tval."""

    READS = ("cause", "value")
    LEAVES = Leaves.ALWAYS

    cause: Value
    value: Value

    def __str__(self) -> str:
        return f"trap {self.cause}, {self.value}"


@dataclass(frozen=True)
class Event(Op):
    """Tell the engine something when the instruction has retired: ``fence.i`` or ``wfi``."""

    kind: str

    def __str__(self) -> str:
        return f"event {self.kind}"


@dataclass(frozen=True)
class Helper(Op):
    """Run a definition that could not be traced; it may change, trap and jump as it likes."""

    LEAVES = Leaves.MAY

    instruction: Instruction
    decoded: Any  # the operands, a named tuple

    def __str__(self) -> str:
        named = ", ".join(f"{k}={v}" for k, v in self.decoded._asdict().items())
        return f"helper {self.instruction.name}({named})"


@dataclass(frozen=True)
class If(Op):
    """Run one of two lists of operations."""

    READS = ("condition",)

    condition: Value
    then: tuple[Op, ...]
    otherwise: tuple[Op, ...] = ()

    @property
    def leaves(self) -> Leaves:
        """ALWAYS if both arms always leave."""
        arms = {leaves(self.then), leaves(self.otherwise)}
        return arms.pop() if len(arms) == 1 else Leaves.MAY

    def replace(
        self, operand: Callable[[Value], Value], result: Callable[[Temp], Temp] = lambda t: t
    ) -> Op:
        """A copy with the condition and both arms put through the functions."""
        return If(
            operand(self.condition),
            tuple(op.replace(operand, result) for op in self.then),
            tuple(op.replace(operand, result) for op in self.otherwise),
        )

    def __str__(self) -> str:
        return "\n".join(_lines((self,), ""))


def _commas(values: tuple[Any, ...]) -> str:
    return ", ".join(str(v) for v in values)


def leaves(ops: tuple[Op, ...]) -> Leaves:
    """Whether a list of operations can leave its block: ALWAYS, MAY or NEVER."""
    found = {op.leaves for op in ops}
    for answer in (Leaves.ALWAYS, Leaves.MAY):
        if answer in found:
            return answer
    return Leaves.NEVER


def walk(ops: tuple[Op, ...]) -> Iterator[Op]:
    """Every operation, those inside the arms of an ``if`` after it."""
    for op in ops:
        yield op
        if isinstance(op, If):
            yield from walk(op.then)
            yield from walk(op.otherwise)


# --- blocks --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """Operations for the guest instructions in ``size`` bytes, the first at ``pc``.

    If nothing leaves it, the guest goes on after them. ``pc`` is None where the code does not
    depend on it: the same block then serves at every address.
    """

    ops: tuple[Op, ...]
    size: int
    pc: int | None = None

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Where each guest instruction begins."""
        return tuple(op for op in self.ops if isinstance(op, Mark))

    def __str__(self) -> str:
        lines = []
        for op in self.ops:
            if isinstance(op, Mark) and self.pc is not None:
                lines.append(f"{(self.pc + op.offset) & MASK64:#x}  {op.text}")
            elif isinstance(op, Mark):
                lines.append(str(op))
            else:
                lines.extend(_lines((op,), "    "))
        return "\n".join(lines)


def _lines(ops: tuple[Op, ...], margin: str) -> Iterator[str]:
    for op in ops:
        if not isinstance(op, If):
            yield margin + str(op)
        elif not op.then:
            yield f"{margin}if not {op.condition}:"
            yield from _lines(op.otherwise, margin + "    ")
        else:
            yield f"{margin}if {op.condition}:"
            yield from _lines(op.then, margin + "    ")
            if op.otherwise:
                yield f"{margin}else:"
                yield from _lines(op.otherwise, margin + "    ")


__all__ = [
    "I1",
    "I64",
    "Block",
    "Branch",
    "Call",
    "CheckAtomic",
    "CheckTarget",
    "Compute",
    "Const",
    "Event",
    "Get",
    "Helper",
    "If",
    "IrError",
    "Jump",
    "Leaves",
    "Load",
    "Mark",
    "Op",
    "Place",
    "Put",
    "Store",
    "Temp",
    "Trap",
    "Type",
    "Value",
    "leaves",
    "walk",
]
