"""From definitions to LLVM modules: numba compiles each, the text around them joins them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import contextmanager
from functools import cache
from typing import Any

from llvmlite import binding as llvm

from vtbook.cpu import decode_tables, layout, threaded, traits
from vtbook.cpu.decode_tables import FAR, SHORT, operand_layout
from vtbook.cpu.fusion import Pair
from vtbook.isa import operations as ops
from vtbook.isa.definition import Instruction


@cache
def target_machine() -> llvm.TargetMachine:
    """LLVM's description of this computer's processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=2,
        codemodel="default",
        reloc="pic",
    )


@contextmanager
def _wrapping_arithmetic():
    """Guest integers wrap; numba marks signed sums "no signed wrap" unless told otherwise."""
    from numba.cpython import numbers

    flags = numbers._int_arith_flags
    numbers._int_arith_flags = lambda rettype: []
    try:
        yield
    finally:
        numbers._int_arith_flags = flags


_registered: set[Any] = set()


def _register_functions() -> None:
    """Operations that are functions over the hart's record, not LLVM code of ``lowering``."""
    from numba.extending import overload, register_jitable

    from vtbook.cpu import csr, slow_memory

    if csr.read_csr in _registered:
        return
    for operation, function in (
        (ops.csr_read, csr.read_csr),
        (ops.csr_write, csr.write_csr),
        (ops.in_memory, slow_memory.in_memory),
        (ops.physical64, slow_memory.physical64),
        (ops.set_physical64, slow_memory.set_physical64),
        (ops.flush_translations, slow_memory.flush_translations),
    ):
        _registered.add(function)
        _register_called(function)
        register_jitable(error_model="numpy")(function)
        overload(operation, strict=False, jit_options={"error_model": "numpy"})(
            lambda *arguments, function=function: function
        )


def _register_called(function: Any) -> None:
    """Let numba compile the plain functions that a definition calls."""
    from numba.extending import register_jitable

    for called in traits.referenced_functions(function).values():
        if called in _registered or (called.__module__ or "").startswith("vtbook.isa.softfloat"):
            continue
        _registered.add(called)
        _register_called(called)
        register_jitable(error_model="numpy")(called)


def _compile(function: Any, arguments: tuple[Any, ...], result: Any) -> tuple[str, str]:
    """Compile one function with numba; returns its LLVM text and its symbol."""
    from numba.core import compiler
    from numba.core.registry import cpu_target

    import vtbook.cpu.compiled_float
    import vtbook.cpu.lowering  # noqa: F401 - registers the operations

    flags: Any = compiler.Flags()
    flags.no_cpython_wrapper = True
    flags.no_cfunc_wrapper = True
    flags.error_model = "numpy"
    flags.nrt = False
    _register_functions()
    _register_called(function)
    with _wrapping_arithmetic():
        made = compiler.compile_extra(
            cpu_target.typing_context,
            cpu_target.target_context,
            function,
            arguments,
            result,
            flags,
            {},
        )
    return made.library.get_llvm_str(), made.fndesc.llvm_func_name


def _hart_type() -> Any:
    from numba.np import numpy_support

    return numpy_support.from_dtype(layout.HART)


def _operands_type(instruction: Instruction, with_size: bool) -> Any:
    """Numba's record type of an instruction's decoded operands."""
    import numpy as np
    from numba.np import numpy_support

    operands = operand_layout(instruction.encoding, with_size).values()
    if not operands:
        return numpy_support.from_dtype(np.dtype([("handler", "i8"), ("none", "i8")]))
    return numpy_support.from_dtype(
        np.dtype(
            {
                "names": [o.name for o in operands],
                "formats": [f"{'i' if o.signed else 'u'}{o.size}" for o in operands],
                "offsets": [o.byte for o in operands],
                "itemsize": decode_tables.SLOT,
            }
        )
    )


def _join(glue: str, parts: list[str], keep: Callable[[str], bool]) -> Any:
    """Link LLVM texts into one optimised module that shows only the symbols to keep."""
    header = f'target triple = "{target_machine().triple}"\n'
    module = llvm.parse_assembly(header + glue)
    for part in parts:
        module.link_in(llvm.parse_assembly(part))
    for function in module.functions:
        if not function.is_declaration and not keep(function.name):
            function.linkage = "internal"
    for variable in module.global_variables:
        if not variable.is_declaration:
            variable.linkage = "internal"
    builder = llvm.create_pass_builder(target_machine(), llvm.PipelineTuningOptions(speed_level=2))
    builder.getModulePassManager().run(module, builder)
    return module


#: A definition whose LLVM text is longer than this is called, not copied into each handler.
INLINE_LIMIT = 250


_bodies: dict[tuple[Instruction, bool], tuple[str, threaded.Body]] = {}


