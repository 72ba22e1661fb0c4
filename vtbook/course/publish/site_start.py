"""The front page of the site: what the book is, its chapters as cards, and what else there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OPENING = """# vtbook

{.vtb-lead}
The executable textbook on virtualization. Every technique in it is a machine that runs: real RISC-V
code on a machine of RAM, devices and a hart, small enough to read and fast enough to work with.

{.vtb-start}
[Start reading](FIRST)

You can read all of it here, and the widgets are alive. To run it, change it and solve the
exercises, install the book and open it in JupyterLab with `vtbook lab`.
"""

REFERENCE = """## Look something up

::::{container} vtb-cards vtb-small
:::{container} vtb-card
{.vtb-card-title}
[Instructions](instructions/index.md)

Each instruction with its encoding, its form and the Python that defines it.
:::
:::{container} vtb-card
{.vtb-card-title}
[Python API](api/index.rst)

The classes and functions that the chapters use, with their source.
:::
GLOSSARY:::{container} vtb-card
{.vtb-card-title}
{ref}`Index <genindex>`

Terms, instructions and names, from A to Z.
:::
::::
"""

GLOSSARY_CARD = """:::{container} vtb-card
{.vtb-card-title}
[Glossary](chapters/glossary.md)

The words of the book, each with a sentence that says what it means.
:::
"""


@dataclass(frozen=True)
class ChapterCard:
    """What a card says: the page, the title, one sentence, minutes, numbers of needed chapters."""

    document: str
    title: str
    summary: str = ""
    minutes: int | None = None
    needs: tuple[str, ...] = ()

    def text(self) -> str:
        """The card as MyST."""
        small = []
        if self.minutes:
            small.append(f"{self.minutes} minutes")
        if self.needs:
            small.append(f"after {', '.join(self.needs)}")
        parts = [
            ":::{container} vtb-card",
            f"{{.vtb-card-title}}\n[{self.title}]({self.document})\n",
            *([self.summary + "\n"] if self.summary else []),
            *([f"{{.vtb-card-note}}\n{' · '.join(small)}\n"] if small else []),
            ":::",
        ]
        return "\n".join(parts)


def start_page(
    cards: Sequence[ChapterCard], *, exercises: Sequence[str] = (), extra: Sequence[str] = ()
) -> str:
    """Return the front page (MyST).

    Args:
        cards: One for each chapter, in order.
        exercises: Pages of exercises, relative to the front page.
        extra: Glossary and references, if the book has them.
    """
    first = cards[0].document if cards else "instructions/index.md"
    parts = [OPENING.replace("FIRST", first)]
    if cards:
        inner = "\n".join(card.text() for card in cards)
        parts.append(f"## Chapters\n\n::::{{container}} vtb-cards\n{inner}\n::::\n")
    has_glossary = any(name.endswith("glossary.md") for name in extra)
    parts.append(REFERENCE.replace("GLOSSARY", GLOSSARY_CARD if has_glossary else ""))
    parts.append(_toctree("Chapters", [card.document for card in cards]))
    parts.append(_toctree("Exercises", exercises))
    reference = ["instructions/index", "api/index", *extra, "genindex"]
    parts.append(_toctree("Reference", reference))
    return "\n".join(part for part in parts if part)


def _toctree(caption: str, documents: Sequence[str]) -> str:
    if not documents:
        return ""
    lines = "\n".join(documents)
    return f"```{{toctree}}\n:hidden:\n:caption: {caption}\n:maxdepth: 2\n\n{lines}\n```\n"
