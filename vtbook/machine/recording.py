"""Recording: a machine's next steps as a ``vtbook-trace``, for the widgets to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vtbook.cpu.csr import BY_NAME
from vtbook.cpu.traps import MODES, Trap, cause_name
from vtbook.isa.disassembler import disassemble, disassemble_range
from vtbook.isa.operations import MASK64
from vtbook.machine.debugging import MachineError, Place
from vtbook.widgets.trace import TraceBuilder

if TYPE_CHECKING:
    from vtbook.cpu.hart import Hart
    from vtbook.machine.machine import Machine

MOST_STEPS = 20_000
MOST_MEMORY = 1 << 16
WHOLE_FUNCTION = 1024
"""A function of up to so many bytes is listed whole; of longer ones, what is executed."""


def keeps_turn(machine: Machine, hart: Hart) -> bool:
    """Whether a hart executes the next step of a machine with several: recordings follow one."""
    board = machine.board
    alone = len(machine.harts) == 1
    return alone or (hart is machine.hart and board.turn_left > 0 and not hart.waiting)


class Recorder:
    """Steps a machine in plain Python and notes what each step changed."""

    def __init__(
        self,
        machine: Machine,
        *,
        title: str = "",
        memory: Sequence[tuple[Place, int, str]] = (),
        csrs: Sequence[str] = (),
        floating: bool = False,
    ):
        self.machine = machine
        self.hart = machine.hart
        self.csrs = list(csrs)
        for name in self.csrs:
            if name not in BY_NAME:
                raise MachineError(f"no CSR is called {name!r}; name those of this hart")
        regions = []
        for place, size, name in memory:
            if not 0 < size <= MOST_MEMORY:
                raise MachineError(f"memory {name!r}: record 1 to {MOST_MEMORY} bytes, not {size}")
            address = machine.address(place)
            regions.append((address, machine.read(address, size), name))
        self.floating = floating
        self._symbols = {name: machine.symbols[name] for name in machine.symbols}
        self._listed: set[int] = set()
        what = machine.image.name if machine.image else "a machine"
        self.builder = TraceBuilder(
            title=title or f"{what}, from {machine.symbols.describe(self.hart.pc & MASK64)}",
            listing=[],
            registers={"x": list(self.hart.x), "f": list(self.hart.f) if floating else None},
            csrs=list(self._csr_values().items()),
            memory=regions,
            mode=MODES[self.hart.mode],
            pc=self.hart.pc & MASK64,
            instructions=self.hart.instret,
            console=machine.console.output,
        )

    def _csr_values(self) -> dict[str, int]:
        """The CSRs as the guest's most privileged code would read them."""
        from vtbook.cpu import csr

        mode, self.hart.mode = self.hart.mode, 3
        try:
            return {name: int(csr.read_csr(self.hart, BY_NAME[name].number)) for name in self.csrs}
        except Trap:
            return {
                name: int(getattr(self.hart, BY_NAME[name].field or "zero")) for name in self.csrs
            }
        finally:
            self.hart.mode = mode

    def _list_code(self) -> None:
        """Put the code at pc into the listing: the function around it, if that is short."""
        pc = self.hart.pc & MASK64
        if pc not in self._listed:
            found = self.machine.symbols.at(pc)
            start = pc - found[1] if found else pc
            size = self._function_size(start)
            if pc - start < size <= WHOLE_FUNCTION and self.machine.board.ram.holds(start, size):
                code = self.machine.read(start, size)
                for line in disassemble_range(code, start, self.hart.isa, symbols=self._symbols):
                    if len(line.raw) > 1:
                        self._line(line.address, line.raw, line.text)
        try:
            word = self.hart.fetch(self.hart.pc)
        except Trap:
            return
        raw = word.to_bytes(self.hart.isa.size_of(word), "little")
        self._line(pc, raw, disassemble(raw, pc, self.hart.isa, symbols=self._symbols))

    def _line(self, address: int, raw: bytes, text: str) -> None:
        self._listed.add(address)
        found = self.machine.symbols.at(address)
        label = found[0] if found and found[1] == 0 else ""
        number = int.from_bytes(raw, "little")
        self.builder.line(address, f"{number:0{2 * len(raw)}x}", text, label)

    def _function_size(self, start: int) -> int:
        """Bytes from a symbol to the next one, or to the end of its segment."""
        after = [address for address in self._symbols.values() if address > start]
        ends = [
            segment.address + len(segment.data)
            for segment in (self.machine.image.segments if self.machine.image else ())
            if segment.address <= start < segment.address + len(segment.data)
        ]
        return min([*after, *ends], default=start) - start

    def step(self) -> bool:
        """Record one step; False if the machine stopped for good, or this hart's turn ends."""
        hart = self.hart
        machine = self.machine
        if not keeps_turn(machine, hart):
            return False
        self._list_code()
        printed = len(machine.console.output)
        retired, epc = hart.instret, hart.pc & MASK64
        accesses: list[tuple] = []
        hart.accesses = accesses
        try:
            exit, trap = machine.step_with_trap()
        finally:
            hart.accesses = None
        event: dict[str, Any] | None = None
        if trap is not None:
            event = {
                "kind": "trap",
                "text": cause_name(trap.cause),
                "cause": trap.cause,
                "epc": epc,
                "tval": trap.value,
            }
        over = exit.reason != "step"
        if over:
            event = {"kind": "exit", "text": str(exit), "reason": exit.reason}
        self.builder.step(
            pc=hart.pc & MASK64,
            mode=MODES[hart.mode],
            x=list(hart.x),
            f=list(hart.f) if self.floating else (),
            csrs=self._csr_values(),
            reads=[(a, n) for kind, a, n in accesses if kind == "r"],
            writes=[(a, data) for kind, a, data in accesses if kind == "w"],
            console=machine.console.output[printed:],
            event=event,
            retired=hart.instret - retired,
        )
        return not over

    def trace(self) -> dict[str, Any]:
        """The recording so far, as a ``vtbook-trace``."""
        self._list_code()
        return self.builder.build()


def record(machine: Machine, steps: int, **options: Any) -> dict[str, Any]:
    """Record up to ``steps`` steps of a machine; see ``Machine.record``."""
    if not 0 < steps <= MOST_STEPS:
        raise MachineError(
            f"record 1 to {MOST_STEPS:,} steps, not {steps}; run() to the place first"
        )
    recorder = Recorder(machine, **options)
    for _ in range(steps):
        if not recorder.step():
            break
    return recorder.trace()
