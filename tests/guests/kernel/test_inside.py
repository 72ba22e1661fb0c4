"""The kernel's processes, read from guest memory: as its own ``ps`` lists them."""

from __future__ import annotations

import re

from vtbook import Board, Machine
from vtbook.guests.kernel import kernel_image
from vtbook.guests.kernel.inside import list_processes, running_process


def test_processes_are_those_that_ps_lists():
    machine = Machine(Board())
    machine.boot(kernel_image())
    machine.run(100_000_000, until_output="$ ")
    machine.console.feed("sleep 1000 &\nps\n")
    machine.add_breakpoint("list_processes")
    assert machine.run(100_000_000).reason == "breakpoint"
    machine.clear_breakpoints()
    found = list_processes(machine.read, machine.symbols)
    now = running_process(machine.read, machine.symbols)
    assert now is not None
    assert now.name == "ps"
    assert now in found
    machine.run(1_000_000_000, until_input=True)
    said = machine.console.text
    for process in found:
        assert re.search(rf"^ *{process.pid}\b.*\b{process.name}", said, re.MULTILINE), said


def test_a_hart_that_waits_runs_no_process():
    machine = Machine(Board())
    machine.boot(kernel_image())
    machine.run(1_000_000_000, until_input=True)
    assert running_process(machine.read, machine.symbols) is None
    roots = {process.root for process in list_processes(machine.read, machine.symbols)}
    assert all(0x8000_0000 < root < 0x8800_0000 for root in roots)
