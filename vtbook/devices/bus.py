"""The bus: which device answers at which physical address."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from vtbook.errors import VtbookError

AccessKind = Literal["read", "write", "fetch"]
ADDRESS_END = 1 << 64
MASKS = tuple((1 << 8 * size) - 1 for size in range(9))
"""Width of an access in bytes -> the bits of its value."""
NOWHERE = (0, 0, None)
"""Base, end and device of no region."""


class Device(Protocol):
    """What the bus needs of a device.

    `offset` counts bytes from the start of the device's region, `size` is the width of the access
    in bytes, `value` is unsigned. A device answers every offset, size and value; it raises nothing.
    """

    SIZE: int
    """Length of the register window in bytes."""

    def read(self, offset: int, size: int) -> int: ...

    def write(self, offset: int, size: int, value: int) -> None: ...

    def state(self) -> dict[str, Any]: ...

    def load_state(self, state: dict[str, Any]) -> None: ...


class BusError(VtbookError):
    """The address map cannot be built as asked."""


class BusFault(VtbookError, LookupError):
    """No device answers an access; the hart turns it into an access-fault trap.

    Attributes:
        addr: first physical address of the access.
        size: its width in bytes.
        kind: ``read``, ``write`` or ``fetch``.
    """

    def __init__(self, addr: int, size: int, kind: AccessKind = "read", why: str = "") -> None:
        self.addr, self.size, self.kind = addr, size, kind
        super().__init__(f"{kind} of {size} bytes at {addr:#x}: {why or 'nothing is mapped there'}")


@dataclass(frozen=True)
class Region:
    """The addresses ``base .. base + size - 1``, which `device` answers under `name`."""

    base: int
    size: int
    name: str
    device: Device

    @property
    def end(self) -> int:
        """The first address after the region."""
        return self.base + self.size

    def __str__(self) -> str:
        return f"{self.base:#x}-{self.end - 1:#x} {self.name}"


class Bus:
    """An address map: regions that do not overlap, in order of address."""

    def __init__(self) -> None:
        self._regions: list[Region] = []
        self._bases: list[int] = []
        self.on_change: Callable[[], None] | None = None
        """Called when a device was added or removed."""
        self._last: tuple[int, int, Any] = NOWHERE
        """Base, end and device of the region used last: the next access is mostly there, too."""

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions in order of address."""
        return tuple(self._regions)

    def __str__(self) -> str:
        return "\n".join(map(str, self._regions)) or "(nothing is mapped)"

    def add(self, base: int, device: Device, *, name: str, size: int | None = None) -> Region:
        """Map `device` at `base`, for `size` bytes (``device.SIZE`` unless told).

        Raises:
            BusError: the region is empty, leaves the 64-bit address space, overlaps another one,
                or the name is taken.
        """
        region = Region(base, device.SIZE if size is None else size, name, device)
        if region.size <= 0:
            raise BusError(f"{name} at {base:#x}: a region of {region.size} bytes; give at least 1")
        if base < 0 or region.end > ADDRESS_END:
            raise BusError(f"{name} at {base:#x}: leaves the 64-bit address space; move it")
        position = bisect_right(self._bases, base)
        for other in self._regions[max(position - 1, 0) : position + 1]:
            if region.base < other.end and other.base < region.end:
                raise BusError(f"{region} overlaps {other}; move one of them")
        if any(other.name == name for other in self._regions):
            raise BusError(f"{region}: the name {name!r} is taken; choose another")
        self._regions.insert(position, region)
        self._bases.insert(position, base)
        if self.on_change is not None:
            self.on_change()
        return region

    def remove(self, name: str) -> None:
        """Take the region called `name` off the map.

        Raises:
            BusError: there is none.
        """
        position = self._regions.index(self[name])
        self._last = NOWHERE
        del self._regions[position], self._bases[position]
        if self.on_change is not None:
            self.on_change()

    def __getitem__(self, name: str) -> Region:
        for region in self._regions:
            if region.name == name:
                return region
        names = ", ".join(region.name for region in self._regions) or "nothing"
        raise BusError(f"no region is called {name!r}; the map has {names}")

    def find(self, addr: int, size: int = 1, kind: AccessKind = "read") -> Region:
        """The region that holds all of ``addr .. addr + size - 1``.

        Raises:
            BusFault: nothing is mapped there, or the access crosses the end of a region.
        """
        position = bisect_right(self._bases, addr) - 1
        if size <= 0:
            raise BusFault(addr, size, kind, "an access has at least one byte")
        if position < 0 or addr >= self._regions[position].end:
            raise BusFault(addr, size, kind)
        region = self._regions[position]
        if addr + size > region.end:
            raise BusFault(addr, size, kind, f"it crosses the end of {region}")
        return region

    def read(self, addr: int, size: int) -> int:
        """Read `size` bytes at `addr`, as an unsigned little-endian integer.

        Raises:
            BusFault: see `find`.
        """
        base, end, device = self._last
        if addr < base or addr + size > end or size <= 0:
            base, device = self._turn_to(addr, size, "read")
        value = device.read(addr - base, size)
        return value & (MASKS[size] if size <= 8 else (1 << 8 * size) - 1)

    def write(self, addr: int, size: int, value: int) -> None:
        """Write the low `size` bytes of `value` at `addr`.

        Raises:
            BusFault: see `find`.
        """
        base, end, device = self._last
        if addr < base or addr + size > end or size <= 0:
            base, device = self._turn_to(addr, size, "write")
        mask = MASKS[size] if size <= 8 else (1 << 8 * size) - 1
        device.write(addr - base, size, value & mask)

    def _turn_to(self, addr: int, size: int, kind: AccessKind) -> tuple[int, Device]:
        """Base and device of another region than that of the last access."""
        region = self.find(addr, size, kind)
        self._last = (region.base, region.end, region.device)
        return region.base, region.device
