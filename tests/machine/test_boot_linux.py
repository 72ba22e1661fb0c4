"""Linux on our machine: from the reset vector to a script, a shell, a disk and a network."""

import http.server
import re
import struct
import threading

import pytest

from vtbook.guests import linux
from vtbook.machine import Machine
from vtbook.machine.board import Board, Disk, Nic
from vtbook.machine.firmware import KNOWN_FIRMWARE, FirmwareError, find_firmware

IMAGE = linux.find()
pytestmark = pytest.mark.skipif(IMAGE is None, reason=f"needs a Linux: {linux.HOW_TO_BUILD}")

MOST = 2_000_000_000  # instructions; a boot takes 30 million
POWER_DOWN = re.compile(r"^\[ *\d+\.\d+\] reboot: .*\n", re.MULTILINE)


def plug_in(board: Board, options: str, firmware: str = "vtbook", **more) -> Machine:
    machine = Machine(board, **more)
    append = f"console=ttyS0 quiet {options}"
    machine.boot(IMAGE.kernel, initrd=IMAGE.initramfs, firmware=firmware, append=append)
    return machine


def screen(machine: Machine) -> str:
    """The console after what the firmware says, without the kernel's last words."""
    text = machine.console.text.replace("\r\n", "\n")
    return POWER_DOWN.sub("", text.rpartition("device tree at 0x87e00000\n\n")[2])


def has(firmware: str) -> bool:
    try:
        return firmware == "vtbook" or bool(find_firmware(firmware))
    except FirmwareError:
        return False


def with_firmware(name: str):
    needs = f"needs {name}: apt install {KNOWN_FIRMWARE[name].package}" if name != "vtbook" else ""
    return pytest.param(
        name, marks=pytest.mark.skipif(not has(name), reason=needs or "always there")
    )


@pytest.mark.parametrize("harts", [1, 4])
@pytest.mark.parametrize("firmware", [with_firmware("vtbook"), with_firmware("opensbi")])
def test_a_script_runs_and_the_machine_powers_off(harts, firmware):
    options = 'vtbook.run="nproc; grep -c rv64imafdc_ /proc/cpuinfo; uname -r"'
    machine = plug_in(Board(harts=harts), options, firmware, reverse=False)
    ended = machine.run(MOST)
    assert ended.reason == "shutdown"
    assert ended.ok
    assert screen(machine).splitlines()[-4:] == [
        str(harts),
        str(2 * harts),  # "isa" and "hart isa" of each
        f"{IMAGE.version}-vtbook",
        "init: the script ended with status 0",
    ]


def test_the_status_of_the_script_is_the_code_of_the_exit():
    machine = plug_in(Board(), 'vtbook.run="exit 7"', reverse=False)
    ended = machine.run(MOST)
    assert (ended.reason, ended.code) == ("shutdown", 7)


def test_reboot_ends_the_run_with_a_reset():
    machine = plug_in(Board(), 'vtbook.run="reboot -f"', reverse=False)
    assert machine.run(MOST).reason == "reset"


def test_two_boots_are_the_same_instruction_by_instruction():
    ends = []
    for _ in range(2):
        machine = plug_in(Board(harts=2, entropy=True), 'vtbook.run="head -c 8 /dev/hwrng | xxd"')
        machine.run(MOST)
        ends.append((machine.instructions, machine.snapshot().digest, machine.console.text))
    assert ends[0] == ends[1]
    assert "00000000: " in ends[0][2]


def test_a_disk_is_made_mounted_written_and_read_by_the_next_boot():
    script = "mke2fs /dev/vda; mount /dev/vda /mnt && echo kept > /mnt/file && umount /mnt"
    first = plug_in(Board(disks=[Disk(size="8 MiB")]), f'vtbook.run="{script}"', reverse=False)
    assert first.run(MOST).ok
    disk = first.board.disks["disk0"]
    content = disk.read(0, disk.size)
    assert struct.unpack_from("<H", content, 1024 + 56) == (0xEF53,)  # ext2's magic number
    board = Board(disks=[Disk(size=content)])
    second = plug_in(board, 'vtbook.disk vtbook.run="cat /mnt/file; bench disk"', reverse=False)
    assert second.run(MOST).ok
    assert re.fullmatch(r"kept\ndisk: \d+ us\ninit: .*\n", screen(second))


