"""The timeline: lanes of who runs, and the transitions between them."""

from __future__ import annotations

from html import escape
from typing import Any

from traitlets import Dict, validate

from vtbook.widgets._assets import front_end
from vtbook.widgets.base import labels
from vtbook.widgets.stepping import SteppingWidget
from vtbook.widgets.timeline_schema import validate_timeline

MOST_ROWS = 100


class Timeline(SteppingWidget):
    """Show who ran when, and let the reader step from transition to transition.

    Beside the keys of every stepping widget, plus and minus zoom, 0 shows all, and the square
    brackets pan. Long recordings are drawn as density where spans are narrower than a pixel.

    Args:
        timeline: A ``vtbook-timeline``, as from ``vtbook.machine.timeline.record_timeline`` or
            `TimelineBuilder`.
        step: The transition shown first; 0 is before all.
        language: ``"en"`` or ``"pt"``.

    Raises:
        DataError: the timeline does not fit the schema.
        VtbookError: the step or the language is not known.
    """

    _esm, _css = front_end("timeline")

    timeline = Dict().tag(sync=True)

    def __init__(self, timeline: dict[str, Any], *, step: int = 0, **options: Any) -> None:
        super().__init__(timeline=timeline, **options)
        self.step = step

    @validate("timeline")
    def _sound_timeline(self, proposal: dict[str, Any]) -> dict[str, Any]:
        validate_timeline(proposal["value"])
        return proposal["value"]

    def steps(self) -> int:
        """Return the number of transitions."""
        return len(self.timeline["events"])

    def heading(self) -> str:
        """Return the title of the timeline."""
        return self.timeline["title"]

    def totals(self) -> list[tuple[str, float]]:
        """Return the time that each lane ran, in the unit of the axis."""
        sums = [0.0] * len(self.timeline["lanes"])
        for lane, start, end, _ in self.timeline["spans"]:
            sums[lane] += end - start
        names = (name for name, _ in self.timeline["lanes"])
        return list(zip(names, sums, strict=True))

    def fallback_html(self) -> str:
        """Return the time of each lane and a table of the transitions, at most a hundred."""
        t = labels("timeline", self.language)
        unit = f"{self.timeline['unit']} ({t['basis_' + self.timeline['basis']]})"
        sums = "; ".join(f"{name}: {total:,.0f}" for name, total in self.totals())
        lanes = [name for name, _ in self.timeline["lanes"]]
        heads = (unit, t["table_from"], t["table_to"], t["table_kind"], t["table_what"])
        rows = [
            (
                f"{time:,}",
                lanes[source],
                lanes[target],
                t[f"kind_{kind}"],
                f"{label} {text}".strip(),
            )
            for time, source, target, kind, label, text in self.timeline["events"][:MOST_ROWS]
        ]
        head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
        )
        more = self.steps() - len(rows)
        rest = f"<p>{escape(t['table_more'].format(n=more))}</p>" if more else ""
        return (
            f"<table><caption>{escape(self.heading())}: {escape(sums)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"
        )
