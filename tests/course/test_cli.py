"""The command as a whole: help, version, completion, and what is loaded when."""

import importlib.metadata
import subprocess
import sys

import pytest

import vtbook as package
from tests.course.conftest import environment
from vtbook.course.commands.machines import parse_count

HEAVY = {"numpy", "numba", "llvmlite", "jupyterlab", "matplotlib", "ipywidgets"}


def loaded_by(statement):
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("statement", ["import vtbook", "import vtbook.course.cli"])
def test_starting_loads_nothing_heavy(statement):
    assert not loaded_by(statement) & HEAVY


def test_every_public_name_is_there():
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name in dir(package)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing


@pytest.mark.parametrize("command", ["lab", "run", "disasm", "asm", "bench", "doctor"])
def test_help_names_each_command_and_each_has_help(vtbook, command):
    assert command in vtbook("--help").stdout.decode()
    done = vtbook(command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout.decode() or "usage" in done.stdout.decode()


def test_the_version_is_the_packages(vtbook):
    assert vtbook("--version").stdout.decode() == f"vtbook {package.__version__}\n"
    try:
        installed = importlib.metadata.version("vtbook")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs the package installed: python3 -m pip install -e .")
    assert installed == package.__version__


@pytest.mark.parametrize("arguments", [["nonsense"], ["run"], ["run", "--nonsense", "x"]])
def test_a_wrong_command_line_is_a_usage_error(vtbook, arguments):
    done = vtbook(*arguments)
    assert done.returncode == 2
    assert b"Usage" in done.stderr
    assert done.stdout == b""


def test_a_shell_can_complete_commands(vtbook):
    done = vtbook(
        _VTBOOK_COMPLETE="complete_bash", COMP_WORDS="vtbook di", COMP_CWORD="1"
    ).stdout.decode()
    assert done.split() == ["disasm"]


@pytest.mark.parametrize(
    ("text", "count"),
    [("1", 1), ("1_000", 1000), ("10k", 10_000), ("2.5M", 2_500_000), ("1G", 10**9)],
)
def test_counts_are_decimal(text, count):
    assert parse_count(text) == count
