"""The virtio devices under Linux's drivers, in both versions of the registers."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from vtbook.devices.virtio import VirtioEntropy, block
from vtbook.guests import linux
from vtbook.machine import Machine
from vtbook.machine.board import Board, Disk

IMAGE = linux.find()
pytestmark = pytest.mark.skipif(IMAGE is None, reason=f"needs a Linux: {linux.HOW_TO_BUILD}")

MOST = 1_000_000_000
ROOT = Path(__file__).parents[3]
SCRIPT = """
echo on the console > /dev/hvc1; stty -F /dev/hvc1 size
dd if=/dev/zero bs=64k count=16 | tr '\\0' x | dd of=/dev/vda bs=64k conv=fsync
dd if=/dev/vda bs=4k count=256 iflag=direct | sha256sum
dd if=/dev/hwrng bs=64 count=1 | sha256sum
echo READY; head -1 < /dev/hvc1
cd /share; cat note; ls | wc -l; cat link; echo from the guest > made; mkdir d; mv made d/made
echo more >> d/made; rm note; sync; cat d/made
"""


@pytest.mark.parametrize("legacy", [False, True], ids=["version 2", "version 1"])
def test_linux_drives_all_devices(tmp_path, legacy):
    share = tmp_path / "share"
    share.mkdir()
    (share / "note").write_text("from the host\n")
    (share / "link").symlink_to("../secret")
    (tmp_path / "secret").write_text("not for guests\n")
    board = Board(
        disks=[Disk(size="2 MiB")],
        entropy=True,
        balloon=True,
        console=True,
        share=share,
        legacy=legacy,
    )
    machine = Machine(board, reverse=False)
    machine.boot(
        IMAGE.kernel,
        initrd=IMAGE.initramfs_with({"etc/vtbook.run": SCRIPT.encode()}),
        firmware="vtbook",
        append="console=ttyS0 quiet vtbook.share=host vtbook.net=off",
    )
    devices = {device.NAME: device for device in machine.board.virtio.values()}
    while "READY" not in machine.console.text:
        assert machine.run(5_000_000).reason == "budget", machine.console.text
    balloon = devices["balloon"]
    balloon.set_target(1000)
    balloon.ask_for_statistics()
    for _ in range(40):
        if balloon.actual != 1000:
            machine.run(1_000_000)
    assert balloon.actual == 1000
    assert 64 << 20 < balloon.statistics["free"] < balloon.statistics["total"] < 128 << 20
    machine.console.feed("typed\n")
    assert machine.run(MOST).ok
    lines = machine.console.text.replace("\r", "").splitlines()
    assert "on the console" in lines
    assert "24 80" in lines
    assert f"{hashlib.sha256(b'x' * (1 << 20)).hexdigest()}  -" in lines
    assert "typed" in lines
    assert lines.count("from the host") == 1
    assert "not for guests" not in lines
    assert "from the guest" in lines
    assert (share / "d" / "made").read_text() == "from the guest\nmore\n"
    assert sorted(path.name for path in share.iterdir()) == ["d", "link"]
    assert devices["disk"].requests[block.T_IN] >= 256
    assert devices["disk"].requests[block.T_FLUSH] >= 1
    assert devices["entropy"].count >= 1
    assert isinstance(devices["entropy"], VirtioEntropy)
    assert not any(machine.board.bus[name].device.broken for name in machine.board.virtio)
    devices["shared folder"].close()


BUSY = """
dd if=/dev/hwrng bs=512 count=8 2>/dev/null | sha256sum
for n in 1 2 3 4 5 6; do dd if=/dev/zero of=/dev/vda bs=64k seek=$n count=2 conv=fsync 2>&1; done
echo to the other console > /dev/hvc1; sha256sum < /dev/vda
"""
ELSEWHERE = """
import sys
from vtbook.machine import Machine
from vtbook.machine.snapshot import Snapshot
from tests.devices.virtio.test_under_linux import busy_board
machine = Machine(busy_board(), reverse=False)
machine.restore(Snapshot.load(sys.argv[1]))
assert machine.run(1_000_000_000).ok
print(machine.snapshot().digest)
"""


def busy_board():
    return Board(disks=[Disk(size="1 MiB")], entropy=True, balloon=True, console=True)


def test_a_run_goes_on_in_another_process_from_the_middle_of_its_requests(tmp_path):
    machine = Machine(busy_board(), reverse=False)
    machine.boot(
        IMAGE.kernel,
        initrd=IMAGE.initramfs_with({"etc/vtbook.run": BUSY.encode()}),
        firmware="vtbook",
        append="console=ttyS0 quiet vtbook.net=off",
    )
    disk = machine.board.virtio["virtio0"]
    while disk.requests.get(block.T_OUT, 0) < 3:
        assert machine.run(100_000).reason == "budget"
    snapshot = machine.snapshot()
    snapshot.save(tmp_path / "middle")
    assert machine.run(MOST).ok
    command = [sys.executable, "-c", ELSEWHERE, tmp_path / "middle"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == machine.snapshot().digest
