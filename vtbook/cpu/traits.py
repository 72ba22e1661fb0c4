"""What the engines must know of a definition, found in its source.

``vtbook.cpu`` keeps the pc, the counter and trap tests out of the definitions that need none of
them; this module finds out which do.
"""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
import types
from dataclasses import dataclass
from typing import Any

from vtbook.isa.definition import DefinitionError, Instruction


@dataclass(frozen=True)
class Traits:
    """Facts about one definition. Where the source cannot be had, the cautious answer.

    uses_pc: it reads ``h.pc``.
    uses_counter: it reads or writes CSRs, so ``h.instret`` must be exact.
    uses_size: it reads ``d.size``.
    rd_only_written: ``d.rd`` is used in ``h.x[d.rd] = …`` only.
    offset_operand: the operand that ``branch`` takes as its distance, or "".
    ends_chain: it never goes on to the next instruction.
    restartable: one memory access at most, nothing changed before it: it can begin again.
    uses_memory: it loads or stores.
    """

    uses_pc: bool
    uses_counter: bool
    uses_size: bool
    rd_only_written: bool
    offset_operand: str
    ends_chain: bool
    restartable: bool
    uses_memory: bool


CAUTIOUS = Traits(True, True, True, False, "", False, False, True)


@functools.cache
def traits_of(instruction: Instruction) -> Traits:
    """The traits of an instruction's definition.

    Raises DefinitionError if something stands after a ``branch`` or a ``jump``: the machines would
    differ in whether it is done.
    """
    function = instruction.function
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return CAUTIOUS
    body = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.Lambda))
    if isinstance(body, ast.FunctionDef):
        _refuse_code_after_leaving(instruction.name, body.body, last=True)
    hart, operands = list(inspect.signature(function).parameters)[:2]
    names = _names_used(function)
    called = set().union(*(_names_used(f) for f in referenced_functions(function).values()))
    return Traits(
        uses_pc="pc" in names,
        uses_counter=bool({"csr_read", "csr_write", "instret"} & names),
        uses_size=_reads(body, operands, "size") > 0,
        rd_only_written=_reads(body, operands, "rd") == _writes_to_rd(body, hart, operands),
        offset_operand="" if "branch" in called else _offset_operand(body, operands),
        ends_chain=_ends(body),
        restartable=_is_restartable(body, names, called),
        uses_memory=bool(names & MEMORY),
    )


def _refuse_code_after_leaving(name: str, statements: list[ast.stmt], last: bool) -> None:
    """``last``: nothing follows these statements in the definition."""
    for n, statement in enumerate(statements):
        ends = last and n == len(statements) - 1
        inner = [s for s in ast.iter_child_nodes(statement) if isinstance(s, ast.stmt)]
        if isinstance(statement, ast.If):
            _refuse_code_after_leaving(name, statement.body, ends)
            _refuse_code_after_leaving(name, statement.orelse, ends)
        elif not ends or inner:
            for call in _calls(statement, "branch") + _calls(statement, "jump"):
                raise DefinitionError(
                    f"{name}: {ast.unparse(call)} must be the last thing that the definition does;"
                    " write registers before it"
                )


def referenced_functions(function: Any) -> dict[str, types.FunctionType]:
    """Plain Python functions that a function calls by a global name."""
    found = {}
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, types.FunctionType) and not hasattr(value, "__wrapped__"):
            found[name] = value
    return found


def _names_used(function: Any, seen: frozenset = frozenset()) -> set[str]:
    """Attribute and global names in a function and in the functions it calls."""
    names = set(function.__code__.co_names)
    for name, called in referenced_functions(function).items():
        if name not in seen:
            names |= _names_used(called, seen | {name})
    return names


def _reads(body: ast.AST, variable: str, attribute: str) -> int:
    return sum(
        isinstance(n, ast.Attribute)
        and n.attr == attribute
        and isinstance(n.value, ast.Name)
        and n.value.id == variable
        for n in ast.walk(body)
    )


def _writes_to_rd(body: ast.AST, hart: str, operands: str) -> int:
    """How many assignments have the form ``h.x[d.rd] = …``."""
    form = f"{hart}.x[{operands}.rd]"
    return sum(
        ast.unparse(target) == form
        for n in ast.walk(body)
        if isinstance(n, ast.Assign)
        for target in n.targets
    )


def _calls(body: ast.AST, name: str) -> list[ast.Call]:
    return [
        n
        for n in ast.walk(body)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == name
    ]


def _offset_operand(body: ast.AST, operands: str) -> str:
    """The operand in ``branch(h, …, d.operand)`` if there is one such call and no other."""
    calls = _calls(body, "branch")
    if len(calls) != 1 or len(calls[0].args) != 3:
        return ""
    distance = calls[0].args[2]
    if (
        isinstance(distance, ast.Attribute)
        and isinstance(distance.value, ast.Name)
        and distance.value.id == operands
    ):
        return distance.attr
    return ""


MEMORY = frozenset(f"{kind}{bits}" for kind in ("load", "store") for bits in (8, 16, 32, 64))


def _is_restartable(body: ast.AST, names: set[str], called: set[str]) -> bool:
    if names & {"csr_read", "csr_write", "fence_instructions", "wait_for_interrupt"}:
        return False
    if called & MEMORY or any(isinstance(n, ast.For | ast.While) for n in ast.walk(body)):
        return False
    return sum(len(_calls(body, name)) for name in MEMORY) <= 1


def _ends(body: ast.AST) -> bool:
    """True if a top-level statement always leaves: a jump, a trap, ``branch(h, True, …)``."""
    if not isinstance(body, ast.FunctionDef):
        return False
    for statement in body.body:
        if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
            continue
        call = statement.value
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name in ("jump", "raise_trap", "illegal"):
            return True
        always = (
            len(call.args) == 3 and isinstance(call.args[1], ast.Constant) and call.args[1].value
        )
        if name == "branch" and always:
            return True
    return False
