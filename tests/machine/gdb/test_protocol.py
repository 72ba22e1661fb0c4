"""Each request and its answer, over a socket, with a client that is not gdb."""

import re
import struct

import pytest

from tests.machine.gdb.conftest import LOOP
from tests.machine.gdb.rsp import Client, stop_of
from vtbook.isa.assembler import assemble
from vtbook.isa.sets import RV64GC, RV64IM
from vtbook.machine import Machine
from vtbook.machine.gdb import registers

DATA = 0x8000_1000
PC, FA0, FFLAGS, FCSR, MSTATUS, MTVEC, MINSTRET, PRIV = 32, 43, 66, 68, 833, 838, 2883, 4161
HUGE = f"{2**64 - 4:x}"


def assembled(source, engine="python", **options):
    machine = Machine("1 MiB", engine, **options)
    machine.load(assemble(source))
    return machine


# -- what the stub says of itself -----------------------------------------------------------------


def test_it_says_what_it_can_do(connect, loop):
    features = connect(loop).ask("qSupported:multiprocess+;swbreak+;hwbreak+").split(";")
    assert {"QStartNoAckMode+", "qXfer:features:read+", "swbreak+", "hwbreak+"} <= set(features)
    assert {"ReverseStep+", "ReverseContinue+", "vContSupported+"} <= set(features)
    assert not any(feature.startswith("multiprocess") for feature in features)


def test_a_machine_without_a_past_does_not_offer_to_go_back(connect):
    client = connect(assembled("j .", reverse=False))
    assert "Reverse" not in client.ask("qSupported")
    assert client.ask("bs") == client.ask("bc") == ""


def test_unknown_packets_are_answered_with_nothing(connect, loop):
    client = connect(loop)
    unknown = ("vMustReplyEmpty", "qFoo", "qCRC:0,0", "vContinue", "Z9,0,0", "", "\xff", "~")
    for packet in unknown:
        assert client.ask(packet.encode("latin-1")) == ""


def test_acknowledgements_can_be_switched_off(connect, loop):
    client = connect(loop)
    client.send("QStartNoAckMode")
    assert client.file.read(1) == b"+"
    assert client.receive() == b"OK"
    client.send("qC")
    assert client.file.read(1) == b"$"


def test_a_packet_with_a_wrong_checksum_is_asked_for_again(connect, loop):
    client = connect(loop)
    client.socket.sendall(b"$g#00")
    assert client.file.read(1) == b"-"
    assert client.ask("qC") == "QC01"


def test_without_acknowledgements_a_wrong_checksum_is_an_error(connect, loop):
    client = connect(loop)
    assert client.ask("QStartNoAckMode") == "OK"
    client.socket.sendall(b"$g#00")
    assert client.receive() == b"E22"


def test_an_answer_is_sent_again_when_it_did_not_arrive(connect, loop):
    client = connect(loop)
    first = client.ask("g")
    client.socket.sendall(b"-")
    assert client.receive().decode() == first


def test_the_description_has_the_table_of_csrs(connect, loop):
    features = connect(loop).features()
    assert len(features["org.gnu.gdb.riscv.cpu"]) == 33
    assert len(features["org.gnu.gdb.riscv.fpu"]) == 35
    csrs = {name: number for number, name, _ in features["org.gnu.gdb.riscv.csr"]}
    assert csrs["mstatus"] == 65 + 0x300
    assert features["org.gnu.gdb.riscv.virtual"] == [(PRIV, "priv", 64)]


def test_a_hart_without_floating_point_describes_none():
    assert "riscv.fpu" not in registers.description(registers.registers_of(RV64IM))
    assert "riscv.fpu" in registers.description(registers.registers_of(RV64GC))


# -- registers ------------------------------------------------------------------------------------


def test_all_registers_are_read_and_written_together(connect, loop):
    client = connect(loop)
    values = [0, *range(0x1111, 0x1111 + 31), 0x8000_0004]
    assert client.ask("G" + struct.pack("<33Q", *values).hex()) == "OK"
    assert client.core() == values
    assert list(loop.hart.x) == values[:32]


