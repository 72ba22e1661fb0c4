"""What is linked under a guest: our runtime, and the routines that compilers call by themselves."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from vtbook.guests import toolchain
from vtbook.guests.catalog import HERE
from vtbook.guests.compilers import Compiler, MarchError, abi, format_march, parse_march, say

RUNTIME = HERE / "runtime"
LINKER_SCRIPT = RUNTIME / "link.ld"
RAM_BASE = 0x8000_0000
RAM_SIZE = 16 << 20  # bytes

# The same arithmetic on every machine: a * b + c is not fused, and sqrt() may be an instruction.
COMMON_FLAGS = ("-std=gnu11", "-Wall", "-ffp-contract=off", "-fno-math-errno")

GUEST_FLAGS = (
    *COMMON_FLAGS,
    "-static",
    "-fno-pie",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-ffunction-sections",
    "-fdata-sections",
)
# memcpy() must not become a call of memcpy().
_RUNTIME_FLAGS = {
    "clang": ("-O2", "-g0", "-ffreestanding", "-fno-builtin"),
    "gcc": ("-O2", "-g0", "-ffreestanding", "-fno-builtin", "-fno-tree-loop-distribute-patterns"),
}


def linker_script(ram_base: int, ram_size: int) -> Path:
    """Return the runtime's linker script for RAM at `ram_base` of `ram_size` bytes."""
    text = LINKER_SCRIPT.read_text(encoding="utf-8")
    changed = re.sub(r"(?<=^RAM_BASE = )\w+", hex(ram_base), text, flags=re.MULTILINE)
    changed = re.sub(r"(?<=^RAM_SIZE = )\w+", hex(ram_size), changed, flags=re.MULTILINE)
    if changed == text:
        return LINKER_SCRIPT
    script = toolchain.cache_folder() / f"link-{ram_base:x}-{ram_size:x}.ld"
    toolchain.keep(changed.encode(), script)
    return script


def runtime_objects(compiler: Compiler, march: str) -> list[Path]:
    """Compile the runtime, or find it in the cache; return its object files."""
    sources = sorted([*RUNTIME.glob("*.c"), *RUNTIME.glob("*.S")])
    headers = sorted(RUNTIME.rglob("*.h"))
    flags = [
        *compiler.bare_metal_flags(march),
        *GUEST_FLAGS,
        *_RUNTIME_FLAGS[compiler.family],
        f"-I{RUNTIME / 'include'}",
    ]
    contents = [path.read_bytes() for path in [*sources, *headers]]
    key = toolchain.digest([str(compiler), repr(flags), *contents])
    folder = toolchain.cache_folder() / f"runtime-{key}"
    objects = [folder / f"{source.stem}.o" for source in sources]
    for source, made in zip(sources, objects, strict=True):
        if not made.exists():
            with tempfile.TemporaryDirectory(prefix="vtbook-") as scratch:
                new = Path(scratch) / made.name
                toolchain.run(compiler, [*flags, "-c", str(source), "-o", str(new)], scratch)
                toolchain.keep(new.read_bytes(), made)
    return objects


def compiler_library(compiler: Compiler, march: str) -> Path:
    """Return the library of what the compiler calls by itself: soft floats, 128-bit division.

    Raises MarchError if the compiler has none for this instruction set.
    """
    if compiler.family == "clang":
        return _compiler_rt(compiler, march)
    # gcc's choice among its libraries is misled by names such as zicsr.
    letters = tuple(name for name in parse_march(march) if len(name) == 1)
    flags = [f"-march={format_march(letters)}", f"-mabi={abi(letters)}"]
    folder = say([*compiler.command, *flags, "-print-multi-directory"])
    library = say([*compiler.command, *flags, "-print-libgcc-file-name"])
    if not library or (folder == "." and not set("imafdc") <= set(letters)):
        raise MarchError(
            f"{compiler} has no libgcc for {march} (only for rv64gc); "
            "take compiler='zig' or riscv64-unknown-elf-gcc"
        )
    return Path(library)


def _compiler_rt(compiler: Compiler, march: str) -> Path:
    """Build zig's compiler-rt, or find it in the cache.

    zig would link one by itself, but made for addresses below 2 GiB (seen with 0.17.1): code at
    0x8000_0000 cannot reach its constants.
    """
    zig = compiler.command[0]
    flags = [
        *compiler.bare_metal_flags(march)[:3],  # -target and -mcpu
        "-mcmodel=medany",
        "-OReleaseFast",
        "-ffunction-sections",
        "-fstrip",
    ]
    key = toolchain.digest([str(compiler), repr(flags)])
    library = toolchain.cache_folder() / f"compiler-rt-{key}.a"
    if not library.exists():
        found = re.search(r'lib_dir"?\s*[=:]\s*"([^"]+)"', say([zig, "env"]) or "")
        source = Path(found[1] if found else Path(zig).parent / "lib") / "compiler_rt.zig"
        with tempfile.TemporaryDirectory(prefix="vtbook-") as folder:
            made = Path(folder) / "libcompiler_rt.a"
            command = [zig, "build-lib", str(source), *flags, f"-femit-bin={made}"]
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=toolchain.TIMEOUT
            )
            if done.returncode != 0:
                raise toolchain.CompileError(compiler, command, done.stderr)
            toolchain.keep(made.read_bytes(), library)
    return library
