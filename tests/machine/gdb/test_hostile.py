"""Whatever is sent, the stub answers, the server stays, and the machine is a machine."""

import contextlib
import socket

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.machine.gdb.conftest import LOOP
from tests.machine.gdb.rsp import Client, stop_of
from vtbook.isa.assembler import assemble
from vtbook.machine import Machine
from vtbook.machine.gdb import GdbServer, Target
from vtbook.machine.gdb.packets import PACKET_SIZE, encode
from vtbook.machine.gdb.stub import Leave, Stub
from vtbook.machine.gdb.target import Resume

NAMES = [
    *("?", "g", "G", "p", "P", "m", "M", "x", "X", "Z", "z", "c", "C", "s", "S", "b", "D", "k"),
    *("R", "!", "H", "T", "qSupported", "QStartNoAckMode", "qXfer:features:read:", "qRcmd,"),
    *("qXfer:features:read:target.xml:", "qXfer:threads:read::", "qfThreadInfo", "qSymbol:"),
    *("qThreadExtraInfo,", "vCont", "vCont;", "vCont;s:", "vCont;r", "vKill;", "vRun;", "v", "q"),
]
NUMBERS = st.one_of(
    st.sampled_from(["0", "1", "80000000", "80001000", "800fffff", "7fffffff", "f" * 16, "1" * 17]),
    st.integers(0, (1 << 64) - 1).map("{:x}".format),
)
MIDDLES = st.lists(st.one_of(NUMBERS, st.sampled_from(list(",;:=#$}*-+sc?rg "))), max_size=8)
PACKETS = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda name, rest: (name + "".join(rest)).encode(), st.sampled_from(NAMES), MIDDLES),
    st.builds(lambda name, rest: name.encode() + rest, st.sampled_from(NAMES), st.binary()),
    st.text(max_size=40).map(lambda text: b"qRcmd," + text.encode("utf-8").hex().encode()),
)


@pytest.fixture(scope="module")
def stub():
    machine = Machine("1 MiB", "python")
    machine.load(assemble(LOOP))
    return Stub(Target(machine))


@settings(max_examples=600)
@given(packet=PACKETS)
@example(packet=b"m0,ffffffffffffffff")
@example(packet=b"m80000000,ffffffffffffffff")
@example(packet=b"X80000000,ffffffffffffffff:")
@example(packet=b"qXfer:features:read:target.xml:ffffffffffffffff,ffffffffffffffff")
@example(packet=b"Z2,80000000,ffffffffffffffff")
@example(packet=b"qRcmd," + b"goto 99999999999999999999999".hex().encode())
@example(packet=b"qRcmd," + b"walk 1e400".hex().encode())
def test_each_packet_has_an_answer(stub, packet):
    answer = stub.answer(packet)
    assert isinstance(answer, bytes | Resume | Leave)
    if isinstance(answer, Resume) and answer.how != "run":
        stop = stub.target.advance(answer, lambda: True)
        answer = b"" if stop is None else stub.stopped(stop)
    if isinstance(answer, bytes):
        assert len(encode(answer)) <= PACKET_SIZE + 4
    assert stub.answer(b"qC") == b"QC01"


@given(
    scheme=st.sampled_from([0, 1, 8, 9, 10]),
    root=st.one_of(st.integers(0, (1 << 44) - 1), st.integers(0x8_0000, 0x8_000F)),
    entries=st.binary(max_size=64),
    address=NUMBERS,
)
def test_no_page_table_breaks_the_walk(scheme, root, entries, address):
    machine = Machine("64 KiB", "python")
    for page in range(16):
        machine.write(0x8000_0000 + 4096 * page, entries)
    machine.hart.mode, machine.hart.satp = 1, scheme << 60 | root
    stub = Stub(Target(machine))
    for packet in (b"m%b,8", b"M%b,1:00", b"Z2,%b,8"):
        assert stub.answer(packet % address.encode())
    assert stub.answer(b"qRcmd," + f"walk 0x{address}".encode().hex().encode())


STREAMS = st.lists(
    st.one_of(
        PACKETS.filter(lambda packet: packet[:1] != b"k" and b"vKill" not in packet).map(encode),
        st.binary(max_size=60),
        st.sampled_from([b"+", b"-", b"\x03", b"$", b"$m80", b"#00", b"$c#63\x03", b"$g#00"]),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def server():
    machine = Machine("1 MiB")
    machine.load(assemble(LOOP))
    with GdbServer(machine) as server:
        yield server


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(pieces=STREAMS)
def test_a_stream_of_anything_leaves_a_server_for_the_next_gdb(server, pieces):
    with (
        socket.create_connection(server.address, timeout=60) as hostile,
        contextlib.suppress(BrokenPipeError, ConnectionResetError),  # it may have had enough
    ):
        for piece in pieces:
            hostile.sendall(piece)
    assert server._thread.is_alive()
    machine = server.machine
    while True:  # until the server has seen that the other one has gone
        try:
            with Client(server.address) as client:
                assert stop_of(client.ask("?"))[0] == "T"
                assert client.ask("qSupported").startswith("PacketSize")
                client.ask("R")
                assert client.register(32) == machine.image.entry
            break
        except (AssertionError, ConnectionError) as error:
            if isinstance(error, AssertionError) and "closed" not in str(error):
                raise


def test_who_sends_without_end_while_the_machine_runs_is_cut_off(serve, loop):
    server = serve(loop)
    with Client(server.address) as client:
        client.send("c")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(200_000):
                client.socket.sendall(encode(b"g"))
            pytest.fail("nobody stopped it")
    with Client(server.address) as client:
        assert stop_of(client.ask("?"))[0] == "T"
