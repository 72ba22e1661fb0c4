"""The kernel's file system from outside: what is put on a disk is read back, and damage is seen."""

import re
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbook.guests.kernel import (
    Disk,
    FileSystemError,
    check,
    compile,
    disk_image,
    make_file_system,
    mkfs,
    read_folder,
    standard_files,
)

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=9)
NAMES = NAMES.filter(lambda name: name not in (".", "..") and len(name.encode()) <= 28)
TREES = st.recursive(
    st.binary(max_size=3000), lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


def paths(tree, prefix=""):
    """Turn nested dictionaries into what make_file_system() takes."""
    found = {}
    for name, content in tree.items():
        if isinstance(content, dict):
            found[f"{prefix}{name}/"] = b""
            found |= paths(content, f"{prefix}{name}/")
        else:
            found[prefix + name] = content
    return found


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(NAMES, TREES, max_size=4), st.booleans())
def test_files_are_read_back(tree, log):
    files = paths(tree)
    image = make_file_system(files, size=256 << 10, log=log)
    assert Disk(image).files() == files
    assert check(image) == []
    for path, content in files.items():
        if not path.endswith("/"):
            assert Disk(image).read("/" + path) == content


@pytest.mark.parametrize("blocks", [0, 1, 10, 11, 266, 267, 522, 523, 1000])
def test_every_kind_of_block_is_used(blocks):
    """10 direct blocks, 256 indirect ones, then twice indirect."""
    content = bytes(i * 7 % 251 for i in range(blocks * 1024 - 5 if blocks else 0))
    image = make_file_system({"large": content}, size=2 << 20)
    assert Disk(image).read("large") == content
    assert check(image) == []


def test_the_same_files_make_the_same_disk():
    files = {"b": b"2", "a/c": b"1"}
    assert make_file_system(files) == make_file_system(dict(reversed(files.items())))


def test_a_folder_becomes_a_disk(tmp_path):
    (tmp_path / "inner" / "empty").mkdir(parents=True)
    (tmp_path / "inner" / "file").write_bytes(b"text")
    files = read_folder(tmp_path)
    assert files == {"inner/": b"", "inner/empty/": b"", "inner/file": b"text"}
    assert Disk(make_file_system(files)).files() == files


def test_a_disk_has_the_programs_and_what_the_reader_adds():
    files = Disk(disk_image({"mine": b"x", "welcome.txt": b"other"})).files()
    assert files == standard_files() | {"mine": b"x", "welcome.txt": b"other"}
    assert Disk(disk_image({"mine": b"x"}, standard=False)).files() == {"mine": b"x"}


@pytest.mark.parametrize(
    ("files", "size", "why"),
    [
        ({"": b""}, 1 << 20, "no name"),
        ({"a//b": b""}, 1 << 20, "no name"),
        ({"/a": b""}, 1 << 20, "no name"),
        ({"../a": b""}, 1 << 20, "no name"),
        ({"x" * 29: b""}, 1 << 20, "1 to 28 bytes"),
        ({"é" * 15: b""}, 1 << 20, "1 to 28 bytes"),
        ({"a": b"", "a/b": b""}, 1 << 20, "a is a file"),
        ({"a/b": b"", "a": b""}, 1 << 20, "a is a file"),
        ({"a/": b"", "a": b""}, 1 << 20, "file of that name"),
        ({"a": bytes(1 << 20)}, 1 << 20, "no room"),
        ({}, 50 << 10, "no room"),
        ({str(i): b"" for i in range(200)}, 1 << 20, "too few inodes"),
        ({}, 1000, "multiple of 1024"),
        ({}, 1 << 30, "at most"),
        ({}, 0, "multiple of 1024"),
    ],
)
def test_what_is_not_possible_is_refused(files, size, why):
    with pytest.raises(FileSystemError, match=why):
        make_file_system(files, size=size)


