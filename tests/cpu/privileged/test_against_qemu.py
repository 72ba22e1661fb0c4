"""The privileged architecture against QEMU's: the same generated cases, and every trap compared.

Where QEMU 7.2 is wrong or chooses otherwise, the cases say so (``comparable``, ``legal``), with the
section of the privileged specification that decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cpu.privileged import csr_cases, paging_cases, protection_cases, trap_cases
from tests.cpu.privileged.engines import ENGINES, EngineMachine, run_cases, run_driver
from tests.cpu.privileged.qemu import MISSING, Qemu
from tests.cpu.privileged.rig import Case, Result
from tests.cpu.twins import FUZZ

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

#: Generator, the module that says what of its results is comparable, and cases in an image.
GENERATORS: dict[str, tuple[Callable[..., Any], Any, int]] = {
    "csr values": (csr_cases.csr_values, csr_cases, 1000),
    "csr access": (csr_cases.csr_access, csr_cases, 1000),
    "page faults": (paging_cases.page_faults, paging_cases, 1500),
    "sequences": (trap_cases.sequences, trap_cases, 600),
    "interrupts": (trap_cases.interrupts, trap_cases, 1000),
    "protection": (protection_cases.protection, protection_cases, 800),
}


@pytest.fixture(scope="module")
def qemu() -> Iterator[Qemu]:
    machine = Qemu()
    yield machine
    machine.close()


@pytest.fixture(scope="module")
def machine() -> EngineMachine:
    return EngineMachine("interpreter")


def compare(cases: list[Case], theirs: list[Result], ours: list[Result], module: Any) -> None:
    """Fail at the first trap that differs, and say all that it takes to look into it."""
    for number, (case, expected, found) in enumerate(zip(cases, theirs, ours, strict=True)):
        module.comparable(case, expected)
        module.comparable(case, found)
        for n, (a, b) in enumerate(zip(expected.traps, found.traps, strict=True)):
            different = {k: f"QEMU {a[k]:#x}, ours {b[k]:#x}" for k in a if a[k] != b[k]}
            assert not different, f"case {number}, trap {n}: {different}\n{case}"
        assert found.peeked == expected.peeked, f"case {number}: memory\n{case}"


@pytest.mark.parametrize("seed", range(2 * FUZZ))
@pytest.mark.parametrize("name", GENERATORS)
def test_each_trap_is_the_one_of_qemu(
    qemu: Qemu, machine: EngineMachine, name: str, seed: int
) -> None:
    generate, module, count = GENERATORS[name]
    rig, cases, memory = generate(seed, count)
    image = rig.image(cases, memory)
    theirs = qemu.results(rig, cases, image)
    compare(cases, theirs, run_driver(machine, rig, cases, image), module)
    taken = sum(len(result.traps) for result in theirs)
    assert taken >= count


@pytest.mark.parametrize("engine", ENGINES)
def test_locked_protection_lasts_to_the_reset(engine: str) -> None:
    """QEMU 7.2 keeps locks over a reset (3.4 clears them), so each case has a QEMU of its own."""
    ours = EngineMachine(engine)
    for seed in range(4 * FUZZ):
        rig, cases, memory = protection_cases.locks(seed)
        image = rig.image(cases, memory)
        qemu = Qemu()
        try:
            theirs = qemu.results(rig, cases, image)
        finally:
            qemu.close()
        compare(cases, theirs, run_cases(ours, rig, cases, image), protection_cases)