def test_x0_stays_zero_and_a_pc_inside_an_instruction_is_refused(connect, loop):
    client = connect(loop)
    assert client.set_register(0, 7) == "OK"
    assert client.register(0) == 0
    assert client.set_register(PC, 0x8000_0001) == "E22"


def test_floating_point_registers(connect, loop):
    client = connect(loop)
    assert client.ask("P2b=" + struct.pack("<d", -2.5).hex()) == "OK"
    assert struct.unpack("<d", bytes.fromhex(client.ask("p2b"))) == (-2.5,)
    assert client.ask("P44=e1000000") == "OK"
    assert (loop.hart.frm, loop.hart.fflags) == (7, 1)
    assert client.register(FFLAGS) == 1
    assert client.register(FCSR) == 0xE1
    assert loop.hart.mstatus >> 13 & 3 == 0  # the unit stays as the guest has it


def test_a_changed_floating_point_register_is_dirty_where_the_unit_is_on(connect, loop):
    client = connect(loop)
    loop.hart.mstatus = 2 << 13
    assert client.set_register(FA0, 0) == "OK"
    assert loop.hart.mstatus >> 13 & 3 == 2
    assert client.set_register(FA0, 1) == "OK"
    assert loop.hart.mstatus >> 13 & 3 == 3


def test_csrs_take_what_they_can_hold_and_the_mode_is_a_register(connect, loop):
    client = connect(loop)
    assert client.set_register(MTVEC, 0x8000_0003) == "OK"
    assert client.register(MTVEC) == 0x8000_0001
    assert client.set_register(PRIV, 0) == "OK"
    assert client.register(MTVEC) == 0x8000_0001  # gdb reads them from any mode
    assert client.set_register(PRIV, 2) == "E22"
    assert loop.hart.mode == 0
    assert client.set_register(65 + 0xF14, 1) == "E22"  # mhartid
    assert client.set_register(MINSTRET, 100) == "OK"
    assert client.register(MINSTRET) == 100


@pytest.mark.parametrize("packet", ["p", "pzz", "p270f", "P20", "P20=", "P20=00", "Gz", "P99=00"])
def test_registers_that_are_not_there_are_an_error(connect, loop, packet):
    assert connect(loop).ask(packet) == "E22"


# -- memory ---------------------------------------------------------------------------------------


def test_memory_in_hexadecimal_and_in_bytes(connect, loop):
    client = connect(loop)
    assert client.ask(f"m{DATA:x},8") == "8877665544332211"
    assert client.ask(f"M{DATA:x},3:010203") == "OK"
    assert client.ask(f"X{DATA + 3:x},4:".encode() + b"#$}*") == "OK"
    assert client.ask(f"X{DATA:x},0:") == "OK"
    assert loop.read(DATA, 8) == b"\1\2\3#$}*\x11"
    client.send(f"x{DATA:x},8")
    assert client.receive() == b"b\1\2\3#$}*\x11"


@pytest.mark.parametrize("where", ["0", "10000000", "800ffffd", HUGE, "7ffffffe"])
def test_what_is_not_ram_is_refused(connect, loop, where):
    client = connect(loop)
    assert client.ask(f"m{where},4") == "E14"
    assert client.ask(f"M{where},4:00000000") == "E14"


def test_device_registers_are_never_read(connect, loop):
    loop.console.feed(b"a")
    before = loop.snapshot().digest
    client = connect(loop)
    assert client.ask("m10000000,1") == "E14"
    assert loop.snapshot().digest == before
    assert loop.console.waiting + len(loop.board.uart.state()["received"]) == 1


@pytest.mark.parametrize("packet", ["m", "m80000000", "m80000000,", "mx,1", "m80000000,-1", "M1,1"])
def test_spans_that_make_no_sense_are_an_error(connect, loop, packet):
    assert connect(loop).ask(packet) == "E22"


