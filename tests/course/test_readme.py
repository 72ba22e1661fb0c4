"""The README's examples do what it says."""

import re
import shlex
import shutil
import subprocess
import sys

import pytest
import typer.main

from tests.course.conftest import ROOT, environment
from vtbook.course.cli import app

README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)
BLOCKS = re.findall(r"(?:^    .*\n|^\n(?=    ))+", README, re.M)
SESSION = next(block for block in BLOCKS if "$ printf 'uptime" in block)
COMMANDS = re.findall(r"^    (vtbook [^#\n]*)", README.replace(SESSION, ""), re.M)
NAMED = re.findall(r"`vtbook ([a-z][a-z-]*)(?: [^`]*)?`", README)


def run(command, tmp_path):
    return subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment(), timeout=300
    )


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_the_python_runs(code, tmp_path):
    done = run([sys.executable, "-c", code], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    if "boot" in code:
        said = re.search(r"It prints `([^`]*)`", README)[1]
        assert done.stdout.startswith(said)
    else:
        assert done.stdout.endswith(" 42\n")


def test_the_computer_prints_what_is_shown(tmp_path):
    if shutil.which("sh") is None:
        pytest.skip("a shell is missing")
    lines = [line[4:] for line in SESSION.strip("\n").splitlines()]
    command = lines[0].removeprefix("$ ").replace("vtbook", f"{sys.executable} -m vtbook", 1)
    done = run(["sh", "-c", command], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines() == lines[2:]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_shown_is_understood(command):
    name, *arguments = shlex.split(command)[1:]
    found = typer.main.get_command(app).commands[name]
    assert found.make_context(name, arguments).params  # a wrong option raises


def test_there_is_each_command_that_is_named():
    commands = typer.main.get_command(app).commands
    assert len(NAMED) > 15
    assert set(NAMED) == commands.keys()
