"""vtbook guests: the list, and what vtbook guests linux says when it cannot build."""

import json
import os

import pytest

from tests.course.conftest import COMMAND, environment
from tests.guests.linux.test_linux_building import needs_tools, small_sources
from vtbook.guests import list_images
from vtbook.machine.firmware import KNOWN_FIRMWARE


def test_the_list_has_programs_firmware_and_how_to_get_linux(vtbook, tmp_path):
    done = vtbook("guests", VTBOOK_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    screen = " ".join(done.stdout.decode().split())
    assert all(f"guest:{name} " in screen for name in list_images())
    assert all(f" {name} " in screen for name in KNOWN_FIRMWARE)
    assert "not here: build it once with `vtbook guests linux`" in screen


def test_the_list_as_data_says_where_things_are(vtbook, tmp_path):
    folder = tmp_path / "cache" / "linux" / "6.12.1"
    folder.mkdir(parents=True)
    names = ("Image", "initramfs.cpio", "kernel.config")
    for name in names:
        (folder / name).write_bytes(b"")
    manifest = {"version": "6.12.1", "files": {name: {"size": 0} for name in names}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    done = vtbook("guests", "--json", VTBOOK_CACHE=str(tmp_path / "cache"))
    listed = json.loads(done.stdout)
    rows = {row["name"]: row for row in listed}
    assert len(rows) == len(listed), "each name once"
    assert rows["guest:hello"]["path"].endswith("hello.elf")
    assert rows["teaching"]["path"].endswith("kernel.elf")
    assert rows["linux"]["path"] == str(folder / "Image")
    assert "vtbook guests linux --force" in rows["linux"]["what"]


def test_what_a_build_lacks_is_one_line_with_a_command(vtbook, tmp_path):
    done = vtbook("guests", "linux", VTBOOK_CACHE=str(tmp_path / "cache"), PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stdout == b""
    message = done.stderr.decode()
    assert message.startswith("vtbook: cannot build Linux without ")
    assert "sudo apt install " in message
    assert "gcc-riscv64-linux-gnu" in message
    assert not (tmp_path / "cache").exists()


@needs_tools
def test_a_build_says_its_steps_and_prints_what_it_made(vtbook, tmp_path):
    cache, folder = tmp_path / "cache", small_sources(tmp_path / "src")
    done = vtbook("guests", "linux", "--from", folder, "--jobs", "1", VTBOOK_CACHE=str(cache))
    assert done.returncode == 0, done.stderr
    made = cache / "linux" / "6.12.1"
    names = ("Image", "initramfs.cpio", "kernel.config")
    assert done.stdout.decode().splitlines() == [str(made / name) for name in names]
    said = done.stderr.decode().splitlines()
    assert said[:2] == ["vtbook: unpack Linux", "vtbook: configure Linux"]
    assert said[-1].startswith("vtbook: Linux 6.12.1 built in ")
    again = vtbook("guests", "linux", VTBOOK_CACHE=str(cache))
    assert again.stdout == done.stdout
    assert again.stderr.decode() == "vtbook: Linux 6.12.1 was there\n"


@needs_tools
def test_on_a_terminal_each_step_has_a_line_with_its_time(tmp_path):
    pexpect = pytest.importorskip("pexpect")
    folder = small_sources(tmp_path / "src")
    settings = environment(VTBOOK_CACHE=str(tmp_path / "cache"), TERM="xterm")
    command = [*COMMAND[1:], "guests", "linux", "--from", str(folder)]
    child = pexpect.spawn(
        COMMAND[0], command, env=settings, cwd=os.fspath(tmp_path), timeout=120, encoding="utf-8"
    )
    for step in ("unpack Linux", "compile Linux", "compile BusyBox"):
        child.expect(rf"{step} +\S*0:00:\d\d")
    child.expect("built in .* s")
    child.expect("kernel.config")
    child.wait()
    assert child.exitstatus == 0
