"""``vtbook new-chapter``: what an author begins with."""

from __future__ import annotations

from typing import Annotated

import typer

from vtbook.course.commands.app import BookFolder, app
from vtbook.course.messages import exits


@app.command("new-chapter")
@exits()
def new_chapter(
    name: Annotated[str, typer.Argument(metavar="NN-NAME", help="As 12-input-output.")],
    title: Annotated[str, typer.Option(help="The title, without the number.")],
    folder: BookFolder = None,
) -> None:
    """Make a chapter from the template, with a solution notebook and its exercise, for authors.

    docs/authors-guide.ipynb says how to go on.
    """
    from vtbook.course import authoring
    from vtbook.course.lab import find_book

    for path in authoring.new_chapter(find_book(folder), name, title):
        print(f"written: {path}")
