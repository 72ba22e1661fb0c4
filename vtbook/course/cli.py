"""The ``vtbook`` command."""

from __future__ import annotations

import sys
from importlib import import_module

from vtbook.course.commands.app import app
from vtbook.course.messages import let_pipes_end

SUBJECTS = (
    "reading",
    "machines",
    "guests",
    "booting",
    "console",
    "measuring",
    "exercises",
    "grade",
    "site",
    "slides",
    "progress",
    "navigation",
    "authoring",
)
"""Modules of `vtbook.course.commands`, in the order of the help."""

for _subject in SUBJECTS:
    import_module(f"vtbook.course.commands.{_subject}")


def main() -> None:
    """Run the command line; ends the process."""
    let_pipes_end()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    app(prog_name="vtbook")
