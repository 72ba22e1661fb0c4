"""What ``monitor`` asks of the machine itself, beyond what gdb knows of.

Commands are declared in `COMMANDS`; the help is made from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from vtbook.cpu import csr
from vtbook.cpu.traps import MODES
from vtbook.errors import VtbookError
from vtbook.isa.operations import MASK64
from vtbook.isa.registers import F_NAMES, X_NAMES
from vtbook.machine.gdb.memory import walk_of
from vtbook.machine.gdb.registers import read_csr
from vtbook.mmu.walk import FAULTS, PAGE

if TYPE_CHECKING:
    from vtbook.machine.gdb.target import Target

STALE = "gdb still shows the old state: maintenance flush register-cache"


class MonitorError(VtbookError):
    """A command of ``monitor`` cannot be done; the message says how to ask."""


class Command(NamedTuple):
    """One command: what it takes, what it does, and how."""

    arguments: str
    help: str
    run: Callable[[Target, int, list[str]], str]


def run(target: Target, thread: int, line: str) -> str:
    """Do what a line says, for the hart of `thread`.

    Returns:
        The text for the reader, mistakes included; it ends with a line break.
    """
    words = line.split() or ["help"]
    command = COMMANDS.get(words[0])
    try:
        if command is None:
            raise MonitorError(f"there is no command {words[0]!r:.40}; monitor help lists them")
        if len(words) - 1 > len(command.arguments.split()):
            raise MonitorError(f"too much is given; write: monitor {words[0]} {command.arguments}")
        text = command.run(target, thread, words[1:])
    except VtbookError as error:
        text = str(error)
    return text.rstrip("\n") + "\n"


def _help(target: Target, thread: int, words: list[str]) -> str:
    usages = {f"{name} {command.arguments}".strip(): command for name, command in COMMANDS.items()}
    return "\n".join(f"{usage:<18} {command.help}" for usage, command in usages.items())


def _registers(target: Target, thread: int, words: list[str]) -> str:
    hart = target.hart(thread)
    where = target.place(hart.pc & MASK64)
    cells = [
        f"{name:>4} {value & MASK64:016x}" for name, value in zip(X_NAMES, hart.x, strict=True)
    ]
    if words == ["f"]:
        cells = [
            f"{name:>4} {value & MASK64:016x}" for name, value in zip(F_NAMES, hart.f, strict=True)
        ]
    elif words:
        raise MonitorError("write: monitor registers, or monitor registers f for floating point")
    rows = [" ".join(cells[n : n + 4]) for n in range(0, len(cells), 4)]
    head = f"  pc {hart.pc & MASK64:016x} <{where}>, {MODES.get(hart.mode, '?')} mode"
    return "\n".join([head, *rows])


def _csrs(target: Target, thread: int, words: list[str]) -> str:
    hart, rows = target.hart(thread), []
    for one in csr.TABLE:
        value = read_csr(hart, one.number)
        if value:
            rows.append(f"{one.number:#05x} {one.name:<14} {value:016x}  {one.doc}")
    return "\n".join([*rows, "all other CSRs are 0"])


def _walk(target: Target, thread: int, words: list[str]) -> str:
    if not words:
        raise MonitorError("write: monitor walk ADDRESS, such as monitor walk 0x80000000")
    address = _number(words[0], target) & MASK64
    hart, ram = target.hart(thread), target.machine.board.ram
    found = walk_of(hart, ram, address)
    if found is None:
        return f"{address:#x} is a physical address: nothing is translated now"
    rows = [f"{found.scheme}, root table at {found.root:#x}"]
    for one in found.references:
        flags = "".join(name for n, name in enumerate("VRWXUGAD") if one.pte >> n & 1)
        rows.append(
            f"level {one.level}: entry {one.index} at {one.address:#x} is {one.pte:#018x} "
            f"{flags or 'with no flag'}: {one.outcome}"
        )
    if found.physical is None:
        rows.append(f"{address:#x} is not mapped: {FAULTS[found.fault or '']}")
    else:
        size = (
            f"{found.page // PAGE * 4} KiB" if found.page < 1 << 20 else f"{found.page >> 20} MiB"
        )
        rows.append(f"{address:#x} is at physical {found.physical:#x}, in a page of {size}")
    return "\n".join(rows)


def _counts(target: Target, thread: int, words: list[str]) -> str:
    machine = target.machine
    if words:
        if words[0] not in ("on", "off"):
            raise MonitorError("write: monitor counts on, or monitor counts off")
        machine.engine.count_instructions(words[0] == "on")
        return f"instructions that the engine runs are{'' if words[0] == 'on' else ' not'} counted"
    facts = machine.statistics
    exits = ", ".join(f"{name} {n:,}" for name, n in facts["exits"].items()) or "none"
    rows = [
        f"{machine.instructions:,} instructions since reset, {facts['instructions']:,} of them in "
        f"runs of {facts['seconds']:.3f} s",
        f"exits: {exits}",
    ]
    listed = sorted(machine.engine.counts.items(), key=lambda item: (-item[1], item[0]))
    return "\n".join(rows + [f"{n:>16,} {name}" for name, n in listed])


def _where(target: Target, thread: int, words: list[str]) -> str:
    machine = target.machine
    rows = [target.describe(one) for one in target.threads]
    rows.append(f"{machine.instructions:,} instructions since reset")
    if not target.has_past:
        rows.append("no past is recorded")
    elif machine.history.checkpoints:
        rows.append(f"the recorded past begins after {machine.history.start:,} instructions")
    if target.last is not None:
        rows.append(f"last exit: {target.last}")
    return "\n".join(rows)


def _devices(target: Target, thread: int, words: list[str]) -> str:
    board = target.machine.board
    if not words:
        ram = board.ram
        return f"{ram.base:#x}-{ram.end - 1:#x} RAM\n{board.bus}"
    state = board.bus[words[0]].device.state()
    return "\n".join(f"{name} = {_plain(value)}" for name, value in state.items())


def _goto(target: Target, thread: int, words: list[str]) -> str:
    if not words:
        raise MonitorError("write: monitor goto INSTRUCTIONS, counted since reset")
    exit = target.machine.go_to(_number(words[0], target))
    return f"at {exit.where}, after {target.machine.instructions:,} instructions; {STALE}"


def _reset(target: Target, thread: int, words: list[str]) -> str:
    target.restart()
    return f"the program is loaded again; {STALE}"


def _at_end(target: Target, thread: int, words: list[str]) -> str:
    if words not in (["stop"], ["exit"]):
        raise MonitorError("write: monitor at-end stop, or monitor at-end exit")
    target.at_end = words[0]
    then = "it stops, and can go back" if words == ["stop"] else "gdb says that it exited"
    return f"when the program ends, {then}"


def _number(word: str, target: Target) -> int:
    """A number in Python's notation, or a symbol."""
    try:
        return int(word, 0)
    except ValueError:
        return target.machine.address(word)


def _plain(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


COMMANDS: dict[str, Command] = {
    "help": Command("", "this list", _help),
    "where": Command("", "where the harts and the recorded past are, and the last exit", _where),
    "registers": Command("[f]", "integer registers, or the floating-point ones", _registers),
    "csrs": Command("", "control and status registers that are not 0", _csrs),
    "walk": Command("ADDRESS", "translate an address, and show each page-table entry", _walk),
    "counts": Command("[on|off]", "instructions and exits; by mnemonic when on", _counts),
    "devices": Command("[NAME]", "the address map, or one device's state", _devices),
    "goto": Command("INSTRUCTIONS", "go back to when so many had retired", _goto),
    "reset": Command("", "load the program again", _reset),
    "at-end": Command("stop|exit", "what happens when the program ends", _at_end),
}
"""Commands by name."""
