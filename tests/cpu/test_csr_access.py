"""Every CSR number from both modes: both machines agree, and the privileged specification decides.

The lists and rules here are written from the specification (privileged, chapters 2 and 3), not from
``vtbook.cpu.csr.TABLE``.
"""

from __future__ import annotations

import random

import pytest

from tests.cpu.twins import RAM, Twins
from vtbook.cpu.layout import UNHANDLED
from vtbook.isa.sets import RV64IM

#: What a hart with M, S and U mode, F, Zicntr and Sstc must have (privileged spec 2.2, tables 4
#: to 8).
MACHINE = {
    *(0xF11, 0xF12, 0xF13, 0xF14, 0xF15),  # mvendorid … mconfigptr
    *range(0x300, 0x307),  # mstatus … mcounteren
    *(0x30A, 0x320),  # menvcfg, mcountinhibit
    *(0x340, 0x341, 0x342, 0x343, 0x344),  # mscratch … mip
    *(0xB00, 0xB02, *range(0xB03, 0xB20)),  # mcycle, minstret, mhpmcounter3 … 31
    *range(0x323, 0x340),  # mhpmevent3 … 31
}
SUPERVISOR = {
    *(0x100, 0x104, 0x105, 0x106, 0x10A),  # sstatus … senvcfg
    *(0x140, 0x141, 0x142, 0x143, 0x144, 0x14D, 0x180),  # sscratch … satp
}
USER = {0x001, 0x002, 0x003, *range(0xC00, 0xC20)}  # floating point, counters
#: These must not exist without S mode (3.1.8), nor the whole of SUPERVISOR.
DELEGATION = {0x302, 0x303}

A0, A1 = 10, 11
WRITE, SET, CLEAR = 1, 2, 3


def access(number: int, operation: int, rd: int = A0, source: int = A1, constant: int = 0) -> int:
    """The word of ``csrrw``, ``csrrs``, ``csrrc`` or, with ``constant=4``, their ``i`` forms."""
    return number << 20 | source << 15 | (operation | constant) << 12 | rd << 7 | 0x73


@pytest.fixture(scope="module")
def twins() -> Twins:
    return Twins()


def run_all(twins: Twins, words: list[int], **fields: int) -> dict[int, int]:
    """Run each word by itself from equal states; the cause of those that trap, by position."""
    raw = b"".join(word.to_bytes(4, "little") for word in words)
    twins.reset(raw, trap_exits=1, **fields)
    traps = {}
    for n in range(len(words)):
        twins.set(pc=RAM + 4 * n)
        stop = twins.run(1)
        if stop.reason == UNHANDLED:
            assert stop.trap.value == words[n]
            traps[n] = stop.trap.cause
        else:
            assert twins.harts[1].pc == RAM + 4 * n + 4
    return traps


@pytest.mark.parametrize(
    ("mode", "mcounteren", "scounteren"),
    [(3, 0, 0), (1, 0, 7), (1, 7, 0), (0, 0, 7), (0, 7, 0), (0, 7, 5)],
)
def test_every_number_can_be_read_or_is_illegal(
    twins: Twins, mode: int, mcounteren: int, scounteren: int
) -> None:
    words = [access(number, SET, source=0) for number in range(4096)]
    traps = run_all(twins, words, mode=mode, mcounteren=mcounteren, scounteren=scounteren)
    readable = set(range(4096)) - set(traps)
    assert set(traps.values()) == {2}
    if mode == 3:
        assert readable == MACHINE | SUPERVISOR | USER
        return
    enabled = mcounteren if mode == 1 else mcounteren & scounteren
    counters = {n for n in range(0xC00, 0xC20) if enabled >> (n & 31) & 1}
    supervisor = SUPERVISOR - {0x14D} if mode == 1 else set()  # menvcfg.STCE is 0 (Sstc 2.2)
    assert readable == {0x001, 0x002, 0x003} | counters | supervisor


def test_a_hart_without_supervisor_mode_has_none_of_its_csrs() -> None:
    pair = Twins(isa=RV64IM)
    words = [access(number, SET, source=0) for number in range(4096)]
    readable = set(range(4096)) - set(run_all(pair, words, mode=3))
    assert not readable & (SUPERVISOR | DELEGATION)


@pytest.mark.parametrize("operation", [WRITE, SET, CLEAR])
@pytest.mark.parametrize("constant", [0, 4])
def test_a_write_needs_the_mode_and_a_csr_that_is_not_read_only(
    twins: Twins, operation: int, constant: int
) -> None:
    """Bits 11:10 are 3 where a CSR is read-only, bits 9:8 name the lowest mode (2.1)."""
    choose = random.Random(operation + constant)
    for mode in (3, 1, 0):
        words = [access(n, operation, constant=constant) for n in range(4096)]
        traps = run_all(twins, words, mode=mode, x11=choose.getrandbits(63))
        # mstatus may have switched floating point off on the way
        written = set(range(4096)) - set(traps) - {1, 2, 3}
        allowed = {3: MACHINE | SUPERVISOR, 1: SUPERVISOR - {0x14D}, 0: set()}[mode]
        assert written == {n for n in allowed if n >> 10 != 3}


def test_a_csr_instruction_that_does_not_write_reads_read_only_csrs(twins: Twins) -> None:
    """csrrs and csrrc with x0 or 0 do not write; csrrw with rd = x0 does not read (6.1)."""
    words = [
        access(0xF14, SET, source=0),
        access(0xF14, CLEAR, source=0),
        access(0xF14, SET, source=0, constant=4),
        access(0xF14, CLEAR, source=0, constant=4),
        access(0xF14, WRITE, source=0),
        access(0xF14, WRITE, source=0, rd=0),
        access(0xF14, SET, source=11),
    ]
    assert run_all(twins, words, x11=0) == {4: 2, 5: 2, 6: 2}