def test_the_length_of_what_is_written_must_fit(connect, loop):
    client = connect(loop)
    assert client.ask(f"M{DATA:x},4:00") == "E22"
    assert client.ask(f"M{DATA:x},1:0") == "E22"
    assert loop.read(DATA, 1) == b"\x88"


def test_code_that_is_written_is_what_runs(connect):
    machine = assembled("_start: nop\nloop: addi a0, a0, 1\n j loop", "interpreter")
    machine.run(100)
    client = connect(machine)
    code = assemble("addi a0, a0, 5").sections[0].data
    where = machine.symbols["loop"]
    assert client.ask(f"M{where:x},{len(code):x}:{code.hex()}") == "OK"
    client.ask(f"P20={where.to_bytes(8, 'little').hex()}")
    before = client.register(10)
    client.ask("s")
    assert client.register(10) == before + 5


# -- going on, and stops --------------------------------------------------------------------------


@pytest.mark.parametrize("packet", ["s", "S05", "vCont;s:1;c", "vCont;S05:1", "s80000000"])
def test_one_step(connect, loop, packet):
    client = connect(loop)
    kind, signal, fields = stop_of(client.ask(packet))
    assert (kind, signal, fields) == ("T", 5, {"thread": "01"})
    assert loop.hart.instret == 1


def test_a_stop_tells_sp_fp_and_pc(connect, loop):
    reply = connect(loop).ask("?")
    assert reply == f"T0502:{'00' * 8};08:{'00' * 8};20:{'0000008000000000'};thread:01;"


@pytest.mark.parametrize(("kind", "name"), [(0, "swbreak"), (1, "hwbreak")])
def test_breakpoints(connect, loop, kind, name):
    client, where = connect(loop), loop.symbols["load"]
    client.ask("qSupported:swbreak+;hwbreak+")
    assert client.ask(f"Z{kind},{where:x},4") == "OK"
    assert stop_of(client.ask("c")) == ("T", 5, {"thread": "01", name: ""})
    assert client.register(PC) == where
    again = loop.hart.instret
    assert stop_of(client.ask("vCont;c")) == ("T", 5, {"thread": "01", name: ""})
    assert loop.hart.instret == again  # gdb steps over a breakpoint, the stub does not
    client.ask("s")
    client.ask("c")
    assert loop.hart.instret == again + 4
    assert client.ask(f"z{kind},{where:x},4") == "OK"
    assert client.ask(f"z{kind},{where:x},4") == "E22"


def test_a_gdb_that_does_not_know_the_reason_is_not_told(connect, loop):
    client = connect(loop)
    client.ask(f"Z0,{loop.symbols['load']:x},4")
    assert stop_of(client.ask("c")) == ("T", 5, {"thread": "01"})


@pytest.mark.parametrize("engine", ["python", "interpreter", "ir"])
@pytest.mark.parametrize(
    ("kind", "name", "at"), [(2, "watch", "store"), (3, "rwatch", "load"), (4, "awatch", "store")]
)
def test_a_watchpoint_stops_before_the_access(connect, engine, kind, name, at):
    machine = assembled(LOOP, engine)
    client, where = connect(machine), DATA + 12
    assert client.ask(f"Z{kind},{where:x},2") == "OK"
    assert stop_of(client.ask("c")) == ("T", 5, {"thread": "01", name: f"{where:016x}"})
    assert client.register(PC) == machine.symbols[at]
    value = 0 if at == "store" else 1
    assert client.ask(f"m{DATA + 8:x},8") == value.to_bytes(8, "little").hex()
    assert client.register(12) == 0
    assert machine.hart.instret == {"store": 4, "load": 5}[at]
    client.ask(f"z{kind},{where:x},2")
    client.ask("s")
    assert (client.ask(f"m{DATA + 8:x},1"), client.register(12)) == ("01", at == "load")
    assert len(machine.history.checkpoints) == 1  # undoing is no change by hand


