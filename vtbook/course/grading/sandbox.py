"""The grader's side of a submission's process: start it, watch it, end it and all it made."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from vtbook.course.grading.channel import Channel, ChannelError
from vtbook.course.grading.limits import GradingError, Limits
from vtbook.course.grading.zygote import SINGLE_THREADED

POLL_SECONDS = 0.15
START_SECONDS = 180
"""For the zygote, which may have to compile the interpreter."""
GRACE = 3.0
"""Seconds between the time when a cell is interrupted, and when its process is ended."""


class Ended(Exception):
    """The process has ended, or was ended; `reason` is timeout, memory, processes or crashed."""

    def __init__(self, reason: str, what: str) -> None:
        super().__init__(what)
        self.reason = reason


class GraderFailed(Exception):
    """The fork server has ended: not for certain the submission's fault."""


class Zygote:
    """The fork server of this process; it is started on first use and again if it has ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self.threads = 0

    def fork(self, request: dict[str, Any], channel: socket.socket, news: int) -> int:
        """Fork a warden with these handles; its process id.

        Raises GraderFailed: the server has ended.
        """
        with self._lock:
            try:
                self._start()
                assert self._control is not None
                data = json.dumps(request).encode()
                socket.send_fds(self._control, [data], [channel.fileno(), news])
                return int(self._answer()["warden"])
            except (OSError, ValueError) as error:
                self._stop()
                raise GraderFailed(f"the fork server has ended: {error}") from error

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self._stop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "vtbook.course.grading.zygote", str(theirs.fileno())]
        self._process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if not os.environ.get("VTBOOK_DEBUG") else None,
            start_new_session=True,
            env=_environment(),
        )
        theirs.close()
        self._control = ours
        ours.settimeout(START_SECONDS)
        self.threads = int(self._answer()["threads"])

    def _answer(self) -> dict[str, Any]:
        assert self._control is not None
        return json.loads(self._control.recv(1 << 16) or b"x")

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._control = None

    def stop(self) -> None:
        """End the server, and with it every submission that is running."""
        with self._lock:
            self._stop()


def _environment() -> dict[str, str]:
    """The environment of a submission: nothing of the user's but what Python needs."""
    kept = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "SYSTEMROOT", "VTBOOK_CACHE", "VTBOOK_DEBUG")
    made = {name: os.environ[name] for name in kept if name in os.environ}
    if "HOME" in os.environ:
        made["HOME"] = os.environ["HOME"]  # the cache of compiled code is found by it
    made["PYTHONPATH"] = os.pathsep.join(p or os.getcwd() for p in sys.path if Path(p).is_dir())
    return {**made, **SINGLE_THREADED, "PYTHONHASHSEED": "0", "MPLBACKEND": "agg"}


ZYGOTE = Zygote()


