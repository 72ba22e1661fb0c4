"""Translations that are kept: programs that fence see what a hart without a TLB sees."""

from __future__ import annotations

import random

import pytest

from tests.cpu.privileged.engines import EngineMachine, run_cases, run_driver
from tests.cpu.privileged.paging_cases import ALLOW, A, D, R, V, W, X, entry
from tests.cpu.privileged.qemu import MISSING, Qemu
from tests.cpu.privileged.rig import CODE, DATA, RAM, S_VECTORS, TABLES, Case, Rig
from tests.cpu.privileged.words import ECALL, csr_op, pack, word
from tests.cpu.twins import FUZZ
from tests.mmu.fenced_cases import CSRS, SATP, S, comparable, fenced
from vtbook.cpu.layout import CONTEXTS

CASES, SLOW = 50, 12  # of each image: all, and those that plain Python runs


@pytest.fixture(scope="module")
def machines() -> dict[str, EngineMachine]:
    return {name: EngineMachine(name) for name in ("interpreter", "python")}


@pytest.mark.parametrize("seed", range(3 * FUZZ))
def test_programs_that_fence_see_every_edit(machines: dict[str, EngineMachine], seed: int) -> None:
    rig, cases, memory = fenced(seed, CASES)
    image = rig.image(cases, memory)
    plain = run_cases(machines["python"], rig, cases[:SLOW], image)
    compiled = run_driver(machines["interpreter"], rig, cases, image)
    for n, (expected, found) in enumerate(zip(plain, compiled, strict=False)):
        assert found == expected, (n, cases[n])


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_qemu_sees_the_same(machines: dict[str, EngineMachine]) -> None:
    qemu = Qemu()
    try:
        for seed in range(100, 100 + 4 * FUZZ):
            rig, cases, memory = fenced(seed, CASES)
            image = rig.image(cases, memory)
            theirs = qemu.results(rig, cases, image)
            ours = run_driver(machines["interpreter"], rig, cases, image)
            for case, expected, found in zip(cases, theirs, ours, strict=True):
                assert comparable(case, found) == comparable(case, expected), case
    finally:
        qemu.close()


def test_the_length_of_runs_changes_nothing(machines: dict[str, EngineMachine]) -> None:
    machine = machines["interpreter"]
    rig, cases, memory = fenced(200, CASES)
    image = rig.image(cases, memory)
    expected = run_driver(machine, rig, cases, image)
    choose = random.Random(200)
    machine.pace = lambda: choose.choice((1, 2, 3, 7, 20))
    try:
        assert run_driver(machine, rig, cases, image) == expected
    finally:
        machine.pace = None


def test_more_address_spaces_than_a_hart_remembers(machines: dict[str, EngineMachine]) -> None:
    """A loop changes the ASID in each round, adds one to a word and keeps a sum."""
    rounds = 3 * CONTEXTS
    words = [
        csr_op(SATP, 1, 0, 5),
        word("ld", rd=12, rs1=10, imm=0),
        word("add", rd=15, rs1=15, rs2=12),
        word("addi", rd=12, rs1=12, imm=1),
        word("sd", rs1=10, rs2=12, imm=0),
        word("add", rd=5, rs1=5, rs2=6),
        word("addi", rd=7, rs1=7, imm=-1),
        word("bne", rs1=7, rs2=0, imm=-28),
        ECALL,
    ]
    root = {
        TABLES + 8 * 1: entry(TABLES + 0x1000, V),
        TABLES + 8 * 2: entry(RAM, V | R | W | X | A | D),
        TABLES + 0x1000: entry(TABLES + 0x2000, V),
        TABLES + 0x2000: entry(DATA, V | R | W),
    }
    satp = 8 << 60 | TABLES >> 12
    x = {5: satp, 6: 1 << 44, 7: rounds, 10: 1 << 30}
    csrs = {**ALLOW, "stvec": S_VECTORS, "satp": satp, "mstatus": S << 11, "mepc": CODE}
    case = Case(csrs, x, list(root.items()), [DATA, TABLES + 0x2000])
    rig = Rig(CSRS)
    machine = machines["interpreter"]
    image = rig.image([case], {CODE: pack(words)})
    (result,) = run_driver(machine, rig, [case], image)
    assert result.traps[0]["mcause"] == 9
    assert result.traps[0]["x15"] == rounds * (rounds - 1) // 2
    assert result.peeked == [rounds, entry(DATA, V | R | W | A | D)]
