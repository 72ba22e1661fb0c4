"""The writer of initramfs archives, against cpio(1)."""

import shutil
import subprocess

import pytest

from vtbook.guests.linux import CpioError, CpioWriter, archive_of

CPIO = shutil.which("cpio")
needs_cpio = pytest.mark.skipif(CPIO is None, reason="needs cpio: apt install cpio")


def listed(archive: bytes) -> list[list[str]]:
    """The archive as cpio sees it: mode, links, owner, ..., name."""
    command = [CPIO, "-t", "-v", "--quiet", "--numeric-uid-gid"]
    done = subprocess.run(command, input=archive, capture_output=True, check=True)
    return [line.split() for line in done.stdout.decode().splitlines()]


def sample() -> CpioWriter:
    writer = CpioWriter()
    writer.folder("bin")
    writer.folder("tmp", 0o1777)
    writer.character_device("console", 5, 1)
    writer.file("bin/one", b"x", 0o755)
    writer.file("bin/seven", b"7 bytes")
    writer.file("empty", b"")
    writer.link("bin/sh", "/bin/one")
    return writer


@needs_cpio
def test_cpio_lists_every_kind_of_file():
    rows = listed(sample().getvalue())
    assert [(row[0], row[2], row[3]) for row in rows] == [
        ("drwxr-xr-x", "0", "0"),
        ("drwxrwxrwt", "0", "0"),
        ("crw-------", "0", "0"),
        ("-rwxr-xr-x", "0", "0"),
        ("-rw-r--r--", "0", "0"),
        ("-rw-r--r--", "0", "0"),
        ("lrwxrwxrwx", "0", "0"),
    ]
    assert rows[2][4:6] == ["5,", "1"]
    assert [row[4] for row in rows[3:6]] == ["1", "7", "0"]
    assert rows[6][-3:] == ["bin/sh", "->", "/bin/one"]


@needs_cpio
def test_cpio_unpacks_what_was_put_in(tmp_path):
    contents = {f"a/{n}/f{n}": bytes(range(n)) for n in (0, 1, 2, 3, 4, 5, 255)}
    command = [CPIO, "-i", "-d", "--quiet"]
    subprocess.run(command, input=archive_of(contents), cwd=tmp_path, check=True)
    found = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert found == contents


def test_the_same_files_make_the_same_archive():
    assert sample().getvalue() == sample().getvalue()
    one = archive_of({"b": b"2", "a": b"1"})
    assert one == archive_of({"a": b"1", "b": b"2"})
    assert len(one) % 512 == 0


@pytest.mark.parametrize("name", ["", "/bin/sh", "bin/", "../up", "a/./b", "new\nline", "nul\0"])
def test_a_name_that_leaves_the_root_is_refused(name):
    with pytest.raises(CpioError, match="no name of a file"):
        CpioWriter().file(name, b"")


def test_a_name_is_taken_once_and_needs_its_folder():
    writer = sample()
    with pytest.raises(CpioError, match="bin/one: stands twice"):
        writer.file("bin/one", b"")
    with pytest.raises(CpioError, match="its folder lib is not"):
        writer.file("lib/x", b"")
    with pytest.raises(CpioError, match="its folder bin/one is not"):
        writer.file("bin/one/x", b"")
