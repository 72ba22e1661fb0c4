"""Device trees: text and binary form, held against dtc; damaged files."""

import random
import shutil
import struct
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbook.machine.devicetree import (
    DeviceTree,
    DeviceTreeError,
    Node,
    cells64,
    encode,
    read_dtb,
)

DTC = shutil.which("dtc")
QEMU = shutil.which("qemu-system-riscv64")
needs_dtc = pytest.mark.skipif(DTC is None, reason="needs dtc: apt install device-tree-compiler")
needs_qemu = pytest.mark.skipif(QEMU is None, reason="needs qemu-system-riscv64")


def dtc(data: bytes, source: str, target: str) -> bytes:
    command = [DTC, "-q", "-I", source, "-O", target]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def sample() -> DeviceTree:
    tree = DeviceTree(reserved=[(0x8000_0000, 0x2_0000)])
    tree.root = Node.of(
        "",
        Node.of("cpus", Node.of("cpu@0", device_type="cpu", reg=0, phandle=1)),
        Node.of("soc", Node.of("serial@10000000", reg=cells64(0x1000_0000, 0x100), ranges=True)),
        **{"#address-cells": 2, "compatible": ["one,two", 'with "quotes" \\'], "cells": b"\1\2\3"},
    )
    return tree


def test_values_become_bytes():
    assert encode(0x12345678) == b"\x12\x34\x56\x78"
    assert encode([1, 2]) == b"\0\0\0\1\0\0\0\2"
    assert encode("ab") == b"ab\0"
    assert encode(["a", "b"]) == b"a\0b\0"
    assert encode(["on", 1]) == b"on\0\0\0\0\1"
    assert encode(True) == b""
    assert encode(b"\xff") == b"\xff"
    assert cells64(0x1_0000_0002) == [1, 2]


@pytest.mark.parametrize("value", [1 << 32, -1, "a\0b", False, [5, 1 << 40]])
def test_values_that_do_not_fit_are_refused(value):
    with pytest.raises(DeviceTreeError):
        Node("n")["p"] = value


def test_properties_are_read_back():
    tree = sample()
    assert tree["/soc/serial@10000000"].cells64("reg") == [0x1000_0000, 0x100]
    assert tree["cpus/cpu"].cells("phandle") == [1]
    assert tree["/cpus/cpu@0"].text("device_type") == "cpu"
    assert tree.root.texts("compatible")[0] == "one,two"
    with pytest.raises(DeviceTreeError, match="there is no node 'rtc' in soc; there are serial@10"):
        tree["/soc/rtc"]
    with pytest.raises(DeviceTreeError, match="has no property 'rag'; it has device_type"):
        tree["/cpus/cpu@0"].cells("rag")
    with pytest.raises(DeviceTreeError, match="is no text"):
        tree.root.text("cells")
    with pytest.raises(DeviceTreeError, match="no cells of 4"):
        tree.root.cells("cells")


def test_walk_gives_paths_parents_first():
    paths = [path for path, _ in sample().root.walk()]
    assert paths == ["/", "/cpus", "/cpus/cpu@0", "/soc", "/soc/serial@10000000"]


@needs_dtc
def test_the_text_compiled_by_dtc_is_our_binary_form():
    tree = sample()
    assert dtc(str(tree).encode(), "dts", "dtb") == bytes(tree)


@needs_dtc
def test_our_binary_form_as_text_of_dtc_is_our_text():
    tree = sample()
    listed = dtc(bytes(tree), "dtb", "dts").decode().replace("\\0", '", "')
    ours, theirs = (text.partition("/ {")[2] for text in (str(tree), listed))
    assert ours.split() == theirs.split()


NAMES = st.text("abcdefg,#-", min_size=1, max_size=6)
TEXTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=9)
VALUES = st.one_of(
    st.just(b""), st.binary(max_size=17), st.lists(TEXTS, min_size=1, max_size=3).map(encode)
)


@st.composite
def trees(draw, depth=3):
    node = Node("", draw(st.dictionaries(NAMES, VALUES, max_size=4)))
    names = draw(st.lists(NAMES, unique=True, max_size=3 if depth else 0))
    for name in names:
        child = draw(trees(depth=depth - 1))
        child.name = f"n{name.replace('#', '')}"
        if child.name not in [other.name for other in node.children]:
            node.children.append(child)
    return node


@given(trees(), st.lists(st.tuples(st.integers(1, 9), st.integers(0, 1 << 63)), max_size=2))
def test_what_is_written_is_read(root, reserved):
    tree = DeviceTree(root, reserved, boot_hart=3)
    assert read_dtb(bytes(tree) + b"more") == tree


@needs_dtc
@settings(max_examples=30, deadline=None)
@given(trees())
def test_dtc_reads_any_text_of_ours_as_the_same_tree(root):
    tree = DeviceTree(root)
    assert dtc(str(tree).encode(), "dts", "dtb") == bytes(tree)


@needs_qemu
def test_the_tree_of_qemu_is_read_and_written_without_loss(tmp_path):
    path = tmp_path / "virt.dtb"
    machine = ["-M", f"virt,dumpdtb={path}", "-smp", "3", "-m", "256M"]
    subprocess.run([QEMU, *machine], check=True, capture_output=True)
    data = path.read_bytes()
    tree = read_dtb(data)
    assert tree["/memory"].cells64("reg") == [0x8000_0000, 256 << 20]
    assert len([path for path, _ in tree.root.walk() if "/cpu@" in path]) == 6
    if DTC:
        assert bytes(tree) == dtc(data, "dtb", "dtb")


def test_damaged_files_end_in_an_error_or_another_tree():
    data = bytes(sample())
    generator = random.Random(4)
    refused = 0
    for _ in range(3000):
        damaged = bytearray(data)
        for _ in range(generator.randrange(1, 4)):
            damaged[generator.randrange(len(data))] = generator.randrange(256)
        if generator.randrange(3) == 0:
            del damaged[generator.randrange(len(data)) :]
        try:
            str(read_dtb(bytes(damaged)))
        except DeviceTreeError:
            refused += 1
    assert 1000 < refused < 3000


def test_files_that_are_no_tree_are_refused():
    with pytest.raises(DeviceTreeError, match="less than the header"):
        read_dtb(b"")
    with pytest.raises(DeviceTreeError, match="begins with 0x7f454c46"):
        read_dtb(b"\x7fELF" + bytes(60))
    data = bytes(sample())
    with pytest.raises(DeviceTreeError, match="but only 100 are there"):
        read_dtb(data[:100])
    with pytest.raises(DeviceTreeError, match="version 3"):
        read_dtb(data[:20] + struct.pack(">II", 3, 1) + data[28:])


def test_a_tree_nested_too_deep_is_refused():
    root = leaf = Node("")
    for _ in range(200):
        leaf.children.append(Node("n"))
        leaf = leaf.children[0]
    with pytest.raises(DeviceTreeError, match="64 open nodes"):
        read_dtb(bytes(DeviceTree(root)))
