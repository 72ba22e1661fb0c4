"""Intermediate code, and how it comes from the instruction definitions.

``ir`` is the code, on ``operands``; ``values`` is what it can compute, ``validate`` its rules.
``lift`` traces definitions into it, with the symbolic values and hart of ``symbols`` and
``symbolic_hart``, and the ``calls`` of routines it does not trace. ``interpret`` runs a block,
``engine`` a whole hart.
"""

from vtbook.translator.interpret import run_block
from vtbook.translator.ir import Block, IrError
from vtbook.translator.lift import LiftReport, lift, lift_block, lift_report, lift_sequence
from vtbook.translator.validate import validate

__all__ = [
    "Block",
    "IrError",
    "LiftReport",
    "lift",
    "lift_block",
    "lift_report",
    "lift_sequence",
    "run_block",
    "validate",
]
