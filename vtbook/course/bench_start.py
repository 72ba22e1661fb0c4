"""How long the reader waits for the first guest instruction."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

from vtbook.errors import VtbookError

PROGRAM = """
from vtbook import Machine
from vtbook.guests import image
machine = Machine("1 MiB")
machine.load(image("hello"))
machine.run(1)
print(machine.hart.instret)
"""


def _turn(cache: str) -> float:
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "VTBOOK_CACHE": cache},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - begin
    if done.stdout.strip() != "1":
        raise VtbookError(f"the first instruction did not run: {done.stderr.strip()[-300:]}")
    return seconds


def measure_start(runs: int) -> dict[str, list[float]]:
    """Seconds from a new process to its first guest instruction: cold, and with code kept."""
    cold, warm = [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="vtbook-bench-") as cache:
            cold.append(_turn(cache))
            warm.append(_turn(cache))
    return {"cold": cold, "warm": warm}


def print_start(results: dict[str, list[float]]) -> None:
    """Write the medians and extremes."""
    for name, what in (("cold", "nothing compiled yet"), ("warm", "compiled code kept")):
        times = sorted(results[name])
        print(
            f"{name}: {times[len(times) // 2]:.2f} s median"
            f" ({times[0]:.2f} to {times[-1]:.2f}), {what}"
        )
