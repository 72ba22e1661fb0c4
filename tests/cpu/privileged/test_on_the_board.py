"""The same cases on a whole machine, with the board's own CLINT and two harts, against QEMU's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.cpu.privileged import paging_cases, trap_cases
from tests.cpu.privileged.qemu import MISSING, Qemu
from tests.cpu.privileged.rig import LOG, RAM, SIZE
from tests.cpu.privileged.test_against_qemu import compare
from tests.cpu.twins import FUZZ
from vtbook.machine import Machine
from vtbook.machine.board import Board

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

GENERATORS: dict[str, tuple[Callable[..., Any], Any, int]] = {
    "page faults": (paging_cases.page_faults, paging_cases, 800),
    "sequences": (trap_cases.sequences, trap_cases, 400),
    "interrupts": (trap_cases.interrupts, trap_cases, 800),
}


@pytest.mark.parametrize("seed", range(3000, 3000 + FUZZ))
@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("harts", [1, 2])
def test_the_board_does_what_qemu_does(name: str, seed: int, harts: int) -> None:
    generate, module, count = GENERATORS[name]
    rig, cases, memory = generate(seed, count)
    image = rig.image(cases, memory)
    qemu = Qemu()
    try:
        theirs = qemu.results(rig, cases, image)
    finally:
        qemu.close()
    with Machine(Board(harts=harts, ram=SIZE), reverse=False) as machine:
        machine.load(image, at=RAM)
        machine.add_breakpoint(rig.end)
        assert machine.run(20_000_000).reason == "breakpoint"
        log = machine.read(LOG, rig.log_size(cases))
    compare(cases, theirs, rig.results(cases, log), module)