def read_back(twins: Twins, number: int, value: int, **fields: int) -> int:
    """Write a CSR and read it with the next instruction."""
    twins.reset(
        b"".join(
            w.to_bytes(4, "little")
            for w in (access(number, WRITE, rd=0), access(number, SET, source=0))
        ),
        x11=value,
        **fields,
    )
    stop = twins.run(2)
    assert stop.executed == 2
    return twins.x[A0]


@pytest.mark.parametrize(
    ("number", "value", "result"),
    [
        (0x300, 0, 10 << 32),  # mstatus: SXL and UXL say 64 bits
        (0x300, -1, 10 << 32 | -1 << 63 | 0x7E79AA),  # all but XS, VS, BE; SD for FS = 3
        (0x300, 2 << 13, 10 << 32 | 2 << 13),  # FS clean: no SD
        (0x100, -1, 2 << 32 | -1 << 63 | 0xC6122),  # SIE SPIE SPP FS SUM MXR
        (0x302, -1, 0xB3FF),  # no call from M mode (3.1.8)
        (0x303, -1, 0x222),
        (0x304, -1, 0xAAA),
        (0x104, -1, 0),  # nothing is delegated
        (0x105, 0x80000103, 0x80000101),
        (0x106, -1, 7),
        (0x140, -1, -1),
        (0x141, -1, -2),
        (0x142, 12345, 12345),
        (0x180, 8 << 60 | 5 << 44 | 7, -8 << 60 | 5 << 44 | 7),
        (0x180, 1 << 60 | 7, 0),  # a mode that does not exist: no effect (12.1.11)
        (0x305, -1, -3),  # mode 2 and 3 are reserved
        (0x305, 0x80000103, 0x80000101),
        (0x306, -1, 7),
        (0x340, -1, -1),
        (0x341, -1, -2),  # an instruction begins at an even address
        (0x342, -(1 << 63) | 7, -(1 << 63) | 7),
        (0x343, 12345, 12345),
        (0x344, -1, 0x222),
        (0x001, -1, 0x1F),
        (0x002, -1, 7),
        (0x003, -1, 0xFF),
        (0xB00, 1000, 1000),  # a write takes effect after the instruction (3.1.10)
        (0xB02, -1, -1),
        (0xB03, -1, 0),
        (0x323, -1, 0),
    ],
)
def test_a_write_keeps_legal_bits_only(twins: Twins, number: int, value: int, result: int) -> None:
    assert read_back(twins, number, value) == result


def test_misa_names_the_extensions_and_does_not_change(twins: Twins) -> None:
    letters = sum(1 << (ord(letter) - ord("A")) for letter in "IMAFDCSU")
    assert read_back(twins, 0x301, 0) == letters | -1 << 63  # MXL 2: 64 bits


@pytest.mark.parametrize(("new", "kept"), [(0, 0), (1, 1), (2, 3), (3, 3)])
def test_mpp_holds_only_modes_that_exist(twins: Twins, new: int, kept: int) -> None:
    value = read_back(twins, 0x300, new << 11, mstatus=3 << 11)
    assert value >> 11 & 3 == kept


def test_floating_point_csrs_are_illegal_while_the_unit_is_off(twins: Twins) -> None:
    words = [access(n, SET, source=0) for n in (1, 2, 3)] + [access(2, WRITE)]
    assert run_all(twins, words, mstatus=0) == dict.fromkeys(range(4), 2)


def test_a_write_of_a_floating_point_csr_marks_the_unit_dirty(twins: Twins) -> None:
    for number in (1, 2, 3):
        read_back(twins, number, 1, mstatus=1 << 13)
        assert twins.harts[1].mstatus >> 13 & 3 == 3


def test_counters_count_the_instructions_before(twins: Twins) -> None:
    twins.reset(".option norvc\nnop\nnop\nrdinstret a0\nnop\nrdcycle a1\nrdtime a2\n", tick=1)
    twins.run(6)
    assert [twins.x[n] for n in (10, 11, 12)] == [2, 4, 5]


def test_a_counter_that_was_written_goes_on_from_there(twins: Twins) -> None:
    twins.reset("csrw minstret, a0\nnop\nnop\ncsrr a1, minstret\ncsrr a2, mcycle\n", x10=-2)
    twins.run(5)
    assert (twins.x[11], twins.x[12]) == (0, 4)


@pytest.mark.parametrize("seed", range(20))
def test_random_accesses_agree(twins: Twins, seed: int) -> None:
    """Any access with any values, over runs of several instructions."""
    choose = random.Random(seed)
    numbers = sorted(MACHINE | SUPERVISOR | USER)
    words = []
    for _ in range(200):
        number = choose.choice(numbers) if choose.random() < 0.9 else choose.randrange(4096)
        rd, source = choose.choice((0, A0, A1)), choose.choice((0, A0, A1, 12, 13))
        words.append(access(number, choose.choice((1, 2, 3)), rd, source, choose.choice((0, 4))))
    fields = {f"x{n}": choose.getrandbits(64) - (1 << 63) for n in (10, 11, 12, 13)}
    twins.reset(b"".join(w.to_bytes(4, "little") for w in words), trap_exits=1, **fields)
    while twins.harts[1].pc < RAM + 4 * len(words):
        if twins.run(choose.randrange(1, 9)).reason == UNHANDLED:
            twins.set(pc=twins.harts[1].pc + 4)