def test_other_disks_are_refused():
    for image in (b"", bytes(100), bytes(1 << 20), make_file_system({})[:-1024]):
        with pytest.raises(FileSystemError):
            Disk(image)
    with pytest.raises(FileSystemError, match="no such file"):
        Disk(make_file_system({})).read("a")
    with pytest.raises(FileSystemError, match="a directory"):
        Disk(make_file_system({"a/": b""})).read("a")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_is_reported_or_refused_and_nothing_else_happens(data):
    image = bytearray(
        make_file_system({"a/b": b"text" * 4000, "c": b"x"}, size=128 << 10, log=True)
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(image) // 4 - 1)) * 4
        image[at : at + 4] = data.draw(st.binary(min_size=4, max_size=4))
    try:
        problems = check(bytes(image))
        if not problems:
            Disk(bytes(image)).files()
    except FileSystemError:
        pass


def _damaged(change):
    image = bytearray(make_file_system({"a": b"x" * 3000, "b": b"y", "d/e": b""}, size=256 << 10))
    disk = Disk(bytes(image))
    change(image, disk)
    return check(bytes(image))


def _inode_at(disk, number):
    return disk.super.inode_start * 1024 + number * 64


def _number(disk, path):
    return dict(disk.entries(disk.inode(1)))[path]


def _first_block(disk, path):
    return disk.inode(_number(disk, path)).direct[0]


def _clear_bit(image, disk):
    block = _first_block(disk, "a")
    image[disk.super.bitmap_start * 1024 + block // 8] &= ~(1 << block % 8)


def _set_bit(image, disk):
    image[disk.super.bitmap_start * 1024 + 25] = 0xFF


def _share_block(image, disk):
    at = _inode_at(disk, _number(disk, "b")) + 16
    image[at : at + 4] = struct.pack("<I", _first_block(disk, "a"))


def _count_links_wrong(image, disk):
    image[_inode_at(disk, _number(disk, "a")) + 2] = 2


def _free_inode(image, disk):
    at = _inode_at(disk, _number(disk, "b"))
    image[at : at + 64] = bytes(64)


def _break_dots(image, disk):
    image[_first_block(disk, "d") * 1024 + 32] = _number(disk, "a")


def _block_outside(image, disk):
    at = _inode_at(disk, _number(disk, "b")) + 16
    image[at : at + 4] = struct.pack("<I", 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_clear_bit, "is free in the bitmap, but inode"),
        (_set_bit, "is taken in the bitmap, but no file"),
        (_share_block, "inodes .* have block"),
        (_count_links_wrong, "has 2 links, but 1 names"),
        (_free_inode, "b is inode .* which is free"),
        (_break_dots, "\\. or \\.\\. is wrong"),
        (_block_outside, "has block 1, which is not for files"),
    ],
)
def test_each_kind_of_damage_is_named(change, words):
    assert _damaged(lambda image, disk: None) == []
    assert re.search(words, " ".join(_damaged(change)))


def _logged(image, place, content, *, good=True):
    """Write a transaction of one block into the log."""
    header = bytearray(1024)
    struct.pack_into("<QII", header, 8, 1, 1, place)
    struct.pack_into("<Q", header, 0, mkfs.log_checksum(bytes(header) + content) ^ (not good))
    start = Disk(image).super.log_start * 1024
    return image[:start] + bytes(header) + content + image[start + 2048 :]


def test_a_transaction_that_is_whole_is_done_and_another_is_not():
    image = make_file_system({"a": b"old"}, size=256 << 10)
    block = Disk(image).inode(2).direct[0]
    new = b"new".ljust(1024, b"\0")
    assert Disk(_logged(image, block, new)).read("a") == b"new"
    assert Disk(_logged(image, block, new)).replayed == [block]
    assert Disk(_logged(image, block, new, good=False)).read("a") == b"old"


def test_kernel_and_python_have_the_same_numbers():
    text = (compile.SHARED / "disk.h").read_text(encoding="utf-8")
    for name, value in {
        "BLOCK_SIZE": mkfs.BLOCK,
        "DIRECT": mkfs.DIRECT,
        "ROOT_INODE": mkfs.ROOT,
        "NAME_SIZE": mkfs.NAME_SIZE,
        "LOG_CAPACITY": mkfs.LOG_CAPACITY,
    }.items():
        assert re.search(rf"\b{name} = {value}\b", text), name
    assert re.search(rf"DISK_MAGIC {mkfs.MAGIC:#x}ULL", text)
