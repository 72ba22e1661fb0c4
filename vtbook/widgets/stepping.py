"""The base of the widgets that a reader steps through."""

from __future__ import annotations

from typing import Any

from traitlets import Int, validate

from vtbook.errors import VtbookError
from vtbook.widgets.base import BookWidget


class SteppingWidget(BookWidget):
    """A widget with steps: position 0 is before the first, `steps()` after the last.

    A subclass tells `steps` and `heading`, and sets its data before it sets ``step``.

    Attributes:
        step: The step shown now; assign to it to move. A step outside is a `VtbookError`.
    """

    step = Int(0).tag(sync=True)

    def steps(self) -> int:
        """Return how many steps there are."""
        raise NotImplementedError

    @validate("step")
    def _step_within(self, proposal: dict[str, Any]) -> int:
        steps = self.steps()
        if not 0 <= proposal["value"] <= steps:
            name = type(self).__name__
            raise VtbookError(f"{name}: there is no step {proposal['value']}; use 0 to {steps}")
        return proposal["value"]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.heading()}, step {self.step} of {self.steps()}>"