def test_an_atomic_that_is_watched_is_undone_whole(connect):
    machine = assembled(
        "_start: la a1, word\n li a2, 5\nhit: amoadd.d a2, a2, (a1)\n j .\n"
        ".balign 8\nword: .dword 7"
    )
    client, word = connect(machine), machine.symbols["word"]
    client.ask(f"Z2,{word:x},8")
    assert stop_of(client.ask("c"))[2]["watch"] == f"{word:016x}"
    assert client.register(PC) == machine.symbols["hit"]
    assert (client.register(12), machine.read(word, 1)) == (5, b"\7")
    client.ask(f"z2,{word:x},8")
    client.ask("s")
    assert (client.register(12), machine.read(word, 1)) == (7, b"\x0c")


def test_what_cannot_be_watched_is_refused(connect, loop):
    client = connect(loop)
    assert client.ask("Z2,ffffffffffffffff,8") == "E14"
    assert client.ask("Z2,80001000,0") == "E14"
    replies = [client.ask(f"Z2,{DATA + 8 * n:x},8") for n in range(20)]
    assert replies[:8] == ["OK"] * 8
    assert replies[-1] == "E14"
    replies = [client.ask(f"Z0,{DATA + 4 * n:x},4") for n in range(70)]
    assert replies == ["OK"] * 64 + ["E14"] * 6


def test_the_reader_keeps_the_stops_that_were_there_before(connect, loop):
    loop.add_breakpoint("load")
    loop.add_watchpoint(DATA, 8, "rw")
    client = connect(loop)
    client.ask(f"Z0,{loop.symbols['load']:x},4")
    client.ask(f"Z0,{loop.symbols['store']:x},4")
    client.ask(f"Z2,{DATA:x},4")
    client.ask("c")
    client.ask("D")
    assert loop.breakpoints == [loop.symbols["load"]]
    assert loop.watchpoints == [(DATA, 8, "rw")]


def test_stepping_through_a_range_is_one_request(connect, loop):
    client, where = connect(loop), loop.symbols["loop"]
    client.ask(f"vCont;r80000000,{loop.symbols['load']:x}:1")
    assert client.register(PC) == loop.symbols["load"]
    client.ask(f"Z0,{loop.symbols['store']:x},4")
    client.ask(f"vCont;r80000000,{where + 0x100:x}:1;c")
    assert client.register(PC) == loop.symbols["store"]


@pytest.mark.parametrize(
    "packet", ["vCont", "vCont;", "vCont;x", "vCont;s:9", "vCont;r1", "c1z", "vCont;Cg", "sg"]
)
def test_requests_to_go_on_that_make_no_sense_are_an_error(connect, loop, packet):
    assert connect(loop).ask(packet) == "E22"
    assert loop.hart.instret == 0


def test_an_interrupt_stops_a_running_machine(connect, loop, until):
    client = connect(loop)
    client.send("c")
    until(lambda: loop.hart.instret > 1000)
    client.socket.sendall(b"\x03")
    assert stop_of(client.receive().decode()) == ("T", 2, {"thread": "01"})
    client.socket.sendall(b"\x03")  # it stands already: nothing comes of it
    assert client.register(PC) == loop.hart.pc & (1 << 64) - 1


def test_an_interrupt_right_behind_the_request_is_not_lost(connect, loop):
    client = connect(loop)
    client.socket.sendall(b"$c#63\x03")
    assert stop_of(client.receive().decode())[1] == 2


def test_the_end_of_a_program_is_told_with_its_code(connect):
    machine = assembled("li t0, 0x100000\n li t1, 42 << 16 | 0x3333\n sw t1, (t0)")
    assert connect(machine).ask("c") == "W2a"


def test_a_program_that_has_ended_can_stop_instead_and_go_back(connect):
    machine = assembled("li t0, 0x100000\n li t1, 0x5555\n sw t1, (t0)")
    client = connect(machine)
    client.ask("qRcmd," + b"at-end stop".hex())
    assert stop_of(client.ask("c"))[2] == {"thread": "01", "replaylog": "end"}
    assert stop_of(client.ask("bs"))[2] == {"thread": "01"}
    assert client.register(6) == 0x5555


