"""Recordings of a board with several harts: of one of them, up to the end of its turn."""

from __future__ import annotations

from vtbook import Board, Machine, assemble, record_timeline
from vtbook.machine.hardware import QUANTUM

COUNT = "_start: addi a2, a2, 1\n j _start\n"


def near_the_end_of_a_turn():
    machine = Machine(Board(harts=2, ram="1 MiB"))
    machine.load(assemble(COUNT))
    machine.run(QUANTUM - 10)
    return machine


def test_a_trace_ends_where_the_next_hart_gets_the_turn():
    machine = near_the_end_of_a_turn()
    trace = machine.record(100)
    assert len(trace["steps"]) == 10
    assert machine.harts[1].instret == 0
    machine.run(20)
    assert len(machine.record(5)["steps"]) == 5
    assert machine.hart.mhartid == 1


def test_so_does_a_timeline():
    machine = near_the_end_of_a_turn()
    assert record_timeline(machine, 100)["spans"] == [[1, 0, 10, ""]]
