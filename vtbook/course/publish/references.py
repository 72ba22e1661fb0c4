"""The sources that the book cites: ``chapters/references.bib``, and the list made from it.

A chapter cites with a link that reads well in JupyterLab, to a heading of ``references.md``::

    ([Bell 1973](references.md#Bell-1973))

The site makes a citation of it. ``python3 -m vtbook.course.publish.references`` writes the list.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from vtbook.course.publish.sphinx.anchors import heading_anchor
from vtbook.errors import VtbookError

BIBLIOGRAPHY = Path("chapters", "references.bib")
LIST = BIBLIOGRAPHY.with_suffix(".md")

INTRODUCTION = """# References

What the chapters cite. This list is made from `references.bib`.
"""


class ReferencesError(VtbookError):
    """The bibliography cannot be read; the message says why."""


def reference_keys(book: Path) -> dict[str, str]:
    """Return heading anchor in ``references.md`` -> key in ``references.bib``.

    Raises:
        ReferencesError: the file is missing or damaged, or two entries have the same name.
    """
    found: dict[str, str] = {}
    for key, entry in _entries(book):
        anchor = heading_anchor(name_of(key, entry))
        if anchor in found:
            raise ReferencesError(
                f"{book / BIBLIOGRAPHY}: {found[anchor]} and {key} would both be called {anchor}; "
                "end the year of one's key with a letter, as in bell1973b"
            )
        found[anchor] = key
    return found


def references_list(book: Path) -> str:
    """Return the text of ``references.md``: a heading and a paragraph for each entry."""
    from pybtex.backends.markdown import Backend
    from pybtex.database import BibliographyData
    from pybtex.style.formatting.unsrt import Style

    parts = [INTRODUCTION]
    for key, entry in _entries(book):
        data = BibliographyData(entries={key: entry})
        formatted = next(iter(Style().format_bibliography(data)))
        text = " ".join(formatted.text.render(Backend()).split())
        text = text.replace("\\", "").replace("&ndash;", "–").replace("&nbsp;", " ")
        parts.append(f"## {name_of(key, entry)}\n\n{text}\n")
    return "\n".join(parts)


def name_of(key: str, entry: Any) -> str:
    """Return what a reader calls an entry: ``Bell 1973``; a letter after the key's year joins it.

    What follows the year in a key, as in ``riscv2025privileged``, is put behind it.
    """
    people = [" ".join([*p.prelast_names, *p.last_names]) for p in entry.persons["author"]]
    people = [re.sub(r"[{}\\\"'`^~]", "", name) for name in people]
    if len(people) > 3:
        people = [f"{people[0]} et al."]
    who = people[0] if len(people) == 1 else ", ".join(people[:-1]) + f" and {people[-1]}"
    found = re.search(r"\d{4}(\w*)$", key)
    suffix = found[1] if found else ""
    if len(suffix) > 1:
        suffix = f" {suffix}"
    return f"{who} {entry.fields['year']}{suffix}"


def _entries(book: Path) -> list[tuple[str, Any]]:
    from pybtex.database import PybtexError, parse_file

    try:
        data = parse_file(str(book / BIBLIOGRAPHY), bib_format="bibtex")
    except (PybtexError, OSError) as error:
        raise ReferencesError(f"{book / BIBLIOGRAPHY}: {error}") from None
    return sorted(data.entries.items(), key=lambda item: item[0].lower())


def main() -> None:
    """Write ``references.md`` of the book around the current folder."""
    from vtbook.course.lab import find_book

    book = find_book()
    (book / LIST).write_text(references_list(book), encoding="utf-8")
    print(book / LIST, file=sys.stderr)


if __name__ == "__main__":
    main()
