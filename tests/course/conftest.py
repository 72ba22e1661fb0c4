"""The vtbook command as a child process, as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "vtbook"]

ANSWER = """
_start:
    la   t0, message
    li   t1, 0x10000000
1:  lbu  a0, (t0)
    beqz a0, 2f
    sb   a0, (t1)
    addi t0, t0, 1
    j    1b
2:  li   t0, 0x100000
    li   t1, {code} << 16 | 0x3333
    sw   t1, (t0)
.data
message: .asciz "the answer\\n"
"""


def environment(**more: str) -> dict[str, str]:
    """The environment in which the package of this tree is found, whatever the folder."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "100", "NO_COLOR": "1", **more}


@pytest.fixture
def vtbook(tmp_path):
    """Run the command in an empty folder; returns the finished process."""

    def run(*arguments, input=b"", **more):
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            input=input,
            capture_output=True,
            cwd=tmp_path,
            env=environment(**more),
            timeout=300,
        )

    return run


@pytest.fixture
def answer(tmp_path):
    """Make an assembly file whose guest prints "the answer" and ends with a code."""

    def write(code=42, name="answer.s"):
        path = tmp_path / name
        path.write_text(ANSWER.format(code=code))
        return path

    return write
