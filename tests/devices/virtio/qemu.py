"""QEMU's virtio devices over its qtest protocol, behind the interface of `driver.Board`."""

from __future__ import annotations

import contextlib
import subprocess
import time

from tests.devices.virtio.driver import RAM

SLOT = 0x1000_1000
DEADLINE = 30.0


class QemuMemory:
    """RAM of the machine."""

    def __init__(self, ask):
        self.ask = ask

    def read(self, address, size):
        return bytes.fromhex(self.ask(f"read {address:#x} {size:#x}").split()[1][2:])

    def write(self, address, data):
        if data:
            self.ask(f"write {address:#x} {len(data):#x} 0x{data.hex()}")


class QemuBoard:
    """A machine whose processor is stopped, and one virtio device, in the first slot.

    Args:
        command: path of ``qemu-system-riscv64``.
        options: what the device needs; ``bus=virtio-mmio-bus.0`` is up to the caller.
        legacy: version 1.
    """

    def __init__(self, command, options, *, legacy=False):
        forced = "on" if legacy else "off"
        line = [command, "-machine", "virt", "-S", "-bios", "none"]
        line += ["-display", "none", "-monitor", "none", "-serial", "null"]
        line += ["-global", f"virtio-mmio.force-legacy={forced}"]
        line += [*options, "-qtest", "stdio", "-qtest-log", "/dev/null"]
        self.process = subprocess.Popen(
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.memory = QemuMemory(self.ask)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        while not (answer := self.process.stdout.readline()).startswith("OK"):
            assert answer, f"QEMU ended at {line[:60]!r}"
        return answer

    def read_register(self, offset, size=4):
        letter = {1: "b", 2: "w", 4: "l", 8: "q"}[size]
        return int(self.ask(f"read{letter} {SLOT + offset:#x}").split()[1], 16)

    def write_register(self, offset, value, size=4):
        letter = {1: "b", 2: "w", 4: "l", 8: "q"}[size]
        self.ask(f"write{letter} {SLOT + offset:#x} {value:#x}")

    def wait(self, done):
        """QEMU answers disk requests on its own time."""
        end = time.monotonic() + DEADLINE
        while not done():
            assert time.monotonic() < end, "QEMU does not answer"

    def clear(self, size):
        """Zero the first bytes of RAM."""
        self.ask(f"memset {RAM:#x} {size:#x} 0")

    def close(self):
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
