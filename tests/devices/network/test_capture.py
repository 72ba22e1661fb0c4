"""Captures block by block; `test_against_linux` has tcpdump and tshark read them."""

import io
import struct
import subprocess

import pytest

from tests.devices.network.test_port_and_switch import BROADCAST, frame, mac, stations
from vtbook.devices.network import Capture, CaptureError, Port, Switch


def blocks(data):
    """The blocks of a pcapng file: kind and body."""
    found = []
    while data:
        kind, length = struct.unpack_from("<II", data)
        assert length % 4 == 0
        assert struct.unpack_from("<I", data, length - 4) == (length,)
        found.append((kind, data[8 : length - 4]))
        data = data[length:]
    return found


def packets(data):
    """Interface, nanoseconds, frame, direction."""
    found = []
    for kind, body in blocks(data):
        if kind == 6:
            interface, high, low, size, original = struct.unpack_from("<5I", body)
            assert size == original
            options = body[20 + size + -size % 4 :]
            code, length, flags = struct.unpack_from("<HHI", options)
            assert (code, length) == (2, 4)
            found.append((interface, high << 32 | low, body[20 : 20 + size], flags))
    return found


def test_frames_are_written_with_time_and_direction():
    file = io.BytesIO()
    port = Port("eth7")
    times = iter((1 << 40, (1 << 40) + 1))
    with Capture(file, port, clock=lambda: next(times)) as capture:
        port.send(b"a" * 15)
        port.receive(b"b" * 16)
        assert capture.count == 2
    port.send(b"after it was closed")
    kinds = [kind for kind, _ in blocks(file.getvalue())]
    assert kinds == [0x0A0D0D0A, 1, 6, 6]
    assert b"eth7" in blocks(file.getvalue())[1][1]
    assert packets(file.getvalue()) == [
        (0, 1 << 40, b"a" * 15, 2),
        (0, (1 << 40) + 1, b"b" * 16, 1),
    ]


def test_without_a_clock_two_runs_give_the_same_file(tmp_path):
    def run(path):
        port = Port()
        with Capture(path, port):
            port.send(bytes(60))
            port.receive(bytes(61))
        return path.read_bytes()

    first = run(tmp_path / "one")
    assert first == run(tmp_path / "two")
    assert [time for _, time, _, _ in packets(first)] == [0, 1000]


def test_several_places_go_into_one_file():
    file = io.BytesIO()
    one, two = stations(switch := Switch(), 2)
    with Capture(file, one, switch) as capture:
        capture.watch(two, "the other")
        one.say(BROADCAST)
        two.poll()
    assert [place for place, *_ in packets(file.getvalue())] == [0, 1, 2]
    assert {bytes(x) for _, _, x, _ in packets(file.getvalue())} == {frame(BROADCAST, mac(1))}


def test_a_file_can_be_read_while_it_grows(tmp_path):
    port = Port()
    capture = Capture(tmp_path / "file", port)
    port.send(bytes(60))
    assert len(packets((tmp_path / "file").read_bytes())) == 1
    capture.close()
    with pytest.raises(CaptureError, match="closed"):
        capture.write(bytes(60))


def test_a_file_that_cannot_be_made_is_named(tmp_path):
    with pytest.raises(CaptureError, match="No such file"):
        Capture(tmp_path / "no" / "folder")


def test_tcpdump_counts_every_frame(tmp_path):
    port = Port()
    with Capture(tmp_path / "file", port):
        for size in range(14, 100):
            port.send(bytes(size))
    try:
        done = subprocess.run(
            ["tcpdump", "-n", "-r", str(tmp_path / "file")],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    except FileNotFoundError:
        pytest.skip("needs tcpdump")
    assert len(done.stdout.splitlines()) == 86
