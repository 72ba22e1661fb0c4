"""``vtbook site``: the book as a web site that needs no network, ready to be translated.

Sphinx builds it from a source tree in the cache folder (`site_source`), with the configuration,
the extensions and the style sheet in ``sphinx/``. What has not changed is not built again.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtbook.course.publish.references import BIBLIOGRAPHY
from vtbook.errors import VtbookError
from vtbook.files import cache_folder

CONFIGURATION = Path(__file__).parent / "sphinx"
NEEDED = ("sphinx", "myst_nb", "sphinx_book_theme", "sphinxcontrib.bibtex", "sphinx_intl")
DEFAULT_OUT = Path("build", "site")
"""Where the site goes, relative to the current folder."""

LOCALE = "locale"
"""The folder of translations, relative to the book."""

CATALOGUE_LANGUAGE = "pt_BR"

Progress = Callable[[str], None]


class SiteError(VtbookError):
    """The site cannot be built; the message says what is missing or wrong."""


@dataclass(frozen=True)
class Site:
    """What a build left: the folder, and what Sphinx warned of, one text a warning."""

    folder: Path
    warnings: tuple[str, ...] = ()


def build_site(
    book: Path,
    out: Path | None = None,
    *,
    language: str = "en",
    locale: Path | None = None,
    progress: Progress | None = None,
) -> Site:
    """Build the web site of a book.

    Args:
        book: The folder that holds ``chapters``.
        out: The folder to write; ``build/site`` in the current folder if not given.
        language: ``"en"``, or one for which ``locale`` has catalogues, as ``"pt_BR"``. The labels
            of the widgets follow where they exist.
        locale: Folder of the catalogues; ``locale`` in the book if not given.
        progress: Called with a line of text now and then.

    Returns:
        The site. It works from the file system; only the excerpts among search results need a
        server.

    Raises:
        SiteError: Sphinx or a part of it is not installed, or it fails.
        ExecutionError: a chapter fails.
    """
    _require_sphinx()
    out = (out if out is not None else DEFAULT_OUT).resolve()
    _refuse_the_book(book, out)
    work = _work_folder(book, out, language)
    _write(book, work / "source", language, progress)
    if progress is not None:
        progress("building the pages")
    locale = locale if locale is not None else book / LOCALE
    warnings = _sphinx(work / "source", out, work / "doctrees", "html", language, locale)
    return Site(out, warnings)


def write_catalogues(
    book: Path,
    out: Path | None = None,
    *,
    language: str = CATALOGUE_LANGUAGE,
    progress: Progress | None = None,
) -> Site:
    """Write the texts of the book as gettext catalogues, for translators.

    ``pot/`` gets the templates, ``LANGUAGE/LC_MESSAGES/`` one catalogue a page. Translations that
    are there already stay; texts that have changed are marked fuzzy.

    Args:
        book: The folder that holds ``chapters``.
        out: The folder of catalogues; ``locale`` in the book if not given.
        language: The language of the catalogues.
        progress: Called with a line of text now and then.

    Raises:
        SiteError: Sphinx or a part of it is not installed, or it fails.
        ExecutionError: a chapter fails.
    """
    _require_sphinx()
    from sphinx_intl.basic import update

    out = (out if out is not None else book / LOCALE).resolve()
    work = _work_folder(book, out, "gettext")
    _write(book, work / "source", "en", progress)
    if progress is not None:
        progress("collecting the texts")
    warnings = _sphinx(
        work / "source", out / "pot", work / "doctrees", "gettext", "en", book / LOCALE
    )
    said = sys.stdout
    sys.stdout = io.StringIO()  # sphinx-intl prints a line for each catalogue
    try:
        update(str(out), str(out / "pot"), [language])
    finally:
        sys.stdout = said
    return Site(out, warnings)


def serve(folder: Path, port: int = 8000) -> None:
    """Serve a built site on this computer until Ctrl-C.

    Raises SiteError: the port is taken, or the folder holds no site.
    """
    from vtbook.course.publish.site_server import serve_folder

    if not (folder / "index.html").is_file():
        raise SiteError(f"{folder}: there is no index.html; build the site first")
    serve_folder(folder, port)


def widget_language(language: str) -> str:
    """The language of widget labels for a language of the site: itself, or English."""
    from vtbook.widgets.base import LANGUAGES

    short = language.replace("_", "-").split("-")[0].lower()
    return short if short in LANGUAGES else "en"


def _write(book: Path, source: Path, language: str, progress: Progress | None) -> None:
    from vtbook.course.publish.site_source import write_source

    write_source(book, source, language=widget_language(language), progress=progress)


def _require_sphinx() -> None:
    missing = [name for name in NEEDED if not _is_there(name)]
    if missing:
        raise SiteError(
            f"the web site needs {', '.join(missing)}; "
            f"run: {sys.executable} -m pip install 'vtbook[site]'"
        )


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the package around it
        return False


def _refuse_the_book(book: Path, out: Path) -> None:
    """Never write over sources: the book's own folders, or a folder that holds something else."""
    kept = [book / name for name in ("chapters", "exercises", "solutions", "docs", "vtbook")]
    if out == book.resolve() or any(out.is_relative_to(path.resolve()) for path in kept):
        raise SiteError(f"{out}: that is a folder of the book's sources; give another --out")
    strange = out.is_dir() and any(out.iterdir()) and not (out / "objects.inv").is_file()
    if strange:
        raise SiteError(f"{out}: not empty, and not a site; give an empty folder as --out")


def _work_folder(book: Path, out: Path, kind: str) -> Path:
    """Where source tree and doctrees of one site stay between builds."""
    key = hashlib.sha256(f"{book.resolve()}\0{out}\0{kind}".encode()).hexdigest()[:16]
    return cache_folder("site") / key


def _sphinx(
    source: Path, out: Path, doctrees: Path, builder: str, language: str, locale: Path
) -> tuple[str, ...]:
    """Run Sphinx; return its warnings."""
    from sphinx.application import Sphinx
    from sphinx.errors import SphinxError
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    told = io.StringIO()
    settings: dict[str, Any] = {
        "language": language,
        "locale_dirs": [str(locale.resolve())],
        "bibtex_bibfiles": [str(source / BIBLIOGRAPHY)],
    }
    try:
        with patch_docutils(str(CONFIGURATION)), docutils_namespace():
            app = Sphinx(
                source,
                CONFIGURATION,
                out,
                doctrees,
                builder,
                confoverrides=settings,
                status=None,
                warning=told,
            )
            app.build()
    except SphinxError as error:
        raise SiteError(f"Sphinx cannot build the site: {error}") from error
    return tuple(_warnings(told.getvalue(), source))


def _warnings(text: str, source: Path) -> list[str]:
    """One text a warning, without colours and without the folder in the cache."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text).replace(f"{source}{os.sep}", "")
    found: list[str] = []
    for line in plain.splitlines():
        if re.search(r"\b(WARNING|ERROR|CRITICAL|SEVERE): ", line) or not found:
            found.append(line)
        else:
            found[-1] += "\n" + line
    return [warning for warning in found if warning.strip()]
