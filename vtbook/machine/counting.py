"""Counting what a hypervisor would pay for: instructions by mode, traps, device accesses."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from vtbook.cpu.traps import MODES
from vtbook.machine.accesses import noting_accesses
from vtbook.machine.debugging import MachineError

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine

MOST_STEPS = 5_000_000
"""Steps are made in plain Python: some hundred thousand a second, ten thousand with page tables.
`vtbook.machine.switches.mode_counts` counts modes at full speed."""


def count_events(machine: Machine, steps: int) -> Counter[str]:
    """Run up to `steps` steps in plain Python, and count what happened in them.

    Args:
        machine: A loaded machine. It runs on from where it is, and stays where it stopped.
        steps: The most steps; the count ends early if the machine stops.

    Returns:
        ``instructions M``, ``instructions U`` and so on: instructions retired in each mode;
        ``traps``: taken, interrupts among them; ``device reads`` and ``device writes``: accesses
        on the bus, each of which would leave a guest for its hypervisor.

    Raises:
        MachineError: the number of steps is not from 1 to `MOST_STEPS`.
    """
    if not 1 <= steps <= MOST_STEPS:
        raise MachineError(f"{steps} steps to count; give 1 to {MOST_STEPS}")
    found: Counter[str] = Counter()

    def note(kind: str, address: int, size: int, value: int) -> None:
        found[f"device {kind}s"] += 1

    with noting_accesses(machine, note):
        for _ in range(steps):
            hart, before = machine.hart, machine.instructions
            mode = MODES[hart.mode]
            exit, trap = machine.step_with_trap()
            retired = machine.instructions - before
            if retired:
                found[f"instructions {mode}"] += retired
            found["traps"] += trap is not None
            if exit.reason != "step":
                break
    return +found
