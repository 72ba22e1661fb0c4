"""``vtbook progress``: how far the reader is."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from vtbook.course.commands.app import BookFolder, app
from vtbook.course.messages import USAGE, exits, fail


@app.command()
@exits()
def progress(
    as_json: Annotated[
        bool, typer.Option("--json", help="Write one JSON object to stdout.")
    ] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="Begin anew; the old file is kept under another name.")
    ] = False,
    folder: BookFolder = None,
) -> None:
    """Say how far you are: cells run, exercises solved, where you were.

    Chapters note it with %load_ext vtbook, in a file on this computer only.
    """
    from vtbook.course import progress as file
    from vtbook.course.book import chapters
    from vtbook.course.lab import find_book
    from vtbook.course.reading import as_data, reading_of

    if reset and as_json:
        fail("give --reset or --json, not both", USAGE)
    if reset:
        old = file.reset()
        print(f"begun anew; the old file is {old}" if old else "there was no progress yet")
        return
    data = file.read()
    readings = [reading_of(chapter, data) for chapter in chapters(find_book(folder))]
    if as_json:
        print(json.dumps(as_data(readings, data)))
        return
    for r in readings:
        print(f"{r.title}")
        exercises = f"{r.solved} of {r.exercises} exercises, {r.earned:g} of {r.points:g} points"
        print(f"    {r.run} of {r.cells} cells" + (f"; {exercises}" if r.exercises else ""))
    if data["last"]:
        print(f"Last: {data['last']['path']}, cell {data['last']['cell']}")
    print(f"Kept in {file.progress_file()}, on this computer only.")
