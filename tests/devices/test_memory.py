"""Memory as devices see it: `PlainMemory` and the machine's RAM keep the same rules."""

import pytest

from vtbook.devices import BusFault, PlainMemory
from vtbook.machine.ram import Ram

BASE, SIZE = 0x8000_0000, 0x2000
OUTSIDE = [
    (0, 1),
    (BASE - 1, 1),
    (BASE - 1, 2),
    (BASE + SIZE, 1),
    (BASE + SIZE - 1, 2),
    (BASE, SIZE + 1),
    (2**64 - 1, 1),
    (2**64 - 1, 2),
    (2**64 + BASE, 1),
    (2**70, 8),
]


@pytest.fixture(params=[PlainMemory, Ram])
def memory(request):
    return request.param(BASE, SIZE)


def test_what_is_written_is_read(memory):
    memory.write(BASE, b"first")
    memory.write(BASE + SIZE - 4, b"last")
    assert memory.read(BASE, 6) == b"first\0"
    assert memory.read(BASE + SIZE - 5, 5) == b"\0last"
    assert type(memory.read(BASE, 1)) is bytes
    assert memory.read(BASE, SIZE)[:5] == b"first"


@pytest.mark.parametrize(("addr", "size"), OUTSIDE)
def test_what_is_not_wholly_inside_faults_and_changes_nothing(memory, addr, size):
    with pytest.raises(BusFault):
        memory.read(addr, size)
    with pytest.raises(BusFault):
        memory.write(addr, b"x" * size)
    assert memory.read(BASE, SIZE) == bytes(SIZE)


def test_a_copy_stays_as_it_was(memory):
    memory.write(BASE, b"before")
    copy = memory.read(BASE, 6)
    memory.write(BASE, b"after!")
    assert copy == b"before"
