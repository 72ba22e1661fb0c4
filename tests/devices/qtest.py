"""The devices of QEMU's machine, over its qtest protocol: an oracle nobody here wrote."""

import contextlib
import functools
import json
import shutil
import subprocess

import pytest

QEMU = shutil.which("qemu-system-riscv64")
needs_qemu = pytest.mark.skipif(QEMU is None, reason="needs qemu-system-riscv64")
COMMAND = [QEMU, "-machine", "virt", "-display", "none", "-monitor", "none"]
# Nothing but our accesses moves the machine, and its clock stands at 0.
STOPPED = ["-S", "-bios", "none"]
LETTERS = {1: "b", 2: "w", 4: "l", 8: "q"}


class Qtest:
    """A ``virt`` machine, its registers, its RAM and its interrupt lines.

    Args:
        options: more of QEMU's command line.
        serial: where its serial line goes, as QEMU writes that.
        state: options for what the machine does by itself; else it is stopped.

    Attributes:
        levels: lines of the watched device, number -> level, as far as they have changed.
    """

    def __init__(self, *options, serial="null", state=STOPPED):
        qtest = ["-qtest", "stdio", "-qtest-log", "/dev/null"]
        self.process = subprocess.Popen(
            [*COMMAND, *state, "-serial", serial, *options, *qtest],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.levels = {}

    def ask(self, line):
        """Send a command; returns the words of its answer."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        while True:
            words = self.process.stdout.readline().split()
            assert words, f"QEMU ended at {line[:60]!r}"
            if words[0] == "IRQ":
                self.levels[int(words[2])] = words[1] == "raise"
            elif words[0] == "OK":
                return words
            else:
                raise AssertionError(f"{line[:60]}: {' '.join(words)}")

    def read(self, address, size=4):
        return int(self.ask(f"read{LETTERS[size]} {address:#x}")[1], 16)

    def write(self, address, value, size=4):
        value &= (1 << 8 * size) - 1
        self.ask(f"write{LETTERS[size]} {address:#x} {value:#x}")

    def read_bytes(self, address, size):
        return bytes.fromhex(self.ask(f"read {address:#x} {size:#x}")[1][2:])

    def write_bytes(self, address, data):
        if data:
            self.ask(f"write {address:#x} {len(data):#x} 0x{data.hex()}")

    def clear(self, address, size):
        """Zero bytes of RAM."""
        self.ask(f"memset {address:#x} {size:#x} 0")

    def set_line(self, device, number, level):
        """Drive an interrupt input of a device."""
        self.ask(f"set_irq_in {device} unnamed-gpio-in {number} {int(level)}")

    def watch(self, device, side="out"):
        """Keep the interrupt outputs (or inputs, ``in``) of a device in `levels` from now on.

        They reach nothing else then.
        """
        self.ask(f"irq_intercept_{side} {device}")

    def close(self):
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()


@functools.cache
def device_path(kind):
    """QEMU's name for the one device of a type, such as ``riscv.sifive.plic``."""
    folder = "/machine/unattached"
    commands = [
        {"execute": "qmp_capabilities"},
        {"execute": "qom-list", "arguments": {"path": folder}},
        {"execute": "quit"},
    ]
    process = subprocess.Popen(
        [*COMMAND, *STOPPED, "-serial", "null", "-qmp", "stdio"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        process.stdout.readline()
        for command in commands:
            process.stdin.write(json.dumps(command) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            for entry in answer["return"]:
                if entry["type"] == f"child<{kind}>":
                    return f"{folder}/{entry['name']}"
    finally:
        process.kill()
        process.communicate()
    raise AssertionError(f"QEMU has no {kind}")
