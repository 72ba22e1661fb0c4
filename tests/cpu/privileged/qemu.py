"""QEMU's machine `virt` as an oracle: memory and pc through its GDB stub, one process for all.

Only what a run of a prepared memory image needs of the remote serial protocol: write memory, set
the pc, run to a breakpoint, read memory.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
from collections.abc import Sequence

from tests.cpu.privileged.rig import FAR, FAR_SIZE, LOG, RAM, SIZE, Case, Result, Rig

PROGRAM = shutil.which("qemu-system-riscv64")
MAJOR = 7  # version: later ones have other options, and not these faults
#: RV64GC with S mode and Sstc. Setting A and D is what this model does (later versions call it
#: svadu). Only with smaia are interrupts of one mode in the order of 3.1.9.
CPU = (
    "rv64,h=false,v=false,sstc=true,svinval=false,svnapot=false,svpbmt=false,sscofpmf=false,"
    "zba=false,zbb=false,zbc=false,zbs=false,x-smaia=true,x-ssaia=true"
)
PC = 32  # number of the register
CHUNK = 2000  # bytes of memory in a packet


def missing() -> str:
    """What these tests miss here, or nothing."""
    if PROGRAM is None:
        return "needs qemu-system-riscv64"
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"version (\d+)", said.stdout)
    if version and int(version[1]) == MAJOR:
        return ""
    return f"needs QEMU {MAJOR}, not {said.stdout.splitlines()[:1]}"


MISSING = missing()


class QemuError(Exception):
    """QEMU ended, answered with an error, or ran on for too long."""


class Qemu:
    """A stopped machine; ``results`` runs cases on it."""

    def __init__(self) -> None:
        assert PROGRAM
        command = [PROGRAM, "-machine", "virt", "-cpu", CPU, "-m", f"{SIZE >> 20}M", "-S"]
        command += ["-bios", "none", "-nodefaults", "-display", "none", "-serial", "null"]
        # With one hart its atomics are a load and a store, and so are their traps.
        command += ["-smp", "2", "-accel", "tcg,thread=multi", "-gdb", "stdio"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdin
        assert self._process.stdout
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._read = b""
        self.ask("qXfer:features:read:target.xml:0,800")  # else it knows no registers

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _send(self, text: str) -> None:
        body = text.encode()
        os.write(self._to, b"$%s#%02x" % (body, sum(body) & 0xFF))

    def _receive(self, timeout: float) -> str:
        while (end := self._read.find(b"#")) < 0 or len(self._read) < end + 3:
            if not select.select([self._from], [], [], timeout)[0]:
                raise QemuError(f"no answer in {timeout} s")
            more = os.read(self._from, 1 << 16)
            if not more:
                raise QemuError("QEMU ended")
            self._read += more
        body = self._read[self._read.index(b"$") + 1 : end]
        self._read = self._read[end + 3 :]
        os.write(self._to, b"+")
        return body.decode()

    def ask(self, text: str, timeout: float = 60) -> str:
        """Send a packet and return the answer to it."""
        self._send(text)
        answer = self._receive(timeout)
        if answer.startswith("E"):
            raise QemuError(f"{text[:60]}: {answer}")
        return answer

    def read(self, address: int, size: int) -> bytes:
        parts = [
            bytes.fromhex(self.ask(f"m{address + at:x},{min(CHUNK, size - at):x}"))
            for at in range(0, size, CHUNK)
        ]
        return b"".join(parts)

    def write(self, address: int, data: bytes) -> None:
        for at in range(0, len(data), CHUNK):
            part = data[at : at + CHUNK]
            self.ask(f"M{address + at:x},{len(part):x}:{part.hex()}")

    def run(self, start: int, end: int, timeout: float = 20) -> None:
        """Run from ``start`` until the instruction at ``end`` is reached."""
        self.ask(f"P{PC:x}={start.to_bytes(8, 'little').hex()}")
        self.ask(f"Z0,{end:x},4")
        try:
            self.ask("c", timeout)
        except QemuError:
            os.write(self._to, b"\x03")
            self._receive(5)
            raise
        finally:
            self.ask(f"z0,{end:x},4")
        stopped = int.from_bytes(bytes.fromhex(self.ask(f"p{PC:x}")), "little")
        if stopped != end:
            raise QemuError(f"stopped at {stopped:#x}, not at {end:#x}")

    def results(self, rig: Rig, cases: Sequence[Case], image: bytes) -> list[Result]:
        """What QEMU does in each case."""
        self.write(RAM, image)
        for address in FAR:
            self.write(address, bytes(FAR_SIZE))
        self.run(RAM, rig.end)
        return rig.results(cases, self.read(LOG, rig.log_size(cases)))
