"""The state of a device as plain data: what a snapshot keeps, and how it comes back.

A device declares a table ``STATE``: attribute name -> check. `save` reads the attributes,
`restore` checks every value first and then sets them all, so that a damaged snapshot changes
nothing. Plain data means: int, bool, str, bytes, None, and flat lists of these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vtbook.errors import VtbookError

Check = Callable[[Any], bool]


class DeviceStateError(VtbookError):
    """A saved device state does not fit the device."""


def uint(bits: int) -> Check:
    """An integer of `bits` bits, unsigned."""
    return lambda value: type(value) is int and 0 <= value < (1 << bits)


def bits(mask: int) -> Check:
    """An integer that has no bits but those of `mask`."""
    return lambda value: type(value) is int and value >= 0 and not value & ~mask


def flag(value: Any) -> bool:
    """True or False."""
    return type(value) is bool


def octets(value: Any) -> bool:
    """A bytes object."""
    return type(value) is bytes


def text(value: Any) -> bool:
    """A string."""
    return type(value) is str


def optional(check: Check) -> Check:
    """None, or what `check` accepts."""
    return lambda value: value is None or check(value)


def listing(check: Check, longest: int | None = None, shortest: int = 0) -> Check:
    """A list of `shortest` to `longest` values that `check` accepts."""
    return lambda value: (
        type(value) is list
        and len(value) >= shortest
        and (longest is None or len(value) <= longest)
        and all(check(item) for item in value)
    )


def check_state(owner: str, state: Any, table: Mapping[str, Check]) -> None:
    """Check that `state` has exactly the fields of `table`, each with a value its check accepts.

    Raises:
        DeviceStateError: a field is missing, unknown or out of range.
    """
    where = f"state of {owner}"
    if not isinstance(state, Mapping):
        raise DeviceStateError(f"{where}: expected a dict, got {type(state).__name__}")
    if missing := sorted(table.keys() - state.keys()):
        raise DeviceStateError(f"{where}: {', '.join(missing)} missing; is it of another version?")
    if unknown := sorted(map(str, state.keys() - table.keys())):
        raise DeviceStateError(f"{where}: unknown {', '.join(unknown)}; is it of another device?")
    for name, check in table.items():
        if not check(state[name]):
            raise DeviceStateError(f"{where}: {name} cannot be {state[name]!r:.60}")


def save(device: Any) -> dict[str, Any]:
    """The attributes that ``device.STATE`` names, as plain data that shares nothing with it."""
    state = {}
    for name in device.STATE:
        value = getattr(device, name)
        state[name] = list(value) if isinstance(value, list) else value
    return state


def restore(device: Any, state: Mapping[str, Any]) -> None:
    """Check `state` against ``device.STATE`` and set the attributes.

    Raises:
        DeviceStateError: see `check_state`; the device is unchanged.
    """
    check_state(type(device).__name__, state, device.STATE)
    for name in device.STATE:
        value = state[name]
        setattr(device, name, list(value) if isinstance(value, list) else value)


class Stateful:
    """`state` and `load_state` for a device whose whole state its ``STATE`` declares.

    A class has the table, or an instance where it depends on the device's size. What other parts
    keep, such as a console's text or the machine's time, is not in it.
    """

    def state(self) -> dict[str, Any]:
        """The device's state as plain data."""
        return save(self)

    def load_state(self, saved: dict[str, Any]) -> None:
        """Go back to a state that `state` gave; nobody is called, and no line moves.

        Raises:
            DeviceStateError: `saved` is not such a state; the device is unchanged.
        """
        restore(self, saved)
