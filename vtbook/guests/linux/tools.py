"""The programs that a build needs, and the Debian packages that they come in."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable

from vtbook.errors import VtbookError

CROSS = "riscv64-linux-gnu-"

PACKAGES = {
    f"{CROSS}gcc": "gcc-riscv64-linux-gnu",
    f"{CROSS}ld": "binutils-riscv64-linux-gnu",
    "gcc": "gcc",
    "make": "make",
    "flex": "flex",
    "bison": "bison",
    "bc": "bc",
    "awk": "mawk",
    "tar": "tar",
    "xz": "xz-utils",
    "bzip2": "bzip2",
}
"""Program -> package, for every build."""

FETCHING = {"apt-get": "apt", "apt-cache": "apt", "dpkg-deb": "dpkg", "dpkg-source": "dpkg-dev"}
"""Program -> package, for a build that gets its sources from Debian's archive."""

HOST_LIBRARY = "libc6-dev"
CROSS_LIBRARY = "libc6-dev-riscv64-cross"


class MissingToolsError(VtbookError):
    """Programs that the build needs are not installed. `packages` are Debian's names for them."""

    def __init__(self, what: Iterable[str], packages: Iterable[str]) -> None:
        self.packages = tuple(sorted(set(packages)))
        advice = f"on Debian or Ubuntu: sudo apt install {' '.join(self.packages)}"
        if not sys.platform.startswith("linux"):
            advice = f"Linux builds on Linux, in a container or in WSL; there, {advice}"
        super().__init__(f"cannot build Linux without {', '.join(what)}; {advice}")


def check_tools(*, fetching: bool) -> None:
    """See that all that a build needs is there. Raises MissingToolsError, naming all of it."""
    wanted = {**PACKAGES, **(FETCHING if fetching else {})}
    gone = {name: package for name, package in wanted.items() if shutil.which(name) is None}
    if "gcc" not in gone and not _links("gcc"):
        gone["the C library's headers"] = HOST_LIBRARY
    if f"{CROSS}gcc" not in gone and not _links(f"{CROSS}gcc", "-static"):
        gone["the C library for RISC-V"] = CROSS_LIBRARY
    if gone:
        raise MissingToolsError(gone, gone.values())


def compiler_version() -> str:
    """What the cross compiler calls itself: "riscv64-linux-gnu-gcc (Debian 12.2.0-13) 12.2.0"."""
    done = subprocess.run([f"{CROSS}gcc", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.partition("\n")[0]


def _links(compiler: str, *flags: str) -> bool:
    """Whether a compiler makes a program that uses the C library."""
    source = '#include <stdio.h>\nint main(void) { return puts(""); }\n'
    command = [compiler, *flags, "-x", "c", "-", "-o", "/dev/null"]
    return subprocess.run(command, input=source.encode(), capture_output=True).returncode == 0
