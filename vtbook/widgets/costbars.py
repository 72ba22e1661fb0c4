"""Counted events times costs: bars that the reader recomputes by moving the costs.

The data is a ``vtbook-costs``, version 1, plain lists and numbers::

    {"format": "vtbook-costs", "version": 1,
     "title": text, "unit": text, "counted": how the events were counted, in words,
     "events": [[name, label, cost, low, high, "log" or "linear", source], ...],
     "bars":   [[name, [count of each event], [[label, value], ...]], ...],
     "published": {"unit": text, "citation": text, "values": [[bar, value], ...]} or {}}

A bar is as long as the sum of count times cost over the events, and its fixed parts, which are
measured or counted in the unit of the chart and have no slider.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from traitlets import Dict, Float, List, Unicode, validate

from vtbook.errors import VtbookError
from vtbook.widgets._assets import front_end
from vtbook.widgets.base import BookWidget, labels
from vtbook.widgets.checks import (
    DataError,
    check_count,
    check_distinct,
    check_fields,
    check_filled,
    check_format,
    check_items,
    check_list,
    check_number,
    one_of,
)

FORMAT, VERSION = "vtbook-costs", 1
SCALES = ("log", "linear")
MOST_EVENTS = 8
"""Kinds of events that fills can tell apart."""


@dataclass(frozen=True)
class Cost:
    """What one event costs, and how far the reader may move it.

    Args:
        label: What the event is, for the reader.
        cost: The cost at the start, in the unit of the chart.
        low: The least cost; above 0 where `scale` is ``"log"``.
        high: The greatest.
        source: Where the cost comes from: a citation, or how it was measured or chosen.
        scale: ``"log"`` or ``"linear"``: how the slider runs.
    """

    label: str
    cost: float
    low: float
    high: float
    source: str
    scale: str = "log"


class CostBars(BookWidget):
    """Bars stacked from counted events times costs, with a slider for each cost.

    The counts are data and cannot be moved. All is computed in the front end, with no kernel.

    Args:
        title: The heading.
        costs: Event name -> its `Cost`; at most `MOST_EVENTS`.
        bars: Bar name -> event name -> how often it was counted. An event not named counts 0.
        unit: What costs and bars are measured in, such as ``"cycles"``.
        counted: How the events were counted, in words.
        fixed: Bar name -> label -> a part that has no cost to move.
        published: Bar name -> published value, drawn as a mark on the bar.
        citation: Where the published values stand; needed with them.
        published_unit: Their unit; `unit` if empty. Values in another unit can only be compared as
            ratios, so their marks are drawn while the chart is relative to a bar.
        relative_to: The bar that is 1; empty for absolute lengths. The reader can change it.
        language: ``"en"`` or ``"pt"``.

    Attributes:
        values: The costs as they are now, in the order of the events; assign to move them.

    Raises:
        DataError: the data does not fit together.
        VtbookError: a cost is outside its limits, or the bar or language is not known.
    """

    _esm, _css = front_end("costbars")

    chart = Dict().tag(sync=True)
    values = List(Float()).tag(sync=True)
    relative_to = Unicode("").tag(sync=True)

    def __init__(
        self,
        title: str,
        costs: Mapping[str, Cost],
        bars: Mapping[str, Mapping[str, int]],
        *,
        unit: str,
        counted: str,
        fixed: Mapping[str, Mapping[str, float]] | None = None,
        published: Mapping[str, float] | None = None,
        citation: str = "",
        published_unit: str = "",
        relative_to: str = "",
        **options: Any,
    ) -> None:
        for bar, counts in bars.items():
            for event in counts:
                one_of(costs, "event")(event, f"bars['{bar}']")
        for bar in fixed or {}:
            one_of(bars, "bar")(bar, "fixed")
        chart = {
            "format": FORMAT,
            "version": VERSION,
            "title": title,
            "unit": unit,
            "counted": counted,
            "events": [
                [name, c.label, c.cost, c.low, c.high, c.scale, c.source]
                for name, c in costs.items()
            ],
            "bars": [
                [
                    bar,
                    [counts.get(event, 0) for event in costs],
                    [[label, value] for label, value in (fixed or {}).get(bar, {}).items()],
                ]
                for bar, counts in bars.items()
            ],
            "published": {
                "unit": published_unit or unit,
                "citation": citation,
                "values": [[bar, value] for bar, value in published.items()],
            }
            if published
            else {},
        }
        validate_chart(chart)
        super().__init__(chart=chart, values=[float(c.cost) for c in costs.values()], **options)
        self.relative_to = relative_to

    @validate("chart")
    def _sound_chart(self, proposal: dict[str, Any]) -> dict[str, Any]:
        validate_chart(proposal["value"])
        return proposal["value"]

    @validate("values")
    def _costs_within_limits(self, proposal: dict[str, Any]) -> list[float]:
        events = self.chart["events"]
        values = proposal["value"]
        if len(values) != len(events):
            raise VtbookError(f"CostBars: {len(values)} costs; give {len(events)}, one an event")
        for (name, _, _, low, high, *_), value in zip(events, values, strict=True):
            if not low <= value <= high:
                raise VtbookError(
                    f"CostBars: a cost of {value:g} for '{name}'; use {low:g} to {high:g}"
                )
        return values

    @validate("relative_to")
    def _known_bar(self, proposal: dict[str, Any]) -> str:
        names = [name for name, *_ in self.chart["bars"]]
        if proposal["value"] and proposal["value"] not in names:
            raise VtbookError(
                f"CostBars: there is no bar '{proposal['value']}'; use one of {', '.join(names)}"
            )
        return proposal["value"]

    def totals(self) -> dict[str, float]:
        """Return bar name -> its length in the unit of the chart, with the costs as they are."""
        return {
            name: sum(n * cost for n, cost in zip(counts, self.values, strict=True))
            + sum(value for _, value in fixed)
            for name, counts, fixed in self.chart["bars"]
        }

    def heading(self) -> str:
        """Return the title of the chart."""
        return self.chart["title"]

    def __repr__(self) -> str:
        return f"<CostBars: {self.chart['title']}, {len(self.chart['bars'])} bars>"

    def fallback_html(self) -> str:
        """Return counts, costs and totals as a table."""
        say, chart = labels("costbars", self.language), self.chart
        head = "".join(
            f'<th scope="col">{escape(text)}</th>'
            for text in (say["event"], say["cost"], *(name for name, *_ in chart["bars"]))
        )
        rows = []
        for i, (_, label, *_) in enumerate(chart["events"]):
            cells = "".join(f"<td>{counts[i]:,}</td>" for _, counts, _ in chart["bars"])
            rows.append(
                f'<tr><th scope="row">{escape(label)}</th><td>{self.values[i]:g}</td>{cells}</tr>'
            )
        totals = "".join(f"<td>{total:,.6g}</td>" for total in self.totals().values())
        rows.append(f'<tr><th scope="row">{escape(say["total"])}</th><td></td>{totals}</tr>')
        caption = f"{chart['title']} ({chart['unit']}). {say['counted']}: {chart['counted']}"
        return (
            f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>"
        )


def validate_chart(chart: Any) -> None:
    """Check a ``vtbook-costs``.

    Raises:
        DataError: the first thing found wrong, with its path.
    """
    names = ("title", "unit", "counted", "events", "bars", "published")
    check_format(chart, FORMAT, VERSION, names)
    for name in ("title", "unit", "counted"):
        check_filled(chart[name], name)
    events = check_list(chart["events"], "events")
    if not 1 <= len(events) <= MOST_EVENTS:
        raise DataError("events", f"has {len(events)} kinds; give 1 to {MOST_EVENTS}")
    for i, event in enumerate(events):
        _check_event(event, f"events[{i}]")
    check_distinct([event[0] for event in events], "events")
    bars = check_list(chart["bars"], "bars")
    if not bars:
        raise DataError("bars", "is empty; give at least one bar")

    def counts(value: Any, path: str) -> None:
        check_items(value, path, *((event[0], check_count) for event in events))

    def fixed(value: Any, path: str) -> None:
        for k, part in enumerate(check_list(value, path)):
            check_items(part, f"{path}[{k}]", ("label", check_filled), ("value", check_number))

    for i, bar in enumerate(bars):
        check_items(
            bar, f"bars[{i}]", ("name", check_filled), ("counts", counts), ("fixed parts", fixed)
        )
    check_distinct([bar[0] for bar in bars], "bars")
    if chart["published"] != {}:
        _check_published(chart["published"], [bar[0] for bar in bars])


def _check_event(event: Any, where: str) -> None:
    check_items(
        event,
        where,
        ("name", check_filled),
        ("label", check_filled),
        ("cost", check_number),
        ("low", check_number),
        ("high", check_number),
        ("scale", one_of(SCALES, "scale")),
        ("source", check_filled),
    )
    _, _, cost, low, high, scale, _ = event
    if not (low < high and low <= cost <= high):
        raise DataError(
            where, f"costs {cost:g}, from {low:g} to {high:g}; give low <= cost <= high"
        )
    if scale == "log" and low == 0:
        raise DataError(f"{where}[3]", "a logarithmic slider cannot start at 0; use 'linear'")


def _check_published(published: Any, bars: list[str]) -> None:
    check_fields(published, "published", ("unit", "citation", "values"))
    check_filled(published["unit"], "published.unit")
    check_filled(published["citation"], "published.citation")
    for i, pair in enumerate(check_list(published["values"], "published.values")):
        where = f"published.values[{i}]"
        check_items(pair, where, ("bar", one_of(bars, "bar")), ("value", check_number))
