"""The floating-point routines in compiled code.

Importing this module makes every function of `vtbook.isa.softfloat` callable from code
that numba compiles. The functions of `vtbook.isa.softfloat.host`, and counting zeros, get
a form of one or two machine instructions; all others are compiled from their source.
"""

import inspect
import types as python_types
from collections.abc import Callable
from typing import Any

import llvmlite.ir as ll
from numba.core import types
from numba.core.compiler import Flags
from numba.extending import lower_builtin, type_callable

from vtbook.isa.softfloat import (
    arithmetic,
    bits,
    compare,
    convert,
    core,
    double,
    fast,
    fused,
    host,
    single,
)

Function = Callable[..., Any]

INT1 = ll.IntType(1)
INT32 = ll.IntType(32)
INT64 = ll.IntType(64)
FLOAT = ll.FloatType()
DOUBLE = ll.DoubleType()

COMPILED_TYPES: dict[Any, types.Type] = {
    int: types.int64,
    bool: types.boolean,
    float: types.float64,
    tuple[int, int]: types.UniTuple(types.int64, 2),
}

#: The long routines. Calls of them stay calls, so that what they are called from stays short.
OUT_OF_LINE: set[Function] = {
    core.round_pack,
    arithmetic.add_signed,
    arithmetic.multiply,
    arithmetic.divide,
    arithmetic.square_root,
    fused.multiply_add,
    compare.extremum,
    compare.class_mask,
    convert.change_format,
    convert.from_integer,
    convert.to_integer,
}


def compiled_signature(function: Function) -> Any:
    """Return numba's signature of a function, from its annotations."""
    signature = inspect.signature(function)
    arguments = [COMPILED_TYPES[p.annotation] for p in signature.parameters.values()]
    return COMPILED_TYPES[signature.return_annotation](*arguments)


def give_type(function: Function) -> Any:
    """Tell numba the signature of a function, and return it."""
    signature = compiled_signature(function)

    @type_callable(function)
    def typing(context: Any) -> Function:
        def typer(*arguments: Any) -> Any:
            return signature

        typer.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
        return typer

    return signature


def compile_from_source(function: Function) -> None:
    """Make a function callable from compiled code; it is compiled when first called there."""
    signature = give_type(function)
    attributes = ("noinline",) if function in OUT_OF_LINE else ()

    @lower_builtin(function, *signature.args)
    def call(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        flags = Flags()
        flags.error_model = "numpy"  # type: ignore[misc, assignment]
        routine = context.compile_subroutine(builder, function, signature, flags=flags).fndesc
        # No routine raises, so there is no status to look at.
        _status, result = context.call_conv.call_function(
            builder,
            context.declare_function(builder.module, routine),
            signature.return_type,
            signature.args,
            arguments,
            attributes,
        )
        return result


def machine_form(function: Function) -> Callable[[Function], None]:
    """Give `function` a compiled form: the decorated code generator (builder, *values)."""

    def register(generate: Function) -> None:
        signature = give_type(function)

        @lower_builtin(function, *signature.args)
        def emit(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
            return generate(builder, *arguments)

    return register


@machine_form(host.bits_to_f64)
def _bits_to_f64(builder: Any, pattern: Any) -> Any:
    return builder.bitcast(pattern, DOUBLE)


@machine_form(host.f64_to_bits)
def _f64_to_bits(builder: Any, value: Any) -> Any:
    return builder.bitcast(value, INT64)


@machine_form(host.f32_bits_to_f64)
def _f32_bits_to_f64(builder: Any, pattern: Any) -> Any:
    return builder.fpext(_single(builder, pattern), DOUBLE)


@machine_form(host.f64_to_f32_bits)
def _f64_to_f32_bits(builder: Any, value: Any) -> Any:
    return _single_bits(builder, builder.fptrunc(value, FLOAT))


@machine_form(host.host_f64_fma)
def _host_f64_fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    operands = [builder.bitcast(pattern, DOUBLE) for pattern in (a, b, c)]
    return builder.bitcast(builder.fma(*operands), INT64)


@machine_form(host.host_f32_fma)
def _host_f32_fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    operands = [_single(builder, pattern) for pattern in (a, b, c)]
    return _single_bits(builder, builder.fma(*operands))


@machine_form(bits.leading_zeros)
def _leading_zeros(builder: Any, limb: Any) -> Any:
    count = builder.ctlz(limb, ll.Constant(INT1, False))
    return builder.sub(count, ll.Constant(INT64, 64 - bits.LIMB_BITS))


def _single(builder: Any, pattern: Any) -> Any:
    """Return the LLVM float with this 32-bit pattern."""
    return builder.bitcast(builder.trunc(pattern, INT32), FLOAT)


def _single_bits(builder: Any, value: Any) -> Any:
    """Return the pattern of an LLVM float, zero-extended to 64 bits."""
    return builder.zext(builder.bitcast(value, INT32), INT64)


def _functions(module: python_types.ModuleType) -> list[Function]:
    """Return the functions that a module defines."""
    return [
        value
        for value in vars(module).values()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    ]


for _module in (bits, core, arithmetic, fused, compare, convert, single, double, fast):
    for _function in _functions(_module):
        if _function is not bits.leading_zeros:
            compile_from_source(_function)
