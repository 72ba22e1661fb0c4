"""The process of one submission: takes cells from the grader, runs them, sends their outputs.

The grader sends one cell at a time, so a check and its hidden tests come here only when it is their
turn, and the solution's answers never. Each request has a nonce of its own, which the reply must
have; it is in no variable while an answer runs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
from typing import Any

from vtbook.course.grading.channel import Channel, ChannelError
from vtbook.course.grading.guards import Guard, stop_tracing


class CellTimeout(BaseException):
    """The cell took too long. No Exception, so that ``except Exception`` lets it pass."""


def _too_long(*_: Any) -> None:
    raise CellTimeout("the cell took too long")


def preload() -> None:
    """Import what cells use, and bring the interpreter's compiled code into this process.

    Done once, before processes are forked. Starts no thread: numpy's libraries must have been told
    so by `SINGLE_THREADED`.
    """
    import numba  # noqa: F401
    from matplotlib.figure import Figure  # noqa: F401

    import vtbook
    import vtbook.course.classroom
    import vtbook.course.exercises.feedback
    import vtbook.course.exercises.models
    import vtbook.course.exercises.variants
    import vtbook.course.grading.shell
    import vtbook.course.sieve
    import vtbook.machine.progress

    for name in vtbook.__all__:
        getattr(vtbook, name)
    # "compiling ..." on stderr would count as an error by nbgrader's rules.
    vtbook.machine.progress.Announcer._show = lambda *_: None  # type: ignore[method-assign]
    machine = vtbook.Machine("1 MiB")
    text = "_start: la a0, x\n amoadd.w a1, a2, (a0)\n fmv.w.x f0, a1\n fmv.d.x f1, a1\n"
    machine.load(
        vtbook.assemble(text + " fadd.s f0, f0, f0\n fadd.d f1, f1, f1\n .data\nx: .dword 0")
    )
    machine.run(budget=6)


def serve(channel: Channel, settings: dict[str, Any], missing: list[str]) -> None:
    """Run cells until the grader closes the channel.

    Args:
        channel: to the grader.
        settings: ``work`` (folder), ``output`` (bytes kept of each cell), ``protected`` (names).
        missing: what isolation could not be had, to be passed on.
    """
    import builtins

    from vtbook.course.grading.shell import Shell, no_input

    own = os.getpid()
    os.chdir(settings["work"])
    os.environ.update(HOME=settings["work"], TMPDIR=settings["work"], MPLBACKEND="agg")
    os.environ.update(IPYTHONDIR=settings["work"], MPLCONFIGDIR=settings["work"])
    tempfile.tempdir = settings["work"]
    builtins.input = no_input  # type: ignore[assignment]
    raw = _raw_outputs(settings["work"])
    shell = Shell(limit=settings["output"])
    guard = Guard()
    guard.watch()
    guard.begin(shell.user_ns)
    channel.send({"ready": True, "missing": missing})
    timer = hasattr(signal, "setitimer")
    while True:
        try:
            request = channel.receive()
        except ChannelError:
            return
        with contextlib.suppress(OSError):
            os.chdir(settings["work"])
        changed: list[str] = []
        if request["kind"] == "check":
            changed = guard.restore(shell.user_ns) + stop_tracing()
        if timer:
            signal.signal(signal.SIGALRM, _too_long)
            signal.setitimer(signal.ITIMER_REAL, request["seconds"])
        begin = time.perf_counter()
        try:
            done = shell.run(request["source"])
        except BaseException as error:  # raised between the cell and the shell
            name = type(error).__name__
            entry = {"output_type": "error", "ename": name, "evalue": str(error)[:500]}
            done = {"ok": False, "outputs": [{**entry, "traceback": name}]}
        if request["kind"] == "answer":
            changed = guard.restore(shell.user_ns)
        seconds = time.perf_counter() - begin
        if timer:
            with contextlib.suppress(CellTimeout):
                signal.setitimer(signal.ITIMER_REAL, 0)
        if os.getpid() != own:  # a fork of the cell's has come here
            os._exit(0)
        if request["kind"] != "answer":
            guard.remember(shell.user_ns, settings["protected"])
            guard.watch()
        text = _take(raw, settings["output"])
        if text:
            done["outputs"].insert(0, {"output_type": "stream", "name": "stdout", "text": text})
        channel.send({**done, "nonce": request["nonce"], "changed": changed, "seconds": seconds})
        del request, done


def _raw_outputs(folder: str) -> int:
    """Send what is written past Python, as ``os.write(1, ...)``, to a file; returns its handle."""
    handle, name = tempfile.mkstemp(dir=folder)
    if os.name == "posix":
        os.unlink(name)
    for number in (1, 2):
        os.dup2(handle, number)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return handle


def _take(handle: int, limit: int) -> str:
    try:
        size = os.lseek(handle, 0, os.SEEK_END)
        if not size:
            return ""
        os.lseek(handle, 0, os.SEEK_SET)
        data = os.read(handle, min(size, limit))
        os.lseek(handle, 0, os.SEEK_SET)
        os.ftruncate(handle, 0)
    except OSError:
        return ""
    return data.decode("utf-8", "replace")


def main() -> None:
    """Serve over stdin and stdout: how a process begins where there is no fork (Windows)."""
    from vtbook.course.grading.isolation import Missing, drop_privileges, set_limits

    channel = Channel(os.dup(0), os.dup(1))
    settings = channel.receive()
    missing = Missing(["network not cut: needs Linux", "files not hidden: needs Linux"])
    preload()
    set_limits(settings["limits"], missing)
    drop_privileges(missing)
    serve(channel, settings, missing)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (the process ends here)
    os._exit(0)


if __name__ == "__main__":
    main()
