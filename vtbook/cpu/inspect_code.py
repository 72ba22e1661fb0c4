"""The machine code of a handler, to be read: `handler_assembly`."""

from __future__ import annotations

import re

from vtbook.cpu import building, compiler, threaded
from vtbook.errors import VtbookError
from vtbook.isa.definition import Instruction
from vtbook.isa.instruction_set import InstructionSet
from vtbook.isa.sets import RV64GC

_SUFFIX = "look"
_NOISE = re.compile(r"\s*(\.(?!L\w*:)|#|//|;)")
"""Directives and comments of LLVM's assembly; labels such as ``.LBB0_1:`` are kept."""


def handler_assembly(name: str, *, isa: InstructionSet = RV64GC, short: bool = False) -> str:
    """The host's assembly of one instruction's handler, as the compiled interpreter runs it.

    It is compiled anew, by the same steps and for the same processor; that takes a second or less.

    Args:
        name: the mnemonic of an instruction of `isa`, such as ``"addi"``.
        isa: where it is defined, and which instructions have a two-byte form.
        short: the handler of the two-byte form: it goes on two bytes later.

    Returns:
        Its instructions and labels, one a line, in LLVM's syntax for this processor.

    Raises:
        VtbookError: the set has no such instruction, or it has no two-byte form.
    """
    instruction = isa.instructions.get(name)
    if not isinstance(instruction, Instruction):
        raise VtbookError(f"{isa.name} has no instruction {name!r} that executes")
    two_bytes = frozenset(c.target.name for c in isa.compressed.values())
    if short and name not in two_bytes:
        raise VtbookError(f"{name} has no two-byte form in {isa.name}; leave out short=True")
    # The handlers of loads and stores refer to the runtime, so it must be there.
    compiler.library().runtime(lambda text: None)
    module = building.group_module([instruction], two_bytes, _SUFFIX)
    text = building.target_machine().emit_assembly(module)
    variant = 1 if short else 0
    return _cut(text, threaded.handler_name(f"{name}.{_SUFFIX}", variant).strip('"'))


def _cut(text: str, symbol: str) -> str:
    """The instructions and labels of one function of an assembly text."""
    lines = text.splitlines()
    heads = {f"{symbol}:", f'"{symbol}":', f"_{symbol}:", f'"_{symbol}":'}  # macOS adds a _
    start = next(n for n, line in enumerate(lines) if line.split("#")[0].strip() in heads)
    kept = []
    for line in lines[start + 1 :]:
        if line.startswith((".Lfunc_end", "Lfunc_end")) or "-- End function" in line:
            break
        if line.strip() and not _NOISE.match(line):
            kept.append(re.sub(r"\s+#.*$", "", line.expandtabs(8)).rstrip())
    return "\n".join(kept)
