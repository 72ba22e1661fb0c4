"""The built Linux on QEMU's virt, with the firmware that comes with QEMU."""

import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from vtbook.guests import linux

QEMU = shutil.which("qemu-system-riscv64")
IMAGE = linux.find()
pytestmark = [
    pytest.mark.skipif(QEMU is None, reason="needs QEMU: apt install qemu-system-misc"),
    pytest.mark.skipif(IMAGE is None, reason=f"needs a Linux: {linux.HOW_TO_BUILD}"),
]


def boot(
    options: str,
    *more: str,
    harts: int = 1,
    initramfs: Path | None = None,
    console: str = "ttyS0",
) -> tuple[int, str]:
    """Boot it; returns QEMU's exit status and the console after the kernel's messages."""
    command = [QEMU, "-M", "virt", "-smp", str(harts), "-m", "128M", "-nographic", "-no-reboot"]
    command += ["-kernel", str(IMAGE.kernel), "-initrd", str(initramfs or IMAGE.initramfs)]
    command += ["-append", f"console={console} quiet {options}", *more]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    screen = done.stdout.decode(errors="replace").replace("\r\n", "\n")
    screen = screen[screen.rfind("MEDELEG") :].partition("\n")[2]
    return done.returncode, re.sub(r"^\[ *\d+\.\d+\] reboot: .*\n", "", screen, flags=re.MULTILINE)


@pytest.mark.parametrize("harts", [1, 4])
def test_a_script_runs_and_the_machine_powers_off(harts):
    status, screen = boot('vtbook.run="nproc; uname -r; cat /proc/sys/kernel/ostype"', harts=harts)
    assert status == 0
    assert screen.splitlines() == [
        str(harts),
        f"{IMAGE.version}-vtbook",
        "Linux",
        "init: the script ended with status 0",
    ]


def test_the_status_of_the_script_ends_the_machine():
    status, screen = boot('vtbook.run="echo one two; exit 7"')
    assert (status, screen.splitlines()[0]) == (7, "one two")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ('"vtbook.run=echo both; echo ways"', ["both", "ways"]),
        ("vtbook.run=hostname", ["vtbook"]),
        ("xvtbook.run=false vtbook.run=pwd", ["/"]),
    ],
)
def test_options_are_found_however_they_are_quoted(options, expected):
    status, screen = boot(options)
    assert (status, screen.splitlines()[:-1]) == (0, expected)


def test_a_script_in_the_initramfs_runs_and_sees_other_files(tmp_path):
    longer = "\n".join(f": line {number}" for number in range(500))
    files = {
        "etc/vtbook.run": f"{longer}\n/opt/own/tool".encode(),
        "opt/own/tool": b"echo own tool",
    }
    (tmp_path / "more.cpio").write_bytes(IMAGE.initramfs_with(files))
    status, screen = boot("", initramfs=tmp_path / "more.cpio")
    assert (status, screen.splitlines()[0]) == (0, "own tool")


DISK = ("-device", "virtio-blk-device,drive=d", "-drive")
MODERN = ("-global", "virtio-mmio.force-legacy=false")


@pytest.mark.parametrize("transport", [(), MODERN], ids=["legacy", "modern"])
def test_a_disk_is_made_mounted_written_and_read_again(tmp_path, transport):
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(8 << 20))
    drive = (*transport, *DISK, f"file={path},format=raw,id=d,if=none")
    script = "mke2fs -q /dev/vda && mount /dev/vda /mnt && echo kept > /mnt/file && umount /mnt"
    status, screen = boot(f'vtbook.disk vtbook.run="{script}"', *drive)
    assert status == 0, screen
    assert "/dev/vda has no file system that this kernel knows" in screen
    assert struct.unpack_from("<H", path.read_bytes(), 1024 + 56) == (0xEF53,)  # ext2
    status, screen = boot('vtbook.disk vtbook.run="cat /mnt/file; bench disk"', *drive)
    assert status == 0, screen
    assert re.fullmatch(r"kept\ndisk: \d+ us\ninit: .*\n", screen)


def test_a_disk_that_is_not_there_is_said():
    assert "there is no /dev/vdb" in boot("vtbook.disk=/dev/vdb vtbook.run=true")[1]


NET = ("-device", "virtio-net-device,netdev=n", "-netdev", "user,id=n")


