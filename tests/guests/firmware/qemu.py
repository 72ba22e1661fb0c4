"""Running firmware and what it starts on QEMU's virt machine."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from vtbook.guests import compile_c

HERE = Path(__file__).parent
QEMU = shutil.which("qemu-system-riscv64")
needs_qemu = pytest.mark.skipif(QEMU is None, reason="needs qemu-system-riscv64")
TIMEOUT = 240  # seconds


@dataclass
class Ended:
    """What a machine wrote, as text without "\\r", and the exit code of QEMU."""

    text: str
    code: int

    @property
    def lines(self) -> list[str]:
        """What it wrote, line by line."""
        return self.text.split("\n")


class Running:
    """A machine that runs: what it writes is read on a thread."""

    def __init__(self, *arguments: str, harts: int = 1, cpu: str = "rv64", memory: str = "128M"):
        command = [QEMU, "-M", "virt", "-cpu", cpu, "-smp", str(harts), "-m", memory]
        command += ["-display", "none", "-monitor", "none", "-serial", "stdio", *arguments]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT)
        self.written = b""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        while data := self.process.stdout.read1(65536):
            self.written += data

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until the machine has written this."""
        end = time.monotonic() + TIMEOUT
        while self.written.count(text.encode()) < times:
            ended = not self.reader.is_alive()
            if time.monotonic() > end or (ended and self.written.count(text.encode()) < times):
                self.close()
                raise AssertionError(f"no {text!r} in:\n{self.written.decode(errors='replace')}")
            time.sleep(0.01)

    def type(self, text: str) -> None:
        """Type this."""
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def end(self) -> Ended:
        """Wait until the machine is off."""
        try:
            code = self.process.wait(TIMEOUT)
        finally:
            self.close()
        return Ended(self.written.decode(errors="replace").replace("\r", ""), code)

    def close(self) -> None:
        """Stop the machine."""
        self.process.kill()
        self.process.wait()
        self.reader.join(10)
        self.process.stdin.close()
        self.process.stdout.close()


def build_payload(name: str = "payload") -> Path:
    """A program for supervisor mode: the one that makes every call, or another of the folder."""
    folder = HERE / "payload"
    return compile_c(
        [folder / f"{name}.c", folder / "start.S"],
        march="rv64ima_zicsr_zifencei",
        flags=["-fno-builtin"],
        runtime=False,
        linker_script=folder / "payload.ld",
    )


def run_payload(
    bios: str | Path, payload: Path, letter: str = "s", more: Sequence[str] = (), **options
) -> Ended:
    """Run the program that makes every call; `letter` says how it ends."""
    files = ["-bios", str(bios), "-kernel", str(payload)]
    machine = Running(*files, "-no-reboot", *more, **options)
    machine.wait_for("reset of type 3")
    machine.type(letter)
    return machine.end()
