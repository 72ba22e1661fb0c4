"""An instruction set is a value: extensions compose, and a reader can add an instruction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from vtbook.isa.definition import Compressed, DefinitionError, Extension, Instruction


class Decoded(NamedTuple):
    """One decoded instruction word.

    ``instruction`` is what runs; ``operands`` its operands, ``size`` bytes included; ``spelling``
    is the definition whose encoding matched: the same, or the compressed form.
    """

    word: int
    size: int
    instruction: Instruction
    operands: Any
    spelling: Instruction | Compressed


class InstructionSet:
    """A set of instructions with a decoder.

    ``RV64GC + my_instruction`` and ``RV64I + RV64M`` make new sets; ``without("mul")`` leaves
    instructions out; ``replace(my_lw)`` changes one. Sets are immutable.
    """

    def __init__(self, extensions: Iterable[Extension], name: str | None = None):
        self.extensions = tuple(extensions)
        self.instructions: dict[str, Instruction] = {}
        self.compressed: dict[str, Compressed] = {}
        for extension in self.extensions:
            for item in extension.instructions:
                table: dict[str, Any] = (
                    self.instructions if isinstance(item, Instruction) else self.compressed
                )
                if item.name in table:
                    raise DefinitionError(f"{item.name} is defined twice in this instruction set")
                table[item.name] = item
        self._resolve_compressed()
        self.name = name or "RV64 " + " ".join(e.name for e in self.extensions)
        self._buckets: dict[int, list[Instruction | Compressed]] = {}
        for spelling in self:
            self._file(spelling)
        for bucket in self._buckets.values():
            bucket.sort(key=lambda s: -s.encoding.mask.bit_count())
            _refuse_ambiguity(bucket)
        self._decode = lru_cache(maxsize=1 << 16)(self._decode_word)

    def _resolve_compressed(self) -> None:
        """Short forms expand to this set's own instruction of that name, or are left out."""
        for name, short in list(self.compressed.items()):
            target = self.instructions.get(short.target.name)
            if target is None:
                del self.compressed[name]
            elif target is not short.target:
                self.compressed[name] = replace(short, target=target)

    def _file(self, spelling: Instruction | Compressed) -> None:
        """Put an encoding into every bucket of low bits that it may match."""
        encoding = spelling.encoding
        for key in range(128) if encoding.size == 4 else range(4):
            low = 0x7F if encoding.size == 4 else 3
            if encoding.size == 4 and key & 3 != 3:
                continue
            if encoding.size == 2 and key == 3:
                continue
            if (key ^ encoding.match) & encoding.mask & low == 0:
                self._buckets.setdefault(key, []).append(spelling)

    def __iter__(self) -> Iterator[Instruction | Compressed]:
        yield from self.instructions.values()
        yield from self.compressed.values()

    def __len__(self) -> int:
        return len(self.instructions) + len(self.compressed)

    def __contains__(self, name: object) -> bool:
        return name in self.instructions or name in self.compressed

    def __getitem__(self, name: str) -> Instruction | Compressed:
        found = self.instructions.get(name) or self.compressed.get(name)
        if found is None:
            raise KeyError(f"{self.name} has no instruction {name!r}")
        return found

    def __add__(
        self, other: InstructionSet | Extension | Instruction | Compressed
    ) -> InstructionSet:
        if isinstance(other, InstructionSet):
            return InstructionSet(self.extensions + other.extensions)
        if isinstance(other, Extension):
            return InstructionSet((*self.extensions, other))
        title = f"{other.name}, defined by the reader"
        return InstructionSet((*self.extensions, Extension("X" + other.name, title, (other,))))

    def without(self, *names: str) -> InstructionSet:
        """The same set without these instructions; KeyError if one is not there."""
        for name in names:
            self[name]
        return self._rebuild(lambda item: None if item.name in names else item)

    def replace(self, *others: Instruction) -> InstructionSet:
        """The same set with these definitions in place of those of the same name."""
        table = {other.name: other for other in others}
        for name in table:
            self[name]
        return self._rebuild(lambda item: table.get(item.name, item))

    def _rebuild(self, change: Any) -> InstructionSet:
        return InstructionSet(
            Extension(e.name, e.title, tuple(k for i in e.instructions if (k := change(i))))
            for e in self.extensions
        )

    @property
    def has_compressed(self) -> bool:
        """True if instructions may start at any even address (IALIGN = 16)."""
        return bool(self.compressed)

    @property
    def letters(self) -> str:
        """The single-letter extensions, for misa."""
        return "".join(e.name for e in self.extensions if len(e.name) == 1)

    @staticmethod
    def size_of(word: int) -> int:
        """Length in bytes that the low bits of an instruction announce (spec 1.5)."""
        return 2 if word & 3 != 3 else 4

    def decode(self, word: int) -> Decoded | None:
        """Decode a 32-bit word (only its low half counts if it is a short one); None if illegal.

        Never raises, for any of the 2**32 words.
        """
        return self._decode(word & (0xFFFF if word & 3 != 3 else 0xFFFFFFFF))

    def _decode_word(self, word: int) -> Decoded | None:
        size = self.size_of(word)
        for spelling in self._buckets.get(word & (3 if size == 2 else 0x7F), ()):
            if spelling.encoding.matches(word):
                values = spelling.encoding.decode(word)
                instruction = spelling
                if isinstance(spelling, Compressed):
                    values, instruction = spelling.expand(values), spelling.target
                assert isinstance(instruction, Instruction)
                operands = instruction.operands(**values, size=size)
                return Decoded(word, size, instruction, operands, spelling)
        return None

    def __repr__(self) -> str:
        return f"<InstructionSet {self.name}: {len(self)} instructions>"


def _refuse_ambiguity(bucket: list[Instruction | Compressed]) -> None:
    """Two encodings may overlap only if one is a special case of the other."""
    for i, a in enumerate(bucket):
        for b in bucket[i + 1 :]:
            x, y = a.encoding, b.encoding
            if x.mask & y.mask & (x.match ^ y.match):
                continue
            if x.mask & y.mask == y.mask and x.mask != y.mask:
                continue  # a fixes more bits and stands first
            if _excluded_apart(a, b):
                continue
            raise DefinitionError(
                f"the encodings of {a.name} and {b.name} overlap: {x.pattern!r}, {y.pattern!r}"
            )


def _excluded_apart(a: Instruction | Compressed, b: Instruction | Compressed) -> bool:
    """True if fixed bits of one are exactly a value that the other's field excludes."""
    for one, other in ((a, b), (b, a)):
        for f in one.encoding.fields:
            for value in f.excluded:
                bits = sum(((1 << p.width) - 1) << p.word_low for p in f.pieces)
                if other.encoding.mask & bits == bits and f.extract(other.encoding.match) == value:
                    return True
    return False
