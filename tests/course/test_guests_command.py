"""vtbook guests: the list, and what vtbook guests linux says when it cannot build."""

import json

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
    rows = {row["name"]: row for row in json.loads(done.stdout)}
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
