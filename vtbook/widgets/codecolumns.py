"""Code in columns: before and after, source and translation, with what belongs together."""

from __future__ import annotations

from html import escape
from typing import Any

from traitlets import Dict, validate

from vtbook.widgets._assets import front_end
from vtbook.widgets.codecolumns_schema import MARKS, validate_columns
from vtbook.widgets.stepping import SteppingWidget


class CodeColumns(SteppingWidget):
    """Show code in up to three columns; lines that belong together light up together.

    With several frames, as after one pass and the next, a step goes to the next frame. With one
    frame, a step goes to the next group of lines that belong together.

    Args:
        code: A ``vtbook-columns``, as from ``vtbook.widgets.codecolumns_schema.columns``.
        step: The step shown first.
        language: ``"en"`` or ``"pt"``.

    Raises:
        DataError: the record does not fit the schema.
        VtbookError: the step or the language is not known.
    """

    _esm, _css = front_end("codecolumns")

    code = Dict().tag(sync=True)

    def __init__(self, code: dict[str, Any], *, step: int = 0, **options: Any) -> None:
        super().__init__(code=code, **options)
        self.step = step

    @validate("code")
    def _sound_code(self, proposal: dict[str, Any]) -> dict[str, Any]:
        validate_columns(proposal["value"])
        return proposal["value"]

    def steps(self) -> int:
        """Return the number of frames after the first, or of groups of lines in a single one."""
        frames = self.code["frames"]
        if len(frames) > 1:
            return len(frames) - 1
        lines = (line for column in frames[0]["columns"] for line in column["lines"])
        return len({link for _, _, links in lines for link in links})

    def heading(self) -> str:
        """Return the title."""
        return self.code["title"]

    def fallback_html(self) -> str:
        """Return the last frame as preformatted columns of a table."""
        last = self.code["frames"][-1]
        heads, cells = "", ""
        for column in last["columns"]:
            name = f"{column['title']} ({column['language']})"
            heads += (
                f'<th scope="col">{escape(name if column["language"] else column["title"])}</th>'
            )
            marks = any(mark for _, mark, _ in column["lines"])
            text = "\n".join(
                f"{mark or ' '} {line}" if marks else line for line, mark, _ in column["lines"]
            )
            cells += (
                f'<td style="text-align: left; vertical-align: top"><pre>{escape(text)}</pre></td>'
            )
        used = {mark for column in last["columns"] for _, mark, _ in column["lines"] if mark}
        legend = ", ".join(f"{mark} {MARKS[mark]}" for mark in sorted(used))
        note = f"<p>{escape(legend)}</p>" if legend else ""
        return (
            f"<table><caption>{escape(self.heading())}</caption><thead><tr>{heads}</tr></thead>"
            f"<tbody><tr>{cells}</tr></tbody></table>{note}"
        )
