"""Guest programs in Python: a typed function, through numba and LLVM, to RISC-V assembly.

numba compiles the function as it does for this computer; LLVM then makes riscv64 code of the same
intermediate code instead. The result is assembly text, which ``vtbook.isa.assembler`` assembles:
no linker is needed, and the reader can look at every line.
"""

from __future__ import annotations

import inspect
import re
import struct
import types as pytypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from vtbook.errors import VtbookError

UART = 0x1000_0000
ENTRY = "vt_entry"
STATUS, RESULT, ARGUMENTS = 0, 8, 136  # bytes in the block that the entry gets in a0


class PythonGuestError(VtbookError):
    """A Python function cannot be compiled for the guest, or a call of it failed there."""


def putchar(code: int) -> None:
    """Print one character on the guest's console; called on the host, on standard output."""
    print(chr(code), end="")


@dataclass(frozen=True)
class CompiledGuest:
    """A Python function as RISC-V assembly.

    ``assembly`` defines ``vt_entry``: called with the address of a block in a0, it takes the
    arguments from byte 136 on, each in eight bytes, and leaves a status at 0 (0 means well) and
    the result at 8. ``arguments`` and ``result`` are numba types.
    """

    name: str
    assembly: str
    arguments: tuple[Any, ...]
    result: Any

    @property
    def signature(self) -> str:
        """The types, as numba writes them."""
        return f"{self.result}({', '.join(map(str, self.arguments))})"


def compile_python(function: Any, signature: str | Sequence[Any]) -> CompiledGuest:
    """Compile a Python function for a bare RISC-V hart (RV64GC, lp64d).

    Parameters
    ----------
    function: a plain function in the subset that numba compiles; it may call other such functions,
        use NumPy arrays that it is given, and ``putchar``. It cannot allocate.
    signature: numba types of the arguments, or a signature such as ``"int64(int64)"``.

    Raises PythonGuestError with numba's explanation if it cannot be compiled.
    """
    from numba.core import sigutils
    from numba.core.errors import NumbaError

    _register_putchar()
    try:
        arguments, wanted = sigutils.normalize_signature(
            signature if isinstance(signature, str) else tuple(signature)
        )
    except Exception as error:
        where = f"{function.__name__}: {signature!r}"
        raise PythonGuestError(f"{where} is no signature: {error}") from None
    options = {
        "no_cpython_wrapper": True,
        "no_cfunc_wrapper": True,
        "error_model": "numpy",
        "_nrt": False,
    }
    dispatcher = _resolve(function, options)
    try:
        dispatcher.compile(wanted(*arguments) if wanted else arguments)
    except NumbaError as error:
        raise PythonGuestError(f"{function.__name__} cannot be compiled: {error}") from None
    compiled = dispatcher.overloads[dispatcher.signatures[0]]
    symbol = compiled.fndesc.llvm_func_name
    text = compiled.library.get_llvm_str()
    assembly = _to_assembly(text, symbol, function.__name__)
    return CompiledGuest(
        function.__name__, assembly, tuple(compiled.signature.args), compiled.signature.return_type
    )


def annotated_types(function: Any) -> tuple[Any, ...] | None:
    """numba types of a function's annotated parameters; None if one has no annotation."""
    from numba import types
    from numba.core.types import Type

    plain = {int: types.int64, float: types.float64, bool: types.boolean}
    try:
        hints = inspect.get_annotations(function, eval_str=True)
    except NameError as error:
        raise PythonGuestError(f"{function.__name__}: an annotation is unknown: {error}") from None
    found = []
    for name in inspect.signature(function).parameters:
        hint = hints.get(name)
        kind = plain.get(hint, hint) if isinstance(hint, type) else hint
        if not isinstance(kind, Type):
            return None
        found.append(kind)
    return tuple(found)


