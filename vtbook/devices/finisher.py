"""The SiFive test finisher: one register through which a guest powers the board off.

QEMU's ``virt`` has it at 0x10_0000, and its device tree calls it ``sifive,test0`` and ``syscon``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from vtbook.devices import state
from vtbook.devices.shutdown import Kind, Shutdown, is_shutdown

COMMANDS: dict[int, Kind] = {0x3333: "fail", 0x5555: "pass", 0x7777: "reset"}
"""Low 16 bits of a write to offset 0 -> the request. ``fail`` has its code in bits 31-16."""


class Finisher:
    """The test finisher. A write of a command to offset 0 leaves a `Shutdown` in `request`.

    Reads give zero. Other values and offsets do nothing, as on QEMU. A one-byte write cannot hold
    a command; an eight-byte write counts with its low four bytes.

    Args:
        on_shutdown: called with the request as it arrives.

    Attributes:
        request: the last request; the board reads it and sets it back to None.
    """

    SIZE = 0x1000
    STATE: ClassVar[dict[str, state.Check]] = {"request": state.optional(is_shutdown)}

    def __init__(self, on_shutdown: Callable[[Shutdown], None] | None = None) -> None:
        self.on_shutdown = on_shutdown
        self.request: Shutdown | None = None

    def read(self, offset: int, size: int) -> int:
        """Always zero: the register can only be written."""
        return 0

    def write(self, offset: int, size: int, value: int) -> None:
        """Take a command (see `COMMANDS`)."""
        kind = COMMANDS.get(value & 0xFFFF)
        if offset != 0 or size < 2 or kind is None:
            return
        code = value >> 16 & 0xFFFF if kind == "fail" and size >= 4 else 0
        self.request = Shutdown(kind, code, source="finisher")
        if self.on_shutdown is not None:
            self.on_shutdown(self.request)

    def state(self) -> dict[str, Any]:
        """The pending request, as plain data."""
        return {"request": self.request and self.request.as_list()}

    def load_state(self, saved: dict[str, Any]) -> None:
        """Go back to a state that `state` gave.

        Raises:
            DeviceStateError: `saved` is not such a state.
        """
        state.check_state("Finisher", saved, self.STATE)
        request = saved["request"]
        self.request = None if request is None else Shutdown.from_list(request)
