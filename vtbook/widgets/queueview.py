"""Tables, rings and queues in memory, and who changes what in them, step by step."""

from __future__ import annotations

from html import escape
from typing import Any

from traitlets import Dict, validate

from vtbook.widgets._assets import front_end
from vtbook.widgets.base import labels
from vtbook.widgets.queue_data import validate_queues
from vtbook.widgets.stepping import SteppingWidget

MOST_ROWS = 100
"""Steps in the table for pages without a script."""


class QueueView(SteppingWidget):
    """Show structures in memory as those who share them change them.

    Args:
        data: A ``vtbook-queues``, from `QueueBuilder` or from ``vtbook.machine.queues``.
        step: The step shown first.
        language: ``"en"`` or ``"pt"``.

    Raises:
        DataError: the data does not fit the schema.
    """

    _esm, _css = front_end("queueview")

    data = Dict().tag(sync=True)

    def __init__(self, data: dict[str, Any], *, step: int = 0, **options: Any) -> None:
        validate_queues(data)
        super().__init__(data=data, **options)
        self.step = step

    @validate("data")
    def _sound_data(self, proposal: dict[str, Any]) -> dict[str, Any]:
        validate_queues(proposal["value"])
        return proposal["value"]

    def steps(self) -> int:
        """Return the number of steps."""
        return len(self.data["steps"])

    def heading(self) -> str:
        """Return the title of the data."""
        return self.data["title"]

    def fallback_html(self) -> str:
        """Return the steps as a table: who acts, and what happens."""
        say = labels("queueview", self.language)
        actors = {"": "", **dict(self.data["actors"])}
        heads = (say["table_step"], say["table_actor"], say["table_note"])
        head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
        shown = self.data["steps"][:MOST_ROWS]
        rows = "".join(
            f"<tr><td>{n}</td><td>{escape(actors[actor])}</td><td>{escape(note)}</td></tr>"
            for n, (actor, note, *_) in enumerate(shown, 1)
        )
        left = self.steps() - len(shown)
        more = f"<p>{escape(say['table_more'].format(n=left))}</p>" if left else ""
        return (
            f"<table><caption>{escape(self.heading())}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"
        )
