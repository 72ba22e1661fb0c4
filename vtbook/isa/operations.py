"""The operations that instruction definitions are written in.

A definition is a plain Python function ``f(h, d)`` over a hart ``h`` and decoded operands ``d``.
It computes with Python's ``+ - * & | ^ << >> == <`` and with the operations below. The same
definition runs in three ways:

* **plain Python**: the functions here are called;
* **numba**: each operation is lowered to LLVM by name (``vtbook.cpu.lowering``);
* **tracing**: an argument that has ``emit_operation`` records the operation instead of computing it
  (``vtbook.translator``).

Guest integers are signed 64-bit. Plain Python does not wrap: a value is brought into range when it
is written to a register or given to an operation here. A definition must therefore not compare,
divide or shift right a sum or product that was not given to an operation (``wrap``) first.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

MASK64 = (1 << 64) - 1

#: Operations on values only, by name: what a tracer and a lowering must know.
PURE: dict[str, Callable[..., Any]] = {}
#: Operations on the hart, by name. In plain Python they are methods of the hart.
STATEFUL: dict[str, Callable[..., Any]] = {}


def pure(function: Callable[..., Any]) -> Callable[..., Any]:
    """Register an operation on values; a symbolic argument records it instead."""
    name = function.__name__

    @functools.wraps(function)
    def operation(*arguments: Any) -> Any:
        for argument in arguments:
            if hasattr(argument, "emit_operation"):
                return argument.emit_operation(name, arguments)
        return function(*arguments)

    PURE[name] = operation
    return operation


def stateful(function: Callable[..., Any]) -> Callable[..., Any]:
    """Register an operation on the hart: it becomes a call of the hart's method of that name."""
    name = function.__name__

    @functools.wraps(function)
    def operation(h: Any, *arguments: Any) -> Any:
        return getattr(h, name)(*arguments)

    STATEFUL[name] = operation
    return operation


# --- values -------------------------------------------------------------------------------------


@pure
def wrap(a: Any) -> Any:
    """``a`` as a signed 64-bit integer."""
    return ((a & MASK64) ^ (1 << 63)) - (1 << 63)


@pure
def sext8(a: Any) -> Any:
    """The low 8 bits, sign-extended."""
    return ((a & 0xFF) ^ 0x80) - 0x80


@pure
def sext16(a: Any) -> Any:
    """The low 16 bits, sign-extended."""
    return ((a & 0xFFFF) ^ 0x8000) - 0x8000


