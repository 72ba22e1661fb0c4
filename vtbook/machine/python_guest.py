"""``@guest``: a Python function that runs on the machine."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from vtbook.guests.python_compiler import (
    ARGUMENTS,
    ENTRY,
    RESULT,
    CompiledGuest,
    PythonGuestError,
    annotated_types,
    compile_python,
    pack_scalar,
    unpack_result,
)
from vtbook.isa.assembler import Program, assemble
from vtbook.machine.machine import Machine

START = f"""
.globl _start
_start:
    li t0, 0x6000           # mstatus.FS: floating point on
    csrs mstatus, t0
    call {ENTRY}            # the block's address is in a0, the stack is set
    li t0, 0x100000         # the finisher: power off
    li t1, 0x5555
    sw t1, 0(t0)
1:  j 1b
"""
BLOCK_BYTES = 4096
ALIGNMENT = 64


class GuestFunction:
    """A Python function that runs on a machine when it is called.

    Calling it compiles it for the types of the arguments (numbers, and NumPy arrays, which are
    copied into RAM and back), runs it on a new machine, and returns its result.

    Attributes:
        function: the plain function, which runs on the host.
        machine: the machine of the last call, or None.
        exit: how that run ended.
    """

    def __init__(self, function: Any, signature: str | None, engine: str, ram: str | int):
        functools.update_wrapper(self, function)
        self.function = function
        self.machine: Machine | None = None
        self.exit: Any = None
        self._signature = signature
        self._engine = engine
        self._ram = ram
        self._programs: dict[Any, tuple[CompiledGuest, Program]] = {}

    def compiled(self, *arguments: Any) -> CompiledGuest:
        """The function as RISC-V assembly, for these arguments' types (or the declared ones)."""
        return self._program(arguments)[0]

    def program(self, *arguments: Any) -> Program:
        """The assembled program, which any machine can load."""
        return self._program(arguments)[1]

    def _program(self, arguments: tuple[Any, ...]) -> tuple[CompiledGuest, Program]:
        wanted: Any = self._signature or annotated_types(self.function)
        if wanted is None:
            import numba

            wanted = tuple(numba.typeof(argument) for argument in arguments)
        if wanted not in self._programs:
            compiled = compile_python(self.function, wanted)
            program = assemble(START + compiled.assembly, filename=f"{self.function.__name__}.s")
            self._programs[wanted] = compiled, program
        return self._programs[wanted]

    def load(self, machine: Machine, *arguments: Any) -> tuple[CompiledGuest, int, list[Any]]:
        """Put the function and its arguments into a machine, ready to run from its first
        instruction; returns the code, the address of its block and the arrays with theirs."""
        compiled, program = self._program(arguments)
        if len(arguments) != len(compiled.arguments):
            raise PythonGuestError(
                f"{self.function.__name__} takes {len(compiled.arguments)} arguments,"
                f" not {len(arguments)}"
            )
        machine.load(program)
        ram = machine.board.ram
        free = max(segment.address + segment.size for segment in machine.image.segments)  # type: ignore[union-attr]
        block = (free + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        at = block + BLOCK_BYTES
        flat = b""
        arrays: list[Any] = []
        for kind, value in zip(compiled.arguments, arguments, strict=True):
            if isinstance(value, np.ndarray):
                array = np.ascontiguousarray(value)
                machine.write(at, array.tobytes())
                words = [0, 0, array.size, array.itemsize, at, *array.shape, *array.strides]
                flat += b"".join(int(word).to_bytes(8, "little") for word in words)
                arrays.append((value, at))
                at += (array.nbytes + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
            else:
                flat += pack_scalar(kind, value)
        if ARGUMENTS + len(flat) > BLOCK_BYTES:
            raise PythonGuestError(f"{self.function.__name__} has too many arguments")
        machine.write(block + ARGUMENTS, flat)
        machine.hart.x[2] = ram.base + ram.size - 16
        machine.hart.x[10] = block
        return compiled, block, arrays

    def __call__(self, *arguments: Any) -> Any:
        machine = Machine(self._ram, self._engine, reverse=False)
        compiled, block, arrays = self.load(machine, *arguments)
        self.machine = machine
        self.exit = machine.run()
        if self.exit.reason != "shutdown":
            raise PythonGuestError(f"{self.function.__name__} did not return: {self.exit}")
        if int.from_bytes(machine.read(block, 8), "little"):
            raise PythonGuestError(f"{self.function.__name__} raised an exception in the guest")
        for array, at in arrays:
            if array.flags.writeable:
                data = np.frombuffer(machine.read(at, array.nbytes), array.dtype)
                array[...] = data.reshape(array.shape)
        return unpack_result(compiled.result, machine.read(block + RESULT, ARGUMENTS - RESULT))

    def __repr__(self) -> str:
        return f"<guest function {self.function.__name__}>"


def guest(
    function: Any = None,
    *,
    signature: str | None = None,
    engine: str = "interpreter",
    ram: str | int = "16 MiB",
) -> Any:
    """Make a Python function a guest program: ``@guest`` or ``@guest(signature="int64(int64)")``.

    The types come from the signature, from the annotations (``int``, ``float``, ``bool``, numba
    types), or from the arguments of each call. ``engine`` and ``ram`` are the machine's.

    Raises PythonGuestError when it cannot be compiled, and when a call fails in the guest.
    """
    if function is None:
        return lambda inner: GuestFunction(inner, signature, engine, ram)
    return GuestFunction(function, signature, engine, ram)
