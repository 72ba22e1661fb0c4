"""Who runs over millions of instructions: compiled code runs between the changes of mode.

`vtbook.machine.timeline` steps each instruction in plain Python; here the machine runs at full
speed and stops only where its mode can change: at the trap vectors (mtvec, stvec), at the ``mret``,
``sret`` and ``wfi`` instructions of what was booted. So a recording can be as long as a boot.

The axis is the machine's clock (`Hardware.clock`): instructions of all harts, and the time in which
they waited, counted as if instructions had been executed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vtbook.cpu.traps import MODES, cause_name
from vtbook.isa.operations import MASK64, wrap
from vtbook.machine.debugging import MachineError, Place
from vtbook.widgets.timeline_schema import TimelineBuilder

if TYPE_CHECKING:
    from vtbook.cpu.hart import Hart
    from vtbook.machine.machine import Machine

MRET, SRET, WFI = 0x3020_0073, 0x1020_0073, 0x1050_0073
LANES = {"U": ("user (U)", "user"), "S": ("kernel (S)", "kernel"), "M": ("firmware (M)", "kernel")}
WAITING = ("waiting (wfi)", "hardware")
MOST_SWITCHES = 20_000
DIRECT = ~3 & MASK64  # mtvec and stvec without their mode (3.1.7)


@dataclass(frozen=True)
class Switch:
    """A change of mode.

    Attributes:
        time: of the machine's clock, when the mode before had run its last instruction.
        hart: the number of the hart.
        source, target: ``U``, ``S``, ``M``, or ``wait``: the hart waits in ``wfi``.
        cause: as in mcause or scause, unsigned; None for a return and for a wait.
        pc: of the trap: what was interrupted; of a return: where it goes on.
    """

    time: int
    hart: int
    source: str
    target: str
    cause: int | None
    pc: int

    @property
    def kind(self) -> str:
        """``trap``, ``interrupt`` or ``return``, as a timeline has it."""
        if self.cause is None:
            return "return"
        return "interrupt" if self.cause >> 63 else "trap"


def switches(
    machine: Machine,
    clock: int,
    *,
    until: Place | None = None,
    until_output: str | None = None,
) -> Iterator[Switch]:
    """Run for at most `clock` counts of the machine's clock; give each change of mode as it comes.

    When the caller gets a switch, the machine stands right after it. Breakpoints of the caller are
    out of force meanwhile, and back at the end.

    Args:
        machine: It was booted (`Machine.boot`).
        clock: 100 million are a second of the guest's time, on a board with one hart.
        until: end before the instruction at this address or symbol.
        until_output: end when the guest has written this.

    Raises:
        MachineError: nothing was booted, or there are more than `MOST_SWITCHES` switches.
    """
    if machine.plan is None:
        raise MachineError("switches of what was booted are recorded; call boot first")
    kept = machine.breakpoints
    gates = _gates(machine)
    last = set() if until is None else {machine.address(until)}
    end = machine.board.clock + clock
    count = 0
    for place in kept:
        machine.remove_breakpoint(place)
    try:
        while machine.board.clock < end:
            places = gates.keys() | _vectors(machine.harts) | last
            for place in set(machine.breakpoints) ^ places:
                if place in places:
                    machine.add_breakpoint(place)
                else:
                    machine.remove_breakpoint(place)
            exit = machine.run(end - machine.board.clock, until_output=until_output)
            if exit.reason != "breakpoint" or exit.pc in last:
                break
            for switch in _at(machine, exit.pc, gates):
                count += 1
                if count > MOST_SWITCHES:
                    raise MachineError(f"more than {MOST_SWITCHES:,} switches; give a shorter time")
                yield switch
            if machine.position[1] in last:
                break
    finally:
        for place in machine.breakpoints:
            machine.remove_breakpoint(place)
        for place in kept:
            machine.add_breakpoint(place)


def _gates(machine: Machine) -> dict[int, int]:
    """Where ``mret``, ``sret`` and ``wfi`` stand, the kernel's as it is linked.

    As few as possible: compiled code is slow near a breakpoint.
    """
    plan = machine.plan
    assert plan is not None
    higher = machine.symbols.get("KERNEL_OFFSET", 0)
    found = {}
    for piece in plan.pieces:
        is_firmware = bool(plan.next_address) and piece.address < plan.next_address
        data, base = bytes(piece.data), piece.address + (0 if is_firmware else higher)
        for word in (MRET,) if is_firmware else (MRET, SRET, WFI):
            raw, at = word.to_bytes(4, "little"), -1
            while (at := data.find(raw, at + 1)) >= 0:
                if at % 2 == 0:
                    found[base + at & MASK64] = word
    return found


def _vectors(harts: list[Hart]) -> set[int]:
    vectors = {value & DIRECT for hart in harts for value in (hart.mtvec, hart.stvec)}
    return vectors - {0}


def _at(machine: Machine, pc: int, gates: Mapping[int, int]) -> Iterator[Switch]:
    """The switches at a gate; the hart is taken through it."""
    hart, now = machine.hart, machine.board.clock
    number = hart.mhartid
    mode = MODES[hart.mode]
    if pc not in gates:
        cause, epc = (hart.scause, hart.sepc) if mode == "S" else (hart.mcause, hart.mepc)
        yield Switch(now, number, _previous(hart, mode), mode, cause & MASK64, epc & MASK64)
        return
    exit = machine.step()
    if exit.reason not in ("step", "wfi"):
        return
    after, here = MODES[hart.mode], hart.pc & MASK64
    if gates[pc] == WFI:
        yield Switch(now + 1, number, mode, "wait", None, here)
        if machine.engine.prepare(0) is None:  # time has passed until an interrupt is due
            yield Switch(machine.board.clock, number, "wait", mode, None, here)
    elif here in _vectors([hart]):
        yield from _at(machine, here, {})
    else:
        yield Switch(machine.board.clock, number, mode, after, None, here)


def _previous(hart: Hart, mode: str) -> str:
    """The mode that a trap came from (SPP, MPP)."""
    if mode == "S":
        return "S" if hart.mstatus >> 8 & 1 else "U"
    return MODES[hart.mstatus >> 11 & 3]


def mode_counts(
    machine: Machine,
    clock: int,
    *,
    until: Place | None = None,
    until_output: str | None = None,
) -> Counter[str]:
    """Run, and count the clock in each mode: ``M``, ``S``, ``U``, and ``wait``.

    Args:
        machine, clock, until, until_output: as for `switches`. Of a board with one hart.

    Raises:
        MachineError: the board has several harts, or as for `switches`.
    """
    _check_one_hart(machine)
    found: Counter[str] = Counter()
    since, mode = machine.board.clock, MODES[machine.hart.mode]
    for switch in switches(machine, clock, until=until, until_output=until_output):
        found[switch.source] += switch.time - since
        since, mode = switch.time, switch.target
    found[mode] += machine.board.clock - since
    return +found


def _check_one_hart(machine: Machine) -> None:
    if len(machine.harts) > 1:
        raise MachineError(
            f"a recording of who runs is of one hart; this board has {len(machine.harts)}"
        )


def record_switches(
    machine: Machine,
    clock: int,
    *,
    title: str = "",
    until: Place | None = None,
    until_output: str | None = None,
    process: Callable[[Machine], str] | None = None,
) -> dict[str, Any]:
    """Run, and return who ran when, at full speed.

    Args:
        machine, clock, until, until_output: as for `switches`. Of a board with one hart.
        title: The heading.
        process: Names the process that runs when the hart is in U mode: each gets a lane.

    Returns:
        A ``vtbook-timeline`` over the machine's clock, for the ``Timeline`` widget.

    Raises:
        MachineError: as for `mode_counts`.
    """
    _check_one_hart(machine)
    start = since = machine.board.clock
    recorded: list[tuple[int, int, str, str, Switch]] = []
    names = {"S": LANES["S"][0], "M": LANES["M"][0], "wait": WAITING[0]}

    def lane(mode: str) -> str:
        return process(machine) if mode == "U" and process else names.get(mode, LANES["U"][0])

    current = lane(MODES[machine.hart.mode])
    first = current
    for switch in switches(machine, clock, until=until, until_output=until_output):
        target = lane(switch.target)
        recorded.append((since - start, switch.time - start, current, target, switch))
        since, current = switch.time, target
    users = dict.fromkeys(name for *_, a, b, _ in recorded for name in (a, b))
    users[first] = None
    others = [LANES["S"], LANES["M"], WAITING]
    lanes = [(name, "user") for name in users if name not in dict(others)]
    lanes += [one for one in others if one[0] in users]
    unit = "counts of the clock"
    builder = TimelineBuilder(title or "who runs", lanes, unit=unit)
    for begin, at, source, target, switch in recorded:
        if at > begin:
            builder.span(source, begin, at)
        builder.event(at, source, target, switch.kind, *_said(machine, switch))
    last = machine.board.clock - start
    if last > since - start:
        builder.span(current, since - start, last)
    return builder.build()


def _said(machine: Machine, switch: Switch) -> tuple[str, str]:
    """The short and the long text of a switch."""
    if switch.target == "wait":
        return "wfi", "Nothing to do: the hart waits for an interrupt."
    if switch.source == "wait":
        return "", "An interrupt is due; the hart goes on."
    if switch.cause is None:
        return "", f"Back to {machine.symbols.describe(switch.pc)}."
    name = cause_name(wrap(switch.cause))
    return name, f"At {machine.symbols.describe(switch.pc)}: {name}."
