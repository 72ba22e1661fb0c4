"""Recording who runs: a machine's next steps as a ``vtbook-timeline`` for the widget to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vtbook.cpu.traps import MODES, cause_name
from vtbook.devices import BusFault
from vtbook.isa.operations import MASK64
from vtbook.machine.accesses import noting_accesses
from vtbook.machine.debugging import MachineError
from vtbook.machine.recording import keeps_turn
from vtbook.widgets.timeline_schema import TimelineBuilder

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine

MOST_STEPS = 200_000

LANES = {
    "U": ("user (U)", "user"),
    "S": ("supervisor (S)", "kernel"),
    "M": ("kernel (M)", "kernel"),
}
"""Lane and kind of each privilege mode, as the timeline shows it."""
BOOTED = {"U": LANES["U"], "S": ("kernel (S)", "kernel"), "M": ("firmware (M)", "kernel")}
"""The same for what `Machine.boot` started: M mode is the firmware's."""


def record_timeline(
    machine: Machine,
    steps: int = 20_000,
    *,
    title: str = "",
    devices: bool = True,
) -> dict[str, Any]:
    """Run up to ``steps`` steps in plain Python, and return who ran when.

    A lane is a privilege mode, or a device of the bus. Transitions are traps, returns to a less
    privileged mode, and uses of a device: its accesses up to the next transition are one. The axis
    counts retired instructions.

    Args:
        machine: It goes on from where it is. Of several harts, the one whose turn it is.
        steps: How many; it ends early if the machine stops, or the turn of the hart ends.
        title: The heading; made from the program's name if empty.
        devices: Show a lane for each device used.

    Returns:
        A ``vtbook-timeline`` (``vtbook.widgets.timeline_schema``), plain data.

    Raises:
        MachineError: the number of steps is not possible.
    """
    if not 0 < steps <= MOST_STEPS:
        raise MachineError(
            f"record 1 to {MOST_STEPS:,} steps, not {steps:,}; run() to the place first"
        )
    recorder = _TimelineRecorder(machine, title, devices)
    for _ in range(steps):
        if not recorder.step():
            break
    return recorder.timeline()


class _TimelineRecorder:
    """Steps a machine and notes changes of mode and uses of devices."""

    def __init__(self, machine: Machine, title: str, devices: bool) -> None:
        self.machine, self.hart, self.devices = machine, machine.hart, devices
        self.start = self.hart.instret
        self.since = 0
        self.mode = MODES[self.hart.mode]
        name = machine.image.name if machine.image else "a machine"
        self.lanes = LANES if machine.plan is None else BOOTED
        modes = [self.lanes["U"], self.lanes["M"]] if machine.plan is None else [*BOOTED.values()]
        self.builder = TimelineBuilder(title or f"{name}: who runs", modes)
        self.burst: _Burst | None = None
        self._ensure(self.mode)

    def step(self) -> bool:
        """Record one step; False if the machine stopped for good, or this hart's turn ends."""
        hart = self.hart
        if not keeps_turn(self.machine, hart):
            return False
        accesses: list[tuple[str, int]] = []
        pc = hart.pc & MASK64
        with noting_accesses(self.machine, lambda kind, at, *_: accesses.append((kind, at))):
            exit, trap = self.machine.step_with_trap()
        if self.devices:
            for kind, address in accesses:
                self._access(kind, address, pc)
        over = exit.reason != "step"
        after = MODES[hart.mode]
        if after != self.mode or trap is not None:
            self._transition(after, trap, pc)
        if over:
            self._end_burst()
            lane = self.lanes[self.mode][0]
            self.builder.event(self._now(), lane, lane, "end", exit.reason)
        return not over

    def timeline(self) -> dict[str, Any]:
        """The recording so far."""
        self._end_burst()
        if self._now() > self.since:
            self.builder.span(self.lanes[self.mode][0], self.since, self._now())
        return self.builder.build()

    def _now(self) -> int:
        return self.hart.instret - self.start

    def _ensure(self, mode: str) -> None:
        self.builder.lane(*self.lanes[mode])

    def _transition(self, after: str, trap: Any, pc: int) -> None:
        self._end_burst()
        now = self._now()
        self._ensure(after)
        source, target = self.lanes[self.mode][0], self.lanes[after][0]
        place = self.machine.symbols.describe(pc)
        if now > self.since:
            self.builder.span(source, self.since, now)
        if trap is None:
            text = f"The instruction at {place} goes back."
            self.builder.event(now, source, target, "return", "", text)
        else:
            interrupt = bool(trap.cause >> 63 & 1)
            kind = "interrupt" if interrupt else "trap"
            name = cause_name(trap.cause)
            self.builder.event(now, source, target, kind, name, f"At {place}: {name}.")
        self.mode, self.since = after, now

    def _access(self, kind: str, address: int, pc: int) -> None:
        try:
            region = self.machine.board.bus.find(address)
        except BusFault:
            return
        self.builder.lane(region.name, "device")
        # The instruction has retired, or stopped the machine: it is the one before now.
        at = max(self._now() - 1, self.since)
        self.builder.span(region.name, at, at + 1)
        if self.burst is None or self.burst.device != region.name:
            self._end_burst()
            self.burst = _Burst(region.name, at, self.machine.symbols.describe(pc))
        if kind == "read":
            self.burst.reads += 1
        else:
            self.burst.writes += 1

    def _end_burst(self) -> None:
        """Make one event of the accesses since the last transition."""
        if self.burst is not None:
            one, lane = self.burst, self.lanes[self.mode][0]
            label = f"{_plural(one.reads, 'read')}, {_plural(one.writes, 'write')}"
            text = f"The first access is by the instruction at {one.place}."
            self.builder.event(one.time, lane, one.device, "access", label, text)
            self.burst = None


@dataclass
class _Burst:
    """Accesses of one device with no transition between them."""

    device: str
    time: int
    place: str
    reads: int = 0
    writes: int = 0


def _plural(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