class Sandbox:
    """One run of one submission; a context manager, at whose end nothing of it is left."""

    def __init__(
        self, limits: Limits, hidden: list[str], protected: list[str], deadline: float
    ) -> None:
        self.limits, self.deadline = limits, deadline
        self.cpu = 0.0
        self.peak = 0
        self.missing: list[str] = []
        self._seen: dict[int, psutil.Process] = {}
        self._next_poll = 0.0
        self._warden: psutil.Process | None = None
        self._popen: subprocess.Popen[bytes] | None = None
        self._news = -1
        self._base = 0
        self.work = tempfile.mkdtemp(prefix="vtbook-grade-")
        self._request = {
            "work": self.work,
            "hidden": hidden,
            "protected": protected,
            "output": limits.output,
            "limits": limits.as_data(),
        }

    def __enter__(self) -> Sandbox:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _start(self) -> None:
        if hasattr(os, "fork"):
            ours, theirs = socket.socketpair()
            read, write = os.pipe()
            self._news = read
            self.channel = Channel(*[ours.detach()] * 2)
            os.chmod(self.work, 0o777)  # its folder is in a mount of its own, or its user's
            try:
                pid = ZYGOTE.fork(self._request, theirs, write)
            finally:
                theirs.close()
                os.close(write)
        else:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "vtbook.course.grading.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
            )
            assert self._popen.stdin is not None
            assert self._popen.stdout is not None
            handles = self._popen.stdout.fileno(), self._popen.stdin.fileno()
            self.channel = Channel(*handles)
            self.channel.send(self._request)
            pid = self._popen.pid
        with contextlib.suppress(psutil.Error):
            self._warden = psutil.Process(pid)
        started = time.monotonic() + (60 if self._popen is None else START_SECONDS)
        hello = self._receive(started, started)
        self.missing = [str(x) for x in hello.get("missing", [])][:20]
        self._base = self._measure()[0]

    def run(self, source: str, kind: str) -> dict[str, Any]:
        """Run a cell.

        Raises:
            Ended: the process is no more; use another sandbox.
        """
        nonce = secrets.token_hex(16)
        seconds = min(self.limits.cell_seconds, max(self.deadline - time.monotonic(), 0.1))
        message = {"source": source, "kind": kind, "nonce": nonce, "seconds": seconds}
        try:
            self.channel.send(message)
        except ChannelError as error:
            raise self._why(str(error)) from error
        end = time.monotonic() + seconds + GRACE
        reply = self._receive(end, end)
        if reply.get("nonce") != nonce:
            raise Ended("tampered", "a reply that the grader did not ask for")
        return reply

    def _receive(self, end: float, _: float) -> dict[str, Any]:
        def wait() -> None:
            now = time.monotonic()
            if now > end:
                raise Ended("timeout", "the cell did not end, not even when interrupted")
            if now >= self._next_poll:
                self._check()
                self._next_poll = time.monotonic() + POLL_SECONDS

        self._next_poll = time.monotonic() + POLL_SECONDS
        try:
            return self.channel.receive(wait)
        except ChannelError as error:
            raise self._why(str(error)) from error

    def _measure(self) -> tuple[int, int]:
        """Bytes of memory and number of threads of all processes of the submission."""
        memory = count = 0
        if self._warden is None:
            return 0, 0
        try:
            tree = self._warden.children(recursive=True)
        except psutil.Error:
            return 0, 0
        for process in tree if self._popen is None else [self._warden, *tree]:
            self._seen.setdefault(process.pid, process)
            with contextlib.suppress(psutil.Error):
                used = process.memory_info()
                memory += used.rss - getattr(used, "shared", 0)
                count += process.num_threads()
        return memory, count

    def _check(self) -> None:
        memory, count = self._measure()
        self.peak = max(self.peak, memory - self._base)
        if count > self.limits.processes + 2:
            raise Ended("processes", f"{count} processes; {self.limits.processes} are the most")
        # A forked process shares memory with its parent, which is counted twice.
        if memory - self._base * max(1, count) > self.limits.memory:
            most = self.limits.memory >> 20
            raise Ended("memory", f"more than {most} MiB of memory")

    def _why(self, said: str) -> Ended:
        """Why the process has ended, from the status that its parent has sent."""
        news = self._read_news()
        status = news.get("status")
        if self._popen is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self._popen.wait(2)
        if status is None:
            return Ended("crashed", f"the process ended, and its parent too ({said})")
        self.cpu = float(news.get("cpu", 0))
        if status >= 0:
            return Ended("crashed", f"the process left with status {status}")
        name = signal.Signals(-status).name
        if name == "SIGXCPU":
            return Ended("timeout", f"more than {self.limits.cpu_seconds} s of processor time")
        if name == "SIGKILL" and self.cpu >= self.limits.cpu_seconds - 1:
            return Ended("timeout", f"more than {self.limits.cpu_seconds} s of processor time")
        return Ended("crashed", f"the process died of {name}")

    def _read_news(self, seconds: float = 2.0) -> dict[str, Any]:
        import select

        if self._news < 0 or not select.select([self._news], [], [], seconds)[0]:
            return {}
        try:
            return json.loads(os.read(self._news, 4096) or b"{}")
        except ValueError:
            return {}

    def _end(self) -> None:
        if hasattr(self, "channel"):
            self.channel.close()
            if self._popen is None and not self.cpu:
                self.cpu = float(self._read_news(0.5).get("cpu", 0))
        self._measure()
        doomed = [*self._seen.values(), *([self._warden] if self._warden else [])]
        for process in doomed:
            with contextlib.suppress(psutil.Error):
                process.kill()
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()
        if self._news >= 0:
            os.close(self._news)
            self._news = -1
        shutil.rmtree(self.work, ignore_errors=True)


def fork_is_safe() -> bool:
    """Whether the fork server has one thread only.

    Raises GradingError: it cannot be started.
    """
    with ZYGOTE._lock:
        try:
            ZYGOTE._start()
        except (OSError, ValueError) as error:
            ZYGOTE._stop()
            raise GradingError(f"the fork server does not start: {error}") from error
    return ZYGOTE.threads == 1
