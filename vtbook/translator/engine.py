"""The engine that runs a hart by intermediate code: it lifts each instruction and interprets it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from vtbook.cpu import plain
from vtbook.cpu.hart import Hart
from vtbook.cpu.interpreter import Stop
from vtbook.cpu.layout import BREAK, BREAKPOINTS, BUDGET, PYTHON, UNHANDLED, WFI
from vtbook.cpu.traps import Trap, take_trap
from vtbook.errors import VtbookError
from vtbook.isa.operations import MASK64, wrap
from vtbook.translator.interpret import run_block
from vtbook.translator.ir import Block
from vtbook.translator.lift import lift
from vtbook.translator.validate import validate


class IrEngine:
    """Runs a hart by intermediate code: slow, exact, and open to a look at each block.

    ``run`` stops for the reasons of ``vtbook.cpu.interpreter.Interpreter.run``. ``blocks`` holds
    the block of each instruction word met so far.
    """

    def __init__(self, hart: Hart, progress: Callable[[str], None] = lambda text: None):
        self.hart = hart
        self.blocks: dict[int, Block] = {}
        self.counts: Counter[str] = Counter()
        self._counting = False
        self._breakpoints: frozenset[int] = frozenset()

    def flush(self) -> None:
        """Forget every block."""
        self.blocks.clear()

    def count_instructions(self, on: bool) -> None:
        """Count retired instructions by mnemonic in ``counts`` from now on, or stop counting."""
        self.counts = Counter()
        self._counting = on

    def set_breakpoints(self, addresses: list[int]) -> None:
        """Stop before the instruction at each of these addresses; at most 64."""
        if len(addresses) > BREAKPOINTS:
            raise VtbookError(f"at most {BREAKPOINTS} breakpoints, not {len(addresses)}")
        self._breakpoints = frozenset(wrap(address) for address in addresses)

    def run(self, budget: int | None = None) -> Stop:
        """Run at most ``budget`` instructions, exactly that many unless something else stops it.

        A breakpoint at the first instruction does not stop it.
        """
        h = self.hart
        start, at_start = h.instret, True
        while budget is None or h.instret - start < budget:
            trap = plain.interrupt(h)
            if trap is not None:
                if trap.unhandled:
                    return Stop(UNHANDLED, h.instret - start, trap)
                at_start = False
                continue
            if not at_start and h.pc in self._breakpoints:
                return Stop(BREAK, h.instret - start)
            at_start = False
            trap = self.step()
            events, h.events[:] = tuple(h.events), []
            executed = h.instret - start
            if trap is not None and trap.unhandled:
                return Stop(UNHANDLED, executed, trap, events)
            if ("wfi",) in events:
                return Stop(WFI, executed, None, events)
            if any(event != ("fence.i",) for event in events):
                return Stop(PYTHON, executed, None, events)
        return Stop(BUDGET, h.instret - start)

    def step(self) -> Trap | None:
        """Run one instruction and take its trap, which is returned, if it has one."""
        h = self.hart
        try:
            word = h.fetch(h.pc)
            run_block(self._block_of(word), h)
        except Trap as trap:
            trap.unhandled = bool(h.trap_exits) or not take_trap(h, trap.cause, wrap(trap.value))
            return trap
        if self._counting and (decoded := h.isa.decode(word)) is not None:
            self.counts[decoded.instruction.name] += 1
        return None

    def _block_of(self, word: int) -> Block:
        block = self.blocks.get(word)
        if block is None:
            decoded = self.hart.isa.decode(word)
            if decoded is None:
                raise Trap(2, word)
            block = self.blocks[word] = validate(lift(decoded, isa=self.hart.isa))
        return block

    def __repr__(self) -> str:
        return f"<engine of intermediate code of {self.hart!r} at {self.hart.pc & MASK64:#x}>"