@pytest.mark.parametrize(
    ("source", "signal"),
    [("unimp", 4), ("ebreak", 5), ("ld a0, (x0)", 11), ("li a0, 1\n jalr 1(a0)", 11)],
)
def test_a_trap_that_nobody_handles_is_a_signal(connect, source, signal):
    assert stop_of(connect(assembled(source)).ask("c"))[1] == signal


def test_an_idle_guest_waits_for_input_or_ctrl_c(connect, until):
    machine = assembled("_start: wfi\n addi a0, a0, 1\n j _start", "interpreter")
    client = connect(machine)
    client.send("c")
    until(lambda: machine.hart.instret > 0)
    client.socket.sendall(b"\x03")
    assert stop_of(client.receive().decode())[1] == 2
    client.send("c")
    client.socket.sendall(b"\x03")
    client.receive()
    assert machine.hart.instret < 100


# -- going back -----------------------------------------------------------------------------------


def test_steps_back_undo_steps(connect, loop):
    client = connect(loop)
    assert stop_of(client.ask("bs"))[2]["replaylog"] == "begin"
    before = []
    for _ in range(10):
        before.append(client.core())
        client.ask("s")
    for state in reversed(before):
        assert stop_of(client.ask("bs")) == ("T", 5, {"thread": "01"})
        assert client.core() == state
    assert stop_of(client.ask("bs"))[2]["replaylog"] == "begin"


def test_after_a_long_run_steps_back_come_near_by_one_checkpoint(connect):
    machine = assembled(LOOP, "interpreter")
    machine.run(3_000_000)
    machine.console.feed(b"typed")
    machine.run(150_001)
    states = []
    for _ in range(4):
        states.append(machine.snapshot().digest)
        machine.step()
    before = len(machine.history.checkpoints)
    client = connect(machine)
    for state in reversed(states):
        assert stop_of(client.ask("bs")) == ("T", 5, {"thread": "01"})
        assert machine.snapshot().digest == state
    assert len(machine.history.checkpoints) <= before + 1
    assert machine.history.checkpoints[-1].position > 2_900_000


def test_running_back_stops_at_breakpoints_and_at_the_start(connect, loop):
    loop.run(1002)
    client = connect(loop)
    client.ask("qSupported:swbreak+")
    client.ask(f"Z0,{loop.symbols['store']:x},4")
    assert stop_of(client.ask("bc"))[2] == {"thread": "01", "swbreak": ""}
    assert client.register(PC) == loop.symbols["store"]
    count, value = loop.hart.instret, client.register(10)
    client.ask("bc")
    assert (loop.hart.instret, client.register(10)) == (count - 4, value - 1)
    client.ask(f"z0,{loop.symbols['store']:x},4")
    assert stop_of(client.ask("bc"))[2] == {"thread": "01", "replaylog": "begin"}
    assert loop.hart.instret == 0


@pytest.mark.parametrize("edited", [False, True])
def test_running_back_stops_after_a_watched_access(connect, loop, edited):
    client = connect(loop)
    client.ask(f"Z2,{DATA + 8:x},8")
    client.ask("c")
    client.ask(f"z2,{DATA + 8:x},8")
    client.ask("s")  # the store
    if edited:  # so the past has a checkpoint at the very moment after the store
        client.set_register(20, 1)
    client.ask("s")
    client.ask("s")
    client.ask(f"Z2,{DATA + 8:x},8")
    assert stop_of(client.ask("bc"))[2] == {"thread": "01", "watch": f"{DATA + 8:016x}"}
    assert client.ask(f"m{DATA + 8:x},1") == "01"
    client.ask("bs")
    assert client.register(PC) == loop.symbols["store"]
    assert client.ask(f"m{DATA + 8:x},1") == "00"


