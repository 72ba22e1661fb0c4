"""Link the first use of each glossary term in a chapter to its entry.

Only running text is touched: no headings, code, formulas, links or outputs. The link looks almost
like the text around it, and shows the definition when pointed at. A term of several spellings,
``program counter (pc)``, is linked at the first use of any of them. A spelling with a capital
letter must be matched exactly (``TLB``); others match with a capital in front and in the plural.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

GLOSSARY = "chapters/glossary"
CHAPTER = re.compile(r"chapters/\d\d-")

UNTOUCHED = (
    nodes.title,
    nodes.literal,
    nodes.literal_block,
    nodes.doctest_block,
    nodes.reference,
    nodes.raw,
    nodes.math,
    nodes.math_block,
    nodes.term,
    nodes.caption,
    nodes.rubric,
    nodes.comment,
    addnodes.pending_xref,
    addnodes.index,
    addnodes.only,
)
"""Nodes in which nothing becomes a link."""


@dataclass(frozen=True)
class Term:
    """An entry of the glossary: how it is spelt, where it stands, and what it means."""

    name: str
    anchor: str
    definition: str

    def spellings(self) -> list[str]:
        """The name, and what stands in parentheses behind it."""
        found = re.fullmatch(r"(.+?) \((.+)\)", self.name)
        return [found[1], found[2]] if found else [self.name]


def setup(app: Sphinx) -> dict[str, Any]:
    """Link when a page is written, and write the chapters again when the glossary has changed."""
    app.connect("doctree-resolved", link_terms)
    app.connect("env-get-outdated", _chapters_of_a_new_glossary)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _chapters_of_a_new_glossary(
    app: Any, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    if GLOSSARY in added | changed | removed:
        return [name for name in env.found_docs if CHAPTER.match(name)]
    return []


def link_terms(app: Any, document: nodes.document, docname: str) -> None:
    """Go through the text of a chapter in order, and put a link at the first use of each term."""
    if not CHAPTER.match(docname) or GLOSSARY not in app.env.all_docs:
        return
    if not hasattr(app, "vtbook_terms"):
        app.vtbook_terms = terms_of(app.env)
    left = list(app.vtbook_terms)
    glossary = app.builder.get_relative_uri(docname, GLOSSARY)

    def link(term: Term, words: str) -> nodes.reference:
        made = nodes.reference("", words, internal=True, refuri=f"{glossary}#{term.anchor}")
        made["classes"].append("vtb-term")
        made["reftitle"] = term.definition
        return made

    for text in list(_running_text(document)):
        pieces, left = _linked(text.astext(), left, link)
        if len(pieces) > 1 or not isinstance(pieces[0], nodes.Text):
            text.parent.replace(text, pieces)
        if not left:
            return


def terms_of(env: BuildEnvironment) -> list[Term]:
    """The entries of the glossary, longest spelling first."""
    found = []
    for item in env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        meaning = next(iter(item.findall(nodes.definition)), None)
        first = next(iter(meaning.findall(nodes.paragraph)), None) if meaning else None
        words = first.astext().replace("\n", " ") if first is not None else ""
        found += [
            Term(term.astext().strip(), term["ids"][0], words)
            for term in item.findall(nodes.term)
            if term["ids"]
        ]
    return sorted(found, key=lambda term: -max(map(len, term.spellings())))


def _running_text(document: nodes.document) -> Iterator[nodes.Text]:
    for text in document.findall(nodes.Text):
        node: Any = text.parent
        while node is not None and not isinstance(node, UNTOUCHED):
            node = node.parent
        if node is None:
            yield text


def _linked(text: str, terms: list[Term], link: Any) -> tuple[list[nodes.Node], list[Term]]:
    """The text in pieces, some of them links; and the terms that are not used in it."""
    found: list[tuple[int, int, Term]] = []
    left = []
    for term in terms:
        at = _first_use(term, text, found)
        if at is None:
            left.append(term)
        else:
            found.append((*at, term))
    pieces: list[nodes.Node] = []
    done = 0
    for start, end, term in sorted(found, key=lambda use: use[0]):
        if start > done:
            pieces.append(nodes.Text(text[done:start]))
        pieces.append(link(term, text[start:end]))
        done = end
    if done < len(text):
        pieces.append(nodes.Text(text[done:]))
    return pieces or [nodes.Text(text)], left


def _first_use(term: Term, text: str, taken: list[tuple[int, int, Term]]) -> tuple[int, int] | None:
    for spelling in term.spellings():
        for use in re.finditer(pattern_of(spelling), text):
            if not any(use.start() < end and start < use.end() for start, end, _ in taken):
                return use.span()
    return None


def pattern_of(spelling: str) -> str:
    """The regular expression that finds a spelling in running text.

    Line breaks count as spaces. Words joined by a hyphen are other words.
    """
    words = [re.escape(word) for word in spelling.split()]
    if spelling == spelling.lower():
        first = words[0]
        words[0] = f"[{first[0].upper()}{first[0]}]{first[1:]}" if first[0].isalpha() else first
    return r"(?<![\w-])" + r"\s+".join(words) + r"(?:e?s)?(?![\w-])"
