"""Widgets: pictures of a recorded execution that the reader steps through.

They read traces, which are plain data (`vtbook.widgets.trace`), and need no kernel to move.
`Stepper` shows registers, code, memory and console step by step; `export_notebook` makes a page
that works from a file with no network. Names load on first use, so that building a trace does not
import the notebook packages.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Stepper": "stepper",
    "BookWidget": "base",
    "static_html": "static",
    "export_notebook": "static",
    "Console": "console",
    "RecordedConsole": "console",
    "CostBars": "costbars",
    "Cost": "costbars",
    "ByteGrid": "bytegrid",
    "PageWalk": "pagewalk",
    "Timeline": "timeline",
    "SteppingWidget": "stepping",
    "DataError": "checks",
    "CodeColumns": "codecolumns",
    "QueueView": "queueview",
    "QueueBuilder": "queue_data",
    "TimelineBuilder": "timeline_schema",
    "TraceBuilder": "trace",
    "TraceError": "trace",
    "validate_trace": "trace",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vtbook.widgets' has no attribute '{name}'")
    return getattr(import_module(f"vtbook.widgets.{_HOMES[name]}"), name)
