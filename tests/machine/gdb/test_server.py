"""Where a server listens, and what it says."""

import socket
import threading

import pytest

from tests.machine.gdb.rsp import Client
from vtbook.machine.gdb import GdbError, GdbServer, parse_address, serve
from vtbook.machine.gdb.target import Stopped


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("1234", ("127.0.0.1", 1234)),
        (1234, ("127.0.0.1", 1234)),
        (":1234", ("127.0.0.1", 1234)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:65535", ("::1", 65535)),
        ("::1:80", ("::1", 80)),
    ],
)
def test_addresses(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "host", "host:", "1:65536", "-1", "1.5", "²", "9" * 5000, "[::1]"]
)
def test_what_is_no_address(text):
    with pytest.raises(GdbError, match="write PORT or HOST:PORT"):
        parse_address(text)


def test_a_port_that_is_taken_is_refused(loop):
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(GdbError, match="no server for gdb there"),
    ):
        GdbServer(loop, other.getsockname()[1])


def test_the_address_is_announced_and_an_open_one_with_a_warning(loop):
    for address, warned in (("0", False), ("0.0.0.0:0", True)):
        lines = []
        with (
            GdbServer(loop, address, announce=lines.append) as server,
            Client(("127.0.0.1", server.address[1])) as client,
        ):
            assert client.ask("qC") == "QC01"
        assert f":{server.address[1]}; in gdb: target remote" in lines[0]
        assert any("no password" in line for line in lines) is warned


def test_a_new_gdb_is_not_told_what_the_old_one_waited_for(serve, loop):
    server, begun, both = serve(loop), threading.Event(), threading.Event()

    def advance(resume, interrupted):
        begun.set()
        both.wait(60)
        assert interrupted()
        return Stopped(2)

    server.target.advance = advance
    with Client(server.address) as old:
        old.send("bc")
        begun.wait(60)
    with Client(server.address) as new:
        both.set()
        assert new.ask("qC") == "QC01"
        assert new.ask("?").startswith("T05")


def test_version_6_of_the_internet_protocol(loop):
    try:
        server = GdbServer(loop, "[::1]:0")
    except GdbError:
        pytest.skip("needs the IPv6 loopback")
    with server, Client(server.address) as client:
        assert client.ask("qC") == "QC01"


def test_serving_ends_when_asked_and_says_that_nothing_ended(loop):
    server = GdbServer(loop)
    server.start()
    server.close()
    server.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(server.address, timeout=5)
    GdbServer(loop).close()  # never started


def test_serve_returns_why_the_machine_ended(loop):
    polls = []

    def announce(text):
        if text.startswith("ready"):
            address = parse_address(text.split()[4].rstrip(";"))
            clients.append(Client(address))
            clients[0].send("k")

    clients = []
    exit = serve(loop, 0, wait=False, announce=announce, poll=lambda: polls.append(1))
    assert exit.reason == "interrupted"
    assert polls
    clients[0].close()
