"""A recording holds what the machine did, step by step."""

import numpy as np
import pytest

from vtbook import assemble, guest_image
from vtbook.isa.operations import MASK64
from vtbook.machine import Machine, MachineError
from vtbook.widgets.trace import validate_trace

PROGRAM = """
_start: la t0, handler
        csrw mtvec, t0
        la a0, cell
        li a1, 7
        sw a1, 0(a0)
        lw a2, 0(a0)
        ecall
        li t1, 0x10000000
        li t2, 'k'
        sb t2, 0(t1)
        li t0, 0x100000
        li t1, 0x5555
        sw t1, 0(t0)
handler:
        csrr t3, mepc
        addi t3, t3, 4
        csrw mepc, t3
        mret
.data
cell:   .word 0
"""


def replay(trace):
    """The registers, memory and console after the last step, by the trace's rules alone."""
    x = [int(v, 16) for v in trace["initial"]["x"]]
    memory, out, retired = {}, bytes.fromhex(trace["initial"]["console"]), 0
    for step in trace["steps"]:
        retired_here = 1
        for change in step[1:]:
            if change[0] == "x":
                x[change[1]] = int(change[2], 16)
            elif change[0] == "w":
                for n, byte in enumerate(bytes.fromhex(change[2])):
                    memory[int(change[1], 16) + n] = byte
            elif change[0] == "out":
                out += bytes.fromhex(change[1])
            elif change[0] == "retired":
                retired_here = change[1]
        retired += retired_here
    return x, memory, out, retired


def test_replaying_the_deltas_gives_the_machines_state():
    machine = Machine("1 MiB")
    machine.load(assemble(PROGRAM))
    trace = machine.record(
        1000, memory=[("cell", 16, "cell")], csrs=["mepc", "mcause", "mstatus", "fcsr"]
    )
    validate_trace(trace)
    x, memory, out, retired = replay(trace)
    assert x == [v & MASK64 for v in machine.hart.x]
    assert retired == machine.hart.instret
    assert out == b"k" == machine.console.output
    cell = machine.symbols["cell"]
    assert bytes(memory[cell + n] for n in range(4)) == machine.read("cell", 4)
    assert trace["steps"][-1][0] == f"{machine.hart.pc & MASK64:x}"


def test_a_trap_and_the_end_are_events():
    machine = Machine("1 MiB")
    machine.load(assemble(PROGRAM))
    trace = machine.record(1000)
    events = [c for step in trace["steps"] for c in step[1:] if c[0] == "event"]
    assert [e[1] for e in events] == ["trap", "exit"]
    trap = dict(events[0][3])
    assert trap["cause"] == "b"
    assert int(trap["epc"], 16) == machine.symbols["_start"] + 4 * 8
    assert dict(events[1][3])["reason"] == "shutdown"


def test_the_listing_shows_the_function_around_the_steps():
    machine = Machine("1 MiB")
    machine.load(guest_image("hello"))
    machine.add_breakpoint("main")
    machine.run()
    trace = machine.record(5)
    lines = {int(line[0], 16): line for line in trace["listing"]}
    assert lines[machine.symbols["main"]][3] == "main"
    assert len(lines) > 5  # the whole function, not only what ran


def test_recording_goes_into_the_history():
    machine = Machine("1 MiB")
    machine.load(assemble(PROGRAM))
    before = list(machine.hart.x)
    machine.record(6)
    machine.step_back(6)
    assert list(machine.hart.x) == before


def test_modified_code_is_shown_as_it_is_when_it_runs():
    machine = Machine("1 MiB")
    machine.load(
        assemble("""
_start: la a0, place
        li a1, 0x00500513        # li a0, 5
        sw a1, 0(a0)
        fence.i
place:  nop
        j place
""")
    )
    machine.run(4)
    trace = machine.record(4)
    texts = {line[0]: line[2] for line in trace["listing"]}
    changed = [c for step in trace["steps"] for c in step[1:] if c[0] == "code"]
    assert any("li a0, 5" in text for text in texts.values()) or changed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"csrs": ["mfrob"]}, "mfrob"),
        ({"memory": [(0x8000_0000, 0, "nothing")]}, "nothing"),
        ({"memory": [("frob", 4, "x")]}, "frob"),
    ],
)
def test_what_cannot_be_recorded_is_refused_by_name(options, message):
    machine = Machine("1 MiB")
    machine.load(assemble(PROGRAM))
    with pytest.raises(Exception, match=message):
        machine.record(1, **options)
    with pytest.raises(MachineError, match="steps"):
        machine.record(0)


def test_floating_point_registers_can_be_recorded():
    machine = Machine("1 MiB")
    machine.load(
        assemble("""
_start: li t0, 0x6000
        csrs mstatus, t0
        li t1, 3
        fcvt.d.l fa0, t1
""")
    )
    trace = machine.record(4 + 1, floating=True)
    changes = [c for step in trace["steps"] for c in step[1:] if c[0] == "f"]
    assert ["f", 10, np.float64(3).view(np.uint64).item().__format__("x")] in changes
