"""The symbolic hart: what a definition runs on when it is traced.

It has the methods of ``vtbook.cpu.hart.Hart``. What is read from it is a symbol, what is done to it
is written down.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from vtbook.cpu import csr
from vtbook.cpu.layout import HART
from vtbook.isa.operations import wrap
from vtbook.translator.ir import (
    I1,
    Branch,
    CheckAtomic,
    CheckTarget,
    Const,
    Event,
    Get,
    Jump,
    Load,
    Place,
    Put,
    Store,
    Trap,
)
from vtbook.translator.symbols import Finished, Path, Symbol, Untraceable
from vtbook.translator.validate import CONTROL, FILES, SCALARS


class SymbolicRegisters:
    """``h.x`` or ``h.f``; the numbers of the registers are known."""

    def __init__(self, path: Path, name: str):
        self._path = path
        self._name = name

    def _place(self, n: Any) -> Place:
        number = operator.index(n)
        if not 0 <= number < 32:
            raise Untraceable(f"there is no {self._name}{number}")
        return Place(self._name, number)

    def __getitem__(self, n: Any) -> Any:
        place = self._place(n)
        if place == Place("x", 0):
            return 0
        return _get(self._path, place)

    def __setitem__(self, n: Any, value: Any) -> None:
        place = self._place(n)
        if place != Place("x", 0):
            self._path.emit(Put(place, self._path.value(value)))


def _get(path: Path, place: Place) -> Symbol:
    result = path.temp()
    path.emit(Get(result, place))
    return Symbol(path, result)


class SymbolicHart:
    """A hart whose state is not known: the methods of ``vtbook.cpu.hart.Hart``, written down.

    ``word`` is the instruction's own, which an illegal instruction reports; ``pc`` its address if
    that is known.
    """

    def __init__(self, path: Path, word: int, pc: int | None):
        self.__dict__.update(
            _path=path,
            _word=word,
            _pc=pc,
            x=SymbolicRegisters(path, "x"),
            f=SymbolicRegisters(path, "f"),
        )

    def __getattr__(self, name: str) -> Any:
        if name == "pc" and self._pc is not None:
            return self._pc
        if name in SCALARS and name != "next_pc":
            return _get(self._path, Place(name))
        raise Untraceable(f"it uses hart.{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in SCALARS or name in CONTROL:
            raise Untraceable(f"it sets hart.{name}")
        self._path.emit(Put(Place(name), self._path.value(value)))

    def lr_address(self, address: Any, size: int) -> Any:
        if (address & (size - 1)) != 0:
            self.raise_trap(4, address)
        return address

    def amo_address(self, address: Any, size: int) -> Any:
        self._path.emit(CheckAtomic(self._path.value(address), operator.index(size)))
        return address

    def check_target(self, target: Any) -> None:
        self._path.emit(CheckTarget(self._path.value(target)))

    def branch(self, condition: Any, offset: Any) -> None:
        taken = self._path.value(condition, I1)
        if taken != Const(0, I1):
            self._path.emit_last(Branch(taken, self._path.value(offset)))

    def jump(self, target: Any) -> None:
        self._path.emit_last(Jump(self._path.value(target)))

    def raise_trap(self, cause: Any, value: Any) -> None:
        self._path.emit(Trap(self._path.value(cause), self._path.value(value)))
        raise Finished

    def illegal(self) -> None:
        self.raise_trap(2, self._word)

    def csr_read(self, number: int) -> Any:
        value = csr.read_csr(self, number)
        return value if isinstance(value, Symbol) else wrap(int(value))

    def csr_write(self, number: int, value: Any) -> None:
        csr.write_csr(self, number, wrap(value))

    def fence_instructions(self) -> None:
        self._path.emit_last(Event("fence.i"))

    def wait_for_interrupt(self) -> None:
        self._path.emit_last(Event("wfi"))

    def resync(self) -> None:
        """Nothing to write down: who runs a block looks at the state before the next one."""

    def flush_translations(self, address: Any, everywhere: Any) -> None:
        """The same: a block reads and writes memory through its hart, which translates."""

    def word(self, where: Any) -> Any:
        place = _place_at(where)
        if place in (Place("x", 0), Place("zero")):
            return 0
        return _get(self._path, place)

    def set_word(self, where: Any, value: Any) -> None:
        place = _place_at(where)
        if place == Place("x", 0):
            return
        if place.name in CONTROL:
            raise Untraceable(f"it sets hart.{place}")
        self._path.emit(Put(place, self._path.value(value)))


def _memory(size: int) -> tuple[Callable[..., Symbol], Callable[..., None]]:
    def load(self: SymbolicHart, address: Any) -> Symbol:
        path = self._path
        where = path.value(address)
        result = path.temp()
        path.emit(Load(result, size, where))
        return Symbol(path, result)

    def store(self: SymbolicHart, address: Any, value: Any) -> None:
        path = self._path
        path.emit(Store(size, path.value(address), path.value(value)))

    return load, store


for _size in (1, 2, 4, 8):
    _load, _store = _memory(_size)
    setattr(SymbolicHart, f"load{8 * _size}", _load)
    setattr(SymbolicHart, f"store{8 * _size}", _store)


def _places() -> dict[int, Place]:
    """The place at each byte offset of the hart's record."""
    found = {}
    for name, (kind, offset, *_) in (HART.fields or {}).items():
        if name in SCALARS:
            found[offset] = Place(name)
        elif name in FILES:
            for n in range(min(kind.shape[0], 32)):
                found[offset + 8 * n] = Place(name, n)
    return found


_PLACES = _places()


def _place_at(where: Any) -> Place:
    place = _PLACES.get(operator.index(where))
    if place is None:
        raise Untraceable(f"the hart's record has no field of 64 bits at byte {where}")
    return place
