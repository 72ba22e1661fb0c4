"""How long Linux takes from power-on to the end of a script: our machine and QEMU in turn.

All contestants run the same kernel, initramfs, firmware and command line, on as many harts and as
much RAM. Seconds are wall time, instructions are counted by our machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vtbook.errors import VtbookError
from vtbook.guests.linux import HOW_TO_BUILD, LinuxImage, find

RAM = "128 MiB"
LIMIT_SECONDS = 600
MOST = 1 << 40
"""Instructions that a script may take."""
QEMU = "qemu-system-riscv64"
HERE, PROCESS = "machine", "process"

CONTESTANTS = {
    HERE: "our machine: from Machine() to power-off, in a Python that runs already",
    PROCESS: "our machine in a new process: the start of Python and its imports as well",
    QEMU: "a new process, too",
}

CHILD = """
import sys
from vtbook.course.bench_boot import Job, turn_here
print(*turn_here(Job(*sys.argv[1:5], int(sys.argv[5])))[1:], sep="\\n")
"""


class BootBenchError(VtbookError):
    """There is nothing to boot, or a contestant did not come to the end of the script."""


@dataclass(frozen=True)
class Job:
    """What everybody boots: paths of the files, the kernel's command line, the number of harts."""

    kernel: str
    initramfs: str
    firmware: str
    append: str
    harts: int


@dataclass
class Result:
    """What was measured: seconds of each turn by contestant, and instructions of our machine."""

    version: str
    script: str
    firmware: str
    harts: int
    instructions: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def ratio(self, contestant: str) -> float | None:
        """A contestant's best time as a multiple of QEMU's; None if there is no QEMU."""
        others = self.seconds.get(QEMU)
        return min(self.seconds[contestant]) / min(others) if others else None

    def as_data(self) -> dict[str, Any]:
        """All of it for JSON, with the ratios."""
        ratios = {name: self.ratio(name) for name in (HERE, PROCESS)}
        return {**asdict(self), "times_qemu": ratios}


def measure_boot(
    script: str = "uname -a", *, turns: int = 3, harts: int = 1, firmware: str = "opensbi"
) -> Result:
    """Boot Linux, run the script and power off; each turn lets every contestant do it once.

    A turn before the first is not counted: it compiles what no turn shall pay for.

    Raises:
        BootBenchError: no Linux was built, or somebody did not come to the end.
        FirmwareError: the firmware is not here.
    """
    image = find()
    if image is None:
        raise BootBenchError(f"there is no Linux to boot; {HOW_TO_BUILD}")
    if '"' in script:
        raise BootBenchError("the script stands in double quotes on the kernel's command line")
    job = _job(image, script, harts, firmware)
    result = Result(image.version, script, firmware, harts)
    output = turn_here(job)[2]
    contestants: dict[str, Callable[[Job], tuple[float, int, str]]]
    contestants = {HERE: turn_here, PROCESS: _turn_in_process}
    if shutil.which(QEMU):
        contestants[QEMU] = _turn_on_qemu
    for _ in range(turns):
        for name, turn in contestants.items():
            seconds, instructions, said = turn(job)
            _check(name, said, output)
            result.seconds.setdefault(name, []).append(seconds)
            result.instructions = instructions or result.instructions
    return result


def turn_here(job: Job) -> tuple[float, int, str]:
    """Boot on our machine: seconds, instructions of all harts, what the script printed."""
    from vtbook.machine import Machine
    from vtbook.machine.board import Board

    begin = time.perf_counter()
    with Machine(Board(harts=job.harts, ram=RAM), reverse=False) as machine:
        machine.boot(job.kernel, firmware=job.firmware, initrd=job.initramfs, append=job.append)
        machine.run(MOST, seconds=LIMIT_SECONDS)
        seconds = time.perf_counter() - begin
        return seconds, machine.instructions, _of_script(HERE, machine.console.text)


def print_boot(result: Result) -> None:
    """Write the times of each contestant and the ratios to stdout."""
    harts = f"{result.harts} hart{'s' if result.harts > 1 else ''}"
    print(f"Linux {result.version}, {result.firmware}, {harts}: {result.script}")
    print(f"{result.instructions:,} instructions on our machine, firmware and all harts included")
    for name, seconds in result.seconds.items():
        ratio = result.ratio(name) if name != QEMU else None
        times = f", {ratio:.2f} times QEMU's" if ratio is not None else ""
        spread = f"{min(seconds):.2f} to {max(seconds):.2f} s"
        print(f"{name}: {min(seconds):.2f} s best ({spread}){times}; {CONTESTANTS[name]}")
    if QEMU not in result.seconds:
        print(f"{QEMU} is not here: apt install qemu-system-misc")


def _turn_in_process(job: Job) -> tuple[float, int, str]:
    arguments = [job.kernel, job.initramfs, job.firmware, job.append, str(job.harts)]
    path = os.pathsep.join(filter(None, [_package_folder(), os.environ.get("PYTHONPATH")]))
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    seconds = time.perf_counter() - begin
    if done.returncode != 0:
        raise BootBenchError(f"{PROCESS}: {done.stderr.strip()[-300:]}")
    instructions, _, said = done.stdout.partition("\n")
    return seconds, int(instructions), said.removesuffix("\n")


def _turn_on_qemu(job: Job) -> tuple[float, int, str]:
    command = [QEMU, "-M", "virt", "-m", "128M", "-smp", str(job.harts), "-no-reboot"]
    command += ["-display", "none", "-serial", "stdio", "-bios", job.firmware]
    command += ["-kernel", job.kernel, "-initrd", job.initramfs, "-append", job.append]
    begin = time.perf_counter()
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_SECONDS
    )
    seconds = time.perf_counter() - begin
    if done.returncode != 0 and not done.stdout:
        raise BootBenchError(f"{QEMU}: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return seconds, 0, _of_script(QEMU, done.stdout.decode(errors="replace"))


BEGIN, END = "script begins", "init: the script ended"


def _of_script(name: str, console: str) -> str:
    """What the script printed, out of all that stands on the console."""
    _, _, rest = console.replace("\r", "").partition(BEGIN + "\n")
    said, ended, _ = rest.partition(END)
    if not ended:  # who did not run the script has not been measured
        raise BootBenchError(
            f"{name}: the script did not end; the console ends: {console[-300:]!r}"
        )
    return said


def _check(name: str, said: str, expected: str) -> None:
    """See that everybody did the same: as many lines, since times and dates may stand there."""
    if said.count("\n") != expected.count("\n"):
        raise BootBenchError(
            f"{name}: the script printed {said[-200:]!r}, on our machine {expected[-200:]!r}"
        )


def _job(image: LinuxImage, script: str, harts: int, firmware: str) -> Job:
    from vtbook.guests.firmware import firmware_image
    from vtbook.machine.firmware import find_firmware

    append = f'console=ttyS0 quiet vtbook.run="echo {BEGIN}; {script}"'
    path = firmware_image() if firmware == "vtbook" else find_firmware(firmware)
    return Job(str(image.kernel), str(image.initramfs), str(path), append, harts)


def _package_folder() -> str:
    """The folder to find this vtbook in."""
    import vtbook

    return str(Path(vtbook.__file__).resolve().parents[1])
