"""Linux on our machine, on our networks: calls from outside, other machines, and going back."""

import hashlib
import re
import socket
import threading
import time

import pytest

from vtbook.devices.network import Switch
from vtbook.guests import linux
from vtbook.machine import Machine
from vtbook.machine.board import Board, Nic

IMAGE = linux.find()
pytestmark = pytest.mark.skipif(IMAGE is None, reason=f"needs a Linux: {linux.HOW_TO_BUILD}")

PATIENCE = 120  # seconds
SERVE = "cp /bin/busybox /tmp/f; sha256sum /tmp/f; echo is ready"


def boot(nic: Nic, script: str, options: str = "", **more) -> Machine:
    machine = Machine(Board(ram="64 MiB", nics=[nic]), **more)
    append = f'console=ttyS0 quiet {options} vtbook.run="{script}"'
    machine.boot(IMAGE.kernel, initrd=IMAGE.initramfs, append=append)
    return machine


def run_until(machine: Machine, condition, *others: Machine) -> None:
    """Run the machines in turns until it holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, machine.console.text
        machine.run(20_000_000, seconds=0.1)
        for other in others:
            other.run(5_000_000, seconds=0.01)


def test_this_computer_fetches_a_file_from_a_server_in_the_guest():
    script = f"{SERVE}; httpd -f -p 80 -h /tmp"
    machine = boot(Nic(forwards=["tcp::0-:80"]), script, reverse=False)
    run_until(machine, lambda: "is ready" in machine.console.text)
    (network,) = machine.board.networks.values()
    (rule,) = network.forwards
    got = bytearray()

    def fetch():
        with socket.create_connection((rule.host_address, rule.host_port), PATIENCE) as host:
            host.sendall(b"GET /f HTTP/1.0\r\n\r\n")
            while data := host.recv(1 << 16):
                got.extend(data)

    client = threading.Thread(target=fetch, daemon=True)
    client.start()
    run_until(machine, lambda: not client.is_alive())
    digest = hashlib.sha256(got.partition(b"\r\n\r\n")[2]).hexdigest()
    assert f"{digest}  /tmp/f" in machine.console.text
    machine.close()


def test_two_machines_talk_through_a_switch():
    switch = Switch()
    address = "ip addr add 10.9.0.{}/24 dev eth0; ip link set eth0 up; "
    server = address.format(1) + f"{SERVE}; httpd -f -p 80 -h /tmp"
    client = address.format(2) + "ping -c 2 -q 10.9.0.1; wget -q -O - http://10.9.0.1/f | sha256sum"
    one = boot(Nic(switch=switch, mac="52:54:00:00:00:01"), server, "vtbook.net=off", reverse=False)
    run_until(one, lambda: "is ready" in one.console.text)
    two = boot(Nic(switch=switch, mac="52:54:00:00:00:02"), client, "vtbook.net=off", reverse=False)
    run_until(two, lambda: two.is_off is not None, one)
    assert "2 packets received" in two.console.text
    (digest,) = re.findall(r"(\w{64})  /tmp/f", one.console.text)
    assert digest in two.console.text
    assert [line.mac[-2:] for line in switch.table] == ["01", "02"]
    one.close()
    two.close()


def state(machine: Machine) -> str:
    """A digest of devices and RAM."""
    snapshot = machine.snapshot()
    digest = hashlib.sha256(repr(snapshot.devices).encode())
    for number in sorted(snapshot.pages):
        digest.update(number.to_bytes(8, "big") + snapshot.pages[number])
    return digest.hexdigest()


def test_after_going_back_the_same_answers_come_again():
    script = "ping -c 2 10.0.2.2; nslookup example.com 10.0.2.3; wget http://192.0.2.1/"
    machine = boot(Nic(), script)
    states = {}
    while machine.is_off is None:
        machine.run(1_000_000)
        states[machine.instructions] = state(machine)
    (port,) = machine.board.ports.values()
    received, end = port.received, machine.instructions
    assert received >= 8  # DHCP, ARP, echoes, refusals
    moments = sorted(states)
    for moment in (moments[-3], moments[-5]):
        machine.go_to(moment)
        assert state(machine) == states[moment]  # what came was logged, and came again
    assert port.received == received
    while machine.is_off is None:
        machine.run(1_000_000)
        assert state(machine) == states[machine.instructions]  # the network answers alike
    assert machine.instructions == end
    assert port.received > received
    machine.close()
