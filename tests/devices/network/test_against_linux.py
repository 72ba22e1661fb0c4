"""Linux's own TCP/IP stack as the guest, tcpdump and tshark as readers of what passed.

Nobody here wrote these. Linux is behind a TAP device in a network namespace, see `linux_peer`.
"""

import hashlib
import http.server
import multiprocessing
import os
import shutil
import socket
import subprocess
import threading
import time

import pytest

from tests.devices.network.linux_peer import MAC, LinuxPeer, why_not
from tests.devices.virtio import driver as d
from vtbook.devices.network import Capture, Port, Switch, UserNetwork, describe
from vtbook.devices.virtio import VirtioNet

REASON = why_not()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "never")
SIZE = 10 << 20


def needs(*programs):
    """Skip where one of the programs is not installed."""
    missing = [name for name in programs if shutil.which(name) is None]
    reason = f"needs {', '.join(missing)}" if missing else "never"
    return pytest.mark.skipif(bool(missing), reason=reason)


class Handler(http.server.BaseHTTPRequestHandler):
    """GET /N gives N bytes; PUT answers with the SHA-256 of what it got."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(pattern(int(self.path[1:])))

    def do_PUT(self):
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        while left:
            data = self.rfile.read(min(left, 1 << 16))
            left -= len(data)
            digest.update(data)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(digest.hexdigest().encode())


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


def pattern(size):
    """Bytes of which no two pieces are alike."""
    return hashlib.shake_256(b"vtbook").digest(size)


@pytest.fixture(scope="module")
def web():
    """The port of a web server on this computer, in a process of its own."""
    server = Server(("127.0.0.1", 0), Handler)
    process = multiprocessing.get_context("fork").Process(target=server.serve_forever, daemon=True)
    process.start()
    yield server.server_port
    process.terminate()
    process.join()
    server.server_close()


@pytest.fixture
def linux(request):
    """A kernel at a user network that leads to this computer, with its address set."""
    options = {"host_loopback": True} | getattr(request, "param", {})
    with UserNetwork(**options) as network, LinuxPeer(network.attach(Port())) as peer:
        peer.network = network
        peer.configure()
        yield peer


@needs("udhcpc")
def test_its_dhcp_client_gets_an_address(tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nenv\n")
    script.chmod(0o755)
    with UserNetwork() as network, LinuxPeer(network.attach(Port())) as peer:
        arguments = ("-i", "tap0", "-n", "-q", "-f", "-x", "hostname:reader", "-s", str(script))
        output = peer.run("udhcpc", *arguments)
        values = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
        assert values["ip"] == "10.0.2.15"
        assert (values["router"], values["dns"]) == ("10.0.2.2", "10.0.2.3")
        assert (values["subnet"], values["serverid"]) == ("255.255.255.0", "10.0.2.2")
        (lease,) = network.dhcp.leases
        assert (lease.ip, lease.mac, lease.name) == ("10.0.2.15", MAC, "reader")


@needs("busybox")
def test_it_pings_the_gateway(linux):
    for size in (0, 56, 4000):
        output = linux.run("busybox", "ping", "-c", "1", "-s", str(size), "10.0.2.2")
        assert "1 packets received" in output


@needs("curl")
def test_a_large_file_comes_whole(linux, web, tmp_path):
    target = tmp_path / "got"
    linux.run("curl", "-sS", "-o", str(target), f"http://10.0.2.2:{web}/{SIZE}")
    assert target.read_bytes() == pattern(SIZE)
    assert linux.network.counters["malformed"] == 0


@needs("curl")
def test_a_large_file_goes_whole(linux, web, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(pattern(SIZE))
    digest = linux.run("curl", "-sS", "-T", str(source), f"http://10.0.2.2:{web}/x")
    assert digest == hashlib.sha256(pattern(SIZE)).hexdigest()


@needs("curl")
def test_a_large_file_comes_whole_through_a_card_that_loses_frames(linux, web, tmp_path):
    """Every 40th frame to Linux is lost: our retransmission against its acknowledgements."""
    write, count = linux.port.on_frame, 0

    def lossy(frame):
        nonlocal count
        count += 1
        if count % 40:
            write(frame)

    linux.port.on_frame = lossy
    states = []
    target = tmp_path / "got"
    url = f"http://10.0.2.2:{web}/{SIZE // 4}"
    with linux.start("curl", "-sS", "-o", str(target), url) as process:
        linux.until(lambda: states.extend(linux.network.connections) or process.poll() is not None)
    assert target.read_bytes() == pattern(SIZE // 4)
    assert max(line.retransmissions for line in states) > 10


@needs("curl")
def test_a_large_file_goes_whole_although_frames_are_lost(linux, web, tmp_path):
    """Every 40th frame from Linux is lost: our reassembly against its retransmission."""
    send, count = linux.port.send, 0

    def lossy(frame):
        nonlocal count
        count += 1
        if count % 40:
            send(frame)

    linux.port.send = lossy
    source = tmp_path / "source"
    source.write_bytes(pattern(SIZE // 4))
    digest = linux.run("curl", "-sS", "-T", str(source), f"http://10.0.2.2:{web}/x", timeout=60)
    assert digest == hashlib.sha256(pattern(SIZE // 4)).hexdigest()


@needs("curl")
def test_many_connections_at_once(linux, web):
    url = f"http://10.0.2.2:{web}/[1000-1099]"
    most = 0
    with linux.start("curl", "-sS", "-Z", "--parallel-max", "60", "-o", "/dev/null", url) as curl:

        def ended():
            nonlocal most
            most = max(most, len(linux.network.connections))
            return curl.poll() is not None

        linux.until(ended)
        assert curl.returncode == 0, curl.stdout.read()
    assert most > 30


SHUTDOWN = """
import socket, sys
s = socket.create_connection(("10.0.2.2", int(sys.argv[1])))
s.sendall(b"x" * 300000)
s.shutdown(socket.SHUT_WR)
got = b""
while data := s.recv(65536):
    got += data
