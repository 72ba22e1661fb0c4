"""Read a submission: nothing of it is believed but its cells and their text."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


class NotANotebook(Exception):
    """The file is none; the message says why."""


@dataclass(frozen=True)
class Cell:
    """A cell of a submission, each field checked to be of its type."""

    kind: str
    source: str
    id: str
    grade_id: str
    metadata: dict[str, Any] = field(default_factory=dict)
    outputs: tuple[dict[str, Any], ...] = ()

    @property
    def is_code(self) -> bool:
        """Whether it is a code cell."""
        return self.kind == "code"

    @property
    def nbgrader(self) -> dict[str, Any]:
        """The metadata that nbgrader and we read; empty if it is missing or damaged."""
        data = self.metadata.get("nbgrader")
        return data if isinstance(data, dict) else {}


@dataclass(frozen=True)
class Submission:
    """A notebook as it was handed in."""

    cells: tuple[Cell, ...]
    metadata: dict[str, Any]

    @property
    def about(self) -> dict[str, Any]:
        """``metadata.vtbook``, or nothing."""
        data = self.metadata.get("vtbook")
        return data if isinstance(data, dict) else {}


def read_submission(data: bytes, largest: int) -> Submission:
    """Read a notebook of format 3 or 4 from the bytes of its file.

    It is not validated against nbformat's schema: what can be graded is graded.

    Raises:
        NotANotebook: it cannot be.
    """
    if not data.strip():
        raise NotANotebook("the file is empty")
    if len(data) > largest:
        raise NotANotebook(f"the file has {len(data):,} bytes; at most {largest:,} are read")
    try:
        nb = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise NotANotebook("not text in UTF-8") from None
    except RecursionError:
        raise NotANotebook("JSON that is nested too deeply") from None
    except ValueError as error:
        raise NotANotebook(f"not JSON: {error}") from None
    if not isinstance(nb, dict):
        raise NotANotebook("not a notebook: JSON, but no object")
    cells = nb.get("cells")
    if cells is None and isinstance(nb.get("worksheets"), list):  # format 3
        cells = [c for sheet in nb["worksheets"] if isinstance(sheet, dict) for c in _cells(sheet)]
    if not isinstance(cells, list):
        raise NotANotebook("not a notebook: there are no cells")
    metadata = nb.get("metadata")
    read = tuple(_cell(cell) for cell in cells if isinstance(cell, dict))
    return Submission(read, metadata if isinstance(metadata, dict) else {})


def _cells(sheet: dict[str, Any]) -> list[Any]:
    cells = sheet.get("cells")
    return cells if isinstance(cells, list) else []


def _cell(raw: dict[str, Any]) -> Cell:
    metadata = raw.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    data = metadata.get("nbgrader")
    grade_id = data.get("grade_id") if isinstance(data, dict) else None
    outputs = raw.get("outputs")
    return Cell(
        kind=text_of(raw.get("cell_type")),
        source=text_of(raw.get("source", raw.get("input"))),
        id=text_of(raw.get("id")),
        grade_id=text_of(grade_id),
        metadata=metadata,
        outputs=tuple(x for x in outputs if isinstance(x, dict))
        if isinstance(outputs, list)
        else (),
    )


def text_of(value: Any) -> str:
    """Text that notebooks keep as a string or as a list of strings; else nothing.

    Half of a surrogate pair, which JSON can say but no file can hold, becomes a question mark.
    """
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    if not isinstance(value, str):
        return ""
    return value.encode("utf-8", "replace").decode("utf-8")
