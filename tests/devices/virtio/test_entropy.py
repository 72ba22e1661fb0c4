"""The entropy device against virtio 1.2, chapter 5.4."""

import hashlib

import pytest

from tests.devices.virtio import driver as d
from vtbook.devices import DeviceStateError
from vtbook.devices.virtio import VirtioEntropy, entropy


def source(seed=b"seed", **options):
    return d.Driver(d.Board(VirtioEntropy(seed), legacy=options.get("legacy", False)), **options)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_buffer_is_filled(legacy):
    length, data = source(legacy=legacy).rings[0].request([], [100, 28])
    assert length == 128
    assert data == hashlib.shake_256(b"seed" + (1).to_bytes(8, "little")).digest(128)


def test_the_bytes_differ_from_buffer_to_buffer_and_are_the_same_in_every_run():
    runs = []
    for _ in range(2):
        driver = source()
        runs.append([driver.rings[0].request([], [64])[1] for _ in range(3)])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 3
    assert source(b"other").rings[0].request([], [64])[1] not in runs[0]


def test_the_bytes_do_not_begin_again_when_the_driver_resets_the_device():
    driver = source()
    first = driver.rings[0].request([], [64])[1]
    driver.start()
    assert driver.rings[0].request([], [64])[1] != first
    driver.board.slot.reset()
    driver.start()
    assert driver.rings[0].request([], [64])[1] == first


def test_a_huge_buffer_is_filled_in_part():
    driver = source()
    ring = driver.rings[0]
    ring.add_parts([(d.RAM + 0x10000, 0x80000, d.WRITE)] * 2)
    ring.kick()
    ((_, length, _),) = ring.collect()
    assert length == entropy.FILL_MAX


def test_a_buffer_without_room_breaks_the_device():
    driver = source()
    driver.rings[0].add([b"x"])
    driver.rings[0].kick()
    assert driver.read(d.STATUS) & d.NEEDS_RESET


def test_the_state_goes_on_with_the_bytes_that_would_have_come():
    driver = source()
    driver.rings[0].request([], [8])
    saved = driver.board.slot.state()
    expected = driver.rings[0].request([], [8])
    other = d.Board(VirtioEntropy(b"something else"))
    other.slot.load_state(saved)
    assert other.device.state() == {"seed": b"seed", "count": 1}
    driver = d.Driver(other)
    assert driver.rings[0].request([], [8]) == expected
    with pytest.raises(DeviceStateError):
        other.device.load_state({"seed": bytes(65), "count": 0})
