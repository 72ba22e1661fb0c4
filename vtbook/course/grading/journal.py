"""What is graded already: JSON lines, on the disk before a submission counts as done."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from vtbook.course.grading.limits import GradingError


class Journal:
    """Outcomes by key; a key is the hash of all that an outcome depends on."""

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        """Open a journal, or begin one.

        A line that a crash has cut off, or that is damaged, is left out: it is graded again.

        Raises GradingError: the file cannot be written.
        """
        self.path = path
        self.outcomes: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not fresh and path.exists():
                self._read()
            self._file = open(path, "wb" if fresh else "ab")  # noqa: SIM115 (closed by `close`)
            if self._file.tell() and not path.read_bytes().endswith(b"\n"):
                self._file.write(b"\n")
        except OSError as error:
            raise GradingError(f"{path}: cannot be written: {error.strerror}") from error

    def _read(self) -> None:
        for line in self.path.read_bytes().split(b"\n"):
            try:
                entry = json.loads(line)
                self.outcomes[entry["key"]] = dict(entry["outcome"])
            except (ValueError, TypeError, LookupError, RecursionError):
                continue

    def write(self, key: str, outcome: dict[str, Any]) -> None:
        """Keep an outcome; it is on the disk when this returns."""
        line = json.dumps({"key": key, "outcome": outcome}).encode() + b"\n"
        with self._lock:
            self.outcomes[key] = outcome
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
