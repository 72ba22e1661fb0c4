"""The reader's progress: a file on this computer, which nobody else gets.

It stands in the user's data folder, or where ``VTBOOK_PROGRESS`` says:

    {
     "format": "vtbook-progress",
     "version": 1,
     "chapters": {
      "00-start": {
       "opened": "2026-03-02T09:15:00Z",       first cell run, UTC
       "cells": ["hello-run", "stepper"],      ids of the code cells that were run
       "checks": {"ex1-check": {"passed": "2026-03-02T10:01:12Z"}}
      }
     },
     "last": {"path": "chapters/00-start.ipynb", "cell": "stepper", "time": "2026-03-02T09:40:03Z"}
    }

``path`` is relative to the book. Several kernels may write at once: each takes a lock, reads,
joins and replaces the file. Joining never takes anything away, so the order does not matter. A
damaged file is set aside under another name, and what can be read of it is kept.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import platformdirs

from vtbook.errors import VtbookError
from vtbook.files import locked, replace_file

FORMAT, VERSION = "vtbook-progress", 1
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

Data = dict[str, Any]


class ProgressError(VtbookError):
    """The file cannot be written, or a later version of vtbook wrote it."""


def progress_file() -> Path:
    """Where the progress is kept."""
    given = os.environ.get("VTBOOK_PROGRESS")
    return Path(given) if given else platformdirs.user_data_path("vtbook") / "progress.json"


def nothing() -> Data:
    """The progress of one who has just begun."""
    return {"format": FORMAT, "version": VERSION, "chapters": {}, "last": None}


def now() -> str:
    """The time, in UTC and whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read(path: Path | None = None) -> Data:
    """The progress as it is; what is damaged is left out, and the file is not changed.

    Raises:
        ProgressError: a later version of vtbook wrote it, or it cannot be read.
    """
    return _read(path or progress_file())[0]


def cell_run(name: str, path: str, cell: str, *, passed: bool = False, time: str = "") -> Data:
    """The progress that running one cell is; to be joined with what was there.

    Args:
        name: The chapter's, ``"00-start"``.
        path: The notebook's, relative to the book.
        cell: Its id.
        passed: It is the check of an exercise, and the exercise is solved. The check cells of an
            exercise are not counted as cells of the chapter.
        time: As from `now`.
    """
    time = time or now()
    is_chapter = path.startswith("chapters/")
    entry = {
        "opened": time if is_chapter else None,
        "cells": [cell] if is_chapter else [],
        "checks": {cell: {"passed": time}} if passed else {},
    }
    last = {"path": path, "cell": cell, "time": time}
    return {**nothing(), "chapters": {name: entry}, "last": last}


def join(one: Data, other: Data) -> Data:
    """Both together: every cell and check of either, the first time of each, the last place."""
    joined = nothing()
    for name in sorted({*one["chapters"], *other["chapters"]}):
        a, b = (data["chapters"].get(name, _entry()) for data in (one, other))
        checks = {
            check: {
                "passed": min(e["checks"][check]["passed"] for e in (a, b) if check in e["checks"])
            }
            for check in sorted({*a["checks"], *b["checks"]})
        }
        joined["chapters"][name] = {
            "opened": min(filter(None, (a["opened"], b["opened"])), default=None),
            "cells": sorted({*a["cells"], *b["cells"]}),
            "checks": checks,
        }
    places = [data["last"] for data in (one, other) if data["last"]]
    joined["last"] = max(places, key=lambda p: (p["time"], p["path"], p["cell"]), default=None)
    return joined


def record(more: Data, path: Path | None = None, say: Callable[[str], None] = print) -> Data:
    """Join progress into the file, and return what is now in it.

    Args:
        more: As from `cell_run`.
        path: The file; `progress_file` if not given.
        say: Called with a sentence if a damaged file was set aside.

    Raises:
        ProgressError: the file cannot be written, or a later version of vtbook wrote it.
    """
    path = path or progress_file()
    with _locked(path):
        before, sound = _read(path)
        if not sound:
            aside = _set_aside(path)
            say(
                f"{path} was damaged; it is kept as {aside.name}, "
                "and what could be read of it stays"
            )
        after = join(before, more)
        if after != before or not sound:
            _write(path, after)
    return after


def reset(path: Path | None = None) -> Path | None:
    """Begin anew; the file is kept under the name that is returned, if there was one."""
    path = path or progress_file()
    with _locked(path):
        return _set_aside(path) if path.exists() else None


def sound_part(data: Any) -> tuple[Data, bool]:
    """What of this is progress, and whether that is all of it."""
    made = nothing()
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        return made, False
    whole = data.get("version") == VERSION
    chapters = data.get("chapters")
    if not isinstance(chapters, dict):
        chapters, whole = {}, False
    for name, entry in chapters.items():
        made["chapters"][name] = kept = _entry()
        if not isinstance(entry, dict):
            whole = False
            continue
        if _is_time(entry.get("opened")):
            kept["opened"] = entry["opened"]
        cells = entry.get("cells")
        if isinstance(cells, list):
            kept["cells"] = sorted({cell for cell in cells if isinstance(cell, str)})
        checks = entry.get("checks")
        if isinstance(checks, dict):
            kept["checks"] = {
                check: {"passed": value["passed"]}
                for check, value in sorted(checks.items())
                if isinstance(value, dict) and _is_time(value.get("passed"))
            }
        whole = whole and kept == entry
    last = data.get("last")
    if last is not None and _is_place(last):
        made["last"] = dict(last)
    return made, whole and made["last"] == last and data.keys() == made.keys()


def _entry() -> Data:
    return {"opened": None, "cells": [], "checks": {}}


def _is_place(value: Any) -> bool:
    if not isinstance(value, dict) or value.keys() != {"path", "cell", "time"}:
        return False
    return all(isinstance(value[key], str) for key in value) and _is_time(value["time"])


def _is_time(value: object) -> bool:
    return isinstance(value, str) and TIME.fullmatch(value) is not None


def _read(path: Path) -> tuple[Data, bool]:
    """The progress in a file, and whether the file is sound."""
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return nothing(), True
    except OSError as error:
        raise ProgressError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError):
        return nothing(), False
    version = data.get("version") if isinstance(data, dict) else None
    if isinstance(version, int) and version > VERSION and data.get("format") == FORMAT:
        raise ProgressError(
            f"{path}: a later version of vtbook wrote it (form {version}, not {VERSION}); "
            "update vtbook, or set VTBOOK_PROGRESS to another file"
        )
    return sound_part(data)


def _write(path: Path, data: Data) -> None:
    """Replace the file in one step."""
    text = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    try:
        replace_file(path, text.encode(), private=True)
    except OSError as error:
        raise ProgressError(
            f"{path}: cannot be written: {error.strerror}; set VTBOOK_PROGRESS to a file that can"
        ) from error


def _set_aside(path: Path) -> Path:
    """Give the file another name, which no file has."""
    stamp = now().replace(":", "")
    for number in range(1, 1000):
        aside = path.with_name(f"{path.name}.{stamp}-{number}")
        if not aside.exists():
            os.replace(path, aside)
            return aside
    raise ProgressError(f"{path}: too many old copies beside it; delete some")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time, where the system has locks for files."""
    with ExitStack() as held:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(path.with_name(f"{path.name}.lock")))
        except OSError as error:
            raise ProgressError(
                f"{path}: its folder cannot be written in: {error.strerror}; "
                "set VTBOOK_PROGRESS to a file that can be written"
            ) from error
        yield
