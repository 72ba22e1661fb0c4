"""A process that has everything loaded and forks one process for each submission, in milliseconds.

Over its control socket come a JSON object and two handles: the channel of the submission, and a
pipe for news of its processes. For each it forks

    warden      enters the namespaces, waits, tells of the end; it runs nothing of the student
      init      first process of the PID namespace: when it ends, the system ends all others in it
        cells   without privileges: vtbook.course.grading.child

The zygote is single-threaded, or forking would not be safe; `python -m vtbook.course.grading.zygote
HANDLE` says so if it is not. When the grader ends, the control socket does, and then all the rest.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

from vtbook.course.grading import isolation
from vtbook.course.grading.channel import Channel
from vtbook.course.grading.child import preload, serve
from vtbook.course.grading.isolation import Missing

SINGLE_THREADED = dict.fromkeys(
    (
        "OPENBLAS_NUM_THREADS",
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMBA_NUM_THREADS",
    ),
    "1",
)
LARGEST_REQUEST = 1 << 16


def threads() -> int:
    """Threads of this process, those of libraries included, where the system tells."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.exists() else 1


def main(handle: int) -> None:
    """Answer requests until the control socket ends."""
    control = socket.socket(fileno=handle)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    preload()
    gc.collect()
    gc.freeze()
    control.sendall(json.dumps({"threads": threads()}).encode() + b"\n")
    while True:
        readable, _, _ = select.select([control], [], [], 1)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not readable:
            continue
        data, handles, _, _ = socket.recv_fds(control, LARGEST_REQUEST, 2)
        if not data:
            return
        warden = os.fork()
        if warden == 0:
            control.close()
            try:
                _warden(json.loads(data), *handles)
            finally:
                os._exit(70)
        for number in handles:
            os.close(number)
        control.sendall(json.dumps({"warden": warden}).encode() + b"\n")


def _tell(news: int, **what: Any) -> None:
    with contextlib.suppress(OSError):
        os.write(news, json.dumps(what).encode() + b"\n")


def _warden(request: dict[str, Any], channel: int, news: int) -> NoReturn:
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    isolation.prctl(isolation.PR_SET_PDEATHSIG, signal.SIGKILL)
    missing = Missing()
    in_namespace = isolation.unshare_all(missing)
    if not in_namespace:
        isolation.prctl(isolation.PR_SET_CHILD_SUBREAPER, 1)
        _cells(request, channel, news, missing, in_namespace)
    first = os.fork()
    if first == 0:
        isolation.prctl(isolation.PR_SET_PDEATHSIG, signal.SIGKILL)
        _cells(request, channel, news, missing, in_namespace)
    os.close(channel)
    os.waitpid(first, 0)
    os._exit(0)


def _cells(
    request: dict[str, Any], channel: int, news: int, missing: Missing, in_namespace: bool
) -> NoReturn:
    """As init, or as the warden where there is no PID namespace: fork the cells and wait."""
    if isolation.LINUX:
        missing.attempt(
            "files not hidden",
            isolation.make_view,
            request["work"],
            request["hidden"],
            request["limits"]["files"],
            in_namespace,
        )
    process = os.fork()
    if process == 0:
        try:
            os.close(news)
            os.setsid()
            isolation.set_limits(request["limits"], missing)
            isolation.drop_privileges(missing)
            serve(Channel(channel, channel), request, missing)
        finally:
            os._exit(0)
    os.close(channel)
    while True:
        ended, status, used = os.wait4(-1, 0)
        if ended == process:
            break
    _tell(news, status=os.waitstatus_to_exitcode(status), cpu=used.ru_utime + used.ru_stime)
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
