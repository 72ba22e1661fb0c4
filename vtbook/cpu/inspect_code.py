"""A look at the machine code that a definition became: the LLVM text and the host's assembly."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from vtbook.cpu import building, compiler
from vtbook.errors import VtbookError
from vtbook.isa.definition import Instruction
from vtbook.isa.instruction_set import InstructionSet
from vtbook.isa.sets import RV64GC

_SUFFIX = "shown"
#: Directives and labels that say nothing about what the processor does.
_NOISE = re.compile(r"\s*(\.(cfi_|p2align|type|size|globl|text|section|ident)|#|//)")


@cache
def _module(instruction: Instruction) -> Any:
    compiler.library().runtime(lambda text: None)  # numba resolves what definitions call
    return building.group_module([instruction], frozenset(), _SUFFIX)


def _definition(name: str | Instruction, isa: InstructionSet) -> Instruction:
    if isinstance(name, Instruction):
        return name
    found = isa.instructions.get(name)
    if found is None:
        raise VtbookError(f"{isa.name} has no instruction {name!r} with a handler of its own")
    return found


def handler_assembly(name: str | Instruction, isa: InstructionSet = RV64GC) -> str:
    """The host's assembly of an instruction's fast handler, as LLVM emits it for this processor.

    It is the handler of the four-byte form whose target, if it branches, is in the same page.

    Parameters
    ----------
    name: the mnemonic, such as ``"addi"``, or an instruction that a reader defined.
    isa: where the mnemonic is looked up.

    Raises VtbookError for a name that the set does not define.
    """
    instruction = _definition(name, isa)
    text = building.target_machine().emit_assembly(_module(instruction))
    label = f"vt_{instruction.name}.{_SUFFIX}_0"
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        if re.match(rf'"?_?{re.escape(label)}"?:', line):
            inside = True
        elif inside and (".cfi_endproc" in line or re.match(r'"?_?vt_|\.Lfunc_end', line)):
            break
        elif inside and not _NOISE.match(line):
            lines.append(_tidy(line))
    return "\n".join(lines)


def _tidy(line: str) -> str:
    """One line without LLVM's remarks."""
    return re.sub(r"\s*(#|//|@).*$", "", line).replace("\t", "    ").rstrip()


def handler_llvm(name: str | Instruction, isa: InstructionSet = RV64GC) -> str:
    """The optimised LLVM text of the same handler; arguments and errors as `handler_assembly`."""
    instruction = _definition(name, isa)
    return str(_module(instruction).get_function(f"vt_{instruction.name}.{_SUFFIX}_0"))
