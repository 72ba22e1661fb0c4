"""What is in the wheel and in the source archive."""

import json
import subprocess
import sys
import tarfile
import zipfile

import pytest

from tests.course.conftest import ROOT
from vtbook.course.lab import BOOK_FOLDERS


def tracked(*folders):
    """Files of these folders that are in git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *folders], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("needs git and a clone, to know which files belong to the package")
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}


def build(target, folder):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [made] = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    with zipfile.ZipFile(build("wheel", tmp_path_factory.mktemp("wheel"))) as archive:
        yield archive


def test_every_file_of_the_package_is_in_the_wheel(wheel):
    names = set(wheel.namelist())
    missing = tracked("vtbook") - names
    assert not missing
    kinds = {name.rpartition(".")[2] for name in names if name.startswith("vtbook/")}
    assert {"py", "js", "css", "c", "h", "S", "ld", "elf", "json"} <= kinds


def test_the_wheel_has_nothing_that_is_made_while_working(wheel):
    assert not [n for n in wheel.namelist() if "__pycache__" in n or n.startswith("tests/")]


def test_the_wheel_opens_jupyterlab_on_the_start_page(wheel):
    [config] = [n for n in wheel.namelist() if n.endswith("etc/jupyter/jupyter_lab_config.json")]
    start = json.loads(wheel.read(config))["LabApp"]["default_url"]
    assert start == "/lab/tree/chapters/home.ipynb"
    [settings] = [n for n in wheel.namelist() if n.endswith("default_setting_overrides.json")]
    assert "@jupyterlab/apputils-extension:notification" in json.loads(wheel.read(settings))


def test_the_wheel_brings_the_book(wheel):
    book = {name for name in tracked(*BOOK_FOLDERS) if name.endswith(".ipynb")}
    data = {name.partition("/data/share/vtbook/")[2] for name in wheel.namelist()}
    assert {name.partition("/")[0] for name in book} == set(BOOK_FOLDERS)
    assert book <= data


def test_both_licences_and_the_command_are_in_the_wheel(wheel):
    names = wheel.namelist()
    assert [n for n in names if n.endswith("licenses/LICENSE")]
    assert [n for n in names if n.endswith("licenses/LICENSE-text")]
    [entry] = [n for n in names if n.endswith("entry_points.txt")]
    assert b"vtbook = vtbook.course.cli:main" in wheel.read(entry)


def test_the_source_archive_has_all_that_a_clone_has(tmp_path):
    with tarfile.open(build("sdist", tmp_path)) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert not tracked() - inside - {".gitattributes"}
