"""Where firmware, kernel, RAM disk and device tree go; and QEMU boots what was planned."""

import gzip
import shutil
import struct
import subprocess
import time

import pytest

from vtbook.machine import Segment, write_elf
from vtbook.machine.devicetree import read_dtb
from vtbook.machine.firmware import (
    KNOWN_FIRMWARE,
    FirmwareError,
    KnownFirmware,
    find_firmware,
    plan_boot,
)
from vtbook.machine.linux_image import LinuxImageError, is_linux_image, read_header, unpack
from vtbook.machine.virt_tree import virt_tree

QEMU = shutil.which("qemu-system-riscv64")
MIB = 1 << 20
RAM = 0x8000_0000


def plan(firmware, kernel=None, initrd=None, ram_size=128 * MIB, **more):
    def tree(disk):
        return virt_tree(ram_size=ram_size, initrd=disk)

    return plan_boot(firmware, kernel, initrd, ram_size=ram_size, tree=tree, **more)


def linux(size=20 * MIB, offset=2 * MIB, flags=0, length=1000):
    header = struct.pack(
        "<8sQQQII8x8sII", b"MZ", offset, size, flags, 2, 0, b"RISCV", 0x05435352, 0
    )
    return header.ljust(length, b"k")


def places(made):
    return {piece.name: (piece.address, piece.size) for piece in made.pieces}


def test_flat_binaries_go_where_opensbi_and_u_boot_expect_them():
    made = plan(b"f" * 100, b"k" * 200)
    assert places(made)["firmware"] == (RAM, 100)
    assert places(made)["kernel"] == (RAM + 2 * MIB, 200)
    assert (made.entry, made.next_address, made.next_mode) == (RAM, RAM + 2 * MIB, 1)
    assert made.initrd is None
    assert made.registers(3) == {"pc": RAM, "a0": 3, "a1": made.dtb_address, "a2": 0x1028}
    numbers = struct.unpack("<8Q", made.rom[24:])
    assert numbers == (RAM, made.dtb_address, 0x4942534F, 2, RAM + 2 * MIB, 1, 0, (1 << 64) - 1)


def test_the_device_tree_tells_where_the_ram_disk_is():
    made = plan(b"f", b"k", b"disk" * 5000)
    start, end = made.initrd
    assert end - start == 20000
    assert start % 4096 == 0
    tree = next(piece for piece in made.pieces if piece.name == "device tree")
    chosen = read_dtb(tree.data)["/chosen"]
    assert chosen.cells64("linux,initrd-start") == [start]
    assert chosen.cells64("linux,initrd-end") == [end]
    assert tree.address == made.dtb_address
    assert end <= made.dtb_address


@pytest.mark.skipif(QEMU is None, reason="needs qemu-system-riscv64")
@pytest.mark.parametrize("size", [64, 128, 512, 2048])
def test_the_device_tree_is_where_qemu_puts_it(size):
    command = [QEMU, "-M", "virt", "-m", f"{size}M", "-S", "-bios", "none", "-display", "none"]
    command += ["-serial", "none", "-monitor", "stdio"]
    asked = subprocess.run(
        command, input="xp /1xg 0x1020\nquit\n", capture_output=True, text=True, timeout=60
    )
    theirs = int(asked.stdout.split("0000000000001020: ")[1].split()[0], 16)
    assert plan(b"f", ram_size=size * MIB).dtb_address == theirs


def test_a_linux_kernel_says_itself_where_it_goes_and_how_much_it_needs():
    made = plan(b"f", linux(size=20 * MIB, offset=4 * MIB))
    assert places(made)["kernel"] == (RAM + 4 * MIB, 20 * MIB)
    assert made.next_address == RAM + 4 * MIB


def test_wrapped_kernels_are_unpacked():
    kernel = linux()
    wrapped = gzip.compress(kernel)
    zboot = b"MZ\0\0zimg" + struct.pack("<II8x", 64, len(wrapped)) + b"gzip".ljust(40, b"\0")
    assert unpack(wrapped) == unpack(zboot + wrapped) == unpack(kernel) == kernel
    assert bytes(plan(b"f", wrapped).pieces[1].data) == kernel
    zstd = zboot.replace(b"gzip\0\0", b"zstd22") + wrapped
    with pytest.raises(FirmwareError, match=r"a kernel in zstd22.*cut out"):
        plan(b"f", zstd)
    with pytest.raises(FirmwareError, match="gzip file is cut off"):
        plan(b"f", wrapped[:-4])
    with pytest.raises(FirmwareError, match="gzip file is damaged"):
        plan(b"f", wrapped[:2] + b"\xff" + wrapped[3:])


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (linux(flags=1), "big-endian"),
        (linux(offset=0x1234), "text_offset is 0x1234"),
        (linux(offset=1 << 50), "text_offset"),
        (linux(size=1 << 40), "image_size is 0x10000000000"),
        (linux(size=0, length=3 * MIB), "image_size"),
        (bytes(100), "no Linux kernel"),
    ],
)
def test_headers_that_make_no_sense_are_refused(kernel, message):
    with pytest.raises(LinuxImageError, match=message):
        read_header(kernel)
    if is_linux_image(kernel):
        with pytest.raises(FirmwareError, match=message):
            plan(b"f", kernel)


def test_elf_files_say_themselves_where_they_go():
    parts = [Segment(RAM + 0x20_0000, bytes(0x2000)), Segment(RAM + 0x30_0000, b"x", 99)]
    kernel = write_elf(parts, RAM + 0x20_1000)
    made = plan(b"f", kernel)
    assert made.next_address == RAM + 0x20_1000
    assert [(p.address, p.size) for p in made.pieces[1:3]] == [
        (RAM + 0x20_0000, 0x2000),
        (RAM + 0x30_0000, 99),
    ]


