"""The engines agree on generated cases of the privileged architecture."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import pytest

from tests.cpu.privileged import csr_cases, paging_cases, protection_cases, trap_cases
from tests.cpu.privileged.engines import ENGINES, EngineMachine, run_cases, run_driver
from tests.cpu.twins import FUZZ

GENERATORS = {
    "csr values": csr_cases.csr_values,
    "csr access": csr_cases.csr_access,
    "page faults": paging_cases.page_faults,
    "sequences": trap_cases.sequences,
    "interrupts": trap_cases.interrupts,
    "protection": protection_cases.protection_misaligned,
}
COUNT = 250
STIMECMP = 0x14D


@pytest.fixture(scope="module")
def machines() -> dict[str, EngineMachine]:
    return {name: EngineMachine(name) for name in ENGINES}


@cache
def made(name: str, seed: int) -> tuple[Any, ...]:
    rig, cases, memory = GENERATORS[name](seed, COUNT)
    return rig, cases, rig.image(cases, memory)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(1000, 1000 + FUZZ))
@pytest.mark.parametrize("name", GENERATORS)
def test_engines_agree(
    machines: dict[str, EngineMachine], name: str, seed: int, engine: str
) -> None:
    """Expected is what the interpreter does when it runs the driver too."""
    rig, cases, image = made(name, seed)
    expected = run_driver(machines["interpreter"], rig, cases, image)
    found = run_cases(machines[engine], rig, cases, image)
    for case, a, b in zip(cases, expected, found, strict=True):
        for n, (theirs, ours) in enumerate(zip(a.traps, b.traps, strict=True)):
            different = [k for k in theirs if theirs[k] != ours[k] and not counts(case.note, k)]
            assert not different, (n, {k: (hex(theirs[k]), hex(ours[k])) for k in different}, case)
        assert a.peeked == b.peeked, case


@pytest.mark.parametrize("engine", ["interpreter", "ir"])
def test_timers_run_out_at_the_same_instruction(
    machines: dict[str, EngineMachine], engine: str
) -> None:
    for seed in range(FUZZ):
        rig, cases, memory = trap_cases.timers(seed, 150)
        image = rig.image(cases, memory)
        expected = run_cases(machines["python"], rig, cases, image)
        found = run_cases(machines[engine], rig, cases, image)
        for case, a, b in zip(cases, expected, found, strict=True):
            assert b == a, case
        counts = {trap["x20"] for result in expected for trap in result.traps}
        assert len(counts) > 10


@pytest.mark.parametrize("name", ["page faults", "sequences", "interrupts"])
def test_the_length_of_runs_changes_nothing(machines: dict[str, EngineMachine], name: str) -> None:
    machine = machines["interpreter"]
    rig, cases, image = made(name, 2000)
    expected = run_driver(machine, rig, cases, image)
    choose = random.Random(2000)
    machine.pace = lambda: choose.choice((1, 2, 3, 7, 20))
    try:
        assert run_driver(machine, rig, cases, image) == expected
    finally:
        machine.pace = None


def counts(note: str, name: str) -> bool:
    """True for what depends on a counter: the driver's own instructions count too."""
    if not note.startswith("CSR"):
        return False
    number = int(note.split()[1], 16)
    if number == STIMECMP:
        return name == "mip"
    return number in csr_cases.COUNTING and name in ("x12", "x13")
