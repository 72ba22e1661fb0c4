"""The PLIC: which device interrupts which hart, in which privilege mode.

After the RISC-V Platform-Level Interrupt Controller Specification 1.0, laid out as on QEMU's
``virt``. A *source* is the interrupt line of a device, numbered from 1; a *context* is what it may
interrupt, one privilege mode of one hart. ``virt`` has two a hart: 2 n is M mode of hart n, 2 n + 1
its S mode.

```
offset                    register
0x000000 + 4 s            priority of source s, 0 (never) to 7
0x001000 + 4 (s div 32)   pending, bit s mod 32; read only
0x002000 + 0x80 c         enables of context c, a bit a source
0x200000 + 0x1000 c       threshold of context c: only a higher priority interrupts
0x200004 + 0x1000 c       claim when read, complete when written
```

A device's line is level-triggered. Its gateway (spec 1.3) passes one request on and then none until
the handler has completed it:

    line high, idle   -> pending
    pending, claimed  -> in service: the source is no longer pending
    completed         -> idle; pending again at once if the line is still high

A request stays pending when the line falls before it is claimed, as the specification says. A claim
gives the pending, enabled source of the highest priority above zero, and of equals the lowest
number, whatever the threshold. Completing a source that the context has not enabled is ignored.

QEMU 7.2 differs: a claim respects the threshold, completing asks for no enable bit, a change of
enables shows only at the next other change, and a line that stays high is seen again only when its
device says so again. Source 0, which does not exist, has an enable bit that can be set.
"""

from __future__ import annotations

from collections.abc import Callable

from vtbook.devices import state
from vtbook.devices.words import WordRegisters

PRIORITY, PENDING, ENABLE, CONTEXT = 0x0, 0x1000, 0x2000, 0x20_0000
ENABLE_STRIDE, CONTEXT_STRIDE = 0x80, 0x1000
THRESHOLD, CLAIM = 0, 4
PRIORITIES = 7
"""The highest priority; it is a mask, too: of what is written only these bits count."""
WORD = 0xFFFF_FFFF


