"""Machines: a board wired from RAM, devices and harts, and an engine that runs these.

``Board`` describes the hardware; ``Machine`` builds it, loads a program or boots a system, and runs
until an ``Exit``; ``Snapshot`` is its whole state, and ``history`` takes it back in time. ``elf``
reads and writes programs, ``board`` has the addresses, ``exits`` the reasons for which a run ends,
``engines`` the ways of running, ``harts`` the turns that several harts take.
"""

from vtbook.machine.board import Board, BoardError, Disk, Nic
from vtbook.machine.debugging import MachineError
from vtbook.machine.elf import ElfError, Image, Segment, load_elf
from vtbook.machine.elf_write import write_elf
from vtbook.machine.exits import Exit
from vtbook.machine.history import HistoryError
from vtbook.machine.machine import Machine
from vtbook.machine.snapshot import Snapshot, SnapshotError
from vtbook.machine.symbols import Symbol, SymbolTable

__all__ = [
    "Board",
    "BoardError",
    "Disk",
    "ElfError",
    "Exit",
    "HistoryError",
    "Image",
    "Machine",
    "MachineError",
    "Nic",
    "Segment",
    "Snapshot",
    "SnapshotError",
    "Symbol",
    "SymbolTable",
    "load_elf",
    "write_elf",
]
