"""Points of a check cell from its outputs, by nbgrader's rules (nbgrader.utils.determine_grade).

No points for an error or for text on stderr; the value of the cell if it is a number; else all.
nbgrader gives up on a number above the points, and gives all points for one below 0. Here both are
moved to the nearest that is possible, with a note.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any


def score(outputs: Iterable[dict[str, Any]], points: float) -> tuple[float, str | None]:
    """The points of a check cell, and a note if something is strange about them.

    Args:
        outputs: of the cell, in nbformat's form.
        points: that the cell can give.
    """
    for output in outputs:
        kind = output["output_type"]
        if kind == "error" or (kind == "stream" and output["name"] == "stderr"):
            return 0.0, None
        if kind == "execute_result":
            return _partial(output["data"].get("text/plain", ""), points)
    return points, None


def _partial(text: str, points: float) -> tuple[float, str | None]:
    try:
        value = float(text)
    except ValueError:
        return points, None
    if math.isnan(value):
        return 0.0, "the check gave no number (nan): 0 points"
    if value > points:
        return points, f"the check gave {value:g} of {points:g} points: {points:g} taken"
    if value < 0:
        return 0.0, f"the check gave {value:g} points: 0 taken"
    return value, None