class Plic(WordRegisters, state.Stateful):
    """A PLIC. Devices call `set_line`; it calls `on_interrupt`.

    Args:
        contexts: how many, 1 to 992 as in the window of ``virt``.
        sources: how many devices, 1 to 1023. 95 as on ``virt``.
        on_interrupt: called with context and level when a context's interrupt output changes.

    Attributes:
        priority: of each source; entry 0 stays 0.
        enables: of each context, bit s for source s.
        threshold: of each context.
        lines, pending, in_service: bit s for source s; see the module's text.
        outputs: level of each context's interrupt.
    """

    SIZE = 0x60_0000

    def __init__(
        self,
        contexts: int,
        sources: int = 95,
        on_interrupt: Callable[[int, bool], None] | None = None,
    ) -> None:
        most = (self.SIZE - CONTEXT) // CONTEXT_STRIDE
        if not 1 <= contexts <= most or not 1 <= sources <= 1023:
            raise ValueError(
                f"a PLIC with {contexts} contexts and {sources} sources: "
                f"give 1 to {most} contexts and 1 to 1023 sources"
            )
        self.contexts, self.sources = contexts, sources
        self.on_interrupt = on_interrupt
        self._exist = (2 << sources) - 2
        bitmap = state.bits(self._exist)
        priority = state.uint(3)
        self.STATE: dict[str, state.Check] = {
            "priority": state.listing(priority, sources + 1, sources + 1),
            "enables": state.listing(bitmap, contexts, contexts),
            "threshold": state.listing(priority, contexts, contexts),
            "lines": bitmap,
            "pending": bitmap,
            "in_service": bitmap,
            "outputs": state.listing(state.flag, contexts, contexts),
        }
        self.lines = 0
        self.outputs = [False] * contexts
        self.reset()

    def reset(self) -> None:
        """Nothing enabled, nothing in service. Lines are the devices' and stay.

        A board resets its devices first, or a line that they then lower leaves its request here.
        """
        self.priority = [0] * (self.sources + 1)
        self.enables = [0] * self.contexts
        self.threshold = [0] * self.contexts
        self.pending = self.lines
        self.in_service = 0
        self._update()

    def set_line(self, source: int, level: bool) -> None:
        """A device's interrupt line is now high or low.

        Raises:
            ValueError: there is no such source; a mistake of the board's, not of the guest's.
        """
        if not 1 <= source <= self.sources:
            raise ValueError(f"the PLIC has no source {source}; give 1 to {self.sources}")
        bit = 1 << source
        if not level:
            self.lines &= ~bit
        elif not self.lines & bit:
            self.lines |= bit
            if not (self.in_service | self.pending) & bit:
                self.pending |= bit
                self._update()

    def line(self, source: int) -> Callable[[bool], None]:
        """`set_line` of one source, as the `on_interrupt` of a device."""
        return lambda level: self.set_line(source, level)

    def claim(self, context: int) -> int:
        """Take the most urgent source that is pending and enabled for `context`; 0 if none is."""
        source = self._most_urgent(context)
        if source:
            self.pending &= ~(1 << source)
            self.in_service |= 1 << source
            self._update()
        return source

    def complete(self, context: int, source: int) -> None:
        """The handler of `context` is done with `source`, and its gateway opens again."""
        bit = 1 << source if 1 <= source <= self.sources else 0
        if self.enables[context] & self.in_service & bit:
            self.in_service &= ~bit
            self.pending |= self.lines & bit
            self._update()

    def registers(self) -> dict[str, int]:
        """What is not zero, by name: ``priority10``, ``enables1`` (bit s for source s) ..."""
        shown = {f"priority{source}": value for source, value in enumerate(self.priority)}
        shown |= {"lines": self.lines, "pending": self.pending, "in_service": self.in_service}
        shown |= {f"enables{context}": value for context, value in enumerate(self.enables)}
        shown |= {f"threshold{context}": value for context, value in enumerate(self.threshold)}
        return {name: value for name, value in shown.items() if value}

    # -- the bus side -----------------------------------------------------------------------

    def read_word(self, offset: int) -> int:
        """The register at `offset`; reading a claim register claims."""
        if offset < PENDING:
            return self.priority[offset // 4] if offset // 4 <= self.sources else 0
        if offset < ENABLE:
            return self.pending >> 8 * (offset - PENDING) & WORD
        if offset < CONTEXT:
            context, byte = divmod(offset - ENABLE, ENABLE_STRIDE)
            return self.enables[context] >> 8 * byte & WORD if context < self.contexts else 0
        context, register = divmod(offset - CONTEXT, CONTEXT_STRIDE)
        if context < self.contexts:
            if register == CLAIM:
                return self.claim(context)
            if register == THRESHOLD:
                return self.threshold[context]
        return 0

    def write_word(self, offset: int, value: int) -> None:
        """Write the register at `offset`; writing a claim register completes."""
        if offset < PENDING:
            if 1 <= offset // 4 <= self.sources:
                self.priority[offset // 4] = value & PRIORITIES
                self._update()
        elif offset < ENABLE:
            pass
        elif offset < CONTEXT:
            context, byte = divmod(offset - ENABLE, ENABLE_STRIDE)
            if context < self.contexts:
                kept = self.enables[context] & ~(WORD << 8 * byte)
                self.enables[context] = (kept | value << 8 * byte) & self._exist
                self._update()
        else:
            context, register = divmod(offset - CONTEXT, CONTEXT_STRIDE)
            if context < self.contexts:
                if register == CLAIM:
                    self.complete(context, value)
                elif register == THRESHOLD:
                    self.threshold[context] = value & PRIORITIES
                    self._update()

    # -- arbitration ------------------------------------------------------------------------

    def _most_urgent(self, context: int) -> int:
        """The pending, enabled source of the highest priority, then the lowest number; or 0."""
        waiting = self.pending & self.enables[context]
        best = 0
        while waiting:
            source = (waiting & -waiting).bit_length() - 1
            waiting &= waiting - 1
            if self.priority[source] > self.priority[best]:
                best = source
        return best

    def _update(self) -> None:
        """Compute the outputs anew and tell what changed."""
        pending = self.pending
        for context, enables in enumerate(self.enables):
            urgent = self._most_urgent(context) if pending & enables else 0
            level = self.priority[urgent] > self.threshold[context]
            if level != self.outputs[context]:
                self.outputs[context] = level
                if self.on_interrupt is not None:
                    self.on_interrupt(context, level)