def test_of_a_breakpoint_and_a_watchpoint_the_later_one_stops(connect, loop):
    loop.run(401)
    client = connect(loop)
    client.ask(f"Z0,{loop.symbols['loop']:x},4")
    client.ask(f"Z3,{DATA + 8:x},8")
    assert stop_of(client.ask("bc"))[2] == {"thread": "01"}
    assert loop.hart.instret == 399
    client.ask("bs")
    assert stop_of(client.ask("bc"))[2] == {"thread": "01", "rwatch": f"{DATA + 8:016x}"}
    assert loop.hart.instret == 398


def test_running_back_can_be_interrupted_and_then_has_not_moved(connect, loop):
    loop.run(2000)
    client = connect(loop)
    before = loop.snapshot().digest
    client.ask("Z0,80000ffe,2")  # never reached
    client.socket.sendall(b"$bc#c5\x03")
    assert stop_of(client.receive().decode())[1] == 2
    assert loop.snapshot().digest == before


# -- threads --------------------------------------------------------------------------------------


def test_harts_are_threads(connect, loop):
    client = connect(loop)
    assert client.ask("qfThreadInfo") == "m01"
    assert client.ask("qsThreadInfo") == "l"
    assert client.ask("T1") == client.ask("Hg1") == client.ask("Hc-1") == client.ask("Hg0") == "OK"
    assert client.ask("T2") == client.ask("Hg2") == client.ask("Hgx") == "E22"
    text = bytes.fromhex(client.ask("qThreadExtraInfo,1")).decode()
    assert text == "hart 0, machine mode, at _start"
    assert '<thread id="1" core="0" name="hart 0">' in client.ask("qXfer:threads:read::0,fff")


def test_a_place_that_no_symbol_is_near_to_is_a_number(connect, loop):
    client = connect(loop)
    client.set_register(PC, 0xFFFF_FFFF_8000_0000)
    text = bytes.fromhex(client.ask("qThreadExtraInfo,1")).decode()
    assert text == "hart 0, machine mode, at 0xffffffff80000000"


# -- monitor --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("", "monitor"),
        ("help", "walk ADDRESS"),
        ("where", "0 instructions since reset"),
        ("registers", "pc 0000000080000000 <_start>, M mode"),
        ("registers f", "fa0 0000000000000000"),
        ("registers x", "write: monitor registers"),
        ("csrs", "0x301 misa"),
        ("walk", "write: monitor walk ADDRESS"),
        ("walk data", "0x80001000 is a physical address"),
        ("walk nowhere", "no symbol is called 'nowhere'"),
        ("walk -1", "0xffffffffffffffff is a physical address"),
        ("counts", "exits: none"),
        ("counts on", "are counted"),
        ("counts maybe", "write: monitor counts on"),
        ("devices", "uart"),
        ("devices uart", "lcr = "),
        ("devices nothing", "no region is called 'nothing'"),
        ("goto 5", "cannot go back"),
        ("goto", "write: monitor goto INSTRUCTIONS"),
        ("reset", "loaded again"),
        ("at-end never", "write: monitor at-end stop"),
        ("nonsense", "there is no command 'nonsense'"),
        ("help me please", "too much is given"),
    ],
)
def test_monitor_commands(connect, loop, command, expected):
    reply = connect(loop).ask("qRcmd," + command.encode().hex())
    if command == "":
        expected = "this list"
    assert expected in bytes.fromhex(reply).decode()


@pytest.mark.parametrize("engine", ["python", "interpreter", "ir"])
def test_monitor_counts_by_mnemonic(connect, engine):
    client = connect(assembled(LOOP, engine))
    client.ask("qRcmd," + b"counts on".hex())
    client.ask("Z0,80000010,4")  # store
    client.ask("c")
    text = bytes.fromhex(client.ask("qRcmd," + b"counts".hex())).decode()
    assert "exits: breakpoint 1" in text
    assert re.search(r"1 auipc\n", text)
    assert re.search(r"3 addi\n", text)


def test_monitor_goes_to_a_moment(connect, loop):
    loop.run(500)
    client = connect(loop)
    reply = client.ask("qRcmd," + b"goto 100".hex())
    assert "after 100 instructions" in bytes.fromhex(reply).decode()
    assert loop.hart.instret == 100