@pure
def sext32(a: Any) -> Any:
    """The low 32 bits, sign-extended."""
    return ((a & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000


@pure
def srl(a: Any, n: Any) -> Any:
    """Logical shift right of the 64-bit value by ``n`` (0 to 63)."""
    return wrap((a & MASK64) >> n)


@pure
def ult(a: Any, b: Any) -> Any:
    """``a < b`` as unsigned 64-bit integers."""
    return (a & MASK64) < (b & MASK64)


@pure
def select(condition: Any, a: Any, b: Any) -> Any:
    """``a`` if the condition holds, else ``b``; both are computed."""
    return a if condition else b


@pure
def mulh(a: Any, b: Any) -> Any:
    """The high 64 bits of the signed product."""
    return (wrap(a) * wrap(b)) >> 64


@pure
def mulhu(a: Any, b: Any) -> Any:
    """The high 64 bits of the unsigned product."""
    return wrap(((a & MASK64) * (b & MASK64)) >> 64)


@pure
def mulhsu(a: Any, b: Any) -> Any:
    """The high 64 bits of the product of signed ``a`` and unsigned ``b``."""
    return wrap((wrap(a) * (b & MASK64)) >> 64)


@pure
def div(a: Any, b: Any) -> Any:
    """Signed division toward zero; by zero -1, and -2**63 / -1 wraps (unprivileged spec 13.2)."""
    a, b = wrap(a), wrap(b)
    if b == 0:
        return -1
    quotient = abs(a) // abs(b)
    return wrap(quotient if (a < 0) == (b < 0) else -quotient)


@pure
def divu(a: Any, b: Any) -> Any:
    """Unsigned division; by zero it is 2**64 - 1 (unprivileged spec 13.2)."""
    a, b = a & MASK64, b & MASK64
    return wrap(a // b) if b else -1


@pure
def rem(a: Any, b: Any) -> Any:
    """Remainder with the sign of ``a``; by zero it is ``a`` (unprivileged spec 13.2)."""
    a, b = wrap(a), wrap(b)
    if b == 0:
        return a
    remainder = abs(a) % abs(b)
    return remainder if a >= 0 else -remainder


@pure
def remu(a: Any, b: Any) -> Any:
    """Unsigned remainder; by zero it is ``a`` (unprivileged spec 13.2)."""
    a, b = a & MASK64, b & MASK64
    return wrap(a % b if b else a)


# --- the hart -----------------------------------------------------------------------------------
# In plain Python these are methods of the hart (vtbook.cpu.hart.Hart); the texts here say what they
# promise in every machine. An operation that traps abandons the instruction: what the definition
# wrote before it stays written, what stands after it does not happen. So a definition first loads
# or checks, then writes.


@stateful
def load8(h: Any, address: Any) -> Any:
    """One byte of memory, zero-extended; traps with a load access fault."""


@stateful
def load16(h: Any, address: Any) -> Any:
    """Two bytes of memory, zero-extended; any alignment."""


@stateful
def load32(h: Any, address: Any) -> Any:
    """Four bytes of memory, zero-extended; any alignment."""


@stateful
def load64(h: Any, address: Any) -> Any:
    """Eight bytes of memory as a signed 64-bit integer; any alignment."""


@stateful
def store8(h: Any, address: Any, value: Any) -> None:
    """Store the low byte; traps with a store access fault."""


@stateful
def store16(h: Any, address: Any, value: Any) -> None:
    """Store the low two bytes; any alignment."""


@stateful
def store32(h: Any, address: Any, value: Any) -> None:
    """Store the low four bytes; any alignment."""


@stateful
def store64(h: Any, address: Any, value: Any) -> None:
    """Store eight bytes; any alignment."""


@stateful
def amo_address(h: Any, address: Any, size: Any) -> Any:
    """``address`` if a ``size``-byte atomic may read and write there, else a store/AMO trap:
    misaligned (cause 6) or access fault (cause 7)."""


@stateful
def lr_address(h: Any, address: Any, size: Any) -> Any:
    """``address`` if it is aligned to ``size``, else a load-address-misaligned trap (cause 4)."""


@stateful
def branch(h: Any, condition: Any, offset: Any) -> None:
    """If the condition holds, go on at ``h.pc + offset``. Stands last in a definition."""


@stateful
def check_target(h: Any, target: Any) -> None:
    """Trap as misaligned instruction address (cause 0) if no instruction may stand there.

    ``branch`` and ``jump`` check too, but a definition that writes rd first must know before.
    """


@stateful
def jump(h: Any, target: Any) -> None:
    """Go on at ``target``. Stands last in a definition."""


@stateful
def raise_trap(h: Any, cause: Any, value: Any) -> None:
    """Trap with this cause and tval; the instruction is abandoned."""


@stateful
def csr_read(h: Any, number: Any) -> Any:
    """The CSR's value; traps as illegal instruction where the CSR may not be read."""


@stateful
def csr_write(h: Any, number: Any, value: Any) -> None:
    """Write a CSR, keeping its read-only bits; traps as illegal instruction where it may not be."""


@stateful
def illegal(h: Any) -> None:
    """Trap as an illegal instruction: cause 2, tval is the instruction word."""


@stateful
def fence_instructions(h: Any) -> None:
    """Later fetches see earlier stores: the decode cache is emptied."""


@stateful
def wait_for_interrupt(h: Any) -> None:
    """The hart may stop until an interrupt is pending."""


@stateful
def word(h: Any, where: Any) -> Any:
    """The 64-bit field at this byte offset of the hart's record."""


@stateful
def set_word(h: Any, where: Any, value: Any) -> None:
    """Write the 64-bit field at this byte offset of the hart's record."""


@stateful
def resync(h: Any) -> None:
    """Before the next instruction the machine looks at what may have changed for it: the mode,
    the translation of addresses, the interrupts that are pending and enabled."""


@stateful
def flush_translations(h: Any, address: Any, everywhere: Any) -> None:
    """Forget the translations of the page at a virtual address, or all of them."""


@stateful
def in_memory(h: Any, address: Any, need: Any) -> Any:
    """True if eight bytes at a physical address are in one region that allows the access."""


@stateful
def physical64(h: Any, address: Any) -> Any:
    """The eight bytes at a physical address that ``in_memory``."""


@stateful
def set_physical64(h: Any, address: Any, value: Any) -> None:
    """Write eight bytes at a physical address that ``in_memory``."""
