"""The interpreter of intermediate code: its plainest machine, and the judge of the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vtbook.cpu.hart import Hart
from vtbook.isa.operations import wrap
from vtbook.translator.ir import (
    Block,
    Branch,
    Call,
    CheckAtomic,
    CheckTarget,
    Compute,
    Const,
    Event,
    Get,
    Helper,
    If,
    IrError,
    Jump,
    Load,
    Mark,
    Op,
    Put,
    Store,
    Trap,
    Value,
)
from vtbook.translator.values import FUNCTIONS, compute


def run_block(block: Block, hart: Hart) -> None:
    """Run a block on a hart that stands at its first instruction.

    Afterwards ``pc`` is where the guest goes on and ``instret`` has counted what retired. Events
    are in ``hart.events``. Raises ``vtbook.cpu.traps.Trap`` if an instruction traps: ``pc`` is then
    at that instruction, and those before it have retired. Raises IrError if the block was made for
    another address.
    """
    if block.pc is not None and block.pc != hart.pc:
        raise IrError(f"this block is for pc {block.pc:#x}; the hart stands at {hart.pc:#x}")
    _Run(block, hart).run()


class _Run:
    """One execution of a block: the values of its temporaries, and the hart."""

    def __init__(self, block: Block, hart: Hart):
        self.block = block
        self.hart = hart
        self.start = hart.pc
        self.size = 0  # of the instruction that runs now
        self.temps: dict[int, int] = {}

    def run(self) -> None:
        if not self.ops(self.block.ops):
            self.hart.pc = self.start + self.block.size
            self.hart.instret += 1

    def ops(self, ops: tuple[Op, ...]) -> bool:
        """Run operations; True if one of them left the block."""
        return any(_RUN[type(op)](self, op) for op in ops)

    def value(self, operand: Value) -> int:
        return operand.value if isinstance(operand, Const) else self.temps[operand.number]

    def mark(self, op: Mark) -> bool:
        if op.offset:
            self.hart.pc = self.start + op.offset
            self.hart.instret += 1
        self.size = op.size
        return False

    def get(self, op: Get) -> bool:
        name, index = op.place.name, op.place.index
        held = getattr(self.hart, name)
        self.temps[op.result.number] = held if index < 0 else held[index]
        return False

    def put(self, op: Put) -> bool:
        name, index = op.place.name, op.place.index
        if index < 0:
            setattr(self.hart, name, self.value(op.value))
        else:
            getattr(self.hart, name)[index] = self.value(op.value)
        return False

    def compute(self, op: Compute) -> bool:
        arguments = tuple(self.value(a) for a in op.arguments)
        self.temps[op.result.number] = compute(op.name, arguments, op.result.type)
        return False

    def call(self, op: Call) -> bool:
        given = FUNCTIONS[op.name](*(self.value(a) for a in op.arguments))
        values = given if len(op.targets) > 1 else (given,)
        for target, value in zip(op.targets, values, strict=True):
            self.temps[target.number] = wrap(int(value))
        return False

    def load(self, op: Load) -> bool:
        load = getattr(self.hart, f"load{8 * op.size}")
        self.temps[op.result.number] = load(self.value(op.address))
        return False

    def store(self, op: Store) -> bool:
        store = getattr(self.hart, f"store{8 * op.size}")
        store(self.value(op.address), self.value(op.value))
        return False

    def check_atomic(self, op: CheckAtomic) -> bool:
        self.hart.amo_address(self.value(op.address), op.size)
        return False

    def check_target(self, op: CheckTarget) -> bool:
        self.hart.check_target(self.value(op.target))
        return False

    def branch(self, op: Branch) -> bool:
        if not self.value(op.condition):
            return False
        return self.go(wrap(self.hart.pc + self.value(op.offset)))

    def jump(self, op: Jump) -> bool:
        return self.go(self.value(op.target))

    def go(self, target: int) -> bool:
        """Retire the instruction and leave for ``target``, which traps if it is not aligned."""
        self.hart.jump(target)
        self.hart.pc = target
        self.hart.instret += 1
        return True

    def trap(self, op: Trap) -> bool:
        self.hart.raise_trap(self.value(op.cause), self.value(op.value))
        raise AssertionError("a hart's raise_trap does not return")

    def event(self, op: Event) -> bool:
        if op.kind == "fence.i":
            self.hart.fence_instructions()
        else:
            self.hart.wait_for_interrupt()
        return False

    def helper(self, op: Helper) -> bool:
        h = self.hart
        following = wrap(h.pc + self.size)
        h.next_pc = following
        op.instruction.function(h, op.decoded)
        if h.next_pc == following:
            return False
        h.pc = h.next_pc
        h.instret += 1
        return True

    def branch_on(self, op: If) -> bool:
        return self.ops(op.then if self.value(op.condition) else op.otherwise)


_RUN: dict[type, Callable[[_Run, Any], bool]] = {
    Mark: _Run.mark,
    Get: _Run.get,
    Put: _Run.put,
    Compute: _Run.compute,
    Call: _Run.call,
    Load: _Run.load,
    Store: _Run.store,
    CheckAtomic: _Run.check_atomic,
    CheckTarget: _Run.check_target,
    Branch: _Run.branch,
    Jump: _Run.jump,
    Trap: _Run.trap,
    Event: _Run.event,
    Helper: _Run.helper,
    If: _Run.branch_on,
}
