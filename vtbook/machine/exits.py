"""Why ``Machine.run`` came back: the exit reasons, declared in one table."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import NamedTuple


class Reason(NamedTuple):
    """One exit reason: what happened, as a sentence with fields of `Exit`, and what to do next."""

    sentence: str
    next: str


REASONS: dict[str, Reason] = {
    "shutdown": Reason("the guest ended with code {code}", "load or restore to run again"),
    "reset": Reason("the guest asked for a reset", "call reset() to start it again"),
    "breakpoint": Reason("reached the breakpoint at {where}", "run() goes on from here"),
    "watchpoint": Reason(
        "a {kind} of {size} bytes at {addr:#x} (value {value:#x}) hit a watchpoint",
        "run() goes on from here",
    ),
    "budget": Reason("the budget of instructions is used up", "run() goes on from here"),
    "time": Reason("the time given is used up", "run() goes on from here"),
    "input": Reason("the guest asks for input and none is there", "feed the console and run()"),
    "output": Reason("the guest wrote what was waited for", "run() goes on from here"),
    "wfi": Reason(
        "wfi, and no interrupt can come: the hart would wait for ever",
        "feed the console, or check mie and the devices",
    ),
    "trap": Reason(
        "{cause_name} (cause {cause}, tval {tval:#x}) and no handler can take it: {detail}",
        "read the code at pc, or set mtvec before it",
    ),
    "step": Reason("stepped", "step() goes on, step_back() undoes it"),
    "mmio": Reason(
        "a {kind} of {size} bytes at {addr:#x} needs a device in Python", "run() goes on from here"
    ),
    "interrupted": Reason("interrupted from the keyboard", "run() goes on from here"),
    "start": Reason("reached the start of the recorded past", "run() goes forward again"),
}
"""Every reason. ``mmio`` is seen only by those who drive an engine themselves."""


@dataclass(frozen=True)
class Exit:
    """Why a run ended, and where.

    Attributes:
        reason: a key of `REASONS`.
        pc: address of the next instruction, unsigned.
        instructions: instructions retired by this run.
        where: `pc` in words, such as ``main+0x1c``.
        code: of ``shutdown``: the guest's exit code, 0 for success.
        message: of ``shutdown``: what a device had to say, often nothing.
        cause, tval, cause_name: of ``trap``: as in mcause and mtval (unsigned), and in words.
        detail: of ``trap``: why nobody could take it.
        addr, size, kind, value: of ``watchpoint`` and ``mmio``: the access, ``read`` or ``write``.
    """

    reason: str
    pc: int
    instructions: int
    where: str = ""
    code: int | None = None
    message: str = ""
    cause: int | None = None
    tval: int | None = None
    cause_name: str = ""
    detail: str = ""
    addr: int | None = None
    size: int | None = None
    kind: str = ""
    value: int | None = None

    @property
    def ok(self) -> bool:
        """Whether the guest ended and reported success."""
        return self.reason == "shutdown" and self.code == 0

    def __str__(self) -> str:
        fields = {**self.__dict__, "where": self.where or f"{self.pc:#x}"}
        sentence = REASONS[self.reason].sentence.format(**fields)
        if self.message:
            sentence += f" ({self.message})"
        place = "" if self.reason == "breakpoint" else f" at {fields['where']}"
        return f"{self.reason}: {sentence};{place} after {self.instructions:,} instructions"

    def _repr_html_(self) -> str:
        text = html.escape(str(self)[len(self.reason) :])
        following = html.escape(REASONS[self.reason].next)
        return f"<b>{self.reason}</b>{text} <small>({following})</small>"
