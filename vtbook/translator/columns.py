"""A block beside the guest code it came from, as the ``CodeColumns`` widget shows it."""

from __future__ import annotations

from typing import Any

from vtbook.isa.operations import MASK64
from vtbook.translator.ir import Block, Mark, walk
from vtbook.widgets.codecolumns_schema import Line, column, columns, frame


def block_columns(
    block: Block, title: str = "Guest code and its intermediate code"
) -> dict[str, Any]:
    """Return the guest instructions of a block and its operations, instruction by instruction.

    Returns:
        A ``vtbook-columns`` (``vtbook.widgets.codecolumns_schema``), plain data. A link is the
        number of the guest instruction.
    """
    guest: list[Line] = []
    code: list[Line] = []
    for n, (mark, part) in enumerate(_parts(block)):
        place = (
            f"pc+{mark.offset}" if block.pc is None else f"{(block.pc + mark.offset) & MASK64:x}"
        )
        word = f"{mark.word:0{2 * mark.size}x}"
        guest.append((f"{place:<9} {word:<8}  {mark.text}", "", [n]))
        text = str(Block(part, 0)).splitlines()
        code += [(line.removeprefix("    "), "", [n]) for line in text]
    operations = sum(not isinstance(op, Mark) for op in walk(block.ops))
    return columns(
        title,
        frame(
            [
                column("Guest code", "RISC-V", guest, counts=[("bytes", block.size)]),
                column("Intermediate code", "IR", code, counts=[("operations", operations)]),
            ],
        ),
    )


def _parts(block: Block) -> list[tuple[Mark, tuple]]:
    """The operations of each guest instruction."""
    parts: list[tuple[Mark, list]] = []
    for op in block.ops:
        if isinstance(op, Mark):
            parts.append((op, []))
        else:
            parts[-1][1].append(op)
    return [(mark, tuple(ops)) for mark, ops in parts]
