"""Running a machine: every exit reason, stops, and what a reader can do between runs."""

import os
import signal
import threading

import pytest

from vtbook.devices import Console
from vtbook.isa.assembler import assemble
from vtbook.machine import ElfError, Machine, MachineError, SymbolTable
from vtbook.machine import machine as machine_module
from vtbook.machine.interrupts import KeyboardWatch

from . import elves

ENGINES = ["python", "interpreter"]
BASE = 0x8000_0000
HELLO = """
_start: la a1, text
        li a2, 0x10000000
next:   lbu a0, (a1)
        beqz a0, off
        sb a0, (a2)
        addi a1, a1, 1
        j next
off:    li a0, 0x100000
        li a1, 0x5555
        sw a1, (a0)
hang:   j hang
text:   .asciz "hello"
"""


@pytest.fixture(params=ENGINES)
def machine(request):
    return Machine("1 MiB", request.param)


def load(machine, text):
    machine.load(assemble(text))
    return machine


def test_a_program_prints_and_powers_off(machine):
    exit = load(machine, HELLO).run()
    assert (exit.reason, exit.code, exit.ok) == ("shutdown", 0, True)
    assert machine.console.output == b"hello"
    assert exit.instructions == machine.hart.instret == 3 + 5 * 5 + 2 + 4
    again = machine.run()
    assert (again.reason, again.instructions) == ("shutdown", 0), "it is off"


def test_failure_codes_and_resets_are_told(machine):
    template = "_start: li a0, 0x100000\n li a1, {}\n sw a1, (a0)\nhang: j hang"
    exit = load(machine, template.format(5 << 16 | 0x3333)).run()
    assert (exit.reason, exit.code, exit.ok) == ("shutdown", 5, False)
    exit = load(machine, template.format(0x7777)).run()
    assert exit.reason == "reset"
    machine.reset()
    assert machine.hart.instret == 0
    assert machine.run().reason == "reset"


@pytest.mark.parametrize("budget", [0, 1, 2, 7, 1000])
def test_a_budget_is_exact(machine, budget):
    exit = load(machine, "_start: addi a0, a0, 1\n j _start").run(budget)
    assert (exit.reason, exit.instructions) == ("budget", budget)
    assert machine.hart.instret == budget
    assert machine.hart.x[10] == (budget + 1) // 2


def test_impossible_budgets_are_refused(machine):
    load(machine, HELLO)
    for budget in (-1, True):
        with pytest.raises(MachineError, match="budget"):
            machine.run(budget)


def test_a_breakpoint_stops_before_its_instruction_each_time(machine):
    load(machine, "_start: addi a0, a0, 1\nhere: addi a1, a1, 1\n j _start")
    assert machine.add_breakpoint("here") == BASE + (4 if machine.read(BASE, 1)[0] & 3 == 3 else 2)
    for turn in range(1, 4):
        exit = machine.run()
        assert (exit.reason, exit.where) == ("breakpoint", "here")
        assert (machine.hart.x[10], machine.hart.x[11]) == (turn, turn - 1)
    machine.remove_breakpoint("here")
    assert machine.breakpoints == []
    assert machine.run(100).reason == "budget"


def test_a_breakpoint_at_the_end_of_a_slice_is_not_missed(machine, monkeypatch):
    monkeypatch.setattr(machine_module, "LONGEST_SLICE", 1)
    load(machine, "_start: addi a0, a0, 1\nhere: addi a1, a1, 1\n j _start")
    machine.add_breakpoint("here")
    machine.slice = 1
    assert machine.run(50).reason == "breakpoint"
    assert machine.run(50).instructions == 3


@pytest.mark.parametrize(
    ("kind", "instruction", "hits"),
    [
        ("w", "sd a0, (a1)", True),
        ("w", "sb a0, 7(a1)", True),
        ("w", "ld a0, (a1)", False),
        ("r", "ld a0, (a1)", True),
        ("r", "sd a0, (a1)", False),
        ("rw", "lbu a0, 3(a1)", True),
        ("rw", "sb a0, 8(a1)", False),
        ("w", "sd a0, -4(a1)", True),
    ],
)
def test_watchpoints_see_exactly_their_bytes(machine, kind, instruction, hits):
    text = f"_start: la a1, data\n li a0, 77\nit: {instruction}\nend: j end\n"
    load(machine, text + ".balign 8\n.dword 0\ndata: .dword 1, 2")
    machine.add_watchpoint("data", 8, kind)
    exit = machine.run(100)
    assert (exit.reason == "watchpoint") is hits
    if hits:
        assert exit.pc == machine.symbols["end"], "it stops after the access"
        assert exit.kind == ("write" if instruction[0] == "s" else "read")
        machine.remove_watchpoint("data")
        assert machine.run(100).reason == "budget"