print(len(got), got[:20].decode())
"""


def test_it_closes_one_half_and_reads_on(linux):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                total = 0
                while data := connection.recv(65536):
                    total += len(data)
                connection.sendall(b"got %d " % total + bytes(500_000))

        thread = threading.Thread(target=serve)
        thread.start()
        port = str(server.getsockname()[1])
        output = linux.run("python3", "-c", SHUTDOWN, port)
        thread.join(10)
    assert output.split()[:3] == ["500011", "got", "300000"]
    linux.until(lambda: linux.network.connections == [])


SLOW_READER = """
import socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.connect(("10.0.2.2", int(sys.argv[1])))
s.sendall(b"GET /%d HTTP/1.0\\r\\n\\r\\n" % int(sys.argv[2]))
time.sleep(0.5)
total = 0
while data := s.recv(65536):
    total += len(data)
print(total)
"""


def test_a_reader_that_sleeps_closes_its_window_and_gets_all(linux, web):
    lines = []
    linux.port.taps.append(lambda way, frame: lines.append((way, describe(frame))))
    output = linux.run("python3", "-c", SLOW_READER, str(web), "300000")
    assert int(output) > 300_000  # with the header
    assert any(way == "out" and " win 0," in line for way, line in lines)


def test_a_refused_connection_is_refused_at_once(linux):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    attempt = f"import socket; socket.create_connection(('10.0.2.2', {port}), timeout=20)"
    assert "Connection refused" in linux.run("python3", "-c", attempt, check=False)


@pytest.mark.parametrize("linux", [{"host_loopback": False}], indirect=True)
def test_restricted_it_learns_so_at_once(linux):
    attempts = {
        "socket.create_connection(('192.0.2.1', 80), timeout=20)": "Connection refused",
        "socket.create_connection(('10.0.2.2', 22), timeout=20)": "Connection refused",
        "s=socket.socket(2,2); s.connect(('192.0.2.1', 9)); s.send(b'x'); "
        "s.settimeout(20); s.recv(1)": "No route to host",
    }
    for attempt, answer in attempts.items():
        output = linux.run("python3", "-c", f"import socket; {attempt}", check=False)
        assert answer in output, output


@needs("busybox")
def test_restricted_names_are_refused_at_once(linux):
    output = linux.run("busybox", "nslookup", "example.com", "10.0.2.3", check=False)
    assert "REFUSED" in output


@needs("busybox")
@pytest.mark.parametrize("linux", [{"forwards": ["tcp::0-:8080"]}], indirect=True)
def test_this_computer_reaches_its_server_through_a_forwarded_port(linux, tmp_path):
    (tmp_path / "page").write_bytes(pattern(1 << 20))
    (rule,) = linux.network.forwards
    with linux.start("busybox", "httpd", "-f", "-p", "8080", "-h", str(tmp_path)) as httpd:
        got = b""
        end = time.monotonic() + 30
        while not got.endswith(pattern(1 << 20)[-20:]):
            assert time.monotonic() < end
            with socket.create_connection((rule.host_address, rule.host_port)) as host:
                host.sendall(b"GET /page HTTP/1.0\r\n\r\n")
                host.setblocking(False)
                got = _read_all(host, linux)
        httpd.kill()
    assert got.partition(b"\r\n\r\n")[2] == pattern(1 << 20)


def _read_all(host, linux):
    """Read to the end, while frames are carried; nothing if the connection is broken."""
    got = b""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        linux.pump(0.005)
        try:
            data = host.recv(1 << 16)
        except BlockingIOError:
            continue
        except ConnectionError:
            return b""
        if not data:
            break
        got += data
    return got


@needs("busybox")
def test_two_kernels_talk_through_a_switch():
    switch = Switch()
    left, right = switch.attach(Port("left")), switch.attach(Port("right"))
    with LinuxPeer(left) as one, LinuxPeer(right, "52:54:00:00:00:02") as two:
        one.run("ip", "addr", "add", "10.9.0.1/24", "dev", "tap0")
        two.run("ip", "addr", "add", "10.9.0.2/24", "dev", "tap0")
        with one.start("busybox", "ping", "-c", "3", "-i", "0.2", "10.9.0.2") as ping:

            def ended():
                two.pump(0.0)
                return ping.poll() is not None

            one.until(ended)
            assert b"3 packets received" in ping.stdout.read()
    assert [(line.mac, line.port) for line in switch.table] == [
        ("52:54:00:00:00:02", "right"),
        (MAC, "left"),
    ]


# -- through the rings of a virtio card ---------------------------------------------------------


class CardDriver:
    """A driver of our virtio card, between it and Linux: frames go through rings both ways."""

    ENTRIES, ROOM = 64, 2048

    def __init__(self, port, features):
        self.device = VirtioNet(port)
        board = d.Board(self.device)
        self.driver = d.Driver(board, features=features, size=self.ENTRIES)
        self.receive, self.transmit, _ = self.driver.rings
        self.header = bytes(self.device.header_size)
        self.memory = board.memory
        self.sent_from = self.driver.allocate(self.ENTRIES * self.ROOM)
        received_to = self.driver.allocate(self.ENTRIES * self.ROOM)
        self.addresses = {}
        for n in range(self.ENTRIES):
            self._offer(received_to + n * self.ROOM)
        self.receive.kick()

    def _offer(self, address):
        head = self.receive.add_parts([(address, self.ROOM, d.WRITE)])
        self.addresses[head] = address

    def send(self, frames):
        """Put frames of Linux into the ring, and tell the card."""
        for n, frame in enumerate(frames):
            data = self.header + frame
            address = self.sent_from + n * self.ROOM
            self.memory.write(address, data)
            self.transmit.add_parts([(address, len(data), 0)])
        self.transmit.kick()
        assert len(self.transmit.collect()) == len(frames)

    def received(self):
        """Frames for Linux; their buffers are offered again."""
        used = self.receive.collect()
        for head, _, _ in used:
            self._offer(self.addresses.pop(head))
        if used:
            self.receive.kick()
        return [data[len(self.header) :] for _, _, data in used]


@needs("curl")
@pytest.mark.parametrize("features", [d.VERSION_1, ~0])
def test_linux_transfers_files_through_the_rings_of_our_card(web, tmp_path, features):
    size = 2 << 20
    with UserNetwork(host_loopback=True) as network, LinuxPeer(Port("tap")) as peer:
        card = CardDriver(network.attach(Port()), features)

        class Rings:
            """What is behind the port that Linux talks to."""

            waits = False

            def send(self, port, frame):
                card.send([frame])

            def poll(self, timeout=0.0):
                card.device.port.poll()
                for frame in card.received():
                    peer.port.offer(frame)

            def filenos(self):
                return card.device.port.filenos()

            def deadline(self):
                return card.device.port.deadline()

        peer.port.network = Rings()
        peer.configure()
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(pattern(size))
        url = f"http://10.0.2.2:{web}/{size}"
        peer.run("curl", "-sS", "-o", str(target), url)
        assert target.read_bytes() == pattern(size)
        digest = peer.run("curl", "-sS", "-T", str(source), url)
        assert digest == hashlib.sha256(pattern(size)).hexdigest()
        assert card.device.dropped == 0
        assert card.device.sent > size // 1500
        assert card.device.received > size // 1500


# -- what passed, as other programs read it -----------------------------------------------------


LARGE_DATAGRAM = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(bytes(4000), ("10.0.2.2", int(sys.argv[1])))
"""


