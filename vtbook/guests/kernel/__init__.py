"""The teaching kernel: a small Unix-like system for RISC-V, its programs and its file system.

`system/` is the kernel, `user/` its programs, `shared/` what both have, README.md a guide to
read them. `mkfs` makes and reads its disks, `compile` and
`build` compile it.
"""

from vtbook.guests.kernel.compile import build_program
from vtbook.guests.kernel.images import (
    UnknownProgramError,
    disk_image,
    kernel_image,
    list_programs,
    program_image,
    standard_files,
)
from vtbook.guests.kernel.mkfs import (
    Disk,
    FileSystemError,
    check,
    make_file_system,
    read_folder,
)

__all__ = [
    "Disk",
    "FileSystemError",
    "UnknownProgramError",
    "build_program",
    "check",
    "disk_image",
    "kernel_image",
    "list_programs",
    "make_file_system",
    "program_image",
    "read_folder",
    "standard_files",
]
