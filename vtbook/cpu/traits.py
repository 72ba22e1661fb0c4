"""What the engines must know of a definition, found in its source.

``vtbook.cpu`` keeps the pc, the counter and trap tests out of the definitions that need none of
them; this module finds out which do.
"""

from __future__ import annotations

import ast
import dis
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

    uses_pc: it reads ``h.pc``, or branches by a distance that it computes.
    uses_counter: it reads or writes CSRs, so ``h.instret`` must be exact.
    uses_size: it reads ``d.size``.
    rd_only_written: ``d.rd`` is used in ``h.x[d.rd] = …`` only.
    reads_back: register operands that it writes, and may read again afterward.
    transfers: it may branch or jump.
    offset_operand: the operand that ``branch`` takes as its distance, or "".
    ends_chain: it never goes on to the next instruction.
    restartable: one memory access at most, and nothing is changed before anything that may leave
    the definition (that access, a trap): it can begin again.
    uses_memory: it loads or stores.
    changes_first: it may change something before it loads or stores.
    resyncs: what it changes may matter to the machine itself (``resync``).
    """

    uses_pc: bool
    uses_counter: bool
    uses_size: bool
    rd_only_written: bool
    reads_back: tuple[str, ...]
    transfers: bool
    offset_operand: str
    ends_chain: bool
    restartable: bool
    uses_memory: bool
    changes_first: bool
    resyncs: bool


CAUTIOUS = Traits(
    uses_pc=True,
    uses_counter=True,
    uses_size=True,
    rd_only_written=False,
    reads_back=("rd", "rs1", "rs2", "rs3"),
    transfers=True,
    offset_operand="",
    ends_chain=False,
    restartable=False,
    uses_memory=True,
    changes_first=True,
    resyncs=True,
)


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
    whole = _is_passed_on(body, operands)
    offset_operand = "" if "branch" in called else _offset_operand(body, operands)
    if offset_operand and instruction.encoding.field(offset_operand).high >= 1 << 31:
        offset_operand = ""  # a record holds it without its sign
    written = _writes_to_rd(body, hart, operands)
    return Traits(
        uses_pc="pc" in names or ("branch" in names and not offset_operand),
        uses_counter=bool({"csr_read", "csr_write", "instret"} & names),
        uses_size=whole or _reads(body, operands, "size") > 0,
        rd_only_written=not whole and _reads(body, operands, "rd") == written,
        reads_back=CAUTIOUS.reads_back if whole else _reads_back(body, function, hart, operands),
        transfers=bool({"branch", "jump"} & names),
        offset_operand=offset_operand,
        ends_chain=_ends(body),
        restartable=_is_restartable(body, function, names, called),
        uses_memory=bool(names & MEMORY),
        changes_first=bool(names & MEMORY) and _changes_first(body, function, called),
        resyncs=bool({"csr_write", "resync"} & (names | called)),
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
    """Plain Python functions that a function calls by a global or an enclosing name."""
    return {
        name: value
        for name, value in referenced_values(function).items()
        if isinstance(value, types.FunctionType) and not hasattr(value, "__wrapped__")
    }


def referenced_values(function: Any) -> dict[str, Any]:
    """What a function's global names and the names of enclosing functions stand for."""
    code = function.__code__
    found = {n: function.__globals__[n] for n in code.co_names if n in function.__globals__}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not set yet
            continue
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


def _reads_back(body: ast.AST, function: Any, hart: str, operands: str) -> tuple[str, ...]:
    """Operands that number a register which is written before one is read."""
    others = {n: f for n, f in referenced_functions(function).items() if "x" in _names_used(f)}
    if any(_may_change(other) for other in others.values()):
        return CAUTIOUS.reads_back
    nodes = list(ast.walk(body))
    items = [n for n in nodes if isinstance(n, ast.Subscript) and _is_file(n.value, hart)]
    if len(items) != sum(_is_file(n, hart) for n in nodes):
        return CAUTIOUS.reads_back  # the register file has another name too
    last = (0, 0)  # where the last read begins
    for node in nodes:
        if (
            (isinstance(node, ast.Subscript) and node in items and isinstance(node.ctx, ast.Load))
            or (isinstance(node, ast.Call) and _called_name(node) in others)
            or isinstance(node, ast.AugAssign)
        ):
            last = max(last, (node.lineno, node.col_offset))
    loops = [n for n in nodes if isinstance(n, ast.For | ast.While)]
    looped = {id(n) for loop in loops for n in ast.walk(loop)}
    found = set()
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AugAssign):
            parts = {id(n) for n in ast.walk(node)}
            back = id(node) in looped or last >= (node.end_lineno or 0, node.end_col_offset or 0)
            for item in items:
                if back and id(item) in parts and isinstance(item.ctx, ast.Store):
                    index = item.slice
                    if not (isinstance(index, ast.Attribute) and _is_name(index.value, operands)):
                        return CAUTIOUS.reads_back
                    found.add(index.attr)
    return tuple(sorted(found))


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_file(node: ast.AST, hart: str) -> bool:
    """True for ``h.x``."""
    return isinstance(node, ast.Attribute) and node.attr == "x" and _is_name(node.value, hart)


