"""The record that ``Timeline`` shows: who ran when, and what moved control between them.

Schema ``vtbook-timeline``, version 1, plain data ready for JSON::

    {"format": "vtbook-timeline", "version": 1, "title": text,
     "unit":   name of what the axis counts, such as "instructions",
     "basis":  "counted", "modelled" or "wall",
     "lanes":  [[name, kind], ...],                        top to bottom; kind: see LANE_KINDS
     "spans":  [[lane, start, end, label], ...],           lane by its number; ascending starts
     "events": [[time, from, to, kind, label, text], ...]} ascending times; kind: see EVENT_KINDS

An event is a transition: an arrow from one lane to another, and a step of the widget. ``label`` is
short (the cause), ``text`` a sentence or empty. Times are numbers of at least 0.
"""

from __future__ import annotations

from typing import Any

from vtbook.widgets.checks import (
    DataError,
    check_fields,
    check_items,
    check_list,
    check_number,
    check_text,
    index_into,
    one_of,
)

FORMAT, VERSION = "vtbook-timeline", 1

LANE_KINDS = ("user", "kernel", "hypervisor", "device", "hardware")
BASES = ("counted", "modelled", "wall")
EVENT_KINDS = {
    "trap": "an exception takes control to a more privileged lane",
    "return": "control goes back after it",
    "interrupt": "a device or a timer takes control",
    "exit": "the guest leaves the hart: a hypervisor takes over",
    "entry": "a hypervisor lets the guest go on",
    "hypercall": "the guest asks its hypervisor for a service",
    "access": "a device register is read or written",
    "end": "the run stops",
}
"""Kinds of event, and what each means."""

_FIELDS = ("format", "version", "title", "unit", "basis", "lanes", "spans", "events")


def validate_timeline(timeline: Any) -> None:
    """Check a timeline.

    Raises:
        DataError: the first thing found wrong, with its path.
    """
    check_fields(timeline, "timeline", _FIELDS)
    if (timeline["format"], timeline["version"]) != (FORMAT, VERSION):
        raise DataError("format", f"is not '{FORMAT}' version {VERSION}")
    check_text(timeline["title"], "title")
    check_text(timeline["unit"], "unit")
    one_of(BASES, "basis")(timeline["basis"], "basis")
    lanes = check_list(timeline["lanes"], "lanes")
    if not lanes:
        raise DataError("lanes", "is empty; give at least one lane")
    for n, lane in enumerate(lanes):
        kind = one_of(LANE_KINDS, "kind of lane")
        check_items(lane, f"lanes[{n}]", ("name", check_text), ("kind", kind))
    lane = index_into(len(lanes), "lane")
    before = 0
    for n, span in enumerate(check_list(timeline["spans"], "spans")):
        times = (("start", check_number), ("end", check_number))
        check_items(span, f"spans[{n}]", ("lane", lane), *times, ("label", check_text))
        if span[2] < span[1]:
            raise DataError(f"spans[{n}]", f"ends at {span[2]}, before its start at {span[1]}")
        if span[1] < before:
            raise DataError(f"spans[{n}]", f"starts at {span[1]}, before the one above")
        before = span[1]
    before = 0
    for n, event in enumerate(check_list(timeline["events"], "events")):
        kind = one_of(EVENT_KINDS, "kind of event")
        ways = (("time", check_number), ("from", lane), ("to", lane), ("kind", kind))
        check_items(event, f"events[{n}]", *ways, ("label", check_text), ("text", check_text))
        if event[0] < before:
            raise DataError(f"events[{n}]", f"is at {event[0]}, before the one above")
        before = event[0]


class TimelineBuilder:
    """Collects lanes, spans and events into a timeline.

    Args:
        title: The heading.
        lanes: ``(name, kind)``, top to bottom.
        unit: What the axis counts.
        basis: ``"counted"``, ``"modelled"`` or ``"wall"``: how the times were come by.

    Example:
        >>> b = TimelineBuilder("a call", [("user", "user"), ("kernel", "kernel")])
        >>> b.span("user", 0, 10)
        >>> b.event(10, "user", "kernel", "trap", "ecall")
        >>> b.span("kernel", 10, 14)
        >>> b.build()["spans"]
        [[0, 0, 10, ''], [1, 10, 14, '']]
    """

    def __init__(
        self,
        title: str,
        lanes: list[tuple[str, str]],
        *,
        unit: str = "instructions",
        basis: str = "counted",
    ) -> None:
        self._head: dict[str, Any] = {"format": FORMAT, "version": VERSION, "title": title}
        self._head |= {"unit": unit, "basis": basis, "lanes": [list(lane) for lane in lanes]}
        self._names = [name for name, _ in lanes]
        self._spans: list[list[Any]] = []
        self._events: list[list[Any]] = []

    def lane(self, name: str, kind: str) -> None:
        """Add a lane at the bottom, unless it is there."""
        if name not in self._names:
            self._names.append(name)
            self._head["lanes"].append([name, kind])

    def span(self, lane: str, start: float, end: float, label: str = "") -> None:
        """Say that a lane ran from ``start`` to ``end``."""
        self._spans.append([self._number(lane), start, end, label])

    def event(
        self, time: float, source: str, target: str, kind: str, label: str = "", text: str = ""
    ) -> None:
        """Say that something went from one lane to another."""
        ends = [self._number(source), self._number(target)]
        self._events.append([time, *ends, kind, label, text])

    def build(self) -> dict[str, Any]:
        """Return the timeline, in order of time and checked."""
        timeline = {
            **self._head,
            "spans": sorted(self._spans, key=lambda span: span[1]),
            "events": sorted(self._events, key=lambda event: event[0]),
        }
        validate_timeline(timeline)
        return timeline

    def _number(self, name: str) -> int:
        if name not in self._names:
            raise DataError("lanes", f"there is no lane '{name}'; use {', '.join(self._names)}")
        return self._names.index(name)
