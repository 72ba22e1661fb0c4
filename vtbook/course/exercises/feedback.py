"""What a check cell says: a tick, or in one line what is missing, without a long traceback.

    with checking("Right, with the zero at its end."):
        said = ex1.console.text
        assert said != OLD, "The console shows the old sentence: write before you run on."
        assert said == NEW, f"The console shows {said!r}, not {NEW!r}."

The asserts are ordinary ones. A name that is missing, an answer that is not there yet, and an error
in the student's own code are turned into sentences, too.
"""

from __future__ import annotations

import linecache
import traceback
from types import TracebackType

from vtbook.errors import VtbookError

TICK, CROSS = "\N{CHECK MARK}", "\N{BALLOT X}"


class NotYet(VtbookError, AssertionError):
    """An exercise is not solved; the message says what to look at. Notebooks show no traceback."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback."""
        return [f"{CROSS} {self}"]


class checking:
    """A ``with`` block of asserts: prints `praise` if all hold, else raises `NotYet`."""

    def __init__(self, praise: str = "Right.") -> None:
        self.praise = praise

    def __enter__(self) -> checking:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception):
            raise NotYet(f"Not yet. {explain(error)}") from None
        if error is None:
            print(f"{TICK} {self.praise}")


class Parts:
    """A check in parts, each with its own points::

        check = Parts()
        with check.part("one by one", 2):
            assert ...
        with check.part("with a buffer", 2):
            assert ...
        check.points()

    The last line gives the points to nbgrader, as the value of the cell.
    """

    def __init__(self, praise: str = "Right.") -> None:
        self.praise = praise
        self._earned: list[float] = []
        self._possible: list[float] = []
        self._said: list[str] = []

    def part(self, name: str, points: float) -> _Part:
        """One part, to be used in a ``with`` statement; nothing raised in it goes further."""
        return _Part(self, name, points)

    def note(self, name: str, points: float, missing: str | None) -> None:
        """Keep the result of a part: None, or what is missing."""
        self._possible.append(points)
        self._earned.append(0 if missing else points)
        self._said.append(f"{CROSS} {name}: {missing}" if missing else f"{TICK} {name}")

    def points(self) -> float:
        """Say what is right and what is missing, and return the points.

        Raises:
            NotYet: no part is right.
        """
        earned, possible = sum(self._earned), sum(self._possible)
        if not earned:
            raise NotYet("Not yet.\n" + "\n".join(self._said))
        print("\n".join(self._said))
        if earned == possible:
            print(f"{TICK} {self.praise}")
        else:
            print(f"Not all yet: {earned:g} of {possible:g} points.")
        return earned


class _Part:
    def __init__(self, parts: Parts, name: str, points: float) -> None:
        self.parts, self.name, self.points = parts, name, points

    def __enter__(self) -> _Part:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is not None and not isinstance(error, Exception):
            return False
        self.parts.note(self.name, self.points, explain(error) if error else None)
        return True


def explain(error: Exception) -> str:
    """What a student can do about an error that was raised while an answer was checked.

    The first frame of its traceback is that of the check cell.
    """
    frames = traceback.extract_tb(error.__traceback__)
    check = frames[0].filename if frames else ""
    theirs = [frame for frame in frames if _is_cell(frame.filename) and frame.filename != check]
    if isinstance(error, AssertionError) and not theirs:
        return str(error) or f"This does not hold: {_line(frames[-1])}"
    if isinstance(error, NotImplementedError):
        return "Your code is missing: write it where it says YOUR CODE HERE, and run that cell."
    if isinstance(error, NameError) and not theirs and error.name:
        return f"There is no `{error.name}` yet. Complete the cell above this one and run it."
    if isinstance(error, VtbookError):
        return str(error)
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    if not theirs:
        return f"The check stopped with {said}"
    last = theirs[-1]
    return f"Your code stopped with {said}\n  line {last.lineno} of your cell: {_line(last)}"


def _is_cell(filename: str) -> bool:
    """Whether code comes from a notebook's cell, under Jupyter or plain IPython."""
    return "ipykernel_" in filename or filename.startswith(("<ipython-input", "<cell"))


def _line(frame: traceback.FrameSummary) -> str:
    return linecache.getline(frame.filename, frame.lineno or 0).strip() or "(no source)"
