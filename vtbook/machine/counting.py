"""Counting what a hypervisor would pay for: instructions by mode, traps, device accesses."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from vtbook.cpu.traps import MODES
from vtbook.machine.debugging import MachineError

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine

MOST_STEPS = 5_000_000
"""Steps are made in plain Python: some hundred thousand a second."""


def count_events(machine: Machine, steps: int) -> Counter[str]:
    """Run up to `steps` steps in plain Python, and count what happened in them.

    Args:
        machine: A loaded machine. It runs on from where it is, and stays where it stopped.
        steps: The most steps; the count ends early if the machine stops.

    Returns:
        ``instructions M``, ``instructions U`` and so on: instructions retired in each mode;
        ``traps``: taken, interrupts among them; ``device reads`` and ``device writes``: accesses
        outside RAM, each of which would leave a guest for its hypervisor.

    Raises:
        MachineError: the number of steps is not from 1 to `MOST_STEPS`.
    """
    if not 1 <= steps <= MOST_STEPS:
        raise MachineError(f"{steps} steps to count; give 1 to {MOST_STEPS}")
    hart, ram = machine.hart, machine.board.ram
    found: Counter[str] = Counter()
    for _ in range(steps):
        accesses: list[tuple] = []
        mode, before = MODES[hart.mode], hart.instret
        hart.accesses = accesses
        try:
            exit, trap = machine.step_with_trap()
        finally:
            hart.accesses = None
        retired = hart.instret - before
        if retired:
            found[f"instructions {mode}"] += retired
        found["traps"] += trap is not None
        for kind, address, *_ in accesses:
            if not ram.holds(address, 1):
                found["device reads" if kind == "r" else "device writes"] += 1
        if exit.reason != "step":
            break
    return +found