def test_dhcp_gives_an_address_a_route_and_a_name_server():
    script = "ip -4 -o addr show eth0; ip route; cat /etc/resolv.conf; ping -c 1 -q 10.0.2.2"
    status, screen = boot(f'vtbook.run="{script}"', *NET)
    assert status == 0, screen
    assert re.search(r"inet 10\.0\.2\.15/24 brd 10\.0\.2\.255", screen)
    assert "default via 10.0.2.2 dev eth0" in screen
    assert "nameserver 10.0.2.3" in screen
    assert "1 packets received" in screen


def test_the_kernel_asks_dhcp_with_ip_dhcp():
    status, screen = boot('ip=dhcp vtbook.run="ip -4 -o addr; cat /etc/resolv.conf"', *NET)
    assert status == 0
    assert screen.count("inet 10.0.2.15") == 1
    assert "nameserver 10.0.2.3" in screen


def test_a_network_that_nobody_serves_does_not_stop_the_boot():
    status, screen = boot("vtbook.run=true", *NET[:3], "socket,id=n,listen=127.0.0.1:0")
    assert (status, screen.splitlines()[0]) == (
        0,
        "init: eth0 has no address: nobody answered DHCP",
    )
    status, screen = boot("vtbook.net=off vtbook.run=true", *NET)
    assert screen.splitlines() == ["init: the script ended with status 0"]


def test_a_share_is_mounted_by_9p(tmp_path):
    (tmp_path / "file").write_text("of the host\n")
    share = f"local,id=s,path={tmp_path},security_model=none"
    device = ("-fsdev", share, "-device", "virtio-9p-device,fsdev=s,mount_tag=own")
    status, screen = boot('vtbook.share=own vtbook.run="cat /share/file"', *device)
    assert (status, screen.splitlines()[0]) == (0, "of the host")


def test_random_numbers_console_and_balloon_have_drivers():
    devices = ("-device", "virtio-rng-device", "-device", "virtio-balloon-device")
    devices += ("-device", "virtio-serial-device", "-device", "virtconsole,chardev=c")
    devices += ("-chardev", "null,id=c")
    script = "cat /sys/class/misc/hw_random/rng_current; ls /sys/bus/virtio/drivers; ls /dev/hvc*"
    words = boot(f'vtbook.run="{script}"', *devices)[1].split()
    wanted = {"virtio_rng.0", "virtio_balloon", "virtio_console", "virtio_blk", "9pnet_virtio"}
    assert wanted <= set(words)
    assert any(word.startswith("/dev/hvc") for word in words)


def test_the_console_can_be_the_firmwares():
    script = "cat /sys/class/tty/console/active"
    screen = boot(f'earlycon=sbi vtbook.run="{script}"', console="hvc0")[1]
    assert screen.split()[0] == "hvc0"


@pytest.fixture
def shell():
    """A console with a shell on it."""
    pexpect = pytest.importorskip("pexpect")
    command = ["-M", "virt", "-m", "128M", "-nographic", "-no-reboot", "-append", "console=ttyS0"]
    command += ["-kernel", str(IMAGE.kernel), "-initrd", str(IMAGE.initramfs)]
    child = pexpect.spawn(QEMU, command, timeout=15, encoding="utf-8")
    child.expect("a little, `exit` or `poweroff` ends the machine")
    child.expect_exact("~ # ")
    yield child
    child.close(force=True)


@pytest.mark.parametrize("last", ["poweroff", "exit"])
def test_a_shell_takes_commands_until_it_is_left(shell, last):
    shell.sendline("cd /etc; echo $((6 * 7))")
    shell.expect("\r\n42\r+\n/etc # ")
    shell.sendline("sleep 1000")
    shell.expect("sleep 1000\r+\n")
    shell.sendintr()
    shell.expect("/etc # ")
    shell.sendline(last)
    shell.expect("reboot: Power down")
    shell.wait()
    assert shell.exitstatus == 0


def test_reboot_comes_back_to_the_firmware(shell):
    shell.sendline("reboot")
    shell.expect("reboot: Restarting system")


def test_the_benchmark_times_every_job():
    lines = boot('vtbook.run="bench; bench nothing"')[1].splitlines()
    names = [line.partition(":")[0] for line in lines]
    assert names[:7] == ["loop", "fork", "calls", "copy", "hash", "gzip", "files"]
    assert all(re.fullmatch(r"\w+: \d+ us", line) for line in lines[:7])
    assert "no job nothing" in lines[7]


def test_the_kernel_stands_alone():
    """No path, user or time of the build is in it."""
    kernel = IMAGE.kernel.read_bytes()
    assert b"(vtbook@vtbook)" in kernel
    assert b"1970" in kernel
    assert str(linux.images_folder()).encode() not in kernel + IMAGE.initramfs.read_bytes()