def test_monitor_shows_the_entries_of_a_walk(connect, loop):
    root, middle = 0x8001_0000, 0x8001_1000
    loop.write(root + 8 * 1, (middle >> 12 << 10 | 1).to_bytes(8, "little"))
    loop.write(middle, (0x8000_0000 >> 12 << 10 | 0xCF).to_bytes(8, "little"))
    loop.hart.satp = 8 << 60 | root >> 12
    loop.hart.mode = 1
    client = connect(loop)
    reply = bytes.fromhex(client.ask("qRcmd," + b"walk 0x40001008".hex())).decode()
    assert "level 2: entry 1 at 0x80010008" in reply
    assert "0x40001008 is at physical 0x80001008, in a page of 2 MiB" in reply
    assert client.ask("m40001000,8") == "8877665544332211"
    assert client.ask("m80001000,8") == "E14"


# -- coming and leaving ---------------------------------------------------------------------------


def test_a_cut_connection_leaves_the_machine_paused_for_the_next_gdb(serve, loop, until):
    server = serve(loop)
    first = Client(server.address)
    first.ask(f"Z0,{loop.symbols['load'] + 0x800:x},4")
    first.send("c")
    until(lambda: loop.hart.instret > 1000)
    first.close()
    until(lambda: loop.runner is None)
    count = loop.hart.instret
    assert loop.breakpoints == []
    with Client(server.address) as second:
        assert stop_of(second.ask("?"))[0] == "T"
        assert loop.hart.instret == count
        second.ask("s")
        assert loop.hart.instret == count + 1


def test_a_second_gdb_is_sent_away(serve, loop):
    lines = []
    server = serve(loop, announce=lines.append)
    with Client(server.address) as first:
        assert first.ask("qC") == "QC01"
        with Client(server.address) as second:
            assert second.file.read(1) == b""
        assert first.ask("qC") == "QC01"
    assert any("one at a time" in line for line in lines)


def test_after_detaching_the_machine_runs_on_and_gdb_can_come_again(serve, loop, until):
    server = serve(loop)
    with Client(server.address) as first:
        assert first.ask("D") == "OK"
    until(lambda: loop.hart.instret > 1000)
    with Client(server.address) as second:
        assert stop_of(second.ask("?"))[0] == "T"
        count = loop.hart.instret
        assert second.ask("qC") == "QC01"
        assert loop.hart.instret == count


def test_a_machine_that_does_not_wait_runs_until_gdb_comes(connect, loop):
    client = connect(loop, wait=False)
    assert stop_of(client.ask("?"))[0] == "T"
    count = loop.hart.instret
    client.ask("s")
    assert loop.hart.instret == count + 1


@pytest.mark.parametrize("packet", ["k", "vKill;1"])
def test_killing_ends_the_server_and_leaves_the_machine_as_it_is(serve, loop, packet):
    server = serve(loop)
    with Client(server.address) as client:
        client.ask("s")
        client.send(packet)
        server._thread.join(30)
        assert not server._thread.is_alive()
    assert loop.run(10).reason == "budget"
    assert loop.hart.instret == 11


def test_an_extended_conversation_goes_on_after_the_end(connect):
    machine = assembled("li t0, 0x100000\n li t1, 0x5555\n sw t1, (t0)")
    client = connect(machine)
    assert client.ask("!") == "OK"
    assert client.ask("c") == client.ask("?") == "W00"
    assert stop_of(client.ask("vRun;"))[0] == "T"
    assert machine.hart.instret == 0
    assert client.ask("c") == "W00"


def test_while_gdb_has_the_machine_others_are_refused(serve, loop):
    from vtbook.machine import MachineError

    server = serve(loop)
    with Client(server.address) as client:
        client.ask("s")
        with pytest.raises(MachineError, match="running in the background"):
            loop.run(1)
    server.close()
    assert loop.run(1).reason == "budget"
