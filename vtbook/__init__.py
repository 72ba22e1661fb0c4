"""vtbook: the executable textbook on virtualization.

The names below are loaded on first use, so that ``import vtbook`` and the command line are quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vtbook.errors import VtbookError
    from vtbook.guests import compile_c
    from vtbook.guests import image as guest_image
    from vtbook.guests.python_compiler import putchar
    from vtbook.isa.assembler import Program, assemble
    from vtbook.isa.definition import Extension, Instruction, instruction
    from vtbook.isa.disassembler import disassemble
    from vtbook.isa.instruction_set import InstructionSet
    from vtbook.isa.sets import RV64GC, RV64IM
    from vtbook.machine import Board, Disk, Exit, Machine, Nic
    from vtbook.machine.accesses import count_accesses
    from vtbook.machine.console_recording import record_console
    from vtbook.machine.counting import count_events
    from vtbook.machine.page_walks import record_walk
    from vtbook.machine.pages import pages_written
    from vtbook.machine.python_guest import guest
    from vtbook.machine.queues import record_queues
    from vtbook.machine.switches import mode_counts, record_switches
    from vtbook.machine.timeline import record_timeline
    from vtbook.machine.virtqueues import record_virtqueue
    from vtbook.widgets import (
        ByteGrid,
        CodeColumns,
        Console,
        Cost,
        CostBars,
        PageWalk,
        QueueBuilder,
        QueueView,
        RecordedConsole,
        Stepper,
        Timeline,
    )

__version__ = "0.1.0.dev0"

#: Public name -> the module it lives in, and its name there.
_HOMES = {
    "Board": ("vtbook.machine", "Board"),
    "ByteGrid": ("vtbook.widgets", "ByteGrid"),
    "CodeColumns": ("vtbook.widgets", "CodeColumns"),
    "Console": ("vtbook.widgets", "Console"),
    "Cost": ("vtbook.widgets", "Cost"),
    "CostBars": ("vtbook.widgets", "CostBars"),
    "Disk": ("vtbook.machine", "Disk"),
    "Exit": ("vtbook.machine", "Exit"),
    "Extension": ("vtbook.isa.definition", "Extension"),
    "Instruction": ("vtbook.isa.definition", "Instruction"),
    "InstructionSet": ("vtbook.isa.instruction_set", "InstructionSet"),
    "Machine": ("vtbook.machine", "Machine"),
    "Nic": ("vtbook.machine", "Nic"),
    "PageWalk": ("vtbook.widgets", "PageWalk"),
    "Program": ("vtbook.isa.assembler", "Program"),
    "QueueBuilder": ("vtbook.widgets", "QueueBuilder"),
    "QueueView": ("vtbook.widgets", "QueueView"),
    "RV64GC": ("vtbook.isa.sets", "RV64GC"),
    "RV64IM": ("vtbook.isa.sets", "RV64IM"),
    "RecordedConsole": ("vtbook.widgets", "RecordedConsole"),
    "Stepper": ("vtbook.widgets", "Stepper"),
    "Timeline": ("vtbook.widgets", "Timeline"),
    "VtbookError": ("vtbook.errors", "VtbookError"),
    "assemble": ("vtbook.isa.assembler", "assemble"),
    "compile_c": ("vtbook.guests", "compile_c"),
    "count_accesses": ("vtbook.machine.accesses", "count_accesses"),
    "count_events": ("vtbook.machine.counting", "count_events"),
    "disassemble": ("vtbook.isa.disassembler", "disassemble"),
    "guest": ("vtbook.machine.python_guest", "guest"),
    "guest_image": ("vtbook.guests", "image"),
    "instruction": ("vtbook.isa.definition", "instruction"),
    "mode_counts": ("vtbook.machine.switches", "mode_counts"),
    "pages_written": ("vtbook.machine.pages", "pages_written"),
    "putchar": ("vtbook.guests.python_compiler", "putchar"),
    "record_console": ("vtbook.machine.console_recording", "record_console"),
    "record_queues": ("vtbook.machine.queues", "record_queues"),
    "record_switches": ("vtbook.machine.switches", "record_switches"),
    "record_timeline": ("vtbook.machine.timeline", "record_timeline"),
    "record_virtqueue": ("vtbook.machine.virtqueues", "record_virtqueue"),
    "record_walk": ("vtbook.machine.page_walks", "record_walk"),
}

__all__ = [
    "RV64GC",
    "RV64IM",
    "Board",
    "ByteGrid",
    "CodeColumns",
    "Console",
    "Cost",
    "CostBars",
    "Disk",
    "Exit",
    "Extension",
    "Instruction",
    "InstructionSet",
    "Machine",
    "Nic",
    "PageWalk",
    "Program",
    "QueueBuilder",
    "QueueView",
    "RecordedConsole",
    "Stepper",
    "Timeline",
    "VtbookError",
    "assemble",
    "compile_c",
    "count_accesses",
    "count_events",
    "disassemble",
    "guest",
    "guest_image",
    "instruction",
    "mode_counts",
    "pages_written",
    "putchar",
    "record_console",
    "record_queues",
    "record_switches",
    "record_timeline",
    "record_virtqueue",
    "record_walk",
]


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext vtbook``: note in the reader's progress which cells of the book were run.

    The file stays on this computer (`vtbook.course.progress`). Outside JupyterLab nothing is noted.
    """
    from vtbook.course.recording import start_recording

    start_recording(shell)


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext vtbook``: note no more cells."""
    from vtbook.course.recording import stop_recording

    stop_recording(shell)


def __getattr__(name: str) -> Any:
    """Load a public name and keep it in the module."""
    if name not in _HOMES:
        raise AttributeError(f"module 'vtbook' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
