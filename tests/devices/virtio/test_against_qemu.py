"""Our virtio-mmio and block device against QEMU's: the same registers, rings and requests."""

import os
import struct
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.devices.qtest import needs_qemu
from tests.devices.virtio import driver as d
from tests.devices.virtio.qemu import QemuBoard
from tests.devices.virtio.test_queue import chains
from vtbook.devices.storage import MemoryDisk
from vtbook.devices.virtio import VirtioBlock, block

FUZZ = int(os.environ.get("VTBOOK_FUZZ", "1"))
pytestmark = needs_qemu

SECTORS = 256
IMAGE = b"".join(struct.pack("<I", n * 2654435761 & 0xFFFFFFFF) * 128 for n in range(SECTORS))
SERIAL = "vtbook-1"
SCRATCH = 200
"""Sectors from here on are discarded and never read: QEMU may leave their contents."""
FEATURES = d.VERSION_1 | d.INDIRECT_DESC | d.EVENT_IDX
FEATURES |= block.F_FLUSH | block.F_CONFIG_WCE | block.F_DISCARD | block.F_WRITE_ZEROES
IMAGE_SIZE = 1 << 17
"""Bytes of RAM that are compared: the ring and all buffers."""


@pytest.fixture(scope="module", params=[False, True], ids=["version 2", "version 1"])
def qemu(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("qemu") / "disk.img"
    path.write_bytes(IMAGE)
    drive = f"if=none,id=disk,format=raw,discard=unmap,file={path}"
    device = f"virtio-blk-device,bus=virtio-mmio-bus.0,drive=disk,serial={SERIAL}"
    board = QemuBoard(["-drive", drive, "-device", device], legacy=request.param)
    board.legacy, board.path = request.param, path
    yield board
    board.close()


def both(qemu, *, start=True, features=FEATURES):
    """A driver of ours and one of QEMU's disk, in the same state."""
    qemu.clear(IMAGE_SIZE)
    disk = MemoryDisk(IMAGE)
    ours = d.Board(VirtioBlock(disk, serial=SERIAL), legacy=qemu.legacy)
    drivers = [
        d.Driver(board, queues=1, features=features, legacy=qemu.legacy, start=start)
        for board in (ours, qemu)
    ]
    if start:  # QEMU's disk keeps what earlier examples wrote
        for sector in range(0, SCRATCH, 40):
            data = IMAGE[sector * 512 : sector * 512 + 40 * 512]
            for driver in drivers:
                assert ask(driver, block.T_OUT, sector, data, 0)[1][-1] == 0
        for driver in drivers:
            driver.acknowledge()
            driver.rewind()
            driver.board.memory.write(driver.next, bytes(64 << 10))
    return drivers


def ask(driver, kind, sector, data, room, indirect=False, cuts=()):
    whole = struct.pack("<IIQ", kind, 0, sector) + data
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    readable = [whole[a:b] for a, b in pairwise(edges)]
    edges = sorted({0, room, *(cut for cut in cuts if cut < room)})
    writable = [b - a for a, b in pairwise(edges)]
    return driver.rings[0].request(readable, [*writable, 1], indirect=indirect)


def images(drivers):
    ours, theirs = (driver.board.memory.read(d.RAM, IMAGE_SIZE) for driver in drivers)
    return ours, theirs


def assert_same_memory(drivers):
    ours, theirs = images(drivers)
    if ours != theirs:
        at = next(i for i in range(IMAGE_SIZE) if ours[i] != theirs[i])
        ring = drivers[0].rings[0]
        where = f"table {ring.desc:#x}, available {ring.avail:#x}, used {ring.used:#x}"
        a, b = ours[at : at + 16].hex(" "), theirs[at : at + 16].hex(" ")
        raise AssertionError(f"{d.RAM + at:#x} ({where}): ours {a}, QEMU's {b}")


# -- registers ----------------------------------------------------------------------------------

WRITES = st.one_of(
    st.tuples(st.just(d.DEVICE_FEATURES_SEL), st.integers(0, 1)),
    st.tuples(st.just(d.DRIVER_FEATURES_SEL), st.integers(0, 1)),
    st.tuples(st.just(d.QUEUE_SEL), st.integers(0, 1)),
    st.tuples(st.just(d.QUEUE_NUM), st.sampled_from([1, 4, 8, 128, 256])),
    st.tuples(st.just(d.INTERRUPT_ACK), st.integers(0, 3)),
    st.tuples(st.just("step"), st.integers(0, 3)),
    st.tuples(st.just("reset"), st.just(0)),
    st.tuples(st.sampled_from([0, 4, 8, 12, d.QUEUE_NUM_MAX]), st.integers(0, 9)),  # read only
)
STEPS = [d.ACKNOWLEDGE, d.DRIVER, d.FEATURES_OK, d.DRIVER_OK]
READS = [d.MAGIC, d.VERSION, d.DEVICE_ID, d.VENDOR_ID, d.INTERRUPT_STATUS, d.STATUS, d.QUEUE_READY]
READS += [d.QUEUE_PFN, d.PAGE_SIZE, d.QUEUE_SEL, d.QUEUE_NUM, d.QUEUE_DESC, d.GENERATION]


@given(st.lists(WRITES, max_size=25), st.booleans())
@settings(max_examples=60 * FUZZ, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_registers_read_as_on_qemu(qemu, accesses, modern):
    """Status goes up as a driver may take it; what QEMU offers more than we do is left out."""
    drivers = both(qemu, start=False)
    status = reset_and_choose(qemu, drivers, modern)
    for offset, value in accesses:
        if offset == "step":
            step = STEPS[value]
            # QEMU takes drivers without VERSION_1, and keeps FEATURES_OK with version 1.
            if step == d.FEATURES_OK and (qemu.legacy or not modern):
                continue
            status |= step
            offset, value = d.STATUS, status
        if offset == "reset":
            status = reset_and_choose(qemu, drivers, modern)
        else:
            for driver in drivers:
                driver.write(offset, value)
        for register in READS:
            ours, theirs = (driver.read(register) for driver in drivers)
            assert ours == theirs, f"register {register:#x} after {offset} = {value:#x}"


def reset_and_choose(qemu, drivers, modern):
    """Reset both; then write all that QEMU keeps over a reset, such as the chosen features."""
    for driver in drivers:
        driver.write(d.STATUS, 0)
        driver.write(d.DEVICE_FEATURES_SEL, 0)
        driver.write(d.DRIVER_FEATURES_SEL, 0)
        driver.write(d.QUEUE_SEL, 0)
        if not qemu.legacy:
            for word, bits in enumerate((0, int(modern))):
                driver.write(d.DRIVER_FEATURES_SEL, word)
                driver.write(d.DRIVER_FEATURES, bits)
    return 0


def test_the_common_features_are_offered_as_on_qemu(qemu):
    ours, theirs = (driver.offered() for driver in both(qemu, start=False))
    wanted = FEATURES | block.F_SEG_MAX | block.F_BLK_SIZE | block.F_TOPOLOGY
    if qemu.legacy:
        wanted &= ~d.VERSION_1
    assert ours & wanted == theirs & wanted == wanted


def test_the_configuration_reads_as_on_qemu(qemu):
    drivers = both(qemu)
    fields = {"capacity": (0, 8), "seg_max": (12, 4), "blk_size": (20, 4), "exponent": (24, 1)}
    fields |= {"alignment": (25, 1), "writeback": (32, 1), "queues": (34, 2)}
    for name, (offset, size) in fields.items():
        ours, theirs = (driver.config(offset, size) for driver in drivers)
        assert ours == theirs, name
    for driver in drivers:
        driver.write(d.CONFIG + 32, 0, 1)
    assert [driver.config(32, 1) for driver in drivers] == [0, 0]


# -- requests -----------------------------------------------------------------------------------

SIZES = st.sampled_from([512, 1024, 2048, 4096, 0, 100, 513])
PLACES = st.one_of(st.integers(0, SCRATCH - 9), st.sampled_from([SECTORS - 1, SECTORS, 2**60]))
REQUESTS = st.one_of(
    st.tuples(st.just(block.T_IN), st.integers(0, SCRATCH - 9), st.just(0), SIZES),
    st.tuples(st.just(block.T_IN), st.sampled_from([SECTORS, 2**60]), st.just(0), SIZES),
    st.tuples(st.just(block.T_OUT), PLACES, SIZES, st.just(0)),
    st.tuples(st.just(block.T_FLUSH), st.just(0), st.just(0), st.just(0)),
    st.tuples(st.just(block.T_GET_ID), st.just(0), st.just(0), st.sampled_from([20, 30])),
    st.tuples(st.sampled_from([6, 10, 98]), st.just(0), st.just(0), st.sampled_from([0, 8])),
    st.tuples(st.just("zero"), PLACES, st.integers(1, 8), st.integers(0, 3)),
    st.tuples(st.just("discard"), st.integers(SCRATCH, SECTORS - 8), st.integers(1, 9), st.just(0)),
)
HOW = st.tuples(st.booleans(), st.lists(st.integers(1, 600), max_size=3))


@given(st.lists(st.tuples(REQUESTS, HOW), min_size=1, max_size=12), st.booleans())
@settings(max_examples=30 * FUZZ, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_requests_leave_the_same_memory(qemu, requests, event_idx):
    features = FEATURES if event_idx else FEATURES & ~d.EVENT_IDX
    drivers = both(qemu, features=features)
    for number, ((kind, sector, size, room), (indirect, cuts)) in enumerate(requests):
        data = bytes([number + 1]) * size
        if isinstance(kind, str):
            data = struct.pack("<QII", sector, size, room)
            kind = {"zero": block.T_WRITE_ZEROES, "discard": block.T_DISCARD}[kind]
            sector = room = 0
        for driver in drivers:
            driver.board.memory.write(driver.first, bytes(16 << 10))
            driver.rings[0].set_used_event(number // 3)
        answers = [ask(driver, kind, sector, data, room, indirect, cuts) for driver in drivers]
        assert answers[0] == answers[1], f"type {kind}, sector {sector}, {size} out, {room} in"
        assert_same_memory(drivers)
        reasons = [driver.acknowledge() for driver in drivers]
        assert reasons[0] == reasons[1], f"interrupt after request {number}"


def test_a_batch_is_answered_as_on_qemu(qemu):
    """QEMU may answer in another order."""
    drivers = both(qemu, features=FEATURES & ~d.EVENT_IDX)
    results = []
    for driver in drivers:
        ring = driver.rings[0]
        for n in range(2):
            ring.add([struct.pack("<IIQ", block.T_IN, 0, 7 * n)], [1024, 1])
        ring.add([struct.pack("<IIQ", block.T_FLUSH, 0, 0)], [1])
        ring.kick()
        driver.board.wait(lambda ring=ring: ring.used_idx == ring.added)
        results.append(sorted(ring.collect()))
    assert results[0] == results[1]


# -- chains that break a rule -------------------------------------------------------------------

TOLERATED = {
    "data outside RAM": "QEMU reads zeros there",
    "data past the end": "QEMU reads zeros there",
    "data before RAM": "QEMU reads zeros there",
}
BROKEN = [chain for chain in chains() if chain[0] not in TOLERATED]


@pytest.mark.parametrize(
    ("descriptors", "head"), [c[1:3] for c in BROKEN], ids=[c[0] for c in BROKEN]
)
def test_a_chain_that_breaks_a_rule_breaks_qemu_as_well(qemu, descriptors, head):
    drivers = both(qemu)
    place = d.RAM + 0x8000
    loop = struct.pack("<QIHH", place, 1, d.NEXT, 1) + struct.pack("<QIHH", place, 1, d.NEXT, 0)
    for driver in drivers:
        memory, ring = driver.board.memory, driver.rings[0]
        memory.write(place, struct.pack("<QIHH", place, 16, d.INDIRECT, 0))
        memory.write(place + 0x100, loop)
        memory.write(place + 0x200, struct.pack("<QIHH", place, 1, d.NEXT, 7))
        for at, fields in descriptors.items():
            ring.describe(at, *fields)
        ring.offer(head)
        before = ring.used_idx
        ring.kick()
        assert ring.used_idx == before, "no buffer is given back"
    statuses = [driver.read(d.STATUS) for driver in drivers]
    assert statuses[0] == statuses[1]
    assert qemu.legacy or statuses[0] == 0x4F
