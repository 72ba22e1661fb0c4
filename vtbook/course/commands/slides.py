"""``vtbook slides``: a chapter as slides for a lecture."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from vtbook.course.commands.app import BookFolder, app
from vtbook.course.messages import exits, fail, say


class Theme(StrEnum):
    """The themes by name."""

    light = "light"
    dark = "dark"


@app.command()
@exits()
def slides(
    chapter: Annotated[
        str,
        typer.Argument(metavar="CHAPTER", help="A chapter (5, 05, full-emulation) or a notebook."),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder to write; build/slides here.")
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve them here, and again after each change.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port of --serve.")] = 8001,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser with --serve.")
    ] = True,
    pdf: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a PDF (needs a Chromium).")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Say which slides do not fit the screen (needs a Chromium)."),
    ] = False,
    theme: Annotated[Theme, typer.Option(help="The colours.")] = Theme.light,
    language: Annotated[str, typer.Option(help="Language of labels, as en or pt.")] = "en",
    notes: Annotated[
        bool, typer.Option("--notes/--no-notes", help="Whether to put in the speaker notes.")
    ] = True,
    folder: BookFolder = None,
) -> None:
    """Write a chapter as slides: one HTML file that needs no network, its widgets alive.

    In the slides, S opens the speaker view, Esc the overview, and ? lists the keys. The exit
    status of --check is 1 if a slide does not fit.
    """
    from vtbook.course.publish import chromium, slide_server
    from vtbook.course.publish.slides import notebook_of, slides_page, write_slides

    if serve and (pdf is not None or check or out is not None):
        raise typer.BadParameter("--serve writes no file; leave out --out, --pdf and --check")
    source = notebook_of(chapter, folder)
    look: dict[str, Any] = {"theme": theme.value, "language": language, "notes": notes}
    if serve:
        slide_server.serve_slides(
            source,
            lambda: slides_page(source, **look, reload=slide_server.VERSION, progress=say),
            port,
            browser=browser,
        )
        return
    if pdf is not None or check:
        chromium.find_browser()  # before the chapter is run
    with tempfile.TemporaryDirectory() as scratch:
        alone = out is None and (pdf is not None or check)  # then the slides are not asked for
        place = Path(scratch) if alone else out or Path("build", "slides")
        deck = write_slides(source, place / f"{source.stem}.html", **look, progress=say)
        if not alone:
            print(deck)
        if pdf is not None:
            print(chromium.write_pdf(deck, pdf))
        wrong = chromium.overflowing(deck) if check else []
    for slide in wrong:
        print(slide)
    if wrong:
        fail(f"{len(wrong)} slides of {source.name} do not fit a screen of 1280 by 720 pixels")
    if check:
        say(f"all slides of {source.name} fit")