def test_stops_that_make_no_sense_are_refused(machine):
    load(machine, HELLO)
    with pytest.raises(MachineError, match="'r', 'w' or 'rw'"):
        machine.add_watchpoint(BASE, 8, "x")
    with pytest.raises(MachineError, match="at least 1"):
        machine.add_watchpoint(BASE, 0)
    with pytest.raises(KeyError, match="did you mean next"):
        machine.add_breakpoint("nex")
    with pytest.raises(MachineError, match="number or a symbol"):
        machine.add_breakpoint(1.5)
    for number in range(64):
        machine.add_breakpoint(BASE + 2 * number)
    with pytest.raises(MachineError, match="at most 64"):
        machine.add_breakpoint(BASE + 1000)
    for number in range(16):
        machine.add_watchpoint(BASE + 8 * number)
    with pytest.raises(MachineError, match="at most 16"):
        machine.add_watchpoint(BASE + 4096)
    machine.clear_breakpoints()
    assert (machine.breakpoints, machine.watchpoints) == ([], [])


def test_wfi_with_nothing_pending_is_an_exit(machine):
    exit = load(machine, "_start: wfi\nafter: j after").run()
    assert (exit.reason, exit.where) == ("wfi", "after")


def test_an_unhandled_trap_is_an_exit_at_the_instruction(machine):
    exit = load(machine, "_start: nop\nbad: ld a0, 8(zero)").run()
    assert (exit.reason, exit.where, exit.instructions) == ("trap", "bad", 1)
    assert (exit.cause, exit.tval, exit.detail) == (5, 8, "mtvec was never set")
    assert "load access fault" in str(exit)
    assert machine.run().reason == "trap", "it would trap again"


def test_a_handler_that_cannot_be_fetched_is_an_exit(machine):
    exit = load(machine, "_start: li a0, 0x20000000\n csrw mtvec, a0\n ecall").run()
    assert exit.reason == "trap"
    assert exit.cause == 1
    assert "handler" in exit.detail


def test_a_handled_trap_goes_on(machine):
    text = """
    _start: la a0, handler
            csrw mtvec, a0
            ecall
    handler: csrr a1, mcause
    end:    j end
    """
    load(machine, text).run(20)
    assert machine.hart.x[11] == 11


def test_ctrl_c_stops_between_instructions_and_nothing_is_lost(machine):
    load(machine, "_start: addi a0, a0, 1\n j _start")
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    exit = machine.run()
    timer.join()
    assert exit.reason == "interrupted"
    assert exit.instructions == machine.hart.instret > 0
    assert machine.hart.x[10] == (machine.hart.instret + 1) // 2
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    before = machine.hart.instret
    assert machine.run(10).instructions == 10
    assert machine.hart.instret == before + 10


def test_typed_input_reaches_the_guest(machine):
    text = """
    _start: li a2, 0x10000000
    wait:   lbu a0, 5(a2)
            andi a0, a0, 1
            beqz a0, wait
            lbu a1, (a2)
            addi a1, a1, 1
            sb a1, (a2)
            j wait
    """
    load(machine, text)
    machine.run(100)
    machine.console.feed("HAL")
    machine.run(100)
    assert machine.console.output == b"IBM"


HTIF = """
_start: la a1, tohost
        li a0, 0x101000000000041
        sd a0, (a1)
        li a0, {code}
        sd a0, (a1)
hang:   j hang
.balign 64
tohost: .dword 0
.balign 64
fromhost: .dword 0
"""


@pytest.mark.parametrize(("word", "code"), [(1, 0), (5 << 1 | 1, 5)])
def test_tohost_prints_and_ends_the_run(machine, word, code):
    exit = load(machine, HTIF.format(code=word)).run()
    assert (exit.reason, exit.code) == ("shutdown", code)
    assert machine.console.output == b"A"


def test_a_host_call_that_is_not_there_is_told(machine):
    exit = load(machine, HTIF.format(code=0x80000000)).run()
    assert (exit.reason, exit.code) == ("shutdown", 1)
    assert "system call" in exit.message


