"""How a guest asks the board to stop: one small record, whichever device it came through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from vtbook.devices.state import DeviceStateError

Kind = Literal["pass", "fail", "reset", "error"]
KINDS: dict[str, str] = {
    "pass": "the guest powered the machine off",
    "fail": "the guest reported a failure",
    "reset": "the guest asked for a reset",
    "error": "the guest asked a device for something it cannot do",
}


@dataclass(frozen=True)
class Shutdown:
    """A request to stop the machine.

    Attributes:
        kind: ``pass``, ``fail``, ``reset`` or ``error`` (the keys of `KINDS`).
        code: the exit code: 0 after ``pass``, the guest's own number after ``fail``.
        source: the device that received it, ``finisher`` or ``htif``.
        message: for ``error``, what the guest asked and what to do.
    """

    kind: Kind
    code: int = 0
    source: str = ""
    message: str = ""

    def __str__(self) -> str:
        words = f"{KINDS[self.kind]} through the {self.source or 'board'}, code {self.code}"
        return f"{words}: {self.message}" if self.message else words

    def as_list(self) -> list[Any]:
        """Plain data for a snapshot."""
        return [self.kind, self.code, self.source, self.message]

    @classmethod
    def from_list(cls, fields: Any) -> Shutdown:
        """The opposite of `as_list`.

        Raises:
            DeviceStateError: `fields` did not come from `as_list`.
        """
        if not is_shutdown(fields):
            raise DeviceStateError(f"shutdown request: cannot be {fields!r:.60}")
        return cls(*fields)


def is_shutdown(fields: Any) -> bool:
    """Whether `fields` is what `Shutdown.as_list` gives."""
    return (
        type(fields) is list
        and [type(field) for field in fields] == [str, int, str, str]
        and fields[0] in KINDS
    )
