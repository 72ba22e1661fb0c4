"""Machines that gdb has, gdb itself, and the programs to debug."""

import shutil
import subprocess
import threading

import pytest

from tests.machine.gdb.rsp import Client
from vtbook.guests import NoCompilerError, compile_c
from vtbook.isa.assembler import assemble
from vtbook.machine import Machine
from vtbook.machine.gdb import GdbServer

SOURCE = """
#include <stdio.h>
volatile int total, copy;
double scale = 1.5;

__attribute__((noinline)) int square(int n) { return n * n; }

__attribute__((noinline)) int add(int n)
{
    int s = square(n);
    total += s;
    return total;
}

__attribute__((noinline)) double grow(double x) { return x * scale + 0.25; }

int main(void)
{
    for (int i = 1; i <= 5; i++)
        add(i);
    copy = total;
    scale = grow(2.0);
    printf("total %d\\n", total);
    return 0;
}
"""

LOOP = """
.globl _start
_start: la a1, data
        li a0, 0
loop:   addi a0, a0, 1
store:  sd a0, 8(a1)
load:   ld a2, 8(a1)
        j loop
.balign 4096
data:   .dword 0x1122334455667788
        .dword 0
"""


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """A C program with debug information."""
    path = tmp_path_factory.mktemp("program") / "program.elf"
    try:
        return compile_c(SOURCE, debug=True, optimize="-O0", output=path)
    except NoCompilerError as error:
        pytest.skip(f"needs a C compiler for RISC-V: {error}")


@pytest.fixture
def loop():
    """A machine with a loop that counts for ever, in plain Python."""
    machine = Machine("1 MiB", "python")
    machine.load(assemble(LOOP))
    return machine


@pytest.fixture
def serve():
    """Let gdb have machines until the test ends; returns the server."""
    servers = []

    def start(machine, **options):
        server = GdbServer(machine, **options)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def connect(serve):
    """Return ``connect(machine)``: a client of a new server."""
    clients = []

    def start(machine, **options):
        client = Client(serve(machine, **options).address)
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def gdb_path():
    found = shutil.which("gdb-multiarch")
    if found is None:
        pytest.skip("gdb-multiarch missing")
    return found


class Gdb:
    """One run of gdb-multiarch that is told all at the start."""

    def __init__(self, path, file, address, commands):
        host, port = address
        orders = ["set arch riscv:rv64", f"target remote {host}:{port}", *commands]
        listed = [part for order in orders for part in ("-ex", order)]
        self.process = subprocess.Popen(
            [path, "-batch", "-nx", "-nh", *listed, str(file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def output(self):
        return self.process.communicate(timeout=100)[0]


@pytest.fixture
def gdb(gdb_path, serve):
    """Return ``gdb(machine, file, *commands)``: what gdb wrote."""

    def run(machine, file, *commands):
        return Gdb(gdb_path, file, serve(machine).address, commands).output()

    return run


@pytest.fixture
def until():
    """Wait for something that another thread does; fail if it never does."""

    def wait(holds, patience=60.0):
        ticking = threading.Event()
        for _ in range(int(patience / 0.01)):
            if holds():
                return
            ticking.wait(0.01)
        pytest.fail("it did not happen")

    return wait
