"""Recording a console session: what the guest wrote, with the instruction counts at which it did.

The recording does not depend on the speed of the host: the guest runs a fixed number of
instructions between two looks, and what is typed is typed when the guest has written what the
script waits for.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vtbook.errors import VtbookError
from vtbook.machine.idle import waits_for_input

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine

LIMIT = 1 << 20
"""Bytes of output in a recording at most."""


def record_console(
    machine: Machine,
    budget: int,
    *,
    every: int = 100_000,
    script: Sequence[tuple[str, str]] = (),
    title: str = "",
) -> dict[str, Any]:
    """Run the machine and record its console, for the ``RecordedConsole`` widget.

    Args:
        machine: a machine with a program loaded.
        budget: instructions at most.
        every: instructions between two frames.
        script: what to type: (text to wait for, text to type) in this order.
        title: a heading; the program's name if empty.

    Returns:
        Plain data: ``title``, ``frames`` as a list of [instructions retired, text written since
        the frame before], and ``ended``, the reason of the last exit.

    Raises:
        VtbookError: the guest stopped or the budget ended before the script did.
    """
    if every < 1:
        raise VtbookError(f"a frame every {every} instructions; give at least 1")
    console, decoder = machine.console, codecs.getincrementaldecoder("utf-8")("replace")
    frames: list[list[Any]] = []
    position, seen, size = console.written, "", 0
    rest = list(script)
    end = machine.instructions + budget
    while True:
        left = end - machine.instructions
        exit = machine.run(min(every, left), until_input=True)
        first, data = console.since(position)
        position, size = first + len(data), size + len(data)
        text = decoder.decode(data)
        seen += text
        if text and size <= LIMIT:
            frames.append([machine.instructions, text])
        if rest and rest[0][0] in seen:
            seen = seen.split(rest[0][0], 1)[1]
            console.feed(rest.pop(0)[1])
        elif exit.reason == "input":
            if waits_for_input(machine):
                break
        elif exit.reason != "budget":
            break
        if machine.instructions >= end:
            break
    if rest:
        raise VtbookError(
            f"the script waits for {rest[0][0]!r}, and the machine stopped ({exit.reason}); "
            f"the output ends with {seen[-200:]!r}"
        )
    name = machine.image.name if machine.image is not None else ""
    return {"title": title or name, "frames": frames, "ended": exit.reason}
