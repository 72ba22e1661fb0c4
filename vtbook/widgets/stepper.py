"""The stepper: one recorded execution, step by step, with registers, code, memory and console."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from traitlets import Dict, List, Unicode, validate

from vtbook.errors import VtbookError
from vtbook.widgets._assets import front_end
from vtbook.widgets.base import labels
from vtbook.widgets.fallback import step_table
from vtbook.widgets.stepping import SteppingWidget
from vtbook.widgets.trace_schema import validate_trace

PANELS = ("listing", "registers", "csrs", "memory", "console")
"""Panels of a stepper. One with nothing to show (no CSR recorded, say) is left out."""


class Stepper(SteppingWidget):
    """Show a recorded execution and let the reader move through it.

    Buttons, slider and keys move: left and right arrow one step, page up and down ten, home and
    end, space to play. It needs no kernel once shown.

    Args:
        trace: A ``vtbook-trace``, as from ``Machine.record`` or `TraceBuilder.build`.
        step: The step shown first, 0 (before the first) to the number of steps.
        panels: Which of `PANELS` to show, in this order.
        language: ``"en"`` or ``"pt"``.

    Attributes:
        step: The step shown now; assign to it to move.

    Raises:
        TraceError: the trace does not fit the schema.
        VtbookError: a panel or language is not known, or the step is outside the trace.
    """

    _esm, _css = front_end("stepper")

    trace = Dict().tag(sync=True)
    panels = List(Unicode(), default_value=list(PANELS)).tag(sync=True)

    def __init__(
        self,
        trace: dict[str, Any],
        *,
        step: int = 0,
        panels: Sequence[str] = PANELS,
        language: str = "en",
        **options: Any,
    ) -> None:
        validate_trace(trace)
        super().__init__(trace=trace, panels=list(panels), language=language, **options)
        self.step = step

    @validate("trace")
    def _sound_trace(self, proposal: dict[str, Any]) -> dict[str, Any]:
        validate_trace(proposal["value"])
        return proposal["value"]

    @validate("panels")
    def _known_panels(self, proposal: dict[str, Any]) -> list[str]:
        for name in proposal["value"]:
            if name not in PANELS:
                raise VtbookError(
                    f"Stepper: there is no panel '{name}'; use some of {', '.join(PANELS)}"
                )
        return proposal["value"]

    def steps(self) -> int:
        """Return the number of recorded steps."""
        return len(self.trace["steps"])

    def heading(self) -> str:
        """Return the title of the recording."""
        return self.trace["title"]

    def fallback_html(self) -> str:
        """Return the steps as a table, at most the first hundred."""
        return step_table(self.trace, labels("stepper", self.language))
