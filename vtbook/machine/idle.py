"""Does a guest that asks for input do nothing else? Then its host may sleep until a key comes.

A guest without interrupts waits by reading a status register in a loop. One turn of the loop is run
in plain Python and looked at. If it ends in the registers it began with, has changed no byte of
memory, has read no counter, and has met no device but the UART's line status, then the next turn is
the same turn: only input can end the loop. Leaving out turns that change nothing leaves the state
exact. A loop that counts down or looks at the time is not of this kind and runs on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtbook.cpu.traps import Trap
from vtbook.isa.operations import MASK64
from vtbook.machine.board import UART_BASE

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine

LONGEST_TURN = 400
"""Instructions of a loop that is still looked at."""
MACHINE_MODE = 3
STATUS = UART_BASE + 5
LOADS = {"lb": 1, "lbu": 1, "lh": 2, "lhu": 2, "lw": 4, "lwu": 4, "ld": 8, "flw": 4, "fld": 8}
STORES = {"sb": 1, "sh": 2, "sw": 4, "sd": 8, "fsw": 4, "fsd": 8}
UNSURE = ("csr", "amo", "lr.", "sc.", "wfi", "mret", "sret", "ecall", "ebreak", "fence.i")
"""Instructions that begin so may see or change more than registers and plain memory."""


def waits_for_input(machine: Machine) -> bool:
    """Run the guest on for at most two turns of its loop; True if only input can end it.

    What is typed is not lost: with input waiting the answer is False, and nothing is run.
    """
    hart = machine.hart
    if machine.console.waiting or machine.board.uart.received or hart.mie:
        return False
    if hart.mode != MACHINE_MODE:  # elsewhere an address may not be where it says
        return False
    if not _to_poll(machine):
        return False
    before = _registers(machine)
    return _to_poll(machine) and _registers(machine) == before


def _registers(machine: Machine) -> tuple:
    hart = machine.hart
    return (*machine.position[1:], hart.mode, *hart.x, *hart.f)


def _to_poll(machine: Machine) -> bool:
    """Step until just after a read of the line status; False if the loop does anything else."""
    hart, ram = machine.hart, machine.board.ram
    for _ in range(LONGEST_TURN):
        try:
            decoded = hart.isa.decode(hart.fetch(hart.pc))
        except Trap:
            return False
        if decoded is None or decoded.instruction.name.startswith(UNSURE):
            return False
        name, operands = decoded.instruction.name, decoded.operands
        polled, kept = False, None
        if size := LOADS.get(name) or STORES.get(name):
            address = (hart.x[operands.rs1] + operands.imm) & MASK64
            polled = address == STATUS and name in LOADS
            if not polled and not ram.holds(address, size):
                return False
            if name in STORES:
                kept = (address, ram.read(address, size))
        stop = machine.single_step()
        if stop.trap is not None or machine.board.request is not None:
            return False
        if kept is not None and ram.read(kept[0], len(kept[1])) != kept[1]:
            return False
        if polled:
            return True
    return False
