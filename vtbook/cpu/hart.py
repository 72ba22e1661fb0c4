"""The hart in plain Python: the state record seen as an object that definitions can run on."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from vtbook.cpu import csr
from vtbook.cpu.layout import (
    ARCHITECTURAL,
    DEVICES,
    EXECUTABLE,
    HART,
    READABLE,
    REGIONS,
    WATCH_PHYSICAL,
    WATCHES,
    WRITABLE,
    offset,
)
from vtbook.cpu.protection import allows
from vtbook.cpu.translation import access_fault, effective_mode, is_translated, translate
from vtbook.cpu.traps import Trap
from vtbook.errors import VtbookError
from vtbook.isa.instruction_set import InstructionSet
from vtbook.isa.operations import MASK64, wrap

_SCALARS = frozenset(name for name in HART.names or () if HART[name].shape == ())
_CELLS = ctypes.c_int64 * (HART.itemsize // 8)


class DeviceBus(Protocol):
    """What the hart needs of whatever answers outside memory.

    Both methods raise ``LookupError`` where nothing answers.
    """

    def read(self, address: int, size: int) -> int: ...

    def write(self, address: int, size: int, value: int) -> None: ...


class Registers:
    """A register file: item access in Python integers, wrapped to 64 bits when written."""

    def __init__(self, array: np.ndarray, zero: bool):
        self._cells = (ctypes.c_int64 * len(array)).from_buffer(array)  # type: ignore[arg-type]
        self._zero = zero

    def __getitem__(self, n: int) -> int:
        return self._cells[n]

    def __setitem__(self, n: int, value: int) -> None:
        if n or not self._zero:
            self._cells[n] = int(value)

    def __len__(self) -> int:
        return min(len(self._cells), 32)

    def __iter__(self) -> Any:
        return iter(self._cells[:32])

    def __repr__(self) -> str:
        return repr([hex(v & MASK64) for v in self])


class Hart:
    """One hart: ``x``, ``f``, ``pc``, ``mode`` and the CSR fields, over one numpy record.

    The methods named like operations (``load32``, ``branch`` …) are what the definitions call.
    They raise ``Trap``. ``state`` is the record, shape (1,), dtype ``layout.HART``.
    """

    __slots__ = (
        "accesses",
        "bus",
        "cells",
        "events",
        "f",
        "isa",
        "memory",
        "pmpaddr",
        "pmpcfg",
        "state",
        "x",
    )

    def __init__(self, isa: InstructionSet, number: int = 0):
        self.state = np.zeros(1, HART)
        self.cells = _CELLS.from_buffer(self.state)  # type: ignore[arg-type]
        self.x = Registers(self.state["x"][0], zero=True)
        self.f = Registers(self.state["f"][0], zero=False)
        self.pmpcfg = Registers(self.state["pmpcfg"][0], zero=False)
        self.pmpaddr = Registers(self.state["pmpaddr"][0], zero=False)
        self.isa = isa
        self.memory: list[tuple[int, np.ndarray, int]] = []
        self.bus: Any = None  # a `DeviceBus`
        self.events: list[tuple] = []
        self.accesses: Any = None  # a list, to note loads and stores in
        self.mhartid = number
        self.reset()

    def reset(self, pc: int = 0) -> None:
        """The state after power-on: M mode, registers and CSRs zero (privileged spec 3.4)."""
        number = self.mhartid
        for name in ARCHITECTURAL:
            self.state[name] = 0
        self.mhartid = number
        self.mode = 3
        self.pc = pc
        self.reservation = -1
        self.tick = 10
        self.mtimecmp = self.stimecmp = -1
        self.ialign = 1 if self.isa.has_compressed else 3
        letters = sum(1 << (ord(c) - 65) for c in self.isa.letters) | 1 << 20
        self.misa = letters | 2 << 62
        self.flush_tlbs()

    def flush_tlbs(self) -> None:
        """Forget every cached translation."""
        for tlb in ("tlb_read", "tlb_write", "tlb_fetch"):
            self.state[tlb] = -1
        self.state["page_slots"] = 0
        self.state["superpages"] = 0

    if TYPE_CHECKING:
        device_count: int
        watch_count: int

        def __getattr__(self, name: str) -> Any: ...

        def __setattr__(self, name: str, value: Any) -> None: ...

    # --- memory ----------------------------------------------------------------------------------

    def map_memory(
        self, base: int, array: np.ndarray, flags: int = READABLE | WRITABLE | EXECUTABLE
    ) -> None:
        """Put ``array`` (uint8, whole pages) at physical address ``base``; at most four regions."""
        if base % 4096 or array.size % 4096 or array.dtype != np.uint8:
            raise VtbookError(f"memory at {base:#x}: {array.size} bytes is not whole 4 KiB pages")
        if len(self.memory) == REGIONS:
            raise VtbookError(f"a hart maps at most {REGIONS} memory regions")
        self.memory.append((base, array, flags))
        row = len(self.memory) - 1
        self.state["regions"][0, row] = (wrap(base), array.size, array.ctypes.data, flags, 0)
        self.flush_tlbs()

    def map_device(self, first: int, end: int) -> None:
        """Let accesses in ``first <= address < end`` go to ``bus``."""
        n = self.device_count
        if n == DEVICES:
            raise VtbookError(f"a hart maps at most {DEVICES} device ranges")
        self.state["devices"][0, n] = (wrap(first), wrap(end))
        self.device_count = n + 1

    def map_devices(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Let accesses in these ranges, and in no others, go to ``bus``."""
        self.device_count = 0
        for first, end in ranges:
            self.map_device(first, end)

    def watch(self, first: int, end: int, kind: int) -> None:
        """Report accesses in ``first <= address < end`` in ``events``; kind 1 read, 2 write."""
        n = self.watch_count
        if n == WATCHES:
            raise VtbookError(f"at most {WATCHES} watched address ranges")
        self.state["watches"][0, n] = (wrap(first), wrap(end), kind)
        self.watch_count = n + 1
        self.flush_tlbs()

    def unwatch(self, first: int, end: int, kind: int) -> None:
        """Take back one ``watch``; ValueError if there is none such."""
        rows = [tuple(int(v) for v in row) for row in self.state["watches"][0, : self.watch_count]]
        rows.remove((wrap(first), wrap(end), kind))
        for n, row in enumerate(rows):
            self.state["watches"][0, n] = row
        self.watch_count = len(rows)
        self.flush_tlbs()

    def find(self, address: int, size: int, need: int) -> np.ndarray | None:
        """The bytes at a physical address if all are in one memory region that allows it."""
        for base, array, flags in self.memory:
            start = address - base
            if start >= 0 and start + size <= array.size and flags & need == need:
                return array[start : start + size]
        return None

    def _watched(self, virtual: int, physical: int, size: int, kind: int, value: int) -> None:
        for first, end, kinds in self.state["watches"][0, : self.watch_count]:
            address = physical if int(kinds) & WATCH_PHYSICAL else virtual
            if (
                kinds & kind
                and address < int(end) & MASK64
                and address + size > int(first) & MASK64
            ):
                self.events.append(("watch", address, size, kind, value))
                return

    def _physical(self, address: int, size: int, access: int) -> int:
        """Physical address of an access inside one page, or a trap."""
        if self.satp == 0 and self.pmp_entries == 0:
            return address
        virtual = wrap(address)
        cause = translate(self, virtual, access)
        if cause:
            raise Trap(cause, virtual)
        physical = self.walk_physical
        if not allows(self, physical, size, access, effective_mode(self, access)):
            raise Trap(access_fault(access), virtual)
        return physical & MASK64

    def _parts(self, address: int, size: int, access: int) -> list[tuple[int, int, int]]:
        """(virtual address, physical address, size) of each page's part of an access."""
        low = 4096 - (address & 4095)
        if low >= size or not (
            self.pmp_entries or is_translated(self, effective_mode(self, access))
        ):
            return [(address, self._physical(address, size, access), size)]
        second = (address + low) & MASK64
        return [
            (address, self._physical(address, low, access), low),
            (second, self._physical(second, size - low, access), size - low),
        ]

    def _load(self, address: int, size: int, signed: bool = False) -> int:
        address &= MASK64
        if self.accesses is not None:
            self.accesses.append(("r", address, size))
        data = b""
        parts = self._parts(address, size, READABLE)
        for virtual, physical, length in parts:
            found = self.find(physical, length, READABLE)
            if found is not None:
                data += found.tobytes()
            elif self.bus is None or len(parts) > 1:
                raise Trap(5, wrap(virtual))
            else:
                try:
                    data = self.bus.read(physical, size).to_bytes(size, "little")
                except LookupError:
                    raise Trap(5, wrap(virtual)) from None
        value = int.from_bytes(data, "little", signed=signed)
        if self.watch_count:
            for virtual, physical, length in parts:
                self._watched(virtual, physical, length, READABLE, value)
        return wrap(value) if signed else value

    def _mark_dirty(self, physical: int, size: int) -> None:
        """See ``slow_memory.mark_dirty``."""
        if self.dirty:
            base, array, _ = self.memory[0]
            for address in (physical & MASK64, (physical & MASK64) + size - 1):
                if 0 <= address - base < array.size:
                    ctypes.c_uint8.from_address(self.dirty + ((address - base) >> 12)).value = 1

    def _store(self, address: int, size: int, value: int) -> None:
        address &= MASK64
        value &= (1 << 8 * size) - 1
        data = value.to_bytes(size, "little")
        if self.accesses is not None:
            self.accesses.append(("w", address, data))
        parts = self._parts(address, size, WRITABLE)
        places = [self.find(physical, length, WRITABLE) for _, physical, length in parts]
        done = 0
        for (virtual, physical, length), found in zip(parts, places, strict=True):
            if found is None and (
                self.bus is None
                or len(parts) > 1
                or self.find(physical, length, READABLE) is not None
            ):
                raise Trap(7, wrap(virtual))
        for (virtual, physical, length), found in zip(parts, places, strict=True):
            if found is not None:
                self._mark_dirty(physical, length)
                found[:] = np.frombuffer(data[done : done + length], np.uint8)
                done += length
                continue
            try:
                self.bus.write(physical, size, value)
            except LookupError:
                raise Trap(7, wrap(virtual)) from None
        if self.watch_count:
            for virtual, physical, length in parts:
                self._watched(virtual, physical, length, WRITABLE, value)

    def load8(self, address: int) -> int:
        return self._load(address, 1)

    def load16(self, address: int) -> int:
        return self._load(address, 2)

    def load32(self, address: int) -> int:
        return self._load(address, 4)

    def load64(self, address: int) -> int:
        return self._load(address, 8, signed=True)

    def store8(self, address: int, value: int) -> None:
        self._store(address, 1, value)

    def store16(self, address: int, value: int) -> None:
        self._store(address, 2, value)

    def store32(self, address: int, value: int) -> None:
        self._store(address, 4, value)

    def store64(self, address: int, value: int) -> None:
        self._store(address, 8, value)

    def lr_address(self, address: int, size: int) -> int:
        address = wrap(address)
        if address & (size - 1):
            raise Trap(4, address)
        return address

    def amo_address(self, address: int, size: int) -> int:
        address = wrap(address)
        if address & (size - 1):
            raise Trap(6, address)
        physical = self._physical(address & MASK64, size, WRITABLE)
        if self.find(physical, size, READABLE | WRITABLE) is None:
            raise Trap(7, address)  # atomics reach main memory only (a PMA of this board)
        return address

    def fetch(self, pc: int) -> int:
        """The instruction at ``pc``: 16 bits, or 32 if the low bits say so; traps if not there."""
        if pc & self.ialign:
            raise Trap(0, pc)
        value = self._fetch_half(pc)
        if value & 3 == 3:
            value |= self._fetch_half(wrap(pc + 2)) << 16
        return value

    def _fetch_half(self, pc: int) -> int:
        found = self.find(self._physical(pc & MASK64, 2, EXECUTABLE), 2, EXECUTABLE)
        if found is None:
            raise Trap(1, pc)
        return int(found[0]) | int(found[1]) << 8

    # --- control ---------------------------------------------------------------------------------

    def branch(self, condition: bool, offset: int) -> None:
        if condition:
            self.jump(self.pc + offset)

    def check_target(self, target: int) -> None:
        if target & self.ialign:
            raise Trap(0, wrap(target))

    def jump(self, target: int) -> None:
        self.check_target(target)
        self.next_pc = target

    def raise_trap(self, cause: int, value: int) -> None:
        raise Trap(cause, wrap(value))

    def illegal(self) -> None:
        raise Trap(2, self.fetch(self.pc))

    def csr_read(self, number: int) -> int:
        return wrap(int(csr.read_csr(self, number)))

    def csr_write(self, number: int, value: int) -> None:
        csr.write_csr(self, number, wrap(value))

    def resync(self) -> None:
        """Nothing to do: the plain machine looks at everything before each instruction."""

    def flush_translations(self, address: int, everywhere: bool) -> None:
        self.state["tlb_read"] = self.state["tlb_write"] = self.state["tlb_fetch"] = -1
        self.superpages = 0

    def in_memory(self, address: int, need: int) -> bool:
        return self.find(address, 8, need) is not None

    def physical64(self, address: int) -> int:
        found = self.find(address, 8, READABLE)
        assert found is not None
        return int.from_bytes(found.tobytes(), "little", signed=True)

    def set_physical64(self, address: int, value: int) -> None:
        found = self.find(address, 8, WRITABLE)
        assert found is not None
        self._mark_dirty(address, 8)
        found[:] = np.frombuffer((value & MASK64).to_bytes(8, "little"), np.uint8)

    def fence_instructions(self) -> None:
        self.events.append(("fence.i",))

    def wait_for_interrupt(self) -> None:
        self.events.append(("wfi",))

    def word(self, where: int) -> int:
        return self.cells[where >> 3]

    def set_word(self, where: int, value: int) -> None:
        self.cells[where >> 3] = int(value)

    def __repr__(self) -> str:
        return f"<hart {self.mhartid}: pc {self.pc & MASK64:#x}, {self.instret} instructions>"


def _field(name: str) -> property:
    """A scalar field of the record as an attribute: Python integers, wrapped when written."""
    place = offset(name) // 8

    def read(hart: Hart) -> int:
        return hart.cells[place]

    def write(hart: Hart, value: int) -> None:
        hart.cells[place] = int(value)

    return property(read, write)


for _name in _SCALARS:
    setattr(Hart, _name, _field(_name))