def test_without_firmware_the_kernel_is_the_first_program():
    made = plan(None, write_elf([Segment(RAM, bytes(64))], RAM), ram_size=8 * MIB)
    assert (made.entry, made.next_address) == (RAM, 0)
    with pytest.raises(FirmwareError, match="nothing to boot"):
        plan(None)


def test_what_does_not_fit_is_named_with_the_ram_it_needs():
    with pytest.raises(FirmwareError, match=r"kernel: 0x80200000-0x.* is not all in.*'256 MiB'"):
        plan(b"f", bytes(140 * MIB))
    with pytest.raises(
        FirmwareError, match=r"kernel needs 0x80200000-0x86.*but RAM disk begins.*'256 MiB'"
    ):
        plan(b"f", bytes(100 * MIB), bytes(40 * MIB))
    with pytest.raises(FirmwareError, match=r"firmware needs.*but kernel begins.*no size of RAM"):
        plan(bytes(3 * MIB), b"k")
    low = write_elf([Segment(0x1000_0000, b"abcd")], 0x1000_0000)
    with pytest.raises(FirmwareError, match="no size of RAM helps"):
        plan(b"f", low)
    virtual = write_elf([Segment(0xFFFF_FFFF_8000_0000, b"abcd")], 0xFFFF_FFFF_8000_0000)
    with pytest.raises(FirmwareError, match="give arch/riscv/boot/Image"):
        plan(b"f", virtual)


@pytest.mark.parametrize("size", [1, 2, 4, 8, 16, 1024, 4096])
def test_pieces_never_overlap_and_lie_in_ram(size):
    kernel = None if size < 4 else b"k" * 1000
    made = plan(b"f" * 1000, kernel, b"d" * 5000, ram_size=size * MIB)
    end = RAM
    for piece in made.pieces:
        assert piece.address >= end
        end = piece.end
    assert end <= min(RAM + size * MIB, 3 << 30)


def test_fw_jump_is_told_from_fw_dynamic(tmp_path):
    jump = tmp_path / "fw_jump.bin"
    jump.write_bytes(b"f" * 100)
    assert plan(jump, bytes(30 * MIB)).entry == RAM
    with pytest.raises(FirmwareError, match=r"fw_jump.bin jumps to 0x80200000.*take fw_dynamic"):
        plan(jump, bytes(33 * MIB))
    with pytest.raises(FirmwareError, match="take fw_dynamic"):
        plan(jump, linux(offset=4 * MIB))


def test_files_are_found_by_name_or_the_message_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "mine.bin"
    path.write_bytes(b"f")
    assert find_firmware(path) == path
    known = KnownFirmware("Thing", (str(tmp_path / "no"), str(path)), "thing-package")
    monkeypatch.setitem(KNOWN_FIRMWARE, "thing", known)
    assert find_firmware("thing") == path
    path.unlink()
    with pytest.raises(FirmwareError, match=r"Thing is not here; .*apt install thing-package"):
        find_firmware("thing")
    with pytest.raises(FirmwareError, match="give a path, or one of vtbook, opensbi, "):
        find_firmware("opensbl")
    with pytest.raises(FirmwareError, match=r"firmware .*gone.bin: cannot be read"):
        plan(tmp_path / "gone.bin")
    with pytest.raises(FirmwareError, match="the file is empty"):
        plan(b"")


def test_files_that_relocate_themselves_are_to_be_given_flat():
    try:
        flat = find_firmware("opensbi")
    except FirmwareError:
        pytest.skip("needs OpenSBI: apt install opensbi")
    if not flat.with_suffix(".elf").exists():
        pytest.skip("needs the ELF file of OpenSBI beside its .bin")
    with pytest.raises(FirmwareError, match=r"give its \.bin file"):
        plan(flat.with_suffix(".elf"))


@pytest.mark.skipif(QEMU is None, reason="needs qemu-system-riscv64")
@pytest.mark.parametrize(("firmware", "banner"), [("opensbi", b"OpenSBI"), ("vtbook", b"vtbook f")])
def test_qemu_boots_firmware_and_u_boot_from_the_plan(firmware, banner, tmp_path):
    """QEMU puts our pieces into its RAM and starts at our boot ROM, moved to the end of RAM."""
    try:
        made = plan(find_firmware(firmware), find_firmware("u-boot"))
    except FirmwareError as error:
        pytest.skip(str(error))
    command = [QEMU, "-M", "virt", "-m", "128M", "-bios", "none", "-display", "none"]
    command += ["-monitor", "none", "-serial", "stdio"]
    rom = RAM + 128 * MIB - 4096
    pieces = [(piece.address, bytes(piece.data)) for piece in made.pieces]
    for number, (address, data) in enumerate([*pieces, (rom, made.rom)]):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(data)
        command += ["-device", f"loader,file={path},addr={address:#x},force-raw=on"]
    command += ["-device", f"loader,addr={rom:#x},cpu-num=0"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        seen = b""
        end = time.monotonic() + 120
        while b"Hit any key" not in seen and time.monotonic() < end:
            byte = process.stdout.read(1)
            if not byte:
                break
            seen += byte
    finally:
        process.kill()
        process.communicate()
    assert banner in seen
    assert b"riscv-virtio,vtbook" in seen
    assert b"DRAM:  128 MiB" in seen
    assert b"Hit any key" in seen
