"""The table decoder of compiled code decodes every word as ``InstructionSet.decode`` does.

The runtime's functions run here in plain Python, on the same tables in memory; only the eight
functions that read and write memory are other ones.
"""

from __future__ import annotations

import ctypes
import random
from types import FunctionType, SimpleNamespace

import pytest

from vtbook.cpu import decode_cache
from vtbook.cpu.decode_tables import SLOT, DecodeTables, operand_layout
from vtbook.cpu.traits import traits_of
from vtbook.isa.definition import instruction
from vtbook.isa.sets import RV64GC, RV64IM

_INTEGERS = {8: ctypes.c_uint8, 16: ctypes.c_uint16, 32: ctypes.c_uint32, 64: ctypes.c_int64}


def _memory_functions() -> dict:
    functions = {}
    for bits, integer in _INTEGERS.items():

        def peek(address, integer=integer):
            return integer.from_address(address).value

        def poke(address, value, integer=integer):
            integer.from_address(address).value = value

        functions |= {f"peek{bits}": peek, f"poke{bits}": poke}
    return functions


_GLOBALS = {**vars(decode_cache), **_memory_functions()}
find_spelling = FunctionType(decode_cache.find_spelling.__code__, _GLOBALS)
write_operands = FunctionType(decode_cache.write_operands.__code__, _GLOBALS)


class TableDecoder:
    """Decodes a word by the tables, to what ``InstructionSet.decode`` gives."""

    def __init__(self, isa):
        self.isa = isa
        self.traits = {name: traits_of(i) for name, i in isa.instructions.items()}
        self.tables = DecodeTables(isa, self.traits)
        self.hart = SimpleNamespace(decoder=self.tables.header.ctypes.data)
        self.spellings = list(isa)
        self.record = (ctypes.c_uint8 * SLOT)()

    def decode(self, word):
        """(spelling, operands without size), None if illegal."""
        number = find_spelling(self.hart, word)
        if number < 0:
            return None
        row = self.tables.arrays[3].ctypes.data + decode_cache.ROW * number
        slot = ctypes.addressof(self.record)
        write_operands(self.hart, slot, row, word)
        spelling = self.spellings[number]
        target = getattr(spelling, "target", spelling)
        traits = self.traits[target.name]
        values = {}
        for operand in operand_layout(target.encoding, traits.uses_size).values():
            raw = bytes(self.record)[operand.byte : operand.byte + operand.size]
            values[operand.name] = int.from_bytes(raw, "little", signed=operand.signed)
        assert values.pop("size", spelling.encoding.size) == spelling.encoding.size
        if traits.rd_only_written and values.get("rd") == 32:
            values["rd"] = 0  # writes to x0 go to a register that nobody reads
        return spelling, values


def expected(isa, word):
    decoded = isa.decode(word)
    if decoded is None:
        return None
    values = decoded.operands._asdict()
    del values["size"]
    return decoded.spelling, values


@pytest.fixture(scope="module")
def decoder():
    return TableDecoder(RV64GC)


def test_every_short_word(decoder):
    table = decoder.tables.arrays[0]
    for word in range(1 << 16):
        if word & 3 == 3:
            assert table[word] == 0
            continue
        decoded = RV64GC.decode(word)
        found = decoder.spellings[table[word] - 1] if table[word] else None
        assert found is (decoded.spelling if decoded else None)


def words_of(isa, count, seed):
    """Words of every encoding, and the same with one or two bits flipped."""
    choose = random.Random(seed)
    for spelling in isa:
        encoding = spelling.encoding
        bits = 8 * encoding.size
        for _ in range(count):
            word = (choose.getrandbits(bits) & ~encoding.mask) | encoding.match
            yield word
            for _ in range(2):
                word ^= 1 << choose.randrange(2, bits)
                yield word


def test_words_of_every_encoding_and_their_neighbours(decoder):
    for word in words_of(RV64GC, 25, seed=1):
        assert decoder.decode(word) == expected(RV64GC, word), hex(word)


def test_random_words(decoder):
    choose = random.Random(2)
    for _ in range(4000):
        word = choose.getrandbits(32)
        word = word if word & 3 == 3 else word & 0xFFFF
        assert decoder.decode(word) == expected(RV64GC, word), hex(word)


def test_a_set_with_an_instruction_of_the_reader():
    @instruction("triple rd, rs1", "0000000 00000 rs1 000 rd!=0 0001011")
    def triple(h, d):
        """Three times."""
        h.x[d.rd] = 3 * h.x[d.rs1]

    isa = RV64IM.without("mul") + triple
    decoder = TableDecoder(isa)
    assert decoder.decode(0x0000_000B) is None  # rd = 0 is excluded
    assert decoder.decode(0x02B5_0533) is None  # mul is gone
    for word in words_of(isa, 15, seed=3):
        assert decoder.decode(word) == expected(isa, word), hex(word)
