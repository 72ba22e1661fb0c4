"""``%load_ext vtbook``: notes in the reader's progress which cells of the book were run.

It notes nothing outside JupyterLab: a notebook that is executed by a program has no session. A cell
counts when it ran without an error. Nothing here can break a cell: what goes wrong is logged, once.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

log = logging.getLogger("vtbook")

SESSION = "JPY_SESSION_NAME"
"""Set by the Jupyter server for a kernel: the path of its notebook."""

NOTEBOOK = re.compile(r"\d\d-[\w-]+\.ipynb")


class Recorder:
    """Notes each cell of one kernel's notebook."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.quiet = False

    def __call__(self, result: Any) -> None:
        """The hook ``post_run_cell``."""
        try:
            self._note(result)
        except Exception as error:  # the reader's cell must not suffer
            if not self.quiet:
                log.warning("your progress is not recorded: %s", error)
            self.quiet = True

    def _note(self, result: Any) -> None:
        cell = getattr(result.info, "cell_id", None)
        if not cell or not result.success or not result.info.store_history:
            return
        from vtbook.course.progress import cell_run, record

        place = f"{self.path.parent.name}/{self.path.name}"
        passed = self.path.parent.name == "exercises" and self._solved(cell, result.result)
        record(cell_run(self.path.stem, place, cell, passed=passed), say=log.warning)

    def _solved(self, cell: str, value: Any) -> bool:
        """Whether this is a check that gives all its points: one in parts says how many."""
        from vtbook.course.book import load, tasks_of

        for task in tasks_of(load(self.path)):
            if task.check == cell:
                partial = isinstance(value, int | float) and not isinstance(value, bool)
                return not partial or value >= task.points
        return False


def notebook_of_session() -> Path | None:
    """The notebook of the book that this kernel belongs to; None outside the book or JupyterLab."""
    given = os.environ.get(SESSION)
    if not given:
        return None
    path = Path(given)
    if not NOTEBOOK.fullmatch(path.name) or path.parent.name not in ("chapters", "exercises"):
        return None
    return path if path.is_file() and (path.parents[1] / "chapters").is_dir() else None


def start_recording(shell: InteractiveShell) -> Recorder | None:
    """Note the cells of this kernel from now on; None if it is no notebook of the book's."""
    stop_recording(shell)
    path = notebook_of_session()
    if path is None:
        return None
    recorder = Recorder(path)
    shell.events.register("post_run_cell", recorder)
    return recorder


def stop_recording(shell: InteractiveShell) -> None:
    """Note no more cells."""
    for hook in list(shell.events.callbacks["post_run_cell"]):
        if isinstance(hook, Recorder):
            shell.events.unregister("post_run_cell", hook)