@pytest.fixture
def session(tmp_path, web):
    """A capture of a DHCP client, pings, a page, a refusal, a query; and our own lines about it."""
    path = tmp_path / "session.pcapng"
    lines = []
    with UserNetwork(host_loopback=True) as network:
        port = network.attach(Port())
        port.taps.append(lambda way, frame: lines.append(describe(frame)))
        with Capture(path, port, clock=time.time_ns), LinuxPeer(port) as peer:
            if shutil.which("udhcpc"):
                peer.run("udhcpc", "-i", "tap0", "-n", "-q", "-f", "-s", "/bin/true")
            peer.configure()
            peer.run("busybox", "ping", "-c", "1", "-s", "3000", "10.0.2.2")
            peer.run("python3", "-c", LARGE_DATAGRAM, str(web))
            peer.run("busybox", "wget", "-q", "-O", os.devnull, f"http://10.0.2.2:{web}/50000")
            peer.run("busybox", "wget", "-q", "-O", os.devnull, "http://192.0.2.1/", check=False)
            peer.run("busybox", "nslookup", "example.com", "10.0.2.3", check=False)
            peer.run("busybox", "traceroute", "-n", "-q1", "-m2", "192.0.2.1", check=False)
    return path, lines


@needs("tcpdump", "busybox")
def test_tcpdump_reads_the_capture_and_says_the_same(session):
    path, ours = session
    command = ["tcpdump", "-n", "-t", "-S", "-r", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    text = done.stdout
    for number, name in ((17, "udp"), (1, "icmp")):  # where there is no /etc/protocols
        text = text.replace(f": ip-proto-{number}\n", f": {name}\n")
    theirs = text.splitlines()
    both = [(a, b) for a, b in zip(theirs, ours, strict=True) if not a.startswith("IP6")]
    assert [a for a, _ in both] == [b for _, b in both]
    kinds = ("ARP", "ICMP echo", "Flags [S.]", "Refused", "time exceeded", "prohibited", "A?")
    assert all(any(kind in line for line in ours) for kind in kinds)


@needs("tshark", "busybox")
def test_tshark_finds_nothing_wrong_in_the_capture(session):
    path, ours = session
    check = [f"-o{name}.check_checksum:TRUE" for name in ("ip", "tcp", "udp")]
    fields = ("frame.time_epoch", "frame.interface_name", "frame.p2p_dir", "eth.src", "_ws.expert")
    command = ["tshark", "-n", "-r", str(path), *check, "-Tfields", "-Eseparator=|"]
    command += [part for name in fields for part in ("-e", name)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    rows = [line.split("|") for line in done.stdout.splitlines()]
    assert len(rows) == len(ours)
    now = time.time()
    for when, name, direction, source, _ in rows:
        assert now - 120 < float(when) <= now
        assert name == "net0"
        assert (direction == "0") == (source == MAC)  # 0: sent by the machine
    bad = "_ws.malformed || tcp.analysis.retransmission || tcp.analysis.lost_segment"
    bad += " || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0"
    bad += " || tcp.analysis.ack_lost_segment || _ws.expert.severity == 0x00800000"
    command = ["tshark", "-n", "-r", str(path), *check, "-Y", bad]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == ""
