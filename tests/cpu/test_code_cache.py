"""The cache of compiled code: found again, keyed by all that matters, and never trusted blindly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vtbook.cpu import compiler
from vtbook.isa import operations
from vtbook.isa.definition import instruction

ROOT = Path(__file__).parents[2]


def start(folder: Path, factor: int = 3) -> subprocess.Popen:
    environment = os.environ | {"VTBOOK_CACHE": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.cpu.cached_run", str(factor)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen, factor: int = 3) -> dict[str, Any]:
    """What the process says, and check that it computed the right thing."""
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    said = json.loads(out)
    assert (said["executed"], said["sum"]) == (400, factor * 5050)
    return said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that two processes filled at the same time."""
    folder = tmp_path_factory.mktemp("cache") / "made" / "by need"
    both = [start(folder), start(folder)]
    for process in both:
        assert finish(process)["compiled"]
    return folder


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_the_environment_says_where_the_cache_is(folder: Path) -> None:
    assert {path.suffix for path in files(folder)} == {".o"}  # and no file was left half written
    assert len(files(folder)) == 4  # runtime, two extensions, pairs


def test_a_warm_start_compiles_nothing_and_does_without_the_compiler(folder: Path) -> None:
    """Importing numba takes longer than all the rest of a warm start."""
    said = finish(start(folder))
    assert said == {"compiled": [], "numba": False, "executed": 400, "sum": 3 * 5050}


def test_damaged_files_are_compiled_again_and_repaired(folder: Path) -> None:
    whole = {path: path.read_bytes() for path in files(folder)}
    flipped, short, empty, garbage = whole
    flipped.write_bytes(bytes([*whole[flipped][:-1], whole[flipped][-1] ^ 1]))
    short.write_bytes(whole[short][:-100])
    empty.write_bytes(b"")
    garbage.write_bytes(b"\0" * 4096)
    assert len(finish(start(folder))["compiled"]) >= 4
    assert sorted(whole) == files(folder)
    assert finish(start(folder))["compiled"] == []


def test_a_changed_constant_in_a_called_function_is_compiled_anew(folder: Path) -> None:
    before = set(files(folder))
    said = finish(start(folder, 5), 5)
    assert said["numba"]
    new = [path.name for path in set(files(folder)) - before]
    assert [name.split("-")[0] for name in new] == ["Xtimes"]
    assert finish(start(folder))["compiled"] == []  # the old one is still there


def test_a_folder_that_cannot_be_made_costs_time_only(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert finish(start(blocked / "cache"))["compiled"]
    assert blocked.read_text() == "not a folder"


# --- what the key depends on ---------------------------------------------------------------------

SOURCE = """
{before}
def helper(h, a):
    return {helper}

@instruction("{name} rd, rs1", "0000000 00000 rs1 {funct} rd 0001011")
def new(h, d):
    h.x[d.rd] = {body}
"""
PLAIN = {
    "before": "N = 1",
    "helper": "a + 1",
    "name": "new",
    "funct": "000",
    "body": "srl(helper(h, h.x[d.rs1]), N)",
}


def text(changes: dict[str, str] | None = None, **names: Any) -> str:
    """What the key of a definition is made from; it has no source, as in some notebooks."""
    scope = {"instruction": instruction, "table": np.arange(4), **operations.PURE, **names}
    exec(SOURCE.format(**PLAIN | (changes or {})), scope)
    return compiler._definition_text(scope["new"])


def test_the_same_definition_has_the_same_key() -> None:
    assert text() == text()


@pytest.mark.parametrize(
    "changes",
    [
        {"before": "N = 2"},
        {"before": "N = 1.0"},
        {"helper": "a + 2"},
        {"helper": "wrap(a) + 1"},
        {"helper": "sext8(a)"},
        {"name": "newer"},
        {"funct": "001"},
        {"body": "mulh(helper(h, h.x[d.rs1]), N)"},  # the same byte code, another name
        {"body": "srl(helper(h, h.x[d.rs1]), h.pc)"},
        {"body": "srl(helper(h, h.x[d.rd]), N)"},
    ],
    ids=lambda changes: " ".join(f"{k}: {v}" for k, v in changes.items()),
)
def test_a_change_makes_another_key(changes: dict[str, str]) -> None:
    assert text(changes) != text()


def test_a_changed_function_behind_a_function_makes_another_key() -> None:
    deep = {"helper": "inner(a)"}
    first, second = ({**deep, "before": f"N = 1\ndef inner(a): return a + {n}"} for n in (1, 2))
    assert text(first) != text(second)


def test_a_changed_table_makes_another_key() -> None:
    body = {"body": "table[h.x[d.rs1] & 3]"}
    assert text(body) == text(body)
    assert text(body) != text(body, table=np.arange(1, 5))


def test_functions_that_call_each_other_do_not_hang() -> None:
    knot = "N = 1\ndef one(a): return two(a)\ndef two(a): return one(a)"
    assert text({"before": knot, "helper": "one(a)"}) != text()
