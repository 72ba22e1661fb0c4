"""Console and balloon against QEMU's: features, configuration, used rings, interrupts.

QEMU's entropy device gives nothing while the machine is stopped, as it is under qtest.
"""

import struct

import pytest

from tests.devices.qtest import needs_qemu
from tests.devices.virtio import driver as d
from tests.devices.virtio.qemu import QemuBoard
from vtbook.devices.virtio import VirtioBalloon, VirtioConsole

pytestmark = needs_qemu
BUS = "bus=virtio-mmio-bus.0"


@pytest.fixture(params=[False, True], ids=["version 2", "version 1"])
def both(request):
    """``both(our device, QEMU's options)``: a driver of each, ours first."""
    boards = []

    def make(device, options, **more):
        qemu = QemuBoard(options, legacy=request.param)
        boards.append(qemu)
        qemu.device = device
        ours = d.Board(device, legacy=request.param)
        return [d.Driver(board, legacy=request.param, **more) for board in (ours, qemu)]

    make.legacy = request.param
    yield make
    for board in boards:
        board.close()


def same(results):
    ours, theirs = results
    assert ours == theirs
    return ours


def test_console(both, tmp_path):
    path = tmp_path / "output"
    options = ["-chardev", f"file,id=out,path={path}"]
    options += ["-device", f"virtio-serial-device,{BUS},max_ports=1", "-device"]
    options += ["virtconsole,chardev=out"]
    drivers = both(VirtioConsole(columns=0, rows=0), options, features=~0 & ~(1 << 24))
    assert same([driver.read(d.DEVICE_ID) for driver in drivers]) == 3
    assert [driver.offered() & 0b111 for driver in drivers] == [0b101, 0b100], "QEMU tells no size"
    assert same([driver.config(0, 4) for driver in drivers]) == 0
    for driver in drivers:
        driver.write(d.CONFIG + 8, ord("!"))
    same([driver.rings[1].request([b"hello ", b"console"]) for driver in drivers])
    same([driver.acknowledge() for driver in drivers])
    ring_of = [driver.rings[0] for driver in drivers]
    for ring in ring_of:
        ring.add([], [16])
        ring.kick()
    assert same([ring.used_idx for ring in ring_of]) == 0
    drivers[1].board.wait(lambda: path.stat().st_size == 14)
    assert path.read_bytes() == drivers[0].board.device.console.output == b"!hello console"


def test_balloon(both):
    options = ["-device", f"virtio-balloon-device,{BUS},deflate-on-oom=on,free-page-reporting=on"]
    seen = []
    drivers = both(VirtioBalloon(on_inflate=seen.extend), options, queues=4, features=~0)
    assert same([driver.read(d.DEVICE_ID) for driver in drivers]) == 5
    wanted = 1 << 1 | 1 << 2 | 1 << 5
    assert same([driver.offered() & 0b100111 for driver in drivers]) == wanted
    page = (d.RAM >> 12) + 0x80
    for queue in (0, 1):
        pages = struct.pack("<3I", page, page + 1, page + 5)
        same([driver.rings[queue].request([pages]) for driver in drivers])
        same([driver.acknowledge() for driver in drivers])
    assert seen == [page, page + 1, page + 5]
    for driver in drivers:
        if both.legacy:
            for i in range(4):
                driver.write(d.CONFIG + 4 + i, 3 if i == 0 else 0, 1)
        else:
            driver.write(d.CONFIG + 4, 3)
    assert same([driver.config(0, 8) for driver in drivers]) == 3 << 32
    for driver in drivers:
        driver.rings[2].add([struct.pack("<HQ", 4, 1000)])
        driver.rings[2].kick()
    assert same([driver.rings[2].used_idx for driver in drivers]) == 0, "it is kept"
    for driver in drivers:
        driver.rings[3].add_parts([(d.RAM + 0xC0000, 4096, d.WRITE)])
        driver.rings[3].kick()
    assert same([driver.rings[3].used_idx for driver in drivers]) == 1
    ((_, length, _),) = drivers[0].rings[3].collect()
    assert length == 0
