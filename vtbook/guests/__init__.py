"""Guest programs: their sources, prebuilt images, and the way to compile more.

`runtime/` is what stands under a C program on a bare machine, `programs/` holds programs that
show something, `benchmarks/` programs that measure, `images/` all of them compiled. `firmware/`,
`kernel/` and `linux/` are what a whole computer runs.
"""

from vtbook.guests.catalog import BENCHMARKS, PROGRAMS, UnknownGuestError
from vtbook.guests.compile import compile_c
from vtbook.guests.compilers import (
    Compiler,
    MarchError,
    NoCompilerError,
    find_compilers,
    find_linux_compilers,
    find_native_compilers,
)
from vtbook.guests.hosted import compile_linux, compile_native
from vtbook.guests.images import (
    ArgumentsError,
    image,
    image_path,
    list_images,
    with_arguments,
)
from vtbook.guests.suite import Benchmark, Run, benchmark_suite
from vtbook.guests.toolchain import CompileError, CompileWarning, Diagnostic

__all__ = [
    "BENCHMARKS",
    "PROGRAMS",
    "ArgumentsError",
    "Benchmark",
    "CompileError",
    "CompileWarning",
    "Compiler",
    "Diagnostic",
    "MarchError",
    "NoCompilerError",
    "Run",
    "UnknownGuestError",
    "benchmark_suite",
    "compile_c",
    "compile_linux",
    "compile_native",
    "find_compilers",
    "find_linux_compilers",
    "find_native_compilers",
    "image",
    "image_path",
    "list_images",
    "with_arguments",
]
