"""The boot ROM, byte for byte against QEMU's."""

import re
import shutil
import struct
import subprocess

import pytest

from vtbook.machine.bootrom import MACHINE, boot_rom

QEMU = shutil.which("qemu-system-riscv64")


def qemu_rom(*arguments: str) -> bytes:
    """What QEMU puts at 0x1000, read through its monitor before the first instruction."""
    command = [QEMU, "-M", "virt", "-S", "-display", "none", "-serial", "none", "-monitor", "stdio"]
    asked = "xp /22xw 0x1000\nquit\n"
    done = subprocess.run(
        [*command, *arguments], input=asked, capture_output=True, text=True, timeout=60, check=True
    )
    lines = re.findall(r"^0*10[0-9a-f]{2}: (.*)$", done.stdout, re.MULTILINE)
    words = [int(word, 16) for line in lines for word in line.split()]
    return struct.pack("<22I", *words)


@pytest.mark.skipif(QEMU is None, reason="needs qemu-system-riscv64")
@pytest.mark.parametrize("memory", ["128M", "256M"])
def test_the_rom_is_that_of_qemu(memory, tmp_path):
    path = tmp_path / "kernel.bin"
    path.write_bytes(bytes(64))
    theirs = qemu_rom("-m", memory, "-kernel", str(path), "-bios", "default")
    tree, next_address = struct.unpack_from("<32xQ16xQ", theirs)
    assert 0x8000_0000 < next_address < tree
    assert boot_rom(0x8000_0000, tree, next_address=next_address, boot_hart=0) == theirs


def test_the_record_for_the_firmware_has_its_fields_in_order():
    rom = boot_rom(1, 2, next_address=3, next_mode=MACHINE, options=5)
    assert struct.unpack("<8Q", rom[24:]) == (1, 2, 0x4942534F, 2, 3, 3, 5, 0xFFFF_FFFF_FFFF_FFFF)
