"""The plain-Python machine: one instruction at a time, by calling its definition."""

from __future__ import annotations

from vtbook.cpu.hart import Hart
from vtbook.cpu.interrupts import next_interrupt
from vtbook.cpu.traps import Trap, take_interrupt, take_trap
from vtbook.isa.instruction_set import Decoded
from vtbook.isa.operations import wrap


def execute(h: Hart) -> Decoded:
    """Fetch, decode and run one instruction. Raises ``Trap`` with the pc still at it."""
    word = h.fetch(h.pc)
    decoded = h.isa.decode(word)
    if decoded is None:
        raise Trap(2, word)
    h.next_pc = h.pc + decoded.size
    decoded.instruction.function(h, decoded.operands)
    h.pc = h.next_pc
    h.instret += 1
    return decoded


def interrupt(h: Hart) -> Trap | None:
    """Take the interrupt that is pending and enabled, if there is one; it is returned."""
    if not (h.mie or h.mip or h.lines):
        return None
    number = next_interrupt(h)
    if number < 0:
        return None
    trap = Trap(number - (1 << 63))
    trap.unhandled = take_interrupt(h) < 0
    return trap


def step(h: Hart) -> tuple[Trap | None, Decoded | None]:
    """Take an interrupt, or run one instruction and take its trap if it has one.

    Returns the trap or None, and the instruction that retired or None. A trap that the guest's
    handler cannot take (``trap_exits`` is set, there is no handler, or its first instruction traps
    itself) leaves the pc where it was and is marked ``unhandled``.
    """
    trap = interrupt(h)
    if trap is not None:
        return trap, None
    return step_instruction(h)


def step_instruction(h: Hart) -> tuple[Trap | None, Decoded | None]:
    """The same without interrupts."""
    try:
        return None, execute(h)
    except Trap as trap:
        trap.unhandled = bool(h.trap_exits) or not take_trap(h, trap.cause, wrap(trap.value))
        return trap, None