def test_the_network_gives_an_address_and_answers_pings():
    script = "ip -4 -o addr show eth0; ip route; cat /etc/resolv.conf; ping -c 2 -q 10.0.2.2"
    machine = plug_in(Board(nics=[Nic()]), f'vtbook.run="{script}"', reverse=False)
    assert machine.run(MOST).ok, screen(machine)
    text = screen(machine)
    assert re.search(r"inet 10\.0\.2\.15/24", text)
    assert "default via 10.0.2.2 dev eth0" in text
    assert "nameserver 10.0.2.3" in text
    assert "2 packets transmitted, 2 packets received" in text


def test_the_guest_fetches_a_page_from_this_computer():
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"a page of the host, " * 5000)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://10.0.2.2:{server.server_port}/"
        nic = Nic(restrict=False, host_loopback=True)
        machine = plug_in(
            Board(nics=[nic]), f'vtbook.run="wget -q -O - {address} | wc -c"', reverse=False
        )
        ended = machine.run(MOST, seconds=120)
        server.shutdown()
    assert ended.ok, screen(machine)
    assert screen(machine).splitlines()[0] == "100000"


def test_every_virtio_device_has_a_driver():
    board = Board(
        disks=[Disk(size="1 MiB")], nics=[Nic()], entropy=True, balloon=True, console=True
    )
    script = "cd /sys/bus/virtio/drivers; ls -d */virtio*; ls /dev/hvc0; hwclock -u"
    machine = plug_in(board, f'vtbook.net=off vtbook.run="{script}"', reverse=False)
    assert machine.run(MOST).ok
    drivers = {word.partition("/")[0] for word in screen(machine).split() if "/virtio" in word}
    assert drivers == {
        *("virtio_blk", "virtio_net", "virtio_rng", "virtio_balloon", "virtio_console"),
    }
    assert "/dev/hvc0" in screen(machine)
    assert "Wed Jan  1 00:00:00 2025" in screen(machine)  # the RTC's date at power-on


def test_a_shell_takes_commands_stops_them_and_goes_back_in_time():
    machine = plug_in(Board(), "")
    assert machine.run(MOST, until_output="~ # ").reason == "output"
    machine.console.feed("echo $((6 * 7)); sleep 1000\n")
    assert machine.run(MOST, until_output="\n42\r\n").reason == "output"
    machine.console.feed("\x03")
    before, at = machine.snapshot().digest, machine.instructions
    assert machine.run(MOST, until_output="~ # ").reason == "output"
    machine.console.feed("uname\n")
    assert machine.run(MOST, until_output="Linux\r\n").reason == "output"
    machine.history.go_to(at)
    assert machine.instructions == at
    assert machine.snapshot().digest == before
    assert machine.run(MOST, until_output="~ # ").reason == "output"  # Ctrl-C is typed again
    machine.console.feed("poweroff\n")
    assert machine.run(MOST).ok


def test_a_snapshot_goes_on_in_another_machine():
    board = Board(disks=[Disk(size="4 MiB")])
    machine = plug_in(
        board, 'vtbook.run="mke2fs /dev/vda >/dev/null; seq 20000 | sha256sum; sha256sum /dev/vda"'
    )
    machine.run(25_000_000)
    saved = machine.snapshot()
    machine.run(MOST)
    other = Machine(board)
    other.restore(saved)
    other.run(MOST)
    assert other.instructions == machine.instructions
    assert other.snapshot().digest == machine.snapshot().digest


def test_a_guest_that_waits_for_a_key_costs_nothing():
    machine = plug_in(Board(), "", reverse=False)
    machine.run(MOST, until_output="~ # ")
    machine.run(MOST, until_input=True)
    before = machine.instructions
    waited = machine.run(1_000_000_000, until_input=True)
    assert waited.reason == "input"
    assert machine.instructions - before < 1_000_000