def _body(instruction: Instruction, slow: bool = False) -> tuple[str, threaded.Body]:
    """Compile a definition; ``slow`` for the form that calls the runtime on a TLB miss."""
    from numba.core import types

    from vtbook.cpu.lowering import Mode

    facts = traits.traits_of(instruction)
    key = (instruction, slow)
    if key not in _bodies:
        Mode.relative = bool(facts.offset_operand)
        Mode.restartable = facts.restartable and not slow
        arguments = (_hart_type(), _operands_type(instruction, facts.uses_size))
        text, symbol = _compile(instruction.function, arguments, types.none)
        distance = operand_layout(instruction.encoding, facts.uses_size).get(facts.offset_operand)
        inline = _lines_of(text, symbol) < INLINE_LIMIT
        restartable = Mode.restartable and facts.uses_memory
        _bodies[key] = text, threaded.Body("", symbol, facts, distance, inline, restartable)
    return _bodies[key]


def _lines_of(text: str, symbol: str) -> int:
    """Number of lines of one function in an LLVM text."""
    start = text.index(f"@{symbol}(", text.index("define"))
    return text.count("\n", start, text.index("\n}", start))


def variants_of(instruction: Instruction, short: frozenset[str]) -> list[int]:
    """The handlers an instruction needs: SHORT if it has two-byte forms, FAR if it branches."""
    branches = bool(traits.traits_of(instruction).offset_operand)
    return [
        v
        for v in range(4)
        if (branches or not v & FAR) and (instruction.name in short or not v & SHORT)
    ]


def group_module(instructions: list[Instruction], short: frozenset[str], suffix: str) -> Any:
    """The handlers of some instructions as one LLVM module; their symbols end with ``suffix``."""
    glue = threaded.declarations()
    parts = []
    for instruction in instructions:
        name = f"{instruction.name}.{suffix}"
        text, body = _body(instruction)
        forms = [(text, dataclasses.replace(body, name=name), False)]
        if body.restartable:
            text, slow = _body(instruction, slow=True)
            forms.append((text, dataclasses.replace(slow, name=name), True))
        for text, form, is_slow in forms:
            parts.append(text)
            glue += f'declare i32 @"{form.symbol}"(ptr, ptr, ptr, ptr)\n'
            for variant in variants_of(instruction, short):
                if not (is_slow and variant & FAR):
                    glue += threaded.handler(form, variant, is_slow)
    return _join(glue, parts, lambda name: name.startswith("vt_"))


def pairs_module(pairs: list[Pair], names: dict[str, str], suffix: str) -> Any:
    """LLVM module of the handlers that cover two instructions; ``names`` are their full names."""
    glue = threaded.declarations()
    declared: set[str] = set()
    parts: dict[str, str] = {}
    for number, pair in enumerate(pairs):
        bodies = []
        for instruction, variant in (
            (pair.first, pair.variants[0]),
            (pair.second, pair.variants[1]),
        ):
            text, body = _body(instruction)
            body = dataclasses.replace(body, name=names[instruction.name])
            bodies.append(body)
            if body.symbol not in parts:
                parts[body.symbol] = text
                glue += f'declare i32 @"{body.symbol}"(ptr, ptr, ptr, ptr)\n'
            declaration = threaded.handler_declaration(body.name, variant)
            if declaration not in declared:
                declared.add(declaration)
                glue += declaration
        symbol = f"vt_pair_{suffix}_{number}"
        glue += threaded.pair_handler(symbol, bodies[0], bodies[1], pair.variants, pair.equal)
    return _join(glue, list(parts.values()), lambda name: name.startswith("vt_"))


def runtime_module() -> Any:
    """The loop and what it calls as one LLVM module."""
    from numba.core import types

    from vtbook.cpu import runtime, slow_memory

    hart = _hart_type()
    glue = threaded.runtime_glue()
    parts = []
    for function, extra in (
        (slow_memory.load, 2),
        (slow_memory.store, 3),
        (slow_memory.amo, 2),
        (runtime.service, 0),
    ):
        text, symbol = _compile(function, (hart, *[types.int64] * extra), types.int64)
        parts.append(text)
        kinds = "".join(", i64" for _ in range(extra))
        names = "".join(f", i64 %a{n}" for n in range(extra))
        glue += (
            f'declare i32 @"{symbol}"(ptr, ptr, ptr{kinds})\n'
            f"define i64 @vt_{function.__name__}(ptr %h{names}) {{\n"
            "  %value = alloca i64\n  %info = alloca i64\n"
            f'  %status = call i32 @"{symbol}"(ptr %value, ptr %info, ptr %h{names})\n'
            "  %result = load i64, ptr %value\n  ret i64 %result\n}\n"
        )
    return _join(glue, parts, lambda name: name.startswith("vt_"))
