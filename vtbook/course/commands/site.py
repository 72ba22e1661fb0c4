"""``vtbook site``: the book as a web site, and its texts for translators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vtbook.course.commands.app import BookFolder, app
from vtbook.course.messages import exits, fail, say


@app.command()
@exits()
def site(
    out: Annotated[
        Path | None,
        typer.Option(
            help="The folder to write; build/site here, of --gettext the --locale folder."
        ),
    ] = None,
    folder: BookFolder = None,
    language: Annotated[
        str | None, typer.Option(help="Build in this language, as pt_BR; of --gettext, write it.")
    ] = None,
    locale: Annotated[
        Path | None, typer.Option(help="The folder of translations; locale in the book.")
    ] = None,
    gettext: Annotated[
        bool, typer.Option("--gettext", help="Write catalogues for translators, and no site.")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Then serve the site on this computer.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port of --serve.")] = 8000,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit status 1 if there was any warning.")
    ] = False,
) -> None:
    """Write the book as a web site that needs no network.

    Chapters are run first, and kept, so the second time is quick. The site works when it is opened
    from its folder; with --serve the results of a search show excerpts too.
    """
    from vtbook.course.lab import find_book
    from vtbook.course.publish import site as work

    book = find_book(folder)
    if gettext:
        made = work.write_catalogues(
            book,
            out if out is not None else locale,
            language=language or work.CATALOGUE_LANGUAGE,
            progress=say,
        )
    else:
        made = work.build_site(book, out, language=language or "en", locale=locale, progress=say)
    for warning in made.warnings:
        say(warning)
    print(made.folder if gettext else made.folder / "index.html")
    if strict and made.warnings:
        fail(f"{len(made.warnings)} warnings")
    if serve and not gettext:
        work.serve(made.folder, port)