def _resolve(function: Any, options: dict[str, Any]) -> Any:
    """numba's dispatcher of the function; the functions that it calls, itself too, likewise."""
    from numba import njit

    function = getattr(function, "function", function)
    if function.__closure__:
        raise PythonGuestError(f"{function.__name__} uses variables of an enclosing function")
    scope = dict(function.__globals__)
    twin = pytypes.FunctionType(function.__code__, scope, function.__name__, function.__defaults__)
    twin.__annotations__ = {}
    dispatcher = njit(**options)(twin)
    for name in function.__code__.co_names:
        value = scope.get(name)
        inner = getattr(value, "function", value)
        if inner is function:
            scope[name] = dispatcher
        elif isinstance(inner, pytypes.FunctionType) and inner is not putchar:
            scope[name] = _resolve(inner, options)
    return dispatcher


@cache
def _register_putchar() -> None:
    from llvmlite import ir
    from numba.core import types
    from numba.extending import lower_builtin, type_callable

    @type_callable(putchar)
    def type_putchar(context: Any) -> Any:
        return lambda code: types.none

    @lower_builtin(putchar, types.Any)
    def lower_putchar(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        byte = ir.IntType(8)
        value = context.cast(builder, values[0], signature.args[0], types.uint8)
        address = builder.inttoptr(ir.Constant(ir.IntType(64), UART), byte.as_pointer())
        builder.store_atomic(value, address, "seq_cst", 1)  # each one counts: a device is there
        return context.get_dummy_value()


# --- LLVM ----------------------------------------------------------------------------------------


@cache
def _riscv() -> Any:
    """LLVM's target machine for the guest."""
    from llvmlite import binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm.Target.from_triple("riscv64-unknown-elf").create_target_machine(
        cpu="generic-rv64",
        features="+m,+a,+f,+d,+c,-relax",
        opt=2,
        reloc="static",
        codemodel="medium",
        abiname="lp64d",
    )


def _to_assembly(text: str, symbol: str, name: str) -> str:
    """Assembly of the function and of the entry that calls it."""
    from llvmlite import binding as llvm

    text = re.sub(r"target (datalayout|triple) = .*\n", "", text)
    text = re.sub(r'"target-(cpu|features)"="[^"]*"', "", text)
    module = llvm.parse_assembly('target triple = "riscv64-unknown-elf"\n' + text)
    kinds = [str(a.type) for a in module.get_function(symbol).arguments][2:]
    module.link_in(llvm.parse_assembly(_entry(symbol, kinds)))
    for function in module.functions:
        if not function.is_declaration and function.name != ENTRY:
            function.linkage = "internal"
    for variable in module.global_variables:
        if not variable.is_declaration:
            variable.linkage = "internal"
    builder = llvm.create_pass_builder(_riscv(), llvm.PipelineTuningOptions(speed_level=2))
    builder.getModulePassManager().run(module, builder)
    assembly = _riscv().emit_assembly(module).replace(symbol, name)
    dropped = (".attribute", ".file", ".ident", ".addrsig", '.section\t".note', ".comm", ".local")
    lines = [line for line in assembly.splitlines() if not line.strip().startswith(dropped)]
    return "\n".join(lines) + "\n" + _support(assembly)


def _entry(symbol: str, kinds: list[str]) -> str:
    """LLVM text of ``vt_entry``: take the arguments from the block, leave status and result."""
    body = ""
    passed = []
    for n, kind in enumerate(kinds):
        body += (
            f"  %p{n} = getelementptr i8, ptr %block, i64 {ARGUMENTS + 8 * n}\n"
            f"  %a{n} = load {kind}, ptr %p{n}\n"
        )
        passed.append(f"{kind} %a{n}")
    declared = ", ".join(["ptr", "ptr", *kinds])
    given = ", ".join(["ptr %result", "ptr %info", *passed])
    return (
        'target triple = "riscv64-unknown-elf"\n'
        f'declare i32 @"{symbol}"({declared})\n'
        f"define void @{ENTRY}(ptr %block) {{\n  %info = alloca ptr\n"
        f"  %result = getelementptr i8, ptr %block, i64 {RESULT}\n{body}"
        f'  %status = call i32 @"{symbol}"({given})\n'
        "  %wide = sext i32 %status to i64\n  store i64 %wide, ptr %block\n  ret void\n}\n"
    )


#: What LLVM may call on its own: copies and fills of memory.
SUPPORT = {
    "memset": """
memset:
    mv a3, a0
    add a4, a0, a2
1:  beq a3, a4, 2f
    sb a1, 0(a3)
    addi a3, a3, 1
    j 1b
2:  ret
""",
    "memcpy": """
memcpy:
    mv a3, a0
    add a4, a0, a2
1:  beq a3, a4, 2f
    lbu a5, 0(a1)
    sb a5, 0(a3)
    addi a1, a1, 1
    addi a3, a3, 1
    j 1b
2:  ret
""",
    "memmove": """
memmove:
    bgeu a1, a0, 3f
    add a3, a0, a2
    add a1, a1, a2
1:  beq a3, a0, 2f
    addi a1, a1, -1
    addi a3, a3, -1
    lbu a5, 0(a1)
    sb a5, 0(a3)
    j 1b
2:  ret
3:  mv a3, a0
    add a4, a0, a2
4:  beq a3, a4, 5f
    lbu a5, 0(a1)
    sb a5, 0(a3)
    addi a1, a1, 1
    addi a3, a3, 1
    j 4b
5:  ret
""",
}


def _support(assembly: str) -> str:
    """The support routines that the code calls; PythonGuestError for one that there is not."""
    called = set(re.findall(r"\b(?:call|tail)\s+([A-Za-z_][\w.$]*)", assembly))
    defined = set(re.findall(r"^([A-Za-z_][\w.$]*):", assembly, re.MULTILINE))
    missing = sorted(called - defined - SUPPORT.keys())
    if missing:
        raise PythonGuestError(
            f"the code calls {', '.join(missing)}, which a bare guest does not have;"
            " write it in Python, or do without"
        )
    return ".text\n" + "".join(SUPPORT[name] for name in sorted(called & SUPPORT.keys()))


# --- values --------------------------------------------------------------------------------------


def pack_scalar(kind: Any, value: Any) -> bytes:
    """The eight bytes in which a number goes to the guest; PythonGuestError if it is none."""
    from numba import types

    try:
        if isinstance(kind, types.Float):
            return struct.pack("<d", value) if kind.bitwidth == 64 else struct.pack("<fI", value, 0)
        if isinstance(kind, types.Integer | types.Boolean):
            return (int(value) & ((1 << 64) - 1)).to_bytes(8, "little")
    except (TypeError, ValueError, struct.error) as error:
        raise PythonGuestError(f"{value!r} is no {kind}: {error}") from None
    raise PythonGuestError(f"a guest function takes numbers and arrays, not {kind}")


def unpack_result(kind: Any, data: bytes) -> Any:
    """The result of a guest function, from the bytes that it left."""
    from numba import types

    if isinstance(kind, types.NoneType):
        return None
    if isinstance(kind, types.BaseTuple):
        values, at = [], 0
        for part in kind:  # type: ignore[attr-defined]
            size = _size_of(part)
            at = (at + size - 1) // size * size
            values.append(unpack_result(part, data[at:]))
            at += size
        return tuple(values)
    size = _size_of(kind)
    if isinstance(kind, types.Boolean):
        return bool(data[0])
    if isinstance(kind, types.Float):
        return struct.unpack_from("<d" if size == 8 else "<f", data)[0]
    return int.from_bytes(data[:size], "little", signed=kind.signed)


def _size_of(kind: Any) -> int:
    """Bytes of a number in memory."""
    from numba import types

    if isinstance(kind, types.Boolean):
        return 1
    if isinstance(kind, types.Integer | types.Float):
        return kind.bitwidth // 8  # type: ignore[union-attr]
    raise PythonGuestError(f"a guest function returns numbers and tuples of them, not {kind}")
