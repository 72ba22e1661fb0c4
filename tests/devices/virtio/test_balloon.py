"""The memory balloon against virtio 1.2, chapter 5.5."""

import struct

import pytest

from tests.devices.virtio import driver as d
from vtbook.devices.virtio import VirtioBalloon, balloon

INFLATE, DEFLATE, STATS, REPORTING = 0, 1, 2, 4


def device(**options):
    seen = []
    made = VirtioBalloon(
        on_inflate=lambda pages: seen.append(("inflate", pages)),
        on_deflate=lambda pages: seen.append(("deflate", pages)),
        on_report=lambda parts: seen.append(("report", parts)),
    )
    options.setdefault("features", ~0)
    driver = d.Driver(d.Board(made, legacy=options.get("legacy", False)), **options)
    return driver, seen


def numbers(*pages):
    return struct.pack(f"<{len(pages)}I", *pages)


@pytest.mark.parametrize("legacy", [False, True])
def test_pages_are_reported_to_the_machine(legacy):
    driver, seen = device(legacy=legacy)
    assert driver.rings[INFLATE].request([numbers(0x80010, 5), numbers(0xFFFFFFFF)]) == (0, b"")
    assert driver.rings[DEFLATE].request([numbers(5)]) == (0, b"")
    assert seen == [("inflate", [0x80010, 5, 0xFFFFFFFF]), ("deflate", [5])]


def test_many_pages_come_in_pieces(monkeypatch):
    monkeypatch.setattr(balloon, "PIECE", 8)
    driver, seen = device()
    driver.rings[INFLATE].request([numbers(1, 2, 3), b"\4"])
    assert seen == [("inflate", [1, 2]), ("inflate", [3])], "part of a number is ignored"


def test_the_target_is_told_and_the_driver_answers():
    driver, _ = device()
    made = driver.board.device
    made.set_target(1000)
    assert driver.acknowledge() == 2
    assert driver.config(0, 4) == 1000
    driver.write(d.CONFIG + 4, 998)
    assert (made.actual, driver.config(4, 4)) == (998, 998)
    driver.write(d.CONFIG, 5)
    assert made.target == 1000
    driver.start()
    assert (made.target, made.actual) == (1000, 0)
    driver.board.slot.reset()
    assert made.target == 0


def test_drivers_of_version_1_write_by_bytes():
    driver, _ = device(legacy=True)
    for i, octet in enumerate((0x12, 0x34, 0x56, 0x78)):
        driver.write(d.CONFIG + 4 + i, octet, 1)
    assert driver.board.device.actual == 0x78563412
    for offset, size in ((0, 4), (5, 4), (8, 1), (7, 2)):
        driver.write(d.CONFIG + offset, 0, size)
    assert driver.board.device.actual == 0x78563412


@pytest.mark.parametrize(("asked", "target"), [(-1, 0), (2**40, 2**32 - 1)])
def test_a_target_out_of_range_is_brought_into_it(asked, target):
    made = VirtioBalloon()
    made.set_target(asked)
    assert made.target == target


def statistics(**values):
    tags = {"free": 4, "total": 5, "swapped_in": 0, "new": 99}
    return b"".join(struct.pack("<HQ", tags[name], value) for name, value in values.items())


def test_statistics_come_when_they_are_asked_for():
    driver, _ = device()
    made, ring = driver.board.device, driver.rings[STATS]
    ring.add([statistics(free=10, total=100, new=7)])
    ring.kick()
    assert ring.used_idx == 0, "the device keeps the buffer (5.5.6.3)"
    assert made.statistics == {"free": 10, "total": 100}
    made.ask_for_statistics()
    assert [length for _, length, _ in ring.collect()] == [0]
    assert driver.acknowledge() == 1
    ring.add([statistics(total=100, free=5), b"rest"])
    ring.kick()
    assert made.statistics == {"free": 5, "total": 100}
    assert ring.used_idx == 1


def test_statistics_asked_for_too_early_are_asked_for_when_the_driver_comes():
    driver, _ = device()
    driver.board.device.ask_for_statistics()
    ring = driver.rings[STATS]
    ring.add([statistics(free=1)])
    ring.kick()
    assert ring.used_idx == 1
    assert not driver.board.device.asked


def test_of_two_buffers_for_statistics_one_comes_back():
    driver, _ = device()
    ring = driver.rings[STATS]
    first = ring.add([statistics(free=1)])
    ring.add([statistics(free=2)])
    ring.kick()
    assert [head for head, _, _ in ring.collect()] == [first]
    assert driver.board.device.statistics == {"free": 2}


def test_a_queue_that_is_reset_keeps_no_buffer():
    driver, _ = device()
    ring = driver.rings[STATS]
    ring.add([statistics(free=1)])
    ring.kick()
    driver.write(d.QUEUE_SEL, STATS)
    driver.write(d.QUEUE_RESET, 1)
    driver.rings[STATS] = driver.set_up(STATS)
    driver.board.device.ask_for_statistics()
    assert driver.rings[STATS].used_idx == 0


@pytest.mark.parametrize(
    ("features", "number"),
    [(~0, REPORTING), (~0, 3), (d.VERSION_1 | balloon.F_PAGE_REPORTING, 2)],
)
def test_free_ranges_are_reported_whatever_the_number_of_the_queue(features, number):
    driver, seen = device(features=features)
    ring = driver.rings[number]
    place = driver.allocate(8192, 4096)
    ring.add_parts([(place, 4096, d.WRITE), (place + 4096, 4096, d.WRITE)])
    ring.kick()
    assert seen == [("report", [(place, 4096), (place + 4096, 4096)])]
    assert ring.used_idx == 1


def test_without_its_feature_nothing_is_reported():
    driver, seen = device(features=d.VERSION_1)
    driver.rings[REPORTING].add([], [16])
    driver.rings[REPORTING].kick()
    assert (seen, driver.rings[REPORTING].used_idx) == ([], 0)


def test_what_comes_from_outside_is_logged_and_can_be_replayed():
    driver, _ = device()
    log = []
    driver.board.device.on_feed = log.append
    driver.board.device.set_target(77)
    driver.board.device.ask_for_statistics()
    other, _ = device()
    for data in log:
        other.board.device.feed(data)
    assert other.board.slot.state() == driver.board.slot.state()


def test_the_state_comes_back_with_a_buffer_held():
    driver, _ = device()
    ring = driver.rings[STATS]
    ring.add([statistics(free=3)])
    ring.kick()
    driver.board.device.set_target(9)
    saved = driver.board.slot.state()
    other = d.Board(VirtioBalloon(), memory=driver.board.memory)
    other.slot.load_state(saved)
    assert other.slot.state() == saved
    assert other.device.statistics == {"free": 3}
    other.device.ask_for_statistics()
    assert ring.used_idx == 1
