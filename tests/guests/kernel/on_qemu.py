"""What the tests of the teaching kernel share: it runs on QEMU, after QEMU's own firmware."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from vtbook.guests.kernel import kernel_image

QEMU = "qemu-system-riscv64"
TIMEOUT = 60  # seconds; a run takes one to five on a quiet computer

needs_qemu = pytest.mark.skipif(
    shutil.which(QEMU) is None, reason=f"needs {QEMU} (Debian: qemu-system-misc and opensbi)"
)


def command(
    command_line: str = "",
    *,
    harts: int = 1,
    disk: Path | None = None,
    exact: bool = False,
    firmware: str | Path = "default",
    memory: str = "64M",
    device: str = "",
) -> list[str]:
    """The command that boots the kernel; `exact` counts time in instructions.

    device: more properties of the disk's device, each with a comma in front.
    """
    line = [QEMU, "-M", "virt", "-m", memory, "-smp", str(harts), "-bios", str(firmware)]
    line += ["-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot"]
    line += ["-kernel", str(kernel_image()), "-append", command_line]
    line += ["-global", "virtio-mmio.force-legacy=false"]
    if exact:
        line += ["-icount", "shift=0,sleep=off"]
    if disk is not None:
        line += ["-drive", f"file={disk},format=raw,if=none,id=disk,cache=unsafe"]
        line += ["-device", f"virtio-blk-device,drive=disk{device}"]
    return line


def boot(run: str, *, options: str = "", **how: object) -> str:
    """Boot, let the shell do the line `run`, turn off; what was printed after the banner."""
    line = command(f'{options} run="{run}; poweroff"', **how)
    done = subprocess.run(line, input=b"", capture_output=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return after_banner(done.stdout.decode())


def after_banner(output: str) -> str:
    """What the kernel's programs printed."""
    found = re.search(r"^vtbook kernel: .*\n", output, re.MULTILINE)
    assert found, output
    return output[found.end() :]
