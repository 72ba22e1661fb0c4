"""What a submission may use, and what is kept from it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from vtbook.errors import VtbookError

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


class GradingError(VtbookError):
    """Grading cannot begin or go on; the message says what to change."""


@dataclass(frozen=True)
class Limits:
    """Limits of one submission.

    Attributes:
        cell_seconds: wall time of one cell.
        seconds: wall time of the whole submission, cells that are run again included.
        cpu_seconds: processor time of one process.
        memory: bytes of memory of all its processes, beyond what the grader itself needs.
        output: bytes kept of the output of one cell.
        files: bytes of all files that it writes, and of one file.
        processes: processes and threads at one time.
        submission: bytes of the submission's own file.
    """

    cell_seconds: float = 20.0
    seconds: float = 120.0
    cpu_seconds: int = 120
    memory: int = 1 << 30
    output: int = 100_000
    files: int = 64 << 20
    processes: int = 64
    submission: int = 20 << 20

    def as_data(self) -> dict[str, Any]:
        """The limits as plain data."""
        return asdict(self)


def parse_size(text: str) -> int:
    """Bytes: ``1 GiB``, ``512MiB``, ``2G``, ``4096``.

    Raises:
        GradingError: not a size.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?)?b?\s*", text.lower())
    if found is None:
        raise GradingError(f"{text!r} is not a size in bytes; write 512 MiB, 2G or 4096")
    return int(float(found[1]) * UNITS[found[2] or ""])
