"""The page-table walk: how an address becomes another, one memory reference at a time."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from traitlets import List, Unicode, validate

from vtbook.widgets._assets import front_end
from vtbook.widgets.base import labels
from vtbook.widgets.pagewalk_schema import validate_walks
from vtbook.widgets.stepping import SteppingWidget


class PageWalk(SteppingWidget):
    """Show recorded page-table walks and let the reader follow them reference by reference.

    The walks stand one after another. Each has one step for its address, one for every reference
    and one for its result; a walk that a TLB answers has no references.

    Args:
        walks: Records as from ``vtbook.mmu.Walk.record``; `validate_walks` describes them.
        title: What the reader sees above the widget.
        step: The step shown first.
        language: ``"en"`` or ``"pt"``.

    Raises:
        DataError: a record does not fit the schema; the message names the place.
        VtbookError: the step or the language is not known.
    """

    _esm, _css = front_end("pagewalk")

    walks: Any = List().tag(sync=True)
    title = Unicode().tag(sync=True)

    def __init__(
        self,
        walks: Sequence[dict[str, Any]],
        *,
        title: str = "",
        step: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(walks=list(walks), title=title, **options)
        self.step = step

    @validate("walks")
    def _sound_walks(self, proposal: dict[str, Any]) -> list[dict[str, Any]]:
        validate_walks(proposal["value"])
        return proposal["value"]

    def steps(self) -> int:
        """Return the number of steps: two for each walk, less one, and one for each reference."""
        return sum(len(walk["references"]) + 2 for walk in self.walks) - 1

    def heading(self) -> str:
        """Return the title, or what kind of thing this is."""
        return self.title or labels("pagewalk", self.language)["widget"]

    def fallback_html(self) -> str:
        """Return a table of all references and results."""
        t = labels("pagewalk", self.language)
        heads = ("table_walk", "table_level", "table_entry", "table_pte", "table_outcome")
        head = "".join(f'<th scope="col">{escape(t[key])}</th>' for key in heads)
        rows: list[str] = []
        for walk in self.walks:
            name = walk["title"] or f"0x{walk['address']}"
            for stage, level, _table, index, at, pte, outcome, _for in walk["references"]:
                place = f"{stage} {level}" if stage != "S" else str(level)
                said = walk["fault"] and outcome == "fault" and t[f"fault_{walk['fault']}"]
                cells = (name, place, f"0x{at} [{index}]", f"0x{pte}", said or t[outcome])
                rows.append(_row(cells))
            rows.append(_row((name, "", "", "", _result(walk, t))))
        caption = f"<caption>{escape(self.heading())}</caption>"
        return (
            f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        )


def _row(cells: tuple[str, ...]) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _result(walk: dict[str, Any], t: dict[str, str]) -> str:
    if walk["fault"]:
        return t["result_fault"].format(cause=walk["cause"], why=t[f"fault_{walk['fault']}"])
    key = "result_hit" if walk["tlb"] else "result"
    n = len(walk["references"])
    return t[key].format(physical=f"0x{walk['physical']}", n=n)