def _calls(body: ast.AST, name: str) -> list[ast.Call]:
    return [n for n in ast.walk(body) if isinstance(n, ast.Call) and _called_name(n) == name]


def _called_name(call: ast.Call) -> str:
    """``f`` of ``f(…)`` and of ``module.f(…)``."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _is_passed_on(body: ast.AST, operands: str) -> bool:
    """True if the operands as a whole go somewhere else, where anything may be done with them."""
    attributes = sum(
        isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == operands
        for n in ast.walk(body)
    )
    return attributes != sum(isinstance(n, ast.Name) and n.id == operands for n in ast.walk(body))


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


CHANGES = frozenset({"set_word", "csr_write"} | {n for n in MEMORY if n.startswith("store")})
LEAVES = MEMORY | {
    "amo_address",
    "lr_address",
    "check_target",
    "raise_trap",
    "illegal",
    "csr_read",
}


def _is_restartable(body: ast.AST, function: Any, names: set[str], called: set[str]) -> bool:
    if names & {"csr_read", "csr_write", "fence_instructions", "wait_for_interrupt"}:
        return False
    if called & MEMORY or any(isinstance(n, ast.For | ast.While) for n in ast.walk(body)):
        return False
    if sum(isinstance(n, ast.Call) and _called_name(n) in MEMORY for n in ast.walk(body)) > 1:
        return False
    return not _changes_before_leaving(body, referenced_functions(function))


def _changes_first(body: ast.AST, function: Any, called: set[str]) -> bool:
    if called & MEMORY or any(isinstance(n, ast.For | ast.While) for n in ast.walk(body)):
        return True
    return _changes_before_leaving(body, referenced_functions(function))


def _changes_before_leaving(body: ast.AST, functions: dict[str, types.FunctionType]) -> bool:
    """True if something is changed in a place before one where the definition may leave."""
    changes: list[tuple[int, int]] = []  # where they end
    leaves: list[tuple[int, int]] = []  # where they begin
    jumps = set() if _calls(body, "check_target") else {"branch", "jump"}  # they may trap
    for node in ast.walk(body):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            parts = [part for target in targets for part in ast.walk(target)]
            if any(isinstance(part, ast.Attribute | ast.Subscript) for part in parts):
                changes.append((node.end_lineno or 0, node.end_col_offset or 0))
        elif isinstance(node, ast.Call):
            name = _called_name(node)
            inner = _names_used(functions[name]) if name in functions else {name}
            if name in CHANGES or (name in functions and _may_change(functions[name])):
                changes.append((node.end_lineno or 0, node.end_col_offset or 0))
                if inner & LEAVES and name in functions:
                    return True
            if inner & (LEAVES | jumps):
                leaves.append((node.lineno, node.col_offset))
    return bool(changes and leaves) and min(changes) <= max(leaves)


@functools.cache
def _stores(function: Any) -> bool:
    """True if the function itself writes to an attribute or an item."""
    return any(i.opname in ("STORE_ATTR", "STORE_SUBSCR") for i in dis.get_instructions(function))


def _may_change(function: Any, seen: frozenset = frozenset()) -> bool:
    """True if a function writes to something that it was given, by itself or through others."""
    if _stores(function):
        return True
    if CHANGES & set(function.__code__.co_names):
        return True
    seen |= {function}
    others = referenced_functions(function).values()
    return any(other not in seen and _may_change(other, seen) for other in others)


def _ends(body: ast.AST) -> bool:
    """True if a top-level statement always leaves: a jump, a trap, ``branch(h, True, …)``."""
    if not isinstance(body, ast.FunctionDef):
        return False
    if any(isinstance(n, ast.Return) for n in ast.walk(body)):
        return False
    for statement in body.body:
        if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
            continue
        call = statement.value
        name = _called_name(call)
        if name in ("jump", "raise_trap", "illegal"):
            return True
        always = (
            len(call.args) == 3 and isinstance(call.args[1], ast.Constant) and call.args[1].value
        )
        if name == "branch" and always:
            return True
    return False
