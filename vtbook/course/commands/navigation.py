"""``vtbook navigation``: bring start page and links between chapters in step."""

from __future__ import annotations

from vtbook.course.commands.app import BookFolder, app
from vtbook.course.messages import exits


@app.command()
@exits()
def navigation(
    folder: BookFolder = None,
) -> None:
    """Write the start page and the chapters' links to each other anew, for authors.

    Run it after a chapter was added, renamed, or got another title, summary or exercise.
    """
    from vtbook.course.lab import find_book
    from vtbook.course.navigation import update

    changed = update(find_book(folder))
    for path in changed:
        print(f"written: {path}")
    if not changed:
        print("all in step")
