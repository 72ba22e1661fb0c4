"""The recorded boot of Linux that chapter 00 shows where no Linux has been built.

``python -m vtbook.course.linux_recording`` writes it anew, from the Linux that was built here.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtbook.errors import VtbookError

if TYPE_CHECKING:
    from vtbook.machine import Machine

FILE = "linux_recording.json"
PROMPT = "~ # "
TYPED = (
    "uname -a",
    "cat /proc/cpuinfo",
    "mke2fs /dev/vda >/dev/null && mount /dev/vda /mnt && df /mnt",
    "ping -c 2 10.0.2.2",
    "bench fork calls files",
    "poweroff",
)
MOST = 4_000_000_000  # instructions
EVERY = 100_000  # instructions between two frames


def linux_machine() -> Machine:
    """The machine of chapter 00 with its Linux: two harts, a disk, a network card; just on.

    Raises VtbookError: no Linux has been built here; the message says how.
    """
    from vtbook.guests.linux import HOW_TO_BUILD, find
    from vtbook.machine import Machine
    from vtbook.machine.board import Board, Disk, Nic

    image = find()
    if image is None:
        raise VtbookError(f"there is no Linux to boot; {HOW_TO_BUILD}")
    machine = Machine(Board(harts=2, disks=[Disk(size="8 MiB")], nics=[Nic()]), reverse=False)
    machine.boot(image.kernel, initrd=image.initramfs, append="console=ttyS0")
    return machine


def recorded_boot() -> dict[str, Any]:
    """The recording, for `vtbook.RecordedConsole`: Linux boots, and somebody types at its shell."""
    path = resources.files("vtbook.course") / FILE
    return json.loads(path.read_text(encoding="utf-8"))


def record_boot() -> dict[str, Any]:
    """Boot Linux on our machine, type at its shell, and record the console until power-off."""
    from vtbook.machine.console_recording import record_console

    script = [(PROMPT, line + "\n") for line in TYPED]
    return record_console(
        linux_machine(), MOST, every=EVERY, script=script, title="Linux on two harts"
    )


def main() -> None:
    """Write the recording beside this module."""
    path = Path(__file__).with_name(FILE)
    recording = record_boot()
    path.write_text(
        json.dumps(recording, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8"
    )
    size = path.stat().st_size
    print(
        f"{path}: {len(recording['frames'])} frames, {size} bytes, ended with {recording['ended']}"
    )


if __name__ == "__main__":
    main()