def test_what_is_written_by_hand_runs(machine):
    load(machine, "_start: j _start")
    machine.run(10)
    machine.write("_start", bytes.fromhex("13057000"))  # li a0, 7
    machine.step()
    assert machine.hart.x[10] == 7
    assert machine.read("_start", 4) == bytes.fromhex("13057000")
    for call in (lambda: machine.read(0, 1), lambda: machine.write(BASE - 1, b"xx")):
        with pytest.raises(MachineError, match="RAM is 0x80000000"):
            call()


def test_raw_bytes_are_loaded_where_told(machine, tmp_path):
    code = bytes.fromhex("1305700073005010")  # li a0, 7; wfi
    machine.load(code, at=BASE + 0x1000)
    assert machine.run().reason == "wfi"
    assert machine.hart.x[10] == 7
    (tmp_path / "raw.bin").write_bytes(code)
    machine.load(tmp_path / "raw.bin", at=BASE)
    assert machine.hart.pc & (2**64 - 1) == BASE
    assert machine.image.name == "raw.bin"


def test_loading_again_starts_from_clean(machine):
    load(machine, HELLO).run()
    machine.console.feed(b"typed")
    load(machine, "_start: j _start")
    assert machine.console.output == b""
    assert machine.console.waiting == 0
    assert machine.hart.x[12] == 0
    assert not any(machine.read(BASE + 16, 4096))


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (".org 0x200000\n nop", "give Machine"),
        ("nop", None),
    ],
)
def test_a_program_too_large_for_ram_is_refused(machine, text, advice):
    load(machine, "_start: li a0, 1\nend: j end").run(10)
    program = assemble("_start: nop\n" + text)
    if advice:
        with pytest.raises(MachineError, match=advice):
            machine.load(program)
        assert machine.hart.x[10] == 1, "the machine is unchanged"
    else:
        machine.load(program)


def test_not_a_program_is_refused(machine):
    with pytest.raises(ElfError, match="not an ELF file"):
        machine.load(b"hello")
    with pytest.raises(MachineError, match="nothing is loaded"):
        machine.reset()


@pytest.mark.skipif(elves.compiler() is None, reason="needs a RISC-V compiler")
def test_a_compiled_program_runs(machine):
    machine.load(elves.build("-Wl,-n"))
    exit = machine.run()
    assert exit.ok
    zeroed = machine.symbols["zeroed"]
    words = [int.from_bytes(machine.read(zeroed + 4 * n, 4), "little") for n in range(100)]
    initial = [1, 2, 3, 4]
    helper = [n * 3 + initial[n & 3] for n in range(101)]
    assert words == [helper[n] + helper[n + 1] for n in range(100)]


@pytest.mark.skipif(elves.compiler() is None, reason="needs a RISC-V compiler")
def test_headers_before_ram_are_explained(machine):
    data = elves.build()
    with pytest.raises(MachineError, match="link with -Wl,-n"):
        machine.load(data)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ram": "1 MB"}, "MiB"),
        ({"ram": 100}, "multiple of 4 KiB"),
        ({"ram": 0}, "multiple of 4 KiB"),
        ({"ram": "100000 TiB"}, "ask for less"),
        ({"engine": "steam"}, "there are python, interpreter"),
    ],
)
def test_machines_that_cannot_be_built_are_refused(arguments, message):
    with pytest.raises(Exception, match=message) as error:
        Machine(**arguments)
    assert type(error.value).__module__.startswith("vtbook")


def test_sink_sees_output_as_it_comes():
    pieces = []
    machine = Machine("1 MiB", "python", sink=pieces.append)
    load(machine, HELLO).run()
    assert b"".join(pieces) == b"hello"
    assert isinstance(machine.console, Console)
    assert isinstance(machine.symbols, SymbolTable)


def test_statistics_count_what_ran(machine):
    load(machine, "_start: j _start")
    machine.run(1000)
    machine.run(500)
    statistics = machine.statistics
    assert statistics["instructions"] == 1500
    assert statistics["exits"] == {"budget": 2}
    assert statistics["MIPS"] > 0


def test_ctrl_c_in_a_run_inside_a_loop_of_runs_reaches_the_loop(machine):
    load(machine, "_start: j _start")
    with KeyboardWatch() as outer:
        with KeyboardWatch():
            signal.raise_signal(signal.SIGINT)
        assert outer.pressed
    assert machine.run(10).reason == "budget"


def test_ctrl_c_outside_the_main_thread_is_left_alone(machine):
    load(machine, "_start: j _start")
    exits = []
    thread = threading.Thread(target=lambda: exits.append(machine.run(100)))
    thread.start()
    thread.join()
    assert exits[0].reason == "budget"
