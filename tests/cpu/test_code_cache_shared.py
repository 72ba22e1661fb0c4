"""Two processes that fill one empty cache at the same time: both run, and the cache is whole."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
import numpy as np
from vtbook.cpu.hart import Hart
from vtbook.cpu.interpreter import Interpreter
from vtbook.isa import rv64i
from vtbook.isa.definition import Extension
from vtbook.isa.instruction_set import InstructionSet

hart = Hart(InstructionSet([Extension("I", "two instructions", (rv64i.addi, rv64i.jal))]))
ram = np.zeros(4096, np.uint8)
ram[:8] = np.array([0x00150513, 0xFFDFF06F], "<u4").view(np.uint8)  # addi a0, a0, 1; j .-4
hart.map_memory(0, ram)
engine = Interpreter(hart)
engine.run(1001)
print(hart.x[10], "numba" in sys.modules)
"""


def start(cache: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "VTBOOK_CACHE": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_at_once_share_a_cache(tmp_path: Path) -> None:
    for compiles in (True, False):  # cold, then warm: what they left is used
        for process in [start(tmp_path), start(tmp_path)]:
            output, errors = process.communicate(timeout=200)
            assert process.returncode == 0, errors
            value, compiler = output.split()
            assert value == "501"
            if not compiles:
                assert compiler == "False"
    files = list(tmp_path.iterdir())
    assert len(files) == 3  # the runtime, the group, the pairs; nothing half-written beside them
    for path in files:
        data = path.read_bytes()
        assert data[:32] == hashlib.sha256(data[32:]).digest()
