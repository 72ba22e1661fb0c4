"""The recorded execution that the widgets show: plain data, one schema, one builder.

A trace is a ``dict`` of lists, integers and strings, ready for JSON. It holds the state before the
first step, and for each step only what changed. Integers that may pass 2**53 are hexadecimal
strings (lower case, no prefix, no padding), since JavaScript numbers are doubles. Byte strings are
hexadecimal, two digits a byte. Lists stand wherever order matters, since a saved notebook sorts
the keys of every dict.

Schema ``vtbook-trace``, version 1::

    {"format": "vtbook-trace", "version": 1,
     "title":   text,
     "listing": [[address, encoding, assembly, label], ...],    ascending addresses
     "initial": {"pc": hex, "mode": "M", "instructions": hex,
                 "x": [32 hex], "f": [32 hex] or [],
                 "csrs": [[name, hex], ...],
                 "memory": [[base, size, bytes, name], ...],
                 "console": bytes},
     "steps":   [[pc, change, ...], ...]}

``encoding`` is the instruction as a number, padded to its size: 4 digits for a compressed
instruction, 8 for a full one. ``label`` is the symbol at this address, or ``""``. A memory region
has ``size`` bytes; ``bytes`` may be shorter and the rest is zero. A ``pc`` in a step is the one
*after* it: step *k* executes the instruction at the pc of step *k - 1* (of ``initial`` for the
first). Each ``change`` is a list that starts with its kind:

=====================================  ========================================================
``["x", i, hex]``                      integer register *i* has a new value
``["f", i, hex]``                      floating-point register *i* has a new value (64 bits)
``["csr", i, hex]``                    the *i*-th entry of ``initial.csrs`` has a new value
``["mode", name]``                     the privilege mode changed
``["r", address, n]``                  the step read *n* bytes there
``["w", address, bytes]``              the step wrote these bytes there
``["out", bytes]``                     the console printed these bytes
``["retired", n]``                     instructions retired by the step, when not 1
``["code", address, encoding, text]``  the listing's line has new code (self-modifying code)
``["event", kind, text, details]``     something to announce; see `EVENT_KINDS`
=====================================  ========================================================

``details`` of an event is a list of ``[name, value]``: ``cause``, ``epc``, ``tval`` as hex,
``reason`` (why the run loop returned) as text.

Example:
    >>> b = TraceBuilder(title="one step", pc=0x8000_0000, mode="M",
    ...                  listing=[(0x8000_0000, "00500513", "li a0, 5", "_start")],
    ...                  registers={"x": [0] * 32, "f": None}, csrs=[], memory=[])
    >>> b.step(pc=0x8000_0004, x={10: 5})
    >>> b.build()["steps"]
    [['80000004', ['x', 10, '5']]]
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

from vtbook.widgets.trace_schema import (
    CHANGE_KINDS,
    EVENT_KINDS,
    FORMAT,
    MODES,
    VERSION,
    TraceError,
    validate_trace,
)

__all__ = [
    "CHANGE_KINDS",
    "EVENT_KINDS",
    "FORMAT",
    "MODES",
    "VERSION",
    "TraceBuilder",
    "TraceError",
    "hex64",
    "validate_trace",
]

Line = tuple[int, str, str, str]


def hex64(value: int, where: str = "value") -> str:
    """Write a 64-bit integer, signed or unsigned, as the schema's hexadecimal string.

    Raises:
        TraceError: the value does not fit in 64 bits.
    """
    number = operator.index(value)
    if not -(1 << 63) <= number < 1 << 64:
        raise TraceError(where, f"{number:#x} does not fit in 64 bits")
    return format(number & 0xFFFF_FFFF_FFFF_FFFF, "x")


class TraceBuilder:
    """Collect one execution step by step, and store only the differences.

    Args:
        title: What is shown, as the widget's heading.
        listing: ``(address, encoding in hex, assembly, label)`` a line, in any order.
        registers: ``{"x": 32 integers, "f": 32 integers or None}`` before the first step; ``f``
            holds bit patterns of 64 bits.
        csrs: ``(name, value)`` of the control and status registers to show, in that order.
        memory: ``(base address, bytes, name)`` a region to show. Keep them small: a region's
            bytes go into the page whole, less the zeros at its end.
        mode: Privilege mode before the first step, one of `MODES`.
        pc: Address of the first instruction.
        instructions: Instructions retired before the first step.
        console: What the console had printed before the first step.

    Integers may be signed or unsigned 64-bit values of any integer type.

    Raises:
        TraceError: an argument does not fit the schema; the message names it.
    """

    def __init__(
        self,
        *,
        title: str,
        listing: Sequence[Line],
        registers: Mapping[str, Sequence[int] | None],
        csrs: Sequence[tuple[str, int]] = (),
        memory: Sequence[tuple[int, bytes, str]] = (),
        mode: str = "M",
        pc: int,
        instructions: int = 0,
        console: bytes = b"",
    ) -> None:
        x = registers.get("x")
        if x is None:
            raise TraceError("registers", "there is no 'x'; give the 32 integer registers")
        f = registers.get("f")
        self._mode = mode
        self._x = [hex64(v, f"registers['x'][{i}]") for i, v in enumerate(x)]
        self._f = [hex64(v, f"registers['f'][{i}]") for i, v in enumerate(() if f is None else f)]
        self._csr_index = {name: i for i, (name, _) in enumerate(csrs)}
        self._csrs = [hex64(value, f"csrs[{i}]") for i, (_, value) in enumerate(csrs)]
        self._code: dict[int, tuple[str, str]] = {}
        self._labels: dict[int, str] = {}
        self._pending: list[list[Any]] = []
        self._steps: list[list[Any]] = []
        self._title = title
        self._initial: dict[str, Any] = {
            "pc": hex64(pc, "pc"),
            "mode": mode,
            "instructions": hex64(instructions, "instructions"),
            "x": list(self._x),
            "f": list(self._f),
            "csrs": [[name, value] for (name, _), value in zip(csrs, self._csrs, strict=True)],
            "memory": [
                [hex64(base, f"memory[{i}]"), len(data), bytes(data).rstrip(b"\0").hex(), name]
                for i, (base, data, name) in enumerate(memory)
            ],
            "console": bytes(console).hex(),
        }
        self._listing: dict[int, list[str]] = {}
        for address, raw, text, label in listing:
            self.line(address, raw, text, label)

    def line(self, address: int, raw: str, text: str, label: str = "") -> None:
        """Add a line to the listing, as when a step reaches code not listed before.

        A line known already is left alone if it has the same encoding; if not, the code was
        modified, and the next step shows the new text from then on.
        """
        address = operator.index(address) & 0xFFFF_FFFF_FFFF_FFFF
        known = self._code.get(address)
        if known is None:
            self._listing[address] = [hex64(address), raw, text, label]
        elif known[0] == raw:
            return
        else:
            self._pending.append(["code", hex64(address), raw, text])
        self._code[address] = (raw, text)

    def step(
        self,
        *,
        pc: int,
        mode: str | None = None,
        x: Mapping[int, int] | Sequence[int] = (),
        f: Mapping[int, int] | Sequence[int] = (),
        csrs: Mapping[str, int] | None = None,
        writes: Sequence[tuple[int, bytes]] = (),
        reads: Sequence[tuple[int, int]] = (),
        console: bytes = b"",
        event: Mapping[str, Any] | None = None,
        retired: int | None = None,
    ) -> None:
        """Record the state after one more instruction.

        Args:
            pc: The program counter after the step.
            mode: The privilege mode after it; None means as before.
            x: Integer registers after it: ``{number: value}`` for those that may have changed, or
                all 32. What did not change is not stored.
            f: The same for the floating-point registers, as 64-bit patterns.
            csrs: ``{name: value}`` after it; a name not given to the constructor is an error.
            writes: ``(address, bytes written)`` of each store.
            reads: ``(address, number of bytes)`` of each load.
            console: What the console printed during the step.
            event: ``{"kind": one of EVENT_KINDS, "text": what to say}``, and for a trap
                ``"cause"``, ``"epc"`` and ``"tval"`` (integers), for an exit ``"reason"``.
            retired: Instructions retired; None means 0 for a trap and 1 for all else.

        Raises:
            TraceError: a value does not fit the schema; the message names the step.
        """
        where = f"step {len(self._steps) + 1}"
        changes: list[list[Any]] = list(self._pending)
        changes += self._registers("x", self._x, x, where)
        changes += self._registers("f", self._f, f, where)
        for name, value in (csrs or {}).items():
            index = self._csr_index.get(name)
            if index is None:
                shown = ", ".join(self._csr_index) or "none"
                raise TraceError(
                    where,
                    f"CSR '{name}' was not given to TraceBuilder(csrs=...), which has {shown}",
                )
            new = hex64(value, f"{where}: csrs['{name}']")
            if new != self._csrs[index]:
                self._csrs[index] = new
                changes.append(["csr", index, new])
        if mode is not None and mode != self._mode:
            self._mode = mode
            changes.append(["mode", mode])
        changes += [["r", hex64(a, f"{where}: reads"), operator.index(n)] for a, n in reads]
        changes += [["w", hex64(a, f"{where}: writes"), bytes(data).hex()] for a, data in writes]
        if console:
            changes.append(["out", bytes(console).hex()])
        if retired is None:
            retired = 0 if event is not None and event.get("kind") == "trap" else 1
        if retired != 1:
            changes.append(["retired", operator.index(retired)])
        if event is not None:
            changes.append(_event(event, where))
        self._steps.append([hex64(pc, f"{where}: pc"), *changes])
        self._pending = []

    def __len__(self) -> int:
        """The number of steps recorded so far."""
        return len(self._steps)

    def build(self) -> dict[str, Any]:
        """Return the trace, checked by `validate_trace`."""
        trace = {
            "format": FORMAT,
            "version": VERSION,
            "title": self._title,
            "listing": [self._listing[address] for address in sorted(self._listing)],
            "initial": self._initial,
            "steps": list(self._steps),
        }
        validate_trace(trace)
        return trace

    @staticmethod
    def _registers(
        kind: str, now: list[str], new: Mapping[int, int] | Sequence[int], where: str
    ) -> list[list[Any]]:
        pairs = new.items() if isinstance(new, Mapping) else enumerate(new)
        changes: list[list[Any]] = []
        for number, value in pairs:
            i = operator.index(number)
            if not 0 <= i < len(now):
                raise TraceError(
                    where,
                    f"register {kind}{i} is not recorded; "
                    f"the builder was given {len(now)} {kind} registers",
                )
            text = hex64(value, f"{where}: {kind}{i}")
            if text != now[i]:
                now[i] = text
                changes.append([kind, i, text])
        return changes


def _event(event: Mapping[str, Any], where: str) -> list[Any]:
    known = {"kind", "text", "cause", "epc", "tval", "reason"}
    for name in event:
        if name not in known:
            raise TraceError(where, f"event has no field '{name}'; use {', '.join(sorted(known))}")
    if "kind" not in event:
        raise TraceError(where, f"event has no 'kind'; use one of {', '.join(EVENT_KINDS)}")
    details: list[list[str]] = [
        [name, hex64(event[name], f"{where}: event['{name}']")]
        for name in ("cause", "epc", "tval")
        if event.get(name) is not None
    ]
    if event.get("reason"):
        details.append(["reason", str(event["reason"])])
    return ["event", event["kind"], str(event.get("text", "")), details]
