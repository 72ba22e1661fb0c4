"""The engines: ways of running the same hart. All run the same definitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from vtbook.cpu import plain
from vtbook.cpu.hart import Hart
from vtbook.cpu.interpreter import Interpreter, Stop
from vtbook.cpu.layout import BREAK, BUDGET, PYTHON, UNHANDLED, WFI
from vtbook.errors import VtbookError
from vtbook.isa.operations import MASK64

Progress = Callable[[str], None]


class EngineError(VtbookError):
    """No engine has this name."""


class Engine(Protocol):
    """What a machine needs of an engine."""

    def run(self, budget: int | None = None) -> Stop:
        """Run at most `budget` instructions; a breakpoint at the first one does not stop it."""

    def flush(self) -> None:
        """Forget everything derived from the guest's code."""

    def set_breakpoints(self, addresses: list[int]) -> None:
        """Stop before the instructions at these addresses."""

    def count_instructions(self, on: bool) -> None:
        """Count retired instructions by mnemonic in ``counts`` from now on, or stop counting."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Instructions by mnemonic."""
        ...


class PythonEngine:
    """Runs the definitions one by one in plain Python: slow, and open to any debugger."""

    def __init__(self, hart: Hart, progress: Progress | None = None) -> None:
        self.hart = hart
        self.counts: Counter[str] = Counter()
        self._counting = False
        self._breakpoints: frozenset[int] = frozenset()

    def count_instructions(self, on: bool) -> None:
        """Count retired instructions by mnemonic in ``counts`` from now on, or stop counting."""
        self.counts = Counter()
        self._counting = on

    def run(self, budget: int | None = None) -> Stop:
        """Run at most `budget` instructions. The reasons are those of the interpreter."""
        h = self.hart
        executed, at_start = 0, True
        while budget is None or executed < budget:
            trap = plain.interrupt(h)
            if trap is not None:
                if trap.unhandled:
                    return Stop(UNHANDLED, executed, trap)
                at_start = False
                continue
            if not at_start and self._breakpoints and h.pc & MASK64 in self._breakpoints:
                return Stop(BREAK, executed)
            at_start = False
            trap, decoded = plain.step_instruction(h)
            executed += decoded is not None
            if self._counting and decoded is not None:
                self.counts[decoded.instruction.name] += 1
            events: tuple = ()
            if h.events:
                events, h.events[:] = tuple(h.events), []
            if trap is not None and trap.unhandled:
                return Stop(UNHANDLED, executed, trap, events)
            if events:
                if ("wfi",) in events:
                    return Stop(WFI, executed, None, events)
                if any(event != ("fence.i",) for event in events):
                    return Stop(PYTHON, executed, None, events)
        return Stop(BUDGET, executed)

    def flush(self) -> None:
        """Nothing to do: code is decoded again every time."""

    def set_breakpoints(self, addresses: list[int]) -> None:
        """Stop before the instructions at these addresses."""
        self._breakpoints = frozenset(address & MASK64 for address in addresses)


def _ir_engine(hart: Hart, progress: Progress) -> Engine:
    from vtbook.translator.engine import IrEngine

    return IrEngine(hart, progress)


ENGINES: dict[str, Callable[[Hart, Progress], Engine]] = {
    "python": PythonEngine,
    "interpreter": Interpreter,
    "ir": _ir_engine,
}
"""Name -> how to make it."""


def make_engine(name: str, hart: Hart, progress: Progress) -> Engine:
    """The engine called `name` for `hart`.

    Raises:
        EngineError: there is none of this name.
    """
    try:
        make = ENGINES[name]
    except (KeyError, TypeError):
        names = ", ".join(ENGINES)
        raise EngineError(f"no engine is called {name!r}; there are {names}") from None
    return make(hart, progress)
