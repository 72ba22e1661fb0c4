"""What people run on it: U-Boot, Linux, the teaching kernel."""

import pytest

from tests.guests.firmware.qemu import Running, needs_qemu
from vtbook.guests import linux
from vtbook.guests.firmware import firmware_image
from vtbook.guests.kernel import kernel_image
from vtbook.machine.firmware import FirmwareError, find_firmware, plan_boot
from vtbook.machine.virt_tree import virt_tree

pytestmark = needs_qemu
LINUX = linux.find()
needs_linux = pytest.mark.skipif(LINUX is None, reason=f"needs a Linux: {linux.HOW_TO_BUILD}")
BIOS = ("-bios", str(firmware_image()))


def start_linux(options, *more, **machine):
    files = ["-kernel", str(LINUX.kernel), "-initrd", str(LINUX.initramfs)]
    return Running(*BIOS, *files, "-append", options, "-no-reboot", *more, **machine)


@needs_linux
@pytest.mark.parametrize(
    "cpu",
    ["rv64", "rv64,sstc=false", "rv64,h=false,pmp=false"],
    ids=["all", "no sstc", "no h, pmp"],
)
def test_linux_finds_its_extensions_and_all_harts(cpu):
    """Messages and script go through the console of SBI 2.0 (hvc0); the script ends the machine."""
    script = 'vtbook.run="nproc; dmesg | grep SBI; head -20 /proc/iomem; exit 3"'
    ended = start_linux(f"console=hvc0 quiet {script}", harts=4, cpu=cpu).end()
    assert ended.code == 3
    assert "4" in ended.lines
    assert "SBI specification v2.0 detected" in ended.text
    for name in ("TIME", "IPI", "RFENCE", "SRST", "DBCN", "HSM"):
        assert f"SBI {name} extension detected" in ended.text
    assert "80000000-8003ffff : Reserved" in ended.lines
    assert not any(word in ended.text for word in ("Oops", "panic", "BUG", "stall"))


def test_u_boot_reaches_its_prompt():
    try:
        u_boot = find_firmware("u-boot")
    except FirmwareError as error:
        pytest.skip(str(error))
    machine = Running(*BIOS, "-kernel", str(u_boot), harts=2)
    machine.wait_for("Hit any key")
    machine.type("\n")
    machine.wait_for("=> ")
    machine.type("sbi\n")
    machine.wait_for(
        "Debug Console" if b"Debug Console" in u_boot.read_bytes() else "IPI Extension"
    )
    machine.type("poweroff\n")
    ended = machine.end()
    assert ended.code == 0
    assert "SBI 2.0" in ended.text
    assert "Hart State Management Extension" in ended.text


def test_the_teaching_kernel_runs_its_shell():
    machine = Running(*BIOS, "-kernel", str(kernel_image()), harts=3)
    machine.wait_for("$ ")
    machine.type("echo one two | cat\n")
    machine.wait_for("one two", times=2)
    machine.type("poweroff\n")
    ended = machine.end()
    assert ended.code == 0
    assert "3 harts" in ended.text


@needs_linux
@pytest.mark.parametrize("firmware", ["vtbook", "opensbi"])
def test_linux_runs_from_our_plan_on_our_device_tree(firmware, tmp_path):
    """Nothing is QEMU's but the hardware: pieces, tree and boot ROM are ours."""
    size, isa = 256 << 20, "rv64imafdc_zicsr_zifencei_zba_zbb_sstc"

    def tree(disk):
        arguments = 'console=ttyS0 quiet vtbook.run="nproc; dmesg | grep riscv: ; free; exit 5"'
        return virt_tree(
            harts=2, ram_size=size, isa=isa, mmu="riscv,sv48", bootargs=arguments, initrd=disk
        )

    try:
        bios = find_firmware(firmware)
    except FirmwareError as error:
        pytest.skip(str(error))
    plan = plan_boot(bios, LINUX.kernel, LINUX.initramfs, ram_size=size, tree=tree)
    place = 0x8000_0000 + size - 4096
    loaded = []
    pieces = [(piece.address, bytes(piece.data)) for piece in plan.pieces]
    for number, (address, data) in enumerate([*pieces, (place, plan.rom)]):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(data)
        loaded += ["-device", f"loader,file={path},addr={address:#x},force-raw=on"]
    for hart in range(2):
        loaded += ["-device", f"loader,addr={place:#x},cpu-num={hart}"]
    ended = Running("-bios", "none", *loaded, "-no-reboot", harts=2, memory="256M").end()
    assert ended.code == 5
    assert "2" in ended.lines
    assert "base ISA extensions acdfim" in ended.text
    assert 'deprecated "riscv,isa"' not in ended.text
