"""The lifter: intermediate code from instruction definitions, by tracing.

A definition is called with a symbolic hart and its real operands, and what it does is written down.
Register numbers and immediates are known, so a definition's ``if d.rd != 0`` is an ordinary one.
At an ``if`` on a value of the guest the definition is run once for each outcome, and the two ways
become an ``If``. A definition that cannot be traced becomes a ``Helper``: a call of itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vtbook.cpu.hart import Hart
from vtbook.cpu.traps import Trap as GuestTrap
from vtbook.isa.definition import Instruction
from vtbook.isa.disassembler import disassemble
from vtbook.isa.encoding import Field
from vtbook.isa.instruction_set import Decoded, InstructionSet
from vtbook.isa.operations import wrap
from vtbook.isa.sets import RV64GC
from vtbook.isa.syntax import slots_of
from vtbook.translator.calls import with_calls_recorded
from vtbook.translator.ir import (
    Block,
    Branch,
    Const,
    Event,
    Helper,
    If,
    IrError,
    Jump,
    Leaves,
    Mark,
    Op,
    Temp,
    Value,
    leaves,
    walk,
)
from vtbook.translator.symbolic_hart import SymbolicHart
from vtbook.translator.symbols import Finished, Fork, Path, Untraceable

MAX_PATHS = 64
#: Instructions in a block at most.
MAX_INSTRUCTIONS = 64


# --- blocks --------------------------------------------------------------------------------------


def lift(decoded: Decoded, *, isa: InstructionSet = RV64GC, pc: int | None = None) -> Block:
    """The block of one instruction; at ``pc``, or good for any address."""
    return lift_sequence([decoded], isa=isa, pc=pc)


def lift_sequence(
    sequence: Sequence[Decoded], *, isa: InstructionSet = RV64GC, pc: int | None = None
) -> Block:
    """The block of instructions that follow each other in memory, the first one at ``pc``.

    Raises IrError if one that never goes on to the next stands before the end.
    """
    ops: list[Op] = []
    offset = 0
    for n, decoded in enumerate(sequence):
        at = None if pc is None else wrap(pc + offset)
        ops.append(Mark(offset, decoded.size, decoded.word, _text(decoded, isa, at)))
        body = _body(decoded, at)
        if leaves(body) is Leaves.ALWAYS and n + 1 < len(sequence):
            raise IrError(f"{ops[-1]}: never reaches the instruction after it; end the block here")
        ops.extend(body)
        offset += decoded.size
    return Block(renumber(ops), offset, pc)


def lift_block(
    hart: Hart, pc: int | None = None, *, limit: int = MAX_INSTRUCTIONS, fixed: bool = False
) -> Block:
    """The basic block of guest code at ``pc`` (default: the hart's).

    It ends with the first instruction that may branch or jump, always leaves, tells the engine an
    event, or is a helper's; or before one that cannot be fetched or decoded. ``fixed`` puts the
    address into the code as a constant.

    Raises the guest's ``vtbook.cpu.traps.Trap`` if the first instruction is such a one.
    """
    start = at = hart.pc if pc is None else wrap(pc)
    sequence: list[Decoded] = []
    while len(sequence) < limit:
        try:
            word = hart.fetch(at)
            decoded = hart.isa.decode(word)
            if decoded is None:
                raise GuestTrap(2, word)
        except GuestTrap:
            if not sequence:
                raise
            break
        sequence.append(decoded)
        if ends_block(_body(decoded, None)):
            break
        at = wrap(at + decoded.size)
    return lift_sequence(sequence, isa=hart.isa, pc=start if fixed else None)


def ends_block(ops: tuple[Op, ...]) -> bool:
    """True if no other instruction should follow this one in its block."""
    control = (Branch, Jump, Event, Helper)
    return leaves(ops) is Leaves.ALWAYS or any(isinstance(op, control) for op in walk(ops))


def _text(decoded: Decoded, isa: InstructionSet, pc: int | None) -> str:
    """Assembly text; a target is relative where the pc is not known."""
    text = disassemble(decoded.word, pc or 0, isa)
    slots = slots_of(decoded.instruction)
    if pc is None and slots and slots[-1].kind == "target":
        head, _, target = text.rpartition(" ")
        return f"{head} pc{wrap(int(target, 16)):+d}"
    return text


def _body(decoded: Decoded, pc: int | None) -> tuple[Op, ...]:
    try:
        return trace(decoded.instruction, decoded.operands, decoded.word, pc)
    except Untraceable:
        return (Helper(decoded.instruction, decoded.operands),)


def renumber(ops: Sequence[Op]) -> tuple[Op, ...]:
    """The same operations with temporaries numbered in the order of the text."""
    count = 0

    def rename(ops: Sequence[Op], names: dict[Temp, Temp]) -> Iterator[Op]:
        nonlocal count

        def known(value: Value) -> Value:
            return names[value] if isinstance(value, Temp) else value

        for op in ops:
            if isinstance(op, If):
                then = tuple(rename(op.then, dict(names)))
                yield If(known(op.condition), then, tuple(rename(op.otherwise, dict(names))))
                continue
            fresh = {}
            for temp in op.results:
                fresh[temp] = Temp(count, temp.type)
                count += 1
            yield op.replace(known, fresh.__getitem__)
            names |= fresh

    numbered: list[Op] = []
    part: list[Op] = []
    for op in [*ops, None]:
        if op is None or isinstance(op, Mark):  # each instruction has its own names
            numbered.extend(rename(part, {}))
            part = []
        if op is not None:
            part.append(op)
    return tuple(numbered)


# --- tracing -------------------------------------------------------------------------------------


def trace(
    instruction: Instruction, operands: Any, word: int, pc: int | None = None
) -> tuple[Op, ...]:
    """The operations of one instruction with these operands.

    ``word`` is what an illegal-instruction trap reports. Raises ``Untraceable`` with the reason.
    """
    return _Tracer(instruction, operands, word, pc).explore(())


class _Tracer:
    def __init__(self, instruction: Instruction, operands: Any, word: int, pc: int | None):
        self.function = with_calls_recorded(instruction.function)  # type: ignore[arg-type]
        self.operands = operands
        self.word = word
        self.pc = pc
        self.paths = 0

    def explore(self, answers: tuple[bool, ...]) -> tuple[Op, ...]:
        """What the definition does after it got these answers."""
        path = Path(answers)
        try:
            self.function(SymbolicHart(path, self.word, self.pc), self.operands)
        except Fork as fork:
            ops = tuple(path.ops[path.start :])
            before = {temp for op in path.ops for temp in op.results}
            then = self.explore((*answers, True))
            otherwise = self.explore((*answers, False))
            return ops + _join(fork.condition, then, otherwise, before)
        except Finished:
            pass
        except Untraceable:
            raise
        except Exception as problem:
            raise Untraceable(f"{type(problem).__name__}: {problem}") from problem
        self.paths += 1
        if self.paths > MAX_PATHS:
            raise Untraceable(f"more than {MAX_PATHS} ways through it")
        return tuple(path.ops[path.start :])


def _join(
    condition: Temp, then: tuple[Op, ...], otherwise: tuple[Op, ...], before: set[Temp]
) -> tuple[Op, ...]:
    """An ``If`` and what follows it: an arm that always leaves needs no other beside it."""
    if leaves(then) is Leaves.ALWAYS:
        return (If(condition, then), *otherwise)
    if leaves(otherwise) is Leaves.ALWAYS:
        return (If(condition, (), otherwise), *then)
    shared = 0
    while shared < min(len(then), len(otherwise)):
        op = then[-1 - shared]
        if op != otherwise[-1 - shared] or isinstance(op, If):
            break
        if op.results or not all(isinstance(v, Const) or v in before for v in op.operands):
            break
        shared += 1
    tail = then[len(then) - shared :]
    then, otherwise = then[: len(then) - shared], otherwise[: len(otherwise) - shared]
    return (If(condition, then, otherwise), *tail) if then or otherwise else tail


# --- report --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LiftReport:
    """How one definition is lifted: ``reason`` is "" if it is traced, else why it cannot be.

    ``operations`` and ``decisions`` count what the longest of the samples gave, marks left out.
    """

    instruction: Instruction
    reason: str
    operations: int
    decisions: int

    @property
    def traced(self) -> bool:
        """True if no helper is needed."""
        return not self.reason

    def __str__(self) -> str:
        name = f"{self.instruction.extension:9} {self.instruction.name:12}"
        if self.traced:
            return f"{name} {self.operations:3} operations, {self.decisions} decisions"
        return f"{name} helper: {self.reason}"


def lift_report(isa: InstructionSet = RV64GC) -> list[LiftReport]:
    """For each definition of a set, whether it is traced: tried with small and large operands."""
    return [_report(instruction) for instruction in isa.instructions.values()]


def _report(instruction: Instruction) -> LiftReport:
    operations = decisions = 0
    for operands in _samples(instruction):
        try:
            ops = tuple(walk(trace(instruction, operands, 0)))
        except Untraceable as problem:
            return LiftReport(instruction, str(problem), 0, 0)
        operations = max(operations, len(ops))
        decisions = max(decisions, sum(isinstance(op, If) for op in ops))
    return LiftReport(instruction, "", operations, decisions)


def _samples(instruction: Instruction) -> Iterator[Any]:
    fields = instruction.encoding.fields
    for n in range(4):
        yield instruction.operands(**{f.name: _sample(f, n) for f in fields}, size=4)


def _sample(field: Field, n: int) -> int:
    """A value of the field: the lowest, the highest, or one between them."""
    if field.name == "csr":
        return (0x300, 0xFFF, 0xB00, 0x003)[n]  # mstatus, none, mcycle, fcsr
    if field.kind == "imm":
        span = (field.high - field.low) // field.alignment
        value = field.low + field.alignment * (0, span, span // 2, span // 3)[n]
    else:
        value = (field.low, field.high, 9, 12)[n]
    return value if value not in field.excluded else field.high
