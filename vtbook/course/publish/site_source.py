"""The source tree of the site: pages made of the book's files, written only where they changed.

It stands in the cache folder and keeps the layout of the book, so links between chapters,
exercises and the glossary hold. Sphinx reads it; nothing is written into the book.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from vtbook.course.book import EXERCISES, HOME, PATTERN, Chapter
from vtbook.course.book import chapters as chapters_of
from vtbook.course.publish import site_notebooks
from vtbook.course.publish.executing import executed, read_notebook
from vtbook.course.publish.references import BIBLIOGRAPHY, LIST, reference_keys
from vtbook.course.publish.site_api import api_pages
from vtbook.course.publish.site_instructions import instruction_pages
from vtbook.course.publish.site_start import ChapterCard, start_page

if TYPE_CHECKING:
    from nbformat import NotebookNode

GLOSSARY = Path("chapters", "glossary.md")
REFERENCES_PAGE = """# References

```{bibliography}
:all:
```
"""

_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])+)\]\(([^)\s]+)\)")

Progress = Callable[[str], None]


def write_source(
    book: Path, folder: Path, *, language: str = "en", progress: Progress | None = None
) -> None:
    """Write the source tree of a book's site; files that would be the same are left alone.

    Args:
        book: The folder that holds ``chapters``.
        folder: Where the tree goes; what else is in it is deleted.
        language: Language of the widgets' labels, ``"en"`` or ``"pt"``.
        progress: Called with one line before a chapter is run.

    Raises:
        ExecutionError: a chapter cannot be read, or fails.
        ReferencesError: the bibliography cannot be read.
    """
    files = dict(_pages(book, language, progress))
    for old in folder.rglob("*"):
        if old.is_file() and old.relative_to(folder).as_posix() not in files:
            old.unlink()
    for name, text in files.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _pages(book: Path, language: str, progress: Progress | None) -> Iterator[tuple[str, str]]:
    chapters = chapters_of(book)
    exercises = sorted((book / EXERCISES).glob(PATTERN))
    has_references = (book / BIBLIOGRAPHY).is_file()
    keys = reference_keys(book) if has_references else {}
    extra = [
        *([GLOSSARY] if (book / GLOSSARY).is_file() else []),
        *([LIST] if has_references else []),
    ]
    notebooks = [path.relative_to(book) for path in (*(c.path for c in chapters), *exercises)]
    links = SiteLinks(book, frozenset(path.as_posix() for path in (*notebooks, *extra)))

    for chapter in chapters:
        page = site_notebooks.chapter_page(
            executed(chapter.path, language=language, progress=progress),
            language=language,
            keywords=chapter.keywords,
            preface=preface(chapter, chapters),
            keys=keys,
        )
        yield _written(chapter.path.relative_to(book), page, links)
    for path in exercises:
        page = site_notebooks.exercise_page(read_notebook(path), keys)
        yield _written(path.relative_to(book), page, links)
    if GLOSSARY in extra:
        yield GLOSSARY.as_posix(), (book / GLOSSARY).read_text(encoding="utf-8")
    if has_references:
        yield LIST.as_posix(), REFERENCES_PAGE
    yield (
        BIBLIOGRAPHY.as_posix(),
        ((book / BIBLIOGRAPHY).read_text(encoding="utf-8") if has_references else ""),
    )
    for name, text in instruction_pages(cited="riscv2025privileged" in keys.values()).items():
        yield f"instructions/{name}", text
    for name, text in api_pages().items():
        yield f"api/{name}", text
    cards = [card(chapter) for chapter in chapters]
    yield (
        "index.md",
        start_page(
            cards,
            exercises=[path.relative_to(book).as_posix() for path in exercises],
            extra=[path.as_posix() for path in extra],
        ),
    )


def _written(path: Path, page: NotebookNode, links: SiteLinks) -> tuple[str, str]:
    name = path.as_posix()
    for cell in page.cells:
        if cell.cell_type == "markdown":
            cell.source = links.of(cell.source, name)
    return name, json.dumps(page, ensure_ascii=False, indent=1) + "\n"


def card(chapter: Chapter) -> ChapterCard:
    """What the front page says about a chapter; without a summary, what the chapter asks."""
    return ChapterCard(
        document=f"chapters/{chapter.path.name}",
        title=chapter.title,
        summary=chapter.summary or site_notebooks.question_of(read_notebook(chapter.path)),
        minutes=chapter.minutes,
        needs=chapter.needs,
    )


def preface(chapter: Chapter, chapters: list[Chapter]) -> str:
    """The lines below a chapter's title: how long it takes, what it needs, its exercises."""
    parts = []
    if chapter.minutes:
        parts.append(f"About {chapter.minutes} minutes.")
    titles = {other.number: other for other in chapters}
    needed = [titles[number] for number in chapter.needs if number in titles]
    if needed:
        names = ", ".join(f"[{other.title}]({other.path.name})" for other in needed)
        parts.append(f"It builds on {names}.")
    return "{.vtb-meta}\n" + " ".join(parts) if parts else ""


@dataclass(frozen=True)
class SiteLinks:
    """Where the links of a notebook lead on the site.

    A link to a file of the book that is not on the site becomes plain text: a reader on the web
    has no such file. A link to the lab's start page leads to the front page. Others stay.
    """

    book: Path
    on_site: frozenset[str]

    def of(self, text: str, source: str) -> str:
        """The Markdown of the page ``source`` with its links changed."""
        return _LINK.sub(lambda found: self._one(found, source), text)

    def _one(self, found: re.Match[str], source: str) -> str:
        words, target = found.groups()
        file = unquote(target.partition("#")[0])
        if not file or re.match(r"[a-z]+:", target):
            return found[0]
        place = _resolved(PurePosixPath(source).parent, file)
        if place == f"chapters/{HOME}":
            return f"[{words}](../index.md)"
        if place in self.on_site or not (self.book / place).exists():
            return found[0]
        return words


def _resolved(folder: PurePosixPath, target: str) -> str:
    parts: list[str] = []
    for part in (folder / target).parts:
        if part == "..":
            if parts:
                parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)
