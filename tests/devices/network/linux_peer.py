"""Linux's own TCP/IP as the guest: a TAP device in a network namespace, in place of a network card.

Programs run in the namespace (`start`, `run`) and reach only what the `Port` leads to.
"""

import array
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

from vtbook.devices.network import Port

MAC = "52:54:00:12:34:56"
HOLDER = Path(__file__).with_name("namespace_holder.py")


def why_not() -> str:
    """Why no such peer can be made here; empty if it can."""
    try:
        with LinuxPeer(Port()):
            return ""
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return f"needs Linux, the right to make a network namespace, and /dev/net/tun ({error})"


class LinuxPeer:
    """A kernel behind `port`."""

    def __init__(self, port: Port, mac: str = MAC) -> None:
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            raise OSError("/dev/net/tun cannot be opened")
        self.port = port
        self._control, theirs = socket.socketpair()
        self._holder = subprocess.Popen(
            ["unshare", "--net", sys.executable, str(HOLDER), str(theirs.fileno()), mac],
            pass_fds=[theirs.fileno()],
            stderr=subprocess.PIPE,
        )
        theirs.close()
        self._control.settimeout(30)
        _, ancillary, _, _ = self._control.recvmsg(1, socket.CMSG_SPACE(4))
        if not ancillary:
            self._control.close()
            _, errors = self._holder.communicate(timeout=10)
            raise OSError(errors.decode()[-200:])
        self._tap = array.array("i", ancillary[0][2])[0]
        os.set_blocking(self._tap, False)
        port.on_frame = self._from_network

    def _from_network(self, frame: bytes) -> None:
        os.write(self._tap, frame)

    def pump(self, seconds: float = 0.01) -> None:
        """Carry frames both ways once, after at most so many seconds of waiting."""
        deadline = self.port.deadline()
        wait = seconds if deadline is None else min(seconds, deadline)
        select.select([self._tap, *self.port.filenos()], [], [], wait)
        for _ in range(64):
            try:
                frame = os.read(self._tap, 2048)
            except BlockingIOError:
                break
            self.port.send(frame)
        self.port.poll()

    def start(self, *command: str, **options) -> subprocess.Popen:
        """Start a program in the namespace."""
        enter = ["nsenter", "--target", str(self._holder.pid), "--net", "--"]
        clean = {name: x for name, x in os.environ.items() if not name.lower().endswith("_proxy")}
        options = {"env": clean} | options
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} | options
        return subprocess.Popen([*enter, *command], **options)

    def run(self, *command: str, timeout: float = 30.0, check: bool = True) -> str:
        """Run a program in the namespace to its end; what it printed."""
        with self.start(*command) as process:
            self.until(lambda: process.poll() is not None, timeout)
            output = process.stdout.read().decode()
        assert process.returncode == 0 or not check, output
        return output

    def until(self, condition, timeout: float = 30.0) -> None:
        """Carry frames until `condition()` holds."""
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, "it takes too long"
            self.pump()

    def configure(self, address: str = "10.0.2.15") -> None:
        """Set the address by hand, without DHCP."""
        self.run("ip", "addr", "add", f"{address}/24", "dev", "tap0")
        self.run("ip", "route", "add", "default", "via", "10.0.2.2")

    def close(self) -> None:
        """End the namespace."""
        self.port.on_frame = None
        self._control.close()
        self._holder.stderr.close()
        self._holder.wait(timeout=10)
        os.close(self._tap)

    def __enter__(self) -> "LinuxPeer":
        return self

    def __exit__(self, *_) -> None:
        self.close()
